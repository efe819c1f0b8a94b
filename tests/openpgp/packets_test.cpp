// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/packets.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::openpgp;

namespace {

std::vector<std::byte> bytes(const std::string& text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}

// From hexadecimal digits; blanks are for the reader.
std::vector<std::byte> hex(const std::string& digits) {
    std::string packed;
    for (const char c : digits)
        if (c != ' ') packed += c;
    std::vector<std::byte> result;
    for (std::size_t i = 0; i + 1 < packed.size(); i += 2)
        result.push_back(static_cast<std::byte>(std::stoul(packed.substr(i, 2), nullptr, 16)));
    return result;
}

std::string text_of(Bytes data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

// "tag:size tag:size", then "!" if the data is malformed.
std::string packets_of(const std::vector<std::byte>& data) {
    PacketReader reader(data);
    std::string result;
    while (const auto packet = reader.next())
        result += (result.empty() ? "" : " ") + std::to_string(static_cast<int>(packet->tag)) + ":" +
                  std::to_string(packet->body.size());
    return result + (reader.malformed() ? "!" : "");
}

std::string repeated(const char* digits, int count) {
    std::string result;
    for (int i = 0; i < count; ++i) result += digits;
    return result;
}

}  // namespace

TEST_CASE("packet headers of both formats are read, and lengths that reach beyond the end refused") {
    struct Case {
        std::string data;
        std::string packets;
    };
    const std::vector<Case> cases = {
        {"", ""},
        {"94 02 AABB", "5:2"},                             // old format, one length byte
        {"95 0002 AABB", "5:2"},                           // two
        {"96 00000002 AABB", "5:2"},                       // four
        {"97 AABB", "5:2"},                                // to the end
        {"C5 02 AABB", "5:2"},                             // new format, one length byte
        {"C5 C0 00" + repeated("AA", 192), "5:192"},       // two
        {"C5 FF 00000002 AABB", "5:2"},                    // five
        {"C5 00 94 00 D2 01 00", "5:0 5:0 18:1"},          // empty ones, in a row
        {"D2 E1 AABB 01 CC", "18:0"},                      // two pieces
        {"D2 E0 AA E1 BBCC E0 DD 00 94 00", "18:0 5:0"},   // four, and a packet behind
        {"D2 E0 AA C0 00" + repeated("AA", 192), "18:0"},  // last piece with a two-byte length
        {"D2 E0 AA FF 00000001 BB", "18:0"},               // and with a five-byte one
        {"02", "!"},                                       // no header
        {"94", "!"},
        {"94 03 AABB", "!"},
        {"95 00", "!"},
        {"96 000000", "!"},
        {"96 FFFFFFFF AA", "!"},
        {"C5", "!"},
        {"C5 C0", "!"},
        {"C5 FF 0000", "!"},
        {"C5 FF FFFFFFFF AA", "!"},
        {"D2 FE AA", "!"},  // a piece of a gigabyte
        {"D2 E0 AA", "!"},  // a piece must follow
        {"D2 E0 AA 02 BB", "!"},
        {"D2 E0 AA C0", "!"},
        {"94 00 41", "5:0!"},
    };
    for (const Case& which : cases) {
        INFO(which.data);
        CHECK(packets_of(hex(which.data)) == which.packets);
    }
}

TEST_CASE("fields are read in order, and what is not there gives zeros") {
    const auto data = hex("01 0203 04050607 0009 01FF 0010 0001");
    FieldReader fields(data);
    CHECK(fields.byte() == 1);
    CHECK(fields.two() == 0x0203);
    CHECK(fields.four() == 0x04050607);
    CHECK(text_of(fields.integer()) == "\x01\xFF");
    CHECK(text_of(fields.integer()) == "\x01");  // its leading zero is gone
    CHECK_FALSE(fields.overrun());
    CHECK(fields.four() == 0);
    CHECK(fields.overrun());
    CHECK(fields.bytes(0).empty());
    CHECK(fields.integer().empty());
}

TEST_CASE("ASCII armour is taken off") {
    // "hello world\n"; checksum by gpg --enarmor.
    const std::string checked = "aGVsbG8gd29ybGQK\n=7Tvw\n-----END PGP MESSAGE-----\n";
    struct Case {
        const char* what;
        std::string text;
        const char* error;  // null: it decodes
    };
    const std::vector<Case> cases = {
        {"plain", "-----BEGIN PGP MESSAGE-----\n\n" + checked, nullptr},
        {"with headers", "-----BEGIN PGP MESSAGE-----\nComment: by hand\nVersion: 1\n\n" + checked, nullptr},
        {"CR LF", "-----BEGIN PGP MESSAGE-----\r\n\r\naGVsbG8gd29ybGQK\r\n=7Tvw\r\n-----END PGP MESSAGE-----\r\n",
         nullptr},
        {"a byte order mark", "\xef\xbb\xbf-----BEGIN PGP MESSAGE-----\r\n\r\n" + checked, nullptr},
        {"text before", "keep this\n\n-----BEGIN PGP MESSAGE-----\n\n" + checked, nullptr},
        {"text after", "-----BEGIN PGP MESSAGE-----\n\n" + checked + "rest", nullptr},
        {"no empty line", "-----BEGIN PGP MESSAGE-----\n" + checked, nullptr},
        {"no checksum", "-----BEGIN PGP MESSAGE-----\n\naGVsbG8gd29ybGQK\n-----END PGP MESSAGE-----", nullptr},
        {"broken lines", "-----BEGIN PGP MESSAGE-----\n\naGVs\n bG8gd2\n9ybGQK\n=7Tvw\n-----END PGP MESSAGE-----",
         nullptr},
        {"wrong checksum", "-----BEGIN PGP MESSAGE-----\n\naGVsbG8gd29ybGQK\n=AAAA\n-----END PGP MESSAGE-----",
         "checksum"},
        {"damaged", "-----BEGIN PGP MESSAGE-----\n\naGVsbG9gd29ybGQK\n=7Tvw\n-----END PGP MESSAGE-----", "checksum"},
        {"checksum not base64", "-----BEGIN PGP MESSAGE-----\n\naGVsbG8gd29ybGQK\n=7!vw\n-----END PGP MESSAGE-----",
         "checksum"},
        {"cut off", "-----BEGIN PGP MESSAGE-----\n\naGVsbG8gd2", "cut off"},
        {"not base64", "-----BEGIN PGP MESSAGE-----\n\naGVs*G8gd29ybGQK\n=7Tvw\n-----END PGP MESSAGE-----", "base64"},
        {"lone digit", "-----BEGIN PGP MESSAGE-----\n\naGVsb\n-----END PGP MESSAGE-----", "base64"},
        {"only a head line", "-----BEGIN PGP MESSAGE-----", "cut off"},
        {"quoted", "> -----BEGIN PGP MESSAGE-----\n\n" + checked, "neither"},
        {"nothing", "", "neither"},
        {"text", "hello", "neither"},
    };
    for (const Case& which : cases) {
        INFO(which.what);
        const auto result = without_armour(bytes(which.text), "a file");
        if (which.error == nullptr) {
            REQUIRE(result);
            CHECK(text_of(result->bytes()) == "hello world\n");
        } else {
            REQUIRE_FALSE(result);
            CHECK(result.error().code == base::ExitCode::no_input);
            CHECK_THAT(result.error().message(), Catch::Contains(which.error) && Catch::Contains("a file"));
        }
    }
    const auto binary = hex("94 02 AABB");
    CHECK(text_of(without_armour(binary, "a file").value().bytes()) == text_of(binary));
}

TEST_CASE("padding in base64") {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"YQ==", "a"}, {"YWI=", "ab"}, {"YWJj", "abc"}, {"", ""}};
    for (const auto& [encoded, plain] : cases) {
        INFO(encoded);
        const auto result = without_armour(
            bytes("-----BEGIN PGP MESSAGE-----\n\n" + encoded + "\n-----END PGP MESSAGE-----\n"), "a file");
        REQUIRE(result);
        CHECK(text_of(result->bytes()) == plain);
    }
}

