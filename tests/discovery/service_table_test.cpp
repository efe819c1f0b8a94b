// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/discovery/service_table.hpp"

#include "bootkey/base/text.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace std::chrono_literals;

namespace {

const base::Time start{};
const std::uint32_t interface = 3;

base::IpAddress address(const std::string& text) {
    const auto parsed = base::IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

ServiceTable table() {
    return ServiceTable([](const base::IpAddress& candidate) { return candidate == address("192.0.2.1"); });
}

Sighting sighting(const std::vector<std::string>& addresses = {"fe80::2"}, std::uint16_t port = 4711,
                  std::string name = "Mandos") {
    Sighting seen{{std::move(name), interface, AF_INET6}, "server.local", port, {}, {"version=1"}};
    for (const auto& text : addresses) seen.addresses.push_back(address(text));
    return seen;
}

bool nothing(const News& news) {
    return news.found.empty() && news.lost.empty();
}

std::vector<std::string> endpoints(const News& news) {
    REQUIRE(news.found.size() == 1);
    std::vector<std::string> texts;
    for (const auto& endpoint : news.found[0].endpoints) {
        CHECK(endpoint.interface == interface);
        texts.push_back(endpoint.address.text() + " " + std::to_string(endpoint.port));
    }
    return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a service is told once, however often and by whomever it is seen") {
    auto services = table();
    const auto news = services.answered(sighting(), start);
    CHECK(endpoints(news) == Texts{"fe80::2 4711"});
    CHECK(news.found[0].host == "server.local");
    CHECK(news.found[0].txt == Texts{"version=1"});
    CHECK(nothing(services.answered(sighting(), start + 100ms)));
    CHECK(nothing(services.browsed(sighting(), start + 500ms)));
    CHECK(nothing(services.browsed(sighting(), start + 2s)));
    CHECK(nothing(services.answered(sighting(), start + 3s)));
    CHECK(services.size() == 1);
}

TEST_CASE("addresses are told link-local first, each once, in a fixed order") {
    auto services = table();
    CHECK(
        endpoints(services.answered(sighting({"2001:db8::2", "192.0.2.9", "fe80::3", "fe80::2", "fe80::3"}), start)) ==
        Texts{"fe80::2 4711", "fe80::3 4711", "192.0.2.9 4711", "2001:db8::2 4711"});
    CHECK(nothing(services.answered(sighting({"fe80::2", "fe80::3", "2001:db8::2", "192.0.2.9"}), start)));
}

TEST_CASE("a browser that learns addresses one by one makes no service shrink") {
    auto services = table();
    CHECK_FALSE(nothing(services.answered(sighting({"fe80::2", "2001:db8::2"}), start)));
    CHECK(nothing(services.browsed(sighting({"2001:db8::2"}), start)));
    CHECK(nothing(services.browsed(sighting({"2001:db8::2", "fe80::2"}), start)));
    CHECK(endpoints(services.browsed(sighting({"2001:db8::2"}), start)) ==
          Texts{"2001:db8::2 4711"});  // fe80::2 is gone
}

TEST_CASE("the source that changed its mind last says where a service is") {
    auto services = table();
    CHECK_FALSE(nothing(services.answered(sighting({"fe80::2"}, 1), start)));
    CHECK(endpoints(services.browsed(sighting({"fe80::2"}, 2), start)) == Texts{"fe80::2 2"});
    CHECK(nothing(services.answered(sighting({"fe80::2"}, 1), start)));  // the old view repeated
    CHECK(endpoints(services.answered(sighting({"fe80::2"}, 3), start)) == Texts{"fe80::2 3"});
    CHECK(nothing(services.browsed(sighting({"fe80::2"}, 2), start)));
    CHECK(nothing(services.browsed(sighting({"fe80::2"}, 3), start)));
}

TEST_CASE("TXT alone is no news, but kept") {
    auto services = table();
    CHECK_FALSE(nothing(services.answered(sighting(), start)));
    auto without = sighting();
    without.txt.clear();
    CHECK(nothing(services.browsed(without, start)));
    const auto news = services.browsed(sighting({"fe80::2", "fe80::3"}), start);
    CHECK(endpoints(news).size() == 2);
    CHECK(news.found[0].txt == Texts{"version=1"});
}

TEST_CASE("the browser's goodbye counts for both") {
    auto services = table();
    CHECK_FALSE(nothing(services.answered(sighting(), start)));
    CHECK(services.withdrawn(sighting().id).lost == std::vector<ServiceId>{sighting().id});
    CHECK(nothing(services.withdrawn(sighting().id)));
    CHECK(endpoints(services.answered(sighting(), start)) == Texts{"fe80::2 4711"});
}

TEST_CASE("a server that stops before the browser knows it and comes back at the same place is told again") {
    auto services = table();
    CHECK_FALSE(nothing(services.answered(sighting(), start)));
    CHECK(endpoints(services.browsed(sighting(), start + 2s)) == Texts{"fe80::2 4711"});
    CHECK(nothing(services.browsed(sighting(), start + 4s)));
}

TEST_CASE("services differ by name, interface and protocol") {
    auto services = table();
    auto other_interface = sighting();
    other_interface.id.interface = 4;
    auto other_family = sighting();
    other_family.id.family = AF_INET;
    CHECK(services.answered(sighting(), start).found.size() == 1);
    CHECK(services.answered(sighting({"fe80::2"}, 4711, "mandos"), start).found.size() == 1);
    const auto news = services.answered(other_interface, start);
    REQUIRE(news.found.size() == 1);
    CHECK(news.found[0].endpoints.at(0).interface == 4);
    CHECK(services.answered(other_family, start).found.size() == 1);
    services.forget(interface);
    CHECK(services.size() == 1);
    CHECK(services.knows(other_interface.id));
}

TEST_CASE("hostile names are refused, and that is said now and then") {
    const std::string bad_names[] = {"",        "line\nfeed",          "escape\x1b[2J", "\xff\xfe",
                                     "del\x7f", std::string(257, 'x'), "c1\xc2\x9b"};
    for (const auto& bad : bad_names) {
        auto services = table();
        const auto name_news = services.answered(sighting({"fe80::2"}, 4711, bad), start);
        CHECK(nothing(name_news));
        CHECK_FALSE(name_news.refusal.empty());
        CHECK(base::is_printable_utf8(name_news.refusal));
        auto bad_host = sighting();
        bad_host.host = bad;
        CHECK(nothing(services.browsed(bad_host, start)));
        CHECK(services.size() == 0);
    }
    auto services = table();
    CHECK(nothing(services.answered(sighting({"fe80::2"}, 0), start)));
    CHECK(services.answered(sighting({}, 4711, "\n"), start + 1s).refusal.empty());
    CHECK_FALSE(services.answered(sighting({}, 4711, "\n"), start + 11s).refusal.empty());
    CHECK(services.answered(sighting({"fe80::2"}, 4711, "R\xc3\xa4um \xe2\x9c\x93"), start).found.size() == 1);
}

TEST_CASE("hostile TXT strings are left out") {
    auto services = table();
    auto seen = sighting();
    seen.txt = {"good=1", "bad\r\nline", "\xff", "", "also good"};
    CHECK(services.answered(seen, start).found.at(0).txt == Texts{"good=1", "also good"});
    seen.id.name = "many";
    seen.txt.assign(1000, "x");
    CHECK(services.answered(seen, start).found.at(0).txt.size() == ServiceTable::most_txt);
}

TEST_CASE("addresses that no other machine can have are refused") {
    const std::vector<std::string> refused = {
        "127.0.0.1",      "127.1.2.3", "::1",       "0.0.0.0",          "::",
        "224.0.0.251",    "ff02::fb",  "192.0.2.1", "::ffff:127.0.0.1", "::ffff:192.0.2.1",
        "255.255.255.255"};
    for (const auto& bad : refused) {
        INFO(bad);
        auto services = table();
        const auto news = services.answered(sighting({bad}), start);
        CHECK(nothing(news));
        CHECK_FALSE(news.refusal.empty());
        CHECK(services.size() == 0);
        CHECK(endpoints(services.answered(sighting({bad, "192.0.2.2"}), start)) == Texts{"192.0.2.2 4711"});
    }
}

TEST_CASE("a service that keeps none of its addresses is lost") {
    auto services = table();
    CHECK_FALSE(nothing(services.browsed(sighting(), start)));
    CHECK(services.browsed(sighting({"127.0.0.1"}), start).lost.size() == 1);
    CHECK(services.size() == 0);
}

TEST_CASE("at most 16 endpoints a service") {
    std::vector<std::string> many;
    for (int i = 2; i < 100; ++i) many.push_back("192.0.2." + std::to_string(i));
    auto services = table();
    CHECK(endpoints(services.answered(sighting(many), start)).size() == ServiceTable::most_endpoints);
}

TEST_CASE("at most 256 services: the one not vouched for and unseen for longest makes room") {
    auto services = table();
    const auto named = [](int number) { return sighting({"fe80::2"}, 4711, "n" + std::to_string(number)); };
    CHECK_FALSE(nothing(services.browsed(named(0), start)));
    for (int i = 1; i < 256; ++i) CHECK_FALSE(nothing(services.answered(named(i), start + std::chrono::seconds(i))));
    CHECK(nothing(services.answered(named(1), start + 300s)));  // seen again: 2 is now the oldest
    const auto news = services.answered(named(256), start + 301s);
    CHECK(news.found.size() == 1);
    CHECK(news.lost == std::vector<ServiceId>{named(2).id});
    CHECK(services.size() == ServiceTable::most_services);
    CHECK(services.knows(named(0).id));
}

TEST_CASE("what the browser does not vouch for is asked for again and forgotten in the end") {
    auto services = table();
    CHECK_FALSE(nothing(services.answered(sighting(), start)));
    CHECK(services.unconfirmed() == std::set<std::uint32_t>{interface});
    CHECK(nothing(services.expire(start + ServiceTable::unconfirmed_life - 1s)));
    CHECK(nothing(services.answered(sighting(), start + 100s)));
    CHECK(nothing(services.expire(start + 100s + ServiceTable::unconfirmed_life - 1s)));
    CHECK(services.expire(start + 100s + ServiceTable::unconfirmed_life).lost.size() == 1);
    CHECK(services.size() == 0);

    CHECK_FALSE(nothing(services.browsed(sighting(), start)));
    CHECK(services.unconfirmed().empty());
    CHECK(nothing(services.expire(start + 24h)));
}

TEST_CASE("a browser made anew inherits nothing and flaps nothing") {
    auto services = table();
    CHECK_FALSE(nothing(services.browsed(sighting({"fe80::2"}, 1, "stays"), start)));
    CHECK_FALSE(nothing(services.browsed(sighting({"fe80::2"}, 1, "moves"), start)));
    CHECK_FALSE(nothing(services.browsed(sighting({"fe80::2"}, 1, "goes"), start)));
    services.browser_restarted(start + 10s);
    CHECK_FALSE(services.unconfirmed().empty());
    CHECK(nothing(services.browsed(sighting({"fe80::2"}, 1, "stays"), start + 11s)));
    CHECK(endpoints(services.browsed(sighting({"fe80::2"}, 2, "moves"), start + 11s)) == Texts{"fe80::2 2"});
    const auto news = services.expire(start + 10s + ServiceTable::unconfirmed_life);
    REQUIRE(news.lost.size() == 1);
    CHECK(news.lost[0].name == "goes");
    CHECK(services.unconfirmed().empty());
}
