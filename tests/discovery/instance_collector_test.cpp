// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/discovery/instance_collector.hpp"

#include <arpa/nameser.h>

#include <algorithm>

#include <set>

#include "catch.hpp"
#include "discovery/packets.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace bootkey::discovery::test;

namespace {

const Bytes type_name = name("_mandos._tcp.local");
const Bytes instance_name = name("Mandos._mandos._tcp.local");
const Bytes pointer = record(type_name, type_ptr, instance_name);
const Bytes location = record(instance_name, type_srv, srv(4711, name("server.local")));
const Bytes text = record(instance_name, type_txt, label("version=1"));
const Bytes host_v6 = record(name("server.local"), type_aaaa, v6(2));
const Bytes host_v4 = record(name("server.local"), type_a, v4(192, 0, 2, 2));

DnsAnswer parsed(const std::vector<Bytes>& records) {
    auto result = parse_answer(to_bytes(answer(records)));
    REQUIRE(result);
    return *result;
}

std::vector<std::string> asked(InstanceCollector& collector) {
    std::vector<std::string> texts;
    for (const auto& question : collector.missing())
        texts.push_back(question.name.text() + " " + std::to_string(question.type));
    return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the first question is for instances of the Mandos service") {
    const auto question = InstanceCollector(3, AF_INET6).first_question();
    CHECK(question.name.text() == "_mandos._tcp.local");
    CHECK(question.type == ns_t_ptr);
}

TEST_CASE("one answer that says it all makes a sighting, in any order of its records") {
    std::vector<Bytes> records = {pointer, location, text, host_v6, host_v4};
    std::sort(records.begin(), records.end());
    do {
        InstanceCollector collector(3, AF_INET6);
        const auto sightings = collector.add(parsed(records));
        REQUIRE(sightings.size() == 1);
        CHECK(sightings[0].id == ServiceId{"Mandos", 3, AF_INET6});
        CHECK(sightings[0].host == "server.local");
        CHECK(sightings[0].port == 4711);
        CHECK(sightings[0].addresses.size() == 2);
        CHECK(sightings[0].txt == Texts{"version=1"});
        CHECK(asked(collector).empty());
    } while (std::next_permutation(records.begin(), records.end()));
}

TEST_CASE("what an answer lacks is asked for, once a round") {
    InstanceCollector collector(3, AF_INET);
    CHECK(collector.add(parsed({pointer})).empty());
    CHECK(asked(collector) == Texts{"Mandos._mandos._tcp.local 33", "Mandos._mandos._tcp.local 16"});
    CHECK(asked(collector).empty());
    CHECK(collector.add(parsed({location})).empty());
    CHECK(asked(collector) == Texts{"server.local 28", "server.local 1"});
    CHECK(asked(collector).empty());
    collector.new_round();
    CHECK(asked(collector) == Texts{"Mandos._mandos._tcp.local 16", "server.local 28", "server.local 1"});
    const auto sightings = collector.add(parsed({host_v4}));
    REQUIRE(sightings.size() == 1);
    CHECK(sightings[0].addresses == std::vector<base::IpAddress>{*base::IpAddress::parse("192.0.2.2")});
    CHECK(sightings[0].txt.empty());
}

TEST_CASE("records that no instance leads to are not kept") {
    InstanceCollector collector(3, AF_INET);
    CHECK(collector.add(parsed({text, host_v6})).empty());
    CHECK(collector.add(parsed({record(name("_http._tcp.local"), type_ptr, name("x._http._tcp.local"))})).empty());
    CHECK(collector.add(parsed({record(name("x._http._tcp.local"), type_srv, srv(80, name("server.local")))})).empty());
    CHECK(collector.add(parsed({record(type_name, type_ptr, name("a.b._mandos._tcp.local"))})).empty());
    CHECK(asked(collector).empty());
    CHECK(collector.add(parsed({pointer, location})).empty());  // the address from before was dropped
}

TEST_CASE("a location names its instance as a pointer does") {
    InstanceCollector collector(3, AF_INET6);
    const auto sightings = collector.add(parsed({location, text, host_v6}));
    REQUIRE(sightings.size() == 1);
    CHECK(sightings[0].id == ServiceId{"Mandos", 3, AF_INET6});
}

TEST_CASE("in a flood the instance that was named first makes room") {
    InstanceCollector collector(3, AF_INET6);
    const auto named = [](std::size_t number) { return label("n" + std::to_string(number)) + type_name; };
    for (std::size_t i = 0; i < InstanceCollector::most_instances; ++i)
        CHECK(collector.add(parsed({record(type_name, type_ptr, named(i))})).empty());
    CHECK(collector.add(parsed({pointer})).empty());  // takes the place of the first one
    collector.new_round();
    std::set<std::string> instances;
    for (auto questions = collector.missing(); !questions.empty(); questions = collector.missing())
        for (const auto& question : questions) instances.insert(question.name.text());
    CHECK(instances.size() == InstanceCollector::most_instances);
    CHECK(instances.contains("Mandos._mandos._tcp.local"));
    CHECK_FALSE(instances.contains("n0._mandos._tcp.local"));
}

TEST_CASE("a later answer with another port or host counts") {
    InstanceCollector collector(3, AF_INET);
    REQUIRE(collector.add(parsed({pointer, location, host_v4})).size() == 1);
    const auto moved = collector.add(parsed({record(instance_name, type_srv, srv(4712, name("server.local")))}));
    REQUIRE(moved.size() == 1);
    CHECK(moved[0].port == 4712);
    // The new host's address is not known yet, and the old one's is none of it.
    CHECK(collector.add(parsed({record(instance_name, type_srv, srv(4712, name("other.local")))})).empty());
    const auto found = collector.add(parsed({record(name("other.local"), type_a, v4(192, 0, 2, 3))}));
    REQUIRE(found.size() == 1);
    CHECK(found[0].addresses == std::vector<base::IpAddress>{*base::IpAddress::parse("192.0.2.3")});
}

TEST_CASE("floods are bounded") {
    InstanceCollector collector(3, AF_INET);
    for (unsigned batch = 0; batch < 10; ++batch) {
        std::vector<Bytes> records;
        for (unsigned i = 0; i < 100; ++i)
            records.push_back(record(type_name, type_ptr, label("n" + std::to_string(batch * 100 + i)) + type_name));
        CHECK(collector.add(parsed(records)).empty());
    }
    std::size_t questions = 0;
    for (int packets = 0; packets < 1000; ++packets) {
        const auto count = collector.missing().size();
        CHECK(count <= InstanceCollector::most_questions);
        questions += count;
    }
    CHECK(questions == 2 * InstanceCollector::most_instances);  // SRV and TXT of each

    InstanceCollector addresses(3, AF_INET);
    std::vector<Bytes> records = {pointer, location};
    for (int i = 1; i < 200; ++i) records.push_back(record(name("server.local"), type_a, v4(192, 0, 2, i)));
    const auto sightings = addresses.add(parsed(records));
    REQUIRE(sightings.size() == 1);
    CHECK(sightings[0].addresses.size() == InstanceCollector::most_addresses);
}
