// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/discovery/dns_message.hpp"

#include <arpa/nameser.h>

#include <random>

#include "catch.hpp"
#include "discovery/packets.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace bootkey::discovery::test;

namespace {

DnsName dns(const std::string& text) {
    const auto parsed = DnsName::from_text(text);
    REQUIRE(parsed);
    return *parsed;
}

std::optional<DnsAnswer> parse(const Bytes& message) {
    return parse_answer(to_bytes(message));
}

const Bytes asked_type = name("_mandos._tcp.local");
const Bytes asked_instance = name("Mandos._mandos._tcp.local");

}  // namespace

TEST_CASE("names are read from text and compared without regard to case") {
    CHECK(dns("a.Local").wire() == name("a.Local"));
    CHECK(dns("a.Local") == dns("A.lOCAL"));
    CHECK_FALSE(dns("a.local") == dns("b.local"));
    CHECK(dns(".").is_root());
    CHECK(dns("one\\.label.local").wire() == label("one.label") + name("local"));
    CHECK(dns("one\\.label.local").text() == "one\\.label.local");
    CHECK(dns("caf\\195\\169.local").text() == "caf\xc3\xa9.local");
    CHECK(dns("back\\\\slash.local").text() == "back\\\\slash.local");
    for (const std::string& bad : {std::string(), std::string(64, 'x'), std::string("a..b"), std::string("a\\2"),
                                   std::string("a\0b", 3), std::string(127, 'x') + "." + std::string(127, 'x')})
        CHECK_FALSE(DnsName::from_text(bad));
}

TEST_CASE("the instance is the one label before the type") {
    const DnsName type = dns("_mandos._tcp.local");
    const auto instance = [&](const std::string& text) { return dns(text).label_below(type); };
    CHECK(instance("Mandos._mandos._tcp.local") == "Mandos");
    CHECK(instance("with\\.dot._mandos._tcp.local") == "with.dot");
    CHECK(instance("case._MANDOS._TCP.Local") == "case");
    for (const char* none : {"_mandos._tcp.local", "Mandos._http._tcp.local", "a.b._mandos._tcp.local", ".",
                             "Mandos._mandos._tcp.local.example"})
        CHECK_FALSE(instance(none));
}

TEST_CASE("a query is as RFC 1035 says") {
    const std::vector<DnsQuestion> questions = {{dns("_mandos._tcp.local"), ns_t_ptr},
                                                {dns("server.local"), ns_t_aaaa}};
    const Bytes expected = u16(0xbeef) + u16(0) + u16(2) + u16(0) + u16(0) + u16(0) + asked_type + u16(12) + u16(1) +
                           name("server.local") + u16(28) + u16(1);
    CHECK(make_query(0xbeef, questions) == to_bytes(expected));
}

TEST_CASE("a full answer is taken apart") {
    const auto answer = parse(full_answer());
    REQUIRE(answer);
    CHECK(answer->id == 0x1234);
    REQUIRE(answer->pointers.size() == 1);
    CHECK(answer->pointers[0].owner == dns("_mandos._tcp.local"));
    CHECK(answer->pointers[0].target == dns("Mandos._mandos._tcp.local"));
    REQUIRE(answer->locations.size() == 1);
    CHECK(answer->locations[0].port == 4711);
    CHECK(answer->locations[0].target == dns("server.local"));
    REQUIRE(answer->texts.size() == 1);
    CHECK(answer->texts[0].strings == std::vector<std::string>{"version=1"});
    REQUIRE(answer->addresses.size() == 1);
    CHECK(answer->addresses[0].address == *base::IpAddress::parse("fe80::2"));
}

TEST_CASE("compressed names, cache-flush bits and a repeated question are understood") {
    // The type's name stands at 12, right behind the header.
    const Bytes message =
        u16(7) + u16(0x8400) + u16(1) + u16(1) + u16(0) + u16(2) + asked_type + u16(12) + u16(1) +
        record(pointer_to(12), type_ptr, label("Mandos") + pointer_to(12)) +
        record(label("MANDOS") + pointer_to(12), type_srv, srv(4711, label("server") + pointer_to(25)), class_flush) +
        record(label("server") + pointer_to(25), type_a, v4(192, 0, 2, 2), class_flush);
    const auto answer = parse(message);
    REQUIRE(answer);
    REQUIRE(answer->pointers.size() == 1);
    CHECK(answer->pointers[0].target.wire() == asked_instance);
    REQUIRE(answer->locations.size() == 1);
    CHECK(answer->locations[0].owner == answer->pointers[0].target);
    CHECK(answer->locations[0].target == dns("server.local"));
    REQUIRE(answer->addresses.size() == 1);
    CHECK(answer->addresses[0].address == *base::IpAddress::parse("192.0.2.2"));
}

TEST_CASE("records that say nothing of services are skipped") {
    struct Row {
        const char* what;
        Bytes record;
    };
    const Row rows[] = {
        {"class CHAOS", record(asked_type, type_ptr, asked_instance, 3)},
        {"goodbye", record(asked_type, type_ptr, asked_instance, class_in, 0)},
        {"other type", record(asked_type, 47, "anything")},
        {"port 0", record(asked_instance, type_srv, srv(0, name("server.local")))},
        {"root as target", record(asked_instance, type_srv, srv(4711, name("")))},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        const auto parsed = parse(answer({row.record}));
        REQUIRE(parsed);
        CHECK((parsed->pointers.empty() && parsed->locations.empty() && parsed->texts.empty() &&
               parsed->addresses.empty()));
    }
}

