// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/server_ledger.hpp"

#include "bootkey/base/text.hpp"
#include "bootkey/management/status.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;
using namespace std::chrono_literals;

namespace {

const base::Time this_time = base::Time(1000s);
const base::Endpoint place{*base::IpAddress::parse("192.0.2.1"), 4711, 2};

AttemptNews news(servers::AttemptId id, std::uint64_t received = 0, const std::string& failure = "") {
    AttemptNews it;
    it.record.id = id;
    it.record.server = "server";
    it.record.endpoint = place;
    it.record.connecting = this_time;
    it.record.failure = failure;
    if (!failure.empty()) it.record.ended = this_time;
    it.received = received;
    it.sent = received / 2;
    return it;
}

}  // namespace

TEST_CASE("a row tells of a server's phase, tries, last error and bytes") {
    ServerLedger ledger;
    ledger.name_interface(2, "eth\n0");
    ledger.attempt({1, 1}, news(1), 10);
    ledger.attempt({1, 1}, news(1, 100), 11);
    REQUIRE(ledger.rows().size() == 1);
    CHECK(ledger.rows()[0].interface == "eth\n0");
    CHECK(ledger.rows()[0].phase == "connecting");
    CHECK(ledger.rows()[0].since == 10);
    CHECK(ledger.totals().connections == 1);
    ledger.attempt({1, 1}, news(1, 150, "Connection refused"), 12);
    ledger.attempt({1, 2}, news(2, 50), 13);
    const auto row = ledger.rows()[0];
    CHECK((row.tries == 2 && row.bytes == 200 && row.last_error == "Connection refused" && row.since == 13));
    CHECK(ledger.totals().bytes_in == 200);
    CHECK(ledger.totals().bytes_out == 100);
}

TEST_CASE("connections that are under way are found by the server's name and address") {
    ServerLedger ledger;
    ledger.attempt({1, 1}, news(1), 1);
    ledger.attempt({1, 2}, news(2), 1);
    CHECK(ledger.attempts_with("server") == std::vector<timeline::AttemptKey>{{1, 1}, {1, 2}});
    CHECK(ledger.attempts_with("serve").empty());
    CHECK(ledger.attempts_with(place.address, "", 4711).size() == 2);
    CHECK(ledger.attempts_with(place.address, "", 4712).empty());
    auto answered = news(1);
    answered.record.ended = this_time;
    ledger.attempt({1, 1}, answered, 2);
    CHECK(ledger.attempts_with("server") ==
          std::vector<timeline::AttemptKey>{{1, 2}});  // there is no connection any more
    ledger.rejected({1, 1}, "wrong key", 3);
    CHECK(ledger.rows()[0].last_error == "wrong key");
    ledger.interrupted("bootkey starts anew", 4);
    CHECK(ledger.attempts_with("server").empty());
    CHECK(ledger.rows()[0].phase == "failed");
    CHECK(ledger.totals().connections == 0);
}

TEST_CASE("whatever status and the log show of a server finds it") {
    for (const std::string& name : {std::string("Room 2, left"), std::string("back\\slash"),
                                    std::string("a\xe2\x80\xae"
                                                "b"),
                                    std::string("tab\tand\xff"), std::string("'quoted' \"too\"")}) {
        ServerLedger ledger;
        auto it = news(1);
        it.record.server = name;
        ledger.attempt({1, 1}, it, 1);
        for (const char separator : {',', '\t'}) {  // status 2 and 3
            const auto lines = management::server_list(0, ledger.rows(), separator);
            const auto row = base::split(lines.at(3), separator);
            CHECK(ledger.attempts_with(row[1]).size() == 1);
        }
        CHECK(ledger.attempts_with(base::escaped(name)).size() == 1);  // the log
        CHECK(ledger.attempts_with(name).size() == 1);
    }
}

TEST_CASE("a server that calls itself as another one is shown is not taken for it") {
    ServerLedger ledger;
    auto it = news(1);
    it.record.server = "a\\b";
    ledger.attempt({1, 1}, it, 1);
    it = news(2);
    it.record.server = "a\\x5cb";
    ledger.attempt({1, 2}, it, 1);
    CHECK(ledger.attempts_with("a\\x5cb") == std::vector<timeline::AttemptKey>{{1, 1}});
    CHECK(ledger.attempts_with("a\\x5cx5cb") == std::vector<timeline::AttemptKey>{{1, 2}});
}

TEST_CASE("an address is found over the interface that is named with it") {
    ServerLedger ledger;
    ledger.name_interface(2, "eth0");
    ledger.attempt({1, 1}, news(1), 1);
    for (const char* scope : {"", "2", "eth0"}) CHECK(ledger.attempts_with(place.address, scope, 4711).size() == 1);
    for (const char* scope : {"3", "eth1", "0", "02x"}) CHECK(ledger.attempts_with(place.address, scope, 4711).empty());
}

TEST_CASE("what a worker makes up takes a bounded amount of memory, and no count goes back") {
    ServerLedger ledger;
    for (servers::AttemptId id = 1; id <= 10'000; ++id) {
        auto made_up = news(id, id);
        made_up.record.server = base::format("server %llu\x1b", static_cast<unsigned long long>(id));
        ledger.attempt({1, id}, made_up, 1);
        ledger.attempt({1, id}, news(id, id), 1);
        ledger.name_interface(static_cast<std::uint32_t>(id), std::string(4096, 'x'));
    }
    CHECK(ledger.rows().size() == ServerLedger::most_servers);
    CHECK(ledger.totals().connections <= 2 * ServerLedger::most_servers);
    const auto before = ledger.totals().bytes_in;
    ledger.attempt({1, 1}, news(1, 0), 2);
    CHECK(ledger.totals().bytes_in == before);
}
