// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/decryption_key.hpp"

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

namespace {

const std::string head_of_key("\x04TIME", 5);
const std::string open_key(1, '\0');
const std::string locked("\xFE\x07\x03\x08SALTSALT\x60", 13);
const std::string on_card("\xFE\x07\x65\x02GNU\x02", 8);

std::string ed25519(const std::string& rest) {
    return head_of_key + "\x16" + std::string("\x09\x2B\x06\x01\x04\x01\xDA\x47\x0F\x01", 10) +
           integer("\x40" + std::string(32, 'P')) + rest;
}
std::string rsa(const std::string& rest) {
    return head_of_key + "\x01" + integer("n") + integer("\x11") + rest;
}
std::string ecdh(const std::string& rest) {
    return head_of_key + "\x12" + std::string("\x02\x2B\x06") + integer("\x40x") + std::string("\x03\x01\x08\x07") +
           rest;
}
std::string elgamal(const std::string& rest) {
    return head_of_key + "\x10" + integer("p") + integer("g") + integer("y") + rest;
}

std::string test_message_for(const std::string& packets) {
    const auto message = test_message(bytes(packets));
    return {reinterpret_cast<const char*>(message.data()), message.size()};
}

}  // namespace

TEST_CASE("a key decrypts unattended if one that can decrypt is open") {
    struct Case {
        const char* what;
        std::string packets;
        const char* access;
    };
    const std::vector<Case> cases = {
        {"open RSA", packet(5, rsa(open_key)), "open"},
        {"open ECDH", packet(5, ed25519(locked)) + packet(7, ecdh(open_key)), "open"},
        {"open ElGamal", packet(5, ed25519(on_card)) + packet(7, elgamal(open_key)), "open"},
        {"a locked one and an open one", packet(5, rsa(locked)) + packet(7, ecdh(open_key)), "open"},
        {"locked RSA", packet(5, rsa(locked)), "passphrase"},
        {"locked ECDH", packet(5, ed25519(open_key)) + packet(7, ecdh(locked)), "passphrase"},
        {"locked ElGamal", packet(5, ed25519(open_key)) + packet(7, elgamal(locked)), "passphrase"},
        {"locked, and another on a card", packet(5, rsa(locked)) + packet(7, ecdh(on_card)), "passphrase"},
        {"on a card", packet(5, ed25519(open_key)) + packet(7, ecdh(on_card)), "elsewhere"},
        {"none that decrypts, gpg will say so", packet(5, ed25519(locked)), "open"},
        {"unreadable, gpg will say so", "garbage", "open"},
        {"cut off in the middle, gpg will say so", packet(5, rsa("")), "open"},
    };
    for (const Case& which : cases) {
        INFO(which.what);
        const auto access = decryption_access(bytes(which.packets), "a file");
        const std::string what = !access ? "elsewhere" : *access == Access::passphrase ? "passphrase" : "open";
        CHECK(what == which.access);
        if (access) continue;
        CHECK(access.error().code == base::ExitCode::no_input);
        CHECK_THAT(access.error().message(), Catch::Contains("a file") && Catch::Contains("smart card"));
    }
}

TEST_CASE("the key IDs of all keys that decrypt are those that gpg tells") {
    const GpgLab lab;
    const std::string kind = GENERATE("Key-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048\n",
                                      "Key-Type: eddsa\nKey-Curve: ed25519\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\n",
                                      "Key-Type: DSA\nKey-Length: 1024\nSubkey-Type: ELG-E\nSubkey-Length: 1024\n");
    lab.make_key("machine", kind);
    const std::string key = std::filesystem::path(lab.secret_key("machine", {})).filename();
    const auto ids = decryption_key_ids(bytes(lab.read(key)));
    REQUIRE(ids);
    CHECK(ids->size() == (kind.find("Key-Type: RSA") == 0 ? 2 : 1));
    const auto message = bytes(lab.encrypted("secret", "machine"));
    CHECK(check_answer_shape(message, ids));
    lab.make_curve_key("other");
    CHECK_FALSE(check_answer_shape(bytes(lab.encrypted("secret", "other")), ids));
    CHECK(check_answer_shape(bytes(lab.message("secret", {"--hidden-recipient", "other", "--encrypt"})), ids));
}