TEST_CASE("only one shape of message is an answer") {
    struct Case {
        const char* data;
        const char* why;  // null: it is one
    };
    const std::vector<Case> cases = {
        {"84 0A 03 0000000000000000 01  D2 01 01", nullptr},                // a session key, then protected data
        {"CA 03 504750  84 0A 03 0000000000000000 01  D2 01 01", nullptr},  // a marker before
        {"84 0A 03 0000000000000000 01  84 0A 03 0000000000000000 01  D2 01 01", nullptr},  // two recipients
        {"84 0A 03 0000000000000000 01  D2 E1 AABB 01 CC", nullptr},                        // data in pieces
        {"", "not an OpenPGP message"},
        {"00", "not an OpenPGP message"},
        {"EF BB BF  84 0A 03 0000000000000000 01  D2 01 01", "not an OpenPGP message"},  // a byte order mark
        {"84 0A 03 0000000000000000 01", "no encrypted data"},
        {"D2 01 01", "not encrypted to a public key"},
        {"84 0A 03 0000000000000000 01  C9 01 01", "integrity"},  // data without MDC
        {"8C 01 04  D2 01 01", "passphrase"},
        {"84 0A 03 0000000000000000 01  8C 01 04  D2 01 01", "passphrase"},
        {"84 0A 03 0000000000000000 01  D2 01 01  CB 01 62", "follows"},  // a literal packet behind
        {"84 0A 03 0000000000000000 01  D2 01 01  D2 01 01", "follows"},
        {"84 0A 03 0000000000000000 01  D2 01 01  00", "follows"},
        {"CB 01 62", "not an encrypted"},                                          // literal
        {"C8 01 00", "not an encrypted"},                                          // compressed
        {"88 01 04  84 0A 03 0000000000000000 01  D2 01 01", "not an encrypted"},  // a signature before
        {"84 0A 03 0000000000000000 01  D2 05 01", "not a whole"},
        {"84 0B 03", "not a whole"},
        {"84 01 03  D2 01 01", "not a whole"},  // a session key for nobody
    };
    for (const Case& which : cases) {
        INFO(which.data);
        const auto result = check_answer_shape(hex(which.data));
        CHECK(result.ok() == (which.why == nullptr));
        if (which.why != nullptr && !result) CHECK_THAT(result.error().message(), Catch::Contains(which.why));
    }
}

