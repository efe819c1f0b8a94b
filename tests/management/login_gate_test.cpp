// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/login_gate.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using management::ClientId;
using management::LoginGate;
using management::Origin;
using namespace std::chrono_literals;
using Clients = std::vector<ClientId>;

namespace {

constexpr base::Time begin{std::chrono::hours(1)};
constexpr ClientId full = LoginGate::max_clients;

Origin from(const std::string& address, const std::string& network = {}) {
    return {network.empty() ? address : network, address};
}

// Fills the gate with clients of one address, of which 1 is the oldest.
void fill(LoginGate& gate, const std::string& address = "192.0.2.10") {
    for (ClientId client = 1; client <= full; ++client) REQUIRE_FALSE(gate.came(client, from(address), begin));
}

// The client's password is compared and wrong.
void slip(LoginGate& gate, ClientId client, base::Time now) {
    gate.gave_password(client, now);
    REQUIRE(gate.next(now) == client);
    gate.was_wrong(client, now);
}

}  // namespace

TEST_CASE("whoever comes to a full gate takes the place of the oldest client of the address that has most") {
    LoginGate gate;
    fill(gate);
    CHECK_FALSE(LoginGate().is_full());
    CHECK(gate.is_full());
    CHECK(gate.came(full + 1, from("192.0.2.11"), begin) == 1);
    CHECK(gate.came(full + 2, from("192.0.2.11"), begin) == 2);
    CHECK(gate.came(full + 3, from("192.0.2.10"), begin) == 3);  // it takes its own
    ClientId client = full + 4;
    for (; client <= full + full / 2 + 1; ++client) static_cast<void>(gate.came(client, from("192.0.2.11"), begin));
    CHECK(gate.came(client, from("192.0.2.11"), begin) == full + 1);  // now these have most
}