TEST_CASE("key IDs are not known where a key is not") {
    const std::string unknown = std::string("\x04TIME\x08", 6) + "numbers";
    const std::string version_5 = "\x05" + rsa(open_key).substr(1);
    CHECK(decryption_key_ids(bytes(packet(5, rsa(open_key)))));
    CHECK(decryption_key_ids(bytes(packet(5, ed25519(open_key)) + packet(7, ecdh(open_key))))->size() == 1);
    CHECK_FALSE(decryption_key_ids(bytes(packet(5, rsa(open_key)) + packet(7, unknown))));
    CHECK_FALSE(decryption_key_ids(bytes(packet(5, rsa(open_key)) + packet(7, version_5))));
    CHECK_FALSE(decryption_key_ids(bytes(packet(5, ed25519(open_key)))));
    CHECK_FALSE(decryption_key_ids(bytes("garbage")));
}

TEST_CASE("a person knows a key by its first user ID") {
    CHECK(user_id(bytes(packet(5, rsa(locked)) + packet(13, "first <one@example>") + packet(13, "second"))) ==
          "first <one@example>");
    CHECK(user_id(bytes(packet(5, rsa(locked)))).empty());
    CHECK(user_id(bytes("garbage")).empty());
}

TEST_CASE("a test message is for each key that decrypts and is locked, and made of possible numbers") {
    const std::string nobody(8, '\0');
    const std::string data = std::string("\xD2\xFF\0\0\0\x29\x01", 7) + std::string(40, '\0');
    const std::string for_rsa =
        std::string("\xC1\xFF\0\0\0\x0D\x03", 7) + nobody + "\x01" + std::string("\0\x05\x11", 3);
    const std::string for_elgamal =
        std::string("\xC1\xFF\0\0\0\x10\x03", 7) + nobody + "\x10" + std::string("\0\x07g\0\x07y", 6);
    const std::string for_ecdh = std::string("\xC1\xFF\0\0\0\x3F\x03", 7) + nobody + "\x12" +
                                 std::string("\0\x0F\x40x\x30", 5) + std::string(48, '\0');
    CHECK(test_message_for(packet(5, rsa(locked))) == for_rsa + data);
    CHECK(test_message_for(packet(5, rsa(open_key)) + packet(7, ecdh(locked)) + packet(7, elgamal(locked))) ==
          for_ecdh + for_elgamal + data);
    CHECK(check_answer_shape(bytes(test_message_for(packet(5, rsa(locked)) + packet(7, ecdh(locked))))));
    CHECK(test_message_for(packet(5, ed25519(locked)) + packet(7, ecdh(on_card))) == data);
}

TEST_CASE("gpg's own keys under a passphrase are known as such, and do no harm cut off or damaged") {
    const GpgLab lab;
    const std::string kind = GENERATE("Key-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048\n",
                                      "Key-Type: eddsa\nKey-Curve: ed25519\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\n",
                                      "Key-Type: DSA\nKey-Length: 1024\nSubkey-Type: ELG-E\nSubkey-Length: 1024\n");
    lab.make_key("machine", kind + "Passphrase: abc\n");
    lab.gpg({"--output", "protected", "--passphrase", "abc", "--export-secret-keys", "machine"});
    const std::string whole = lab.read("protected");
    const auto access = decryption_access(bytes(whole), "a file");
    REQUIRE(access);
    CHECK(*access == Access::passphrase);
    CHECK(user_id(bytes(whole)) == "machine");
    CHECK(check_answer_shape(test_message(bytes(whole))));
    std::mt19937 random(1);  // the same damage in every run
    for (std::size_t place = 0; place < whole.size(); ++place) {
        const auto cut = bytes(whole.substr(0, place));
        auto damaged = bytes(whole);
        damaged[place] ^= static_cast<std::byte>(1 + random() % 255);
        for (const auto& data : {cut, damaged}) {
            if (const auto read = decryption_access(data, "a file"); !read)
                CHECK(read.error().code == base::ExitCode::no_input);
            CHECK(user_id(data).size() <= data.size());
            CHECK(test_message(data).size() < 2 * data.size() + 200);
        }
    }
}
