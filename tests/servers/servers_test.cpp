// SPDX-License-Identifier: GPL-3.0-or-later
//
// The whole room on a real event loop against real TLS clients in the server's role, over loopback sockets.
#include "bootkey/servers/servers.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/event_loop.hpp"
#include "catch.hpp"
#include "servers/mandos_peer.hpp"
#include "servers/test_keys.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using bootkey::tests::MandosPeer;
using bootkey::tests::Manners;

namespace {

struct Received {
    servers::AttemptId attempt;
    std::string server;
    std::string bytes;
};

// Servers on a loop of its own that runs until an answer or a failure has come or time is up.
struct Whole {
    explicit Whole(base::Duration retry = 10s, const tests::TestKey& key = tests::ed25519_key())
        : loop(std::move(*base::EventLoop::create())), credentials(tests::credentials(key)) {
        log.add_sink([this](const base::LogEntry& entry) { lines.push_back(entry.text); });
        servers = servers::Servers::create(
            *loop, log, credentials, retry,
            {.progress =
                 [this](const servers::Progress& progress) {
                     phases.push_back(progress.phase);
                     last = progress;
                     if (progress.phase == stop_at) loop->stop();
                     if (progress.phase == servers::Phase::failed) {
                         failures.push_back(progress.detail);
                         if (failures.size() >= stop_after_failures) loop->stop();
                     }
                 },
             .answer =
                 [this](servers::AttemptId id, const servers::Origin& origin, std::vector<std::byte> bytes) {
                     answers.push_back(
                         {id, origin.server, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
                     if (on_answer)
                         on_answer();
                     else
                         loop->stop();
                 },
             .idle = [this](base::Time until) { idle.push_back(until); }});
    }

    void run(base::Duration limit) {
        const auto end = loop->timer([this] { loop->stop(); });
        end->arm(limit);
        loop->run();
    }
    void see(const std::string& name, const base::Endpoint& endpoint) {
        servers->update(name, name + ".local", "lo/4", {endpoint});
    }

    std::unique_ptr<base::EventLoop> loop;
    base::Log log{3};
    servers::TlsCredentials credentials;
    std::unique_ptr<servers::Servers> servers;
    std::vector<servers::Phase> phases;
    std::vector<std::string> failures;
    std::vector<base::Time> idle;
    std::optional<servers::Progress> last;
    std::optional<servers::Phase> stop_at;
    std::vector<Received> answers;
    std::vector<std::string> lines;
    std::function<void()> on_answer;
    std::size_t stop_after_failures = 1000;
};

}  // namespace

TEST_CASE("a server gives its answer") {
    using enum servers::Phase;
    Manners manners;
    manners.answer = std::string("OpenPGP \0 message\n", 18);
    MandosPeer peer(manners);
    Whole whole;
    whole.see("good", peer.endpoint());
    CHECK(whole.phases.empty());  // nothing happens inside the call
    whole.run(5s);

    REQUIRE(whole.answers.size() == 1);
    CHECK(whole.answers[0].server == "good");
    CHECK(whole.answers[0].bytes == manners.answer);
    CHECK(whole.phases == std::vector{connecting, handshake, waiting, receiving, answered});
    const auto visits = peer.visits();
    REQUIRE(visits.size() == 1);
    CHECK(visits[0].version_line == "1\r\n");
    CHECK(visits[0].handshake == 0);
    CHECK(visits[0].key_id == whole.credentials.key_id());
    CHECK_FALSE(visits[0].client_certificate_wanted);
    CHECK(visits[0].farewell_in_order);
}

TEST_CASE("seven servers without our key do not delay the eighth") {
    std::vector<std::unique_ptr<MandosPeer>> strangers;
    Whole whole;
    for (int i = 0; i < 7; ++i) {
        strangers.push_back(std::make_unique<MandosPeer>(Manners{}));
        whole.see("stranger " + std::to_string(i), strangers.back()->endpoint());
    }
    Manners manners;
    manners.answer = "answer";
    MandosPeer good(manners);
    whole.see("good", good.endpoint());
    const auto begun = whole.loop->now();
    whole.run(5s);
    REQUIRE(whole.answers.size() == 1);
    CHECK(whole.answers[0].server == "good");
    CHECK(base::to_seconds(whole.loop->now() - begun) < 1);
}

TEST_CASE("tarpits and waiting approvals do not delay others") {
    Manners mute;
    mute.greeting = Manners::Greeting::silence;
    Manners waiting;
    waiting.stay = true;  // no answer, no end
    MandosPeer tarpit(mute), approval(waiting);
    Manners manners;
    manners.answer = "answer";
    MandosPeer good(manners);
    {
        Whole whole;
        whole.see("tarpit", tarpit.endpoint());
        whole.see("approval", approval.endpoint());
        whole.run(200ms);
        CHECK(whole.answers.empty());
        whole.see("good", good.endpoint());
        const auto begun = whole.loop->now();
        whole.run(5s);
        REQUIRE(whole.answers.size() == 1);
        CHECK(base::to_seconds(whole.loop->now() - begun) < 0.1);
        const auto status = whole.servers->status();
        REQUIRE(status.size() == 3);
        CHECK_THAT(status[0], Catch::StartsWith("approval: waiting at 127.0.0.1:"));
        CHECK_THAT(status[1], Catch::StartsWith("good: its answer is being decrypted, 1 tries"));
        CHECK_THAT(status[2], Catch::StartsWith("tarpit: handshake at 127.0.0.1:"));
    }
}

TEST_CASE("a dead endpoint of a server does not keep it from the next") {
    base::Endpoint dead;
    {
        MandosPeer gone(Manners{}, 0);
        dead = gone.endpoint();
    }
    Manners manners;
    manners.answer = "answer";
    MandosPeer good(manners);
    Whole whole;
    whole.servers->update("s", "host", "lo/4", {dead, good.endpoint()});
    whole.run(5s);
    CHECK(whole.answers.size() == 1);
    CHECK(whole.failures == std::vector<std::string>{"Connection refused"});
}

TEST_CASE("a server that refuses is asked again after --retry, for ever") {
    MandosPeer peer(Manners{}, 3);
    Whole whole(200ms);
    whole.stop_after_failures = 3;
    const auto begun = whole.loop->now();
    whole.see("s", peer.endpoint());
    whole.run(5s);
    CHECK(whole.failures.size() == 3);
    CHECK_THAT(whole.failures[0], Catch::Contains("does not know this machine"));
    const double took = base::to_seconds(whole.loop->now() - begun);
    CHECK(took > 0.36);  // two rests, each 0.2 s less 10 %
    CHECK(took < 1.0);
}

TEST_CASE("an answer that is rejected is fetched again after --retry, not before, and the reason is told") {
    Manners manners;
    manners.answer = "answer";
    MandosPeer peer(manners, 2);
    Whole whole(300ms);
    whole.see("s", peer.endpoint());
    whole.run(5s);
    REQUIRE(whole.answers.size() == 1);
    whole.run(500ms);
    CHECK(whole.answers.size() == 1);  // being judged
    whole.servers->reject(whole.answers[0].attempt, "it does not decrypt");
    whole.run(100ms);
    CHECK(whole.answers.size() == 1);
    CHECK_THAT(whole.servers->status().at(0), Catch::Contains("last failure: it does not decrypt"));
    CHECK(std::ranges::count(whole.lines, "server s: it does not decrypt") == 1);
    whole.run(5s);
    CHECK(whole.answers.size() == 2);
}

TEST_CASE(
    "an attempt that is dropped is told as failed, and its server is tried again after --retry, until when nothing "
    "goes on") {
    Manners manners;
    manners.approval = 400ms;
    manners.answer = "answer";
    manners.stay = true;
    MandosPeer peer(manners, 2);
    Whole whole(300ms);
    whole.see("s", peer.endpoint());
    whole.stop_at = servers::Phase::waiting;
    whole.run(5s);
    REQUIRE(whole.last);
    CHECK(whole.last->local.address == peer.endpoint().address);
    CHECK(whole.last->local.port != 0);
    CHECK(whole.last->received > 0);
    CHECK(whole.last->sent > 0);
    CHECK(whole.idle.empty());
    whole.servers->drop(whole.last->attempt, "a person wants it");
    whole.servers->drop(whole.last->attempt, "a person wants it");
    whole.run(100ms);
    CHECK(whole.failures == std::vector<std::string>{"a person wants it"});
    REQUIRE(whole.idle.size() == 1);
    CHECK(whole.idle[0] > whole.loop->now());
    whole.run(5s);
    CHECK(std::ranges::count(whole.phases, servers::Phase::waiting) == 2);
}

TEST_CASE("servers may be destroyed from inside a callback, and nothing is called afterwards") {
    Manners manners;
    manners.answer = "answer";
    MandosPeer peer(manners);
    Whole whole;
    whole.on_answer = [&] {
        whole.servers.reset();
        whole.loop->stop();
    };
    whole.see("s", peer.endpoint());
    whole.run(5s);
    CHECK(whole.answers.size() == 1);
    CHECK(whole.servers == nullptr);
    const auto phases = whole.phases.size();
    whole.run(50ms);
    CHECK(whole.phases.size() == phases);
}

TEST_CASE("an interface that goes ends its attempts, and they are told as failed") {
    Manners waiting;
    waiting.stay = true;
    MandosPeer peer(waiting);
    Whole whole;
    whole.stop_after_failures = 1;
    auto endpoint = peer.endpoint();
    endpoint.interface = 1;  // loopback
    whole.see("s", endpoint);
    whole.run(200ms);
    REQUIRE(whole.phases.back() == servers::Phase::waiting);
    whole.servers->interface_gone(1);
    whole.run(5s);
    REQUIRE(whole.failures.size() == 1);
    CHECK_THAT(whole.failures[0], Catch::Contains("interface is gone"));
    CHECK(peer.visits().size() == 1);  // and the connection is closed
}

TEST_CASE("the log shows phases and failures, hostile names escaped") {
    MandosPeer peer(Manners{});
    Whole whole;
    whole.stop_after_failures = 1;
    whole.see("evil\x1b[2J", peer.endpoint());
    whole.run(5s);
    REQUIRE(whole.lines.size() == 4);
    CHECK_THAT(whole.lines[0],
               Catch::StartsWith("server evil\\x1b[2J at 127.0.0.1:") && Catch::EndsWith(": connecting"));
    CHECK_THAT(whole.lines[3], Catch::Contains(": failed: the server does not know this machine"));
}
