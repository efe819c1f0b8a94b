// SPDX-License-Identifier: GPL-3.0-or-later
//
// The key parser on keys that gpg made, on every way to cut one off, and on hostile ones.
#include "bootkey/openpgp/key_packets.hpp"

#include <random>

#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"
#include "openpgp/made_packets.hpp"

using namespace bootkey;
using namespace bootkey::openpgp;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;
using openpgp::testing::integer;
using openpgp::testing::packet;
using openpgp::testing::two;

namespace {

std::string with_sum(const std::string& secret) {
    unsigned sum = 0;
    for (const char c : secret) sum += static_cast<unsigned char>(c);
    return secret + two(sum & 0xFFFF);
}

const std::string head("\x04TIME", 5);
const std::string ed25519_curve("\x09\x2B\x06\x01\x04\x01\xDA\x47\x0F\x01", 10);
const std::string point = "\x40" + std::string(32, 'P');

std::string ed25519_key(const std::string& rest) {
    return head + "\x16" + ed25519_curve + integer(point) + rest;
}

const std::string unprotected(1, '\0');
const std::string good_ed25519 = ed25519_key(unprotected + with_sum(integer(std::string(32, 's'))));
const std::string good_rsa = head + "\x01" + integer(std::string(64, 'n')) + integer("\x01\x01") + unprotected +
                             with_sum(integer("d") + integer("p") + integer("q") + integer("u"));

std::string binding(const std::string& hashed, char type = '\x18') {
    return packet(
        2, std::string("\x04") + type + "\x16\x08" + two(static_cast<unsigned>(hashed.size())) + hashed + two(0));
}

const std::string flags_authenticate("\x02\x1B\x20", 3);
const std::string flags_encrypt("\x02\x1B\x0C", 3);
const std::string some_subpacket("\x05\x02TIME", 6);

std::string text_of_field(Bytes data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

std::string kind_of(const std::string& packets) {
    const auto data = bytes(packets);
    const auto numbers = authentication_key(data, "a file");
    if (!numbers) return numbers.error().message();
    if (const auto* ed25519 = std::get_if<Ed25519Numbers>(&*numbers))
        return "ed25519 " + text_of_field(ed25519->point).substr(0, 1) + text_of_field(ed25519->seed).substr(0, 1);
    return "rsa " + text_of_field(std::get<RsaNumbers>(*numbers).n).substr(0, 1);
}

}  // namespace

TEST_CASE("the authentication subkey is chosen, else the primary key") {
    const std::string primary = packet(5, good_rsa);
    const std::string subkey = packet(7, good_ed25519);
    const std::string user_id = packet(13, "somebody");
    const std::string other_algorithm = packet(7, head + "\x13" + std::string("\x01\x2B") + integer("x") + unprotected);
    struct Case {
        const char* what;
        std::string packets;
        const char* kind;
    };
    const std::vector<Case> cases = {
        {"RSA alone", primary, "rsa n"},
        {"Ed25519 alone", packet(5, good_ed25519) + user_id, "ed25519 Ps"},
        {"an authentication subkey", primary + user_id + subkey + binding(flags_authenticate), "ed25519 Ps"},
        {"an encryption subkey", primary + user_id + subkey + binding(flags_encrypt), "rsa n"},
        {"the second subkey",
         primary + packet(7, good_rsa) + binding(flags_encrypt) + subkey + binding(flags_authenticate), "ed25519 Ps"},
        {"flags behind another subpacket", primary + subkey + binding(some_subpacket + flags_authenticate),
         "ed25519 Ps"},
        {"a critical subpacket", primary + subkey + binding("\x02\x9B\x20"), "ed25519 Ps"},
        {"a subkey without signature", primary + subkey, "rsa n"},
        {"a revoked one's revocation alone", primary + subkey + binding(flags_authenticate, '\x28'), "rsa n"},
        {"flags of the primary key", primary + binding(flags_authenticate, '\x13') + subkey, "rsa n"},
        {"a subkey of an unknown algorithm", primary + other_algorithm + binding(flags_authenticate), "rsa n"},
        {"two keys in one file", primary + packet(5, good_ed25519), "rsa n"},
    };
    for (const Case& which : cases) {
        INFO(which.what);
        CHECK(kind_of(which.packets) == which.kind);
    }
}

TEST_CASE("keys that cannot be used are refused with the reason") {
    const std::string protected_by_passphrase("\xFE\x07\x03\x08SALTSALT\x60", 13);
    const std::string on_card("\xFE\x07\x65\x02GNU\x02", 8);
    struct Case {
        const char* what;
        std::string packets;
        const char* why;
    };
    const std::vector<Case> cases = {
        {"nothing", "", "no secret key"},
        {"garbage", "garbage", "not OpenPGP data"},
        {"a public key", packet(6, good_rsa), "public key"},
        {"a user id only", packet(13, "somebody"), "no secret key"},
        {"an empty packet", packet(5, ""), "neither RSA nor Ed25519"},
        {"version 3", packet(5, "\x03" + good_rsa.substr(1)), "version"},
        {"ECDSA", packet(5, head + "\x13"), "neither RSA nor Ed25519"},
        {"another curve", packet(5, head + "\x16" + std::string("\x03\x2B\x06\x01")), "neither RSA nor Ed25519"},
        {"passphrase", packet(5, ed25519_key(protected_by_passphrase)), "passphrase"},
        {"passphrase, old style", packet(5, ed25519_key("\x07IVIVIVIV")), "passphrase"},
        {"smart card", packet(5, ed25519_key(on_card)), "smart card"},
        {"protected subkey",
         packet(5, good_rsa) + packet(7, ed25519_key(protected_by_passphrase)) + binding(flags_authenticate),
         "passphrase"},
        {"short point", packet(5, head + "\x16" + ed25519_curve + integer("\x40PP") + unprotected), "point"},
        {"compressed point",
         packet(5, head + "\x16" + ed25519_curve + integer("\x04" + std::string(32, 'P')) + unprotected), "point"},
        {"long seed", packet(5, ed25519_key(unprotected + with_sum(integer(std::string(33, 's'))))), "malformed"},
        {"wrong sum", packet(5, good_ed25519.substr(0, good_ed25519.size() - 1) + "?"), "checksum"},
        {"no sum", packet(5, good_ed25519.substr(0, good_ed25519.size() - 2)), "cut off"},
        {"no secret numbers", packet(5, ed25519_key(unprotected)), "cut off"},
        {"RSA without u",
         packet(5, head + "\x01" + integer("n") + integer("e") + unprotected +
                       with_sum(integer("d") + integer("p") + integer("q") + two(0))),
         "zero"},
        {"integer beyond the end", packet(5, head + "\x01" + two(65535) + "n"), "cut off"},
    };
    for (const Case& which : cases) {
        INFO(which.what);
        const auto data = bytes(which.packets);
        const auto numbers = authentication_key(data, "a file");
        REQUIRE_FALSE(numbers);
        CHECK(numbers.error().code == base::ExitCode::no_input);
        CHECK_THAT(numbers.error().message(),
                   Catch::Contains(which.why) && Catch::Contains("a file") && Catch::Contains("--tls-privkey"));
    }
}

TEST_CASE("subpackets with senseless lengths end the search") {
    const std::string primary = packet(5, good_rsa);
    const std::string subkey = packet(7, good_ed25519);
    for (const std::string& hashed :
         {std::string(), std::string(1, '\0') + flags_authenticate, std::string("\xFF\xFF\xFF\xFF\xFF\x1B\x20"),
          std::string("\xC0"), std::string("\x01\x1B"), std::string("\x7F\x1B\x20")})
        CHECK(kind_of(primary + subkey + binding(hashed)) == "rsa n");
    // A signature whose hashed part claims to be longer than it is.
    CHECK(kind_of(primary + subkey + packet(2, std::string("\x04\x18\x16\x08\xFF\xFF", 6) + flags_authenticate)) ==
          "rsa n");
}

TEST_CASE("gpg's own keys, whole, cut off anywhere, and with any byte changed") {
    const GpgLab lab;
    lab.make_key("machine",
                 "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: eddsa\nSubkey-Curve: "
                 "ed25519\nSubkey-Usage: auth\n");
    lab.make_rsa_key("classic");
    for (const char* name : {"machine", "classic"}) {
        const std::string whole = lab.read(std::filesystem::path(lab.secret_key(name, {})).filename());
        const std::string kind = kind_of(whole).substr(0, 3);
        CHECK(kind == (name == std::string("machine") ? "ed2" : "rsa"));
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const auto data = bytes(whole.substr(0, size));
            if (const auto numbers = authentication_key(data, "a file"); !numbers)
                CHECK(numbers.error().code == base::ExitCode::no_input);
        }
        std::mt19937 random(1);  // the same damage in every run
        for (std::size_t place = 0; place < whole.size(); ++place) {
            auto data = bytes(whole);
            data[place] ^= static_cast<std::byte>(1 + random() % 255);
            if (const auto numbers = authentication_key(data, "a file"); !numbers)
                CHECK(numbers.error().code == base::ExitCode::no_input);
        }
    }
}