TEST_CASE("malformed answers are refused") {
    const Bytes good = full_answer();
    const Bytes loop = u16(1) + u16(0x8400) + u16(0) + u16(1) + u16(0) + u16(0);  // the record begins at 12
    struct Row {
        const char* what;
        Bytes message;
    };
    const Row rows[] = {
        {"nothing", ""},
        {"half a header", good.substr(0, 11)},
        {"a query", answer({}, {}, 1, 0x0000)},
        {"another opcode", answer({}, {}, 1, 0x9000)},
        {"an error", answer({}, {}, 1, 0x8403)},
        {"more behind the last record", good + "x"},
        {"counts without records", u16(1) + u16(0x8400) + u16(0xffff) + u16(0xffff) + u16(0xffff) + u16(0xffff)},
        {"name that points at itself", loop + record(pointer_to(12), type_ptr, asked_instance)},
        {"names that point at each other", loop + record(pointer_to(14) + pointer_to(12), type_ptr, asked_instance)},
        {"pointer behind the end", loop + record(pointer_to(0x3fff), type_ptr, asked_instance)},
        {"endless name in the data", answer({record(asked_type, type_ptr, pointer_to(12 + 20 + 10))})},
        {"label type 0x40", answer({record(asked_type, type_ptr, "\x41" + Bytes(10, 'x'))})},
        {"label type 0x80", answer({record(asked_type, type_ptr, "\x81" + Bytes(10, 'x'))})},
        {"empty PTR", answer({record(asked_type, type_ptr, "")})},
        {"PTR with more behind it", answer({record(asked_type, type_ptr, asked_instance + "x")})},
        {"SRV without target", answer({record(asked_instance, type_srv, u16(0) + u16(0) + u16(4711))})},
        {"SRV too short", answer({record(asked_instance, type_srv, "abc")})},
        {"SRV with more behind it", answer({record(asked_instance, type_srv, srv(1, name("a")) + "x")})},
        {"A of 3 bytes", answer({record(name("h"), type_a, "abc")})},
        {"A of 16 bytes", answer({record(name("h"), type_a, v6(1))})},
        {"AAAA of 4 bytes", answer({record(name("h"), type_aaaa, v4(1, 2, 3, 4))})},
        {"TXT string longer than its record", answer({record(asked_instance, type_txt,
                                                             "\x05"
                                                             "abc")})},
        {"name of 256 bytes", answer({record(label(Bytes(63, 'a')) + label(Bytes(63, 'b')) + label(Bytes(63, 'c')) +
                                                 label(Bytes(62, 'd')) + Bytes(1, '\0'),
                                             type_ptr, asked_instance)})},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CHECK_FALSE(parse(row.message));
    }
    for (std::size_t size = 0; size < good.size(); ++size) CHECK_FALSE(parse(good.substr(0, size)));
}

TEST_CASE("the longest possible names pass") {
    // 255 bytes on the wire, all of which need escapes in text.
    const Bytes longest = label(Bytes(63, '\x01')) + label(Bytes(63, '\xff')) + label(Bytes(63, '.')) +
                          label(Bytes(61, '\\')) + Bytes(1, '\0');
    REQUIRE(longest.size() == 255);
    const auto parsed = parse(answer({record(longest, type_ptr, longest)}));
    REQUIRE(parsed);
    CHECK(parsed->pointers.at(0).owner.wire() == longest);
    CHECK(parsed->pointers.at(0).target.wire() == longest);
}

TEST_CASE("TXT data becomes strings") {
    using Strings = std::vector<std::string>;
    const auto txt = [](const Bytes& data) { return parse_txt(to_bytes(data)); };
    CHECK(txt("") == Strings{});
    CHECK(txt(Bytes(1, '\0')) == Strings{});
    CHECK(txt(label("a") + label("") + label("b=c")) == Strings{"a", "b=c"});
    CHECK(txt(label(Bytes(255, 'x'))) == Strings{Bytes(255, 'x')});
    CHECK_FALSE(txt("\x02x"));
}

TEST_CASE("only plain answers are for avahi-core") {
    const auto plain = [](const Bytes& message) { return is_plain_answer(to_bytes(message)); };
    CHECK(plain(full_answer()));
    CHECK(plain(answer({record(name("x"), 47, "anything")})));
    CHECK_FALSE(plain(answer({}, {}, 0, 0)));  // a question
    CHECK_FALSE(plain(full_answer() + "x"));
    const Bytes alias = record(name("server.local"), type_cname, name("server.local"));
    CHECK_FALSE(plain(answer({alias})));
    CHECK_FALSE(plain(answer({}, {alias})));
    CHECK_FALSE(plain(answer({record(name("x"), 39, name("y"))})));
    CHECK_FALSE(plain(answer({record(name("x"), type_cname, name("y"), class_flush)})));
}

TEST_CASE("damaged answers never harm") {
    const Bytes good = full_answer();
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same sequence each time, so that a failure can be repeated
    std::size_t understood = 0;
    for (int round = 0; round < 20000; ++round) {
        Bytes damaged = good;
        for (unsigned changes = 1 + random() % 4; changes > 0; --changes)
            damaged[random() % damaged.size()] = static_cast<char>(random());
        if (random() % 4 == 0) damaged.resize(random() % damaged.size());
        const auto parsed = parse(damaged);
        if (!parsed) continue;
        ++understood;
        for (const auto& pointer : parsed->pointers) CHECK(pointer.target.wire().size() <= 255);
        for (const auto& location : parsed->locations) CHECK(location.port != 0);
    }
    CHECK(understood > 0);
}