TEST_CASE("one client of an address is never in the way of many of another") {
    LoginGate gate;
    REQUIRE_FALSE(gate.came(1, from("192.0.2.11"), begin));
    for (ClientId client = 2; client < 10'000; ++client)
        REQUIRE(gate.came(client, from("192.0.2.10"), begin) != ClientId{1});
    gate.gave_password(1, begin);
    CHECK(gate.next(begin) == 1);
}

TEST_CASE("addresses of one network share, and share out their share") {
    LoginGate gate;
    REQUIRE_FALSE(gate.came(1, from("2001:db8:1::1", "2001:db8:1::/64"), begin));  // other networks
    REQUIRE_FALSE(gate.came(2, from("192.0.2.11"), begin));
    REQUIRE_FALSE(gate.came(3, from("2001:db8::7", "2001:db8::/64"), begin));
    for (ClientId client = 4; client <= full - 2; ++client)
        REQUIRE_FALSE(gate.came(client, from("2001:db8::" + std::to_string(client + 100), "2001:db8::/64"), begin));
    for (ClientId client = full - 1; client <= full; ++client)
        REQUIRE_FALSE(gate.came(client, from("2001:db8::a", "2001:db8::/64"), begin));
    CHECK(gate.came(full + 1, from("2001:db8::a", "2001:db8::/64"), begin) == full - 1);
    CHECK(gate.came(full + 2, from("2001:db8::b", "2001:db8::/64"), begin) == full);
}

TEST_CASE(
    "among many addresses those that guess or come most make room first, and last those that have given a password") {
    LoginGate gate;
    for (ClientId client = 1; client <= full; ++client)
        REQUIRE_FALSE(gate.came(client, from(std::to_string(client)), begin));
    auto now = begin;
    for (int i = 0; i < 3; ++i) slip(gate, 9, now += 10s);
    slip(gate, 10, now += 10s);
    gate.left(11);
    REQUIRE_FALSE(gate.came(11, from("11"), now));
    gate.gave_password(1, now);
    ClientId client = full;
    const auto one_more = [&] {
        const ClientId newest = ++client;
        return gate.came(newest, from("other" + std::to_string(newest)), now);
    };
    CHECK(one_more() == 9);
    CHECK(one_more() == 10);
    CHECK(one_more() == 11);
    CHECK(one_more() == 2);  // the oldest that has not given a password
    CHECK(one_more() == 3);
    for (ClientId each = 4; each <= client; ++each) gate.gave_password(each, now);
    const ClientId newest = client + 1;
    CHECK(one_more() == newest);  // all others are about to be compared
}

TEST_CASE("who comes once is not in the way of those who come again and again, from however many addresses") {
    LoginGate gate;
    auto now = begin;
    ClientId client = 0;
    const auto everybody_comes = [&] {
        std::vector<std::optional<ClientId>> gone;
        for (ClientId i = 0; i < 2 * full; ++i, now += 5ms)
            gone.push_back(gate.came(++client, from(std::to_string(i)), now));
        return gone;
    };
    for (int round = 0; round < 3; ++round) static_cast<void>(everybody_comes());
    const ClientId one = ++client;
    CHECK(gate.came(one, from("192.0.2.11"), now) != one);
    for (const auto& gone : everybody_comes()) CHECK(gone != one);
    gate.gave_password(one, now);
    CHECK(gate.next(now) == one);
}

TEST_CASE("clients have ten seconds for each answer") {
    LoginGate gate;
    REQUIRE_FALSE(gate.came(1, from("a"), begin));
    REQUIRE_FALSE(gate.came(2, from("b"), begin + 1s));
    CHECK(gate.next_deadline() == begin + 10s);
    CHECK(gate.overdue(begin + 10s - 1ms).empty());
    CHECK(gate.overdue(begin + 10s) == Clients{1});
    gate.left(1);
    slip(gate, 2, begin + 9s);
    CHECK(gate.overdue(begin + 19s - 1ms).empty());
    CHECK(gate.overdue(begin + 19s) == Clients{2});
    gate.gave_password(2, begin + 9s);  // it is for us to answer
    CHECK(gate.overdue(begin + 1h).empty());
    CHECK(gate.next_deadline() == begin + 10s);
    CHECK(gate.waits_for_comparison(2));
    gate.left(2);
    CHECK_FALSE(gate.waits_for_comparison(2));
    CHECK_FALSE(gate.next_deadline());
}

TEST_CASE("the pause after a wrong password grows, for its address alone") {
    LoginGate gate;
    REQUIRE_FALSE(gate.came(1, from("a"), begin));
    REQUIRE_FALSE(gate.came(2, from("b"), begin));
    auto now = begin;
    for (const auto pause : {1s, 2s, 4s, 8s, 8s, 8s}) {
        slip(gate, 1, now);
        gate.gave_password(1, now);
        CHECK_FALSE(gate.next(now + pause - 1ms));
        CHECK(gate.next_deadline() == now + pause);
        gate.gave_password(2, now + 50ms);
        CHECK(gate.next(now + 50ms) == 2);
        now += pause;
        CHECK(gate.next(now) == 2);  // who has never been wrong comes first
        gate.left(2);
        REQUIRE_FALSE(gate.came(2, from("b"), now));
        CHECK(gate.next(now) == 1);
    }
    SECTION("a right one ends it") {
        gate.was_right(1);
        REQUIRE_FALSE(gate.came(3, from("a"), now));
        slip(gate, 3, now);
        gate.gave_password(3, now);
        CHECK(gate.next_deadline() == now + 1s);
    }
    SECTION("time makes it forgotten") {
        gate.left(2);
        slip(gate, 1, now);
        slip(gate, 1, now + 8s + LoginGate::memory);
        gate.gave_password(1, now + 8s + LoginGate::memory);
        CHECK(gate.next_deadline() == now + 9s + LoginGate::memory);
    }
}

TEST_CASE("a new connection does not escape the pause") {
    LoginGate gate;
    REQUIRE_FALSE(gate.came(1, from("a"), begin));
    slip(gate, 1, begin);
    gate.left(1);
    REQUIRE_FALSE(gate.came(2, from("a"), begin));
    gate.gave_password(2, begin);
    CHECK_FALSE(gate.next(begin + 1s - 1ms));
    CHECK(gate.next(begin + 1s) == 2);
}

TEST_CASE("any number of addresses gets few guesses a second, and keeps nobody else waiting for long") {
    LoginGate gate;
    ClientId client = 0;
    std::size_t compared = 0;
    auto worst = base::Duration{};
    ClientId knows = 0;  // none waits now
    base::Time knew;
    for (auto now = begin; now < begin + 10s; now += 1ms) {
        // A thousand new addresses a second; and somebody who knows the password, again and again.
        ++client;
        static_cast<void>(gate.came(client, from("guess" + std::to_string(client)), now));
        gate.gave_password(client, now);
        if (knows == 0) {
            knows = ++client;
            knew = now;
            static_cast<void>(gate.came(client, from("192.0.2.11"), now));
            gate.gave_password(client, now);
            if (!gate.waits_for_comparison(client)) knows = 0;  // there was no room
        }
        while (const auto next = gate.next(now)) {
            if (next == knows) {
                worst = std::max(worst, now - knew);
                knows = 0;
                gate.was_right(*next);
            } else {
                gate.was_wrong(*next, now);
                gate.left(*next);
                ++compared;
            }
        }
    }
    CHECK(compared <= 201 + LoginGate::max_burst);
    CHECK(worst > 0s);
    CHECK(worst <= full * LoginGate::min_interval);
}

TEST_CASE("without limits there is still a pause, and nobody is cut off") {
    LoginGate gate(false);
    for (ClientId client = 1; client < 100; ++client) CHECK_FALSE(gate.came(client, from("a"), begin));
    CHECK_FALSE(gate.next_deadline());
    CHECK(gate.overdue(begin + 1h).empty());
    slip(gate, 1, begin);
    gate.gave_password(1, begin);
    CHECK(gate.next_deadline() == begin + 1s);
}

TEST_CASE("a client that is not known is no error") {
    LoginGate gate;
    gate.gave_password(7, begin);
    gate.was_wrong(7, begin);
    gate.was_right(7);
    gate.left(7);
    CHECK_FALSE(gate.next(begin));
}