TEST_CASE("an answer is for one of the machine's keys, and names few others") {
    const std::string anonymous = "84 0A 03 0000000000000000 01 ", ours = "84 0A 03 1122334455667788 01 ",
                      another = "84 0A 03 1122334455667780 01 ", data = "D2 01 01";
    const std::vector<KeyId> ids = {{},
                                    {std::byte{0x11}, std::byte{0x22}, std::byte{0x33}, std::byte{0x44},
                                     std::byte{0x55}, std::byte{0x66}, std::byte{0x77}, std::byte{0x88}}};
    struct Case {
        std::string data;
        const char* why;  // null: it is an answer
    };
    const auto times = [](const std::string& digits, int count) { return repeated(digits.c_str(), count); };
    const std::vector<Case> cases = {
        {ours + data, nullptr},
        {anonymous + data, nullptr},
        {another + ours + data, nullptr},
        {another + anonymous + data, nullptr},
        {another + data, "another key"},
        {times(another, 16) + data, "another key"},
        {times(another, 15) + ours + data, nullptr},
        {times(another, 16) + ours + data, "more keys"},
        {times(anonymous, 4) + data, nullptr},
        {times(anonymous, 5) + data, "more keys"},
        {times(anonymous, 4) + ours + data, nullptr},
        {times(ours, 4) + data, nullptr},
        {times(ours, 5) + data, "more keys"},
    };
    for (const Case& which : cases) {
        INFO(which.data);
        const auto message = hex(which.data);
        const auto result = check_answer_shape(message, ids);
        CHECK(result.ok() == (which.why == nullptr));
        if (which.why != nullptr && !result) CHECK_THAT(result.error().message(), Catch::Contains(which.why));
    }
    // Where the machine's key IDs are not known, gpg has to find out.
    CHECK(check_answer_shape(hex(times(another, 16) + data)));
    CHECK_FALSE(check_answer_shape(hex(times(another, 17) + data)));
    CHECK(count_session_keys(hex(times(another, 17) + data)) == 17);
    CHECK(count_session_keys(hex(data + ours)) == 0);
    CHECK(count_session_keys(bytes("HTTP/1.1 200 OK")) == 0);
}
