// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/timeline_keeper.hpp"

#include <algorithm>

#include "bootkey/base/text.hpp"
#include "bootkey/timeline/timeline_file.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::timeline;
using namespace std::chrono_literals;

namespace {

const base::Time timeline_start = base::Time(1000s);

AttemptRecord attempt(servers::AttemptId id, const std::string& failure = "") {
    AttemptRecord record;
    record.id = id;
    record.server = "server";
    record.connecting = timeline_start + 1s;
    if (!failure.empty()) record.ended = timeline_start + 2s;
    record.failure = failure;
    return record;
}

struct Kept {
    TimelineKeeper keeper{timeline_start};
    Kept() { keeper.worker_started(timeline_start); }
    [[nodiscard]] Timeline timeline() const { return keeper.finished(0, 0, timeline_start + 10s); }
};

}  // namespace

TEST_CASE("the timeline of a run has what was told, as it was known last") {
    Kept kept;
    kept.keeper.add(InterfaceRecord{2, "eth0", timeline_start + 1ms, {}, {}, {}}, timeline_start + 5s);
    kept.keeper.add(InterfaceRecord{2, "eth0", timeline_start + 1ms, timeline_start + 2ms, {}, {}},
                    timeline_start + 5s);
    kept.keeper.add(attempt(1), timeline_start + 5s);
    kept.keeper.add(attempt(1, "refused"), timeline_start + 5s);
    kept.keeper.add(HookRecord{"hook", "start", timeline_start, timeline_start + 1ms, ""});
    kept.keeper.restarted("decryptor", timeline_start + 3s);
    kept.keeper.failed("first");
    kept.keeper.failed("second");
    const auto run = kept.keeper.finished(69, 15, timeline_start + 10s);
    CHECK(run.version == BOOTKEY_VERSION);
    CHECK(run.begun == timeline_start);
    CHECK(run.ended == timeline_start + 10s);
    CHECK(run.status == 69);
    CHECK(run.signal == 15);
    CHECK(run.failure == "first");
    REQUIRE(run.interfaces.size() == 1);
    CHECK(run.interfaces[0].running == timeline_start + 2ms);
    REQUIRE(run.attempts.size() == 1);
    CHECK(run.attempts[0].failure == "refused");
    REQUIRE(run.hooks.size() == 1);
    REQUIRE(run.restarts.size() == 1);
    CHECK(run.restarts[0].process == "decryptor");
    CHECK(run.left_out == 0);
    CHECK(from_json(to_json(run)).ok());
}

TEST_CASE("the attempt whose answer is the password wins, whatever is told of it afterwards") {
    Kept kept;
    kept.keeper.add(attempt(1), timeline_start + 5s);
    const AttemptKey key = kept.keeper.key(1);
    kept.keeper.decrypting(key, "server", timeline_start + 6s);
    kept.keeper.decrypted(key, timeline_start + 7s);
    kept.keeper.delivered(key);
    kept.keeper.add(attempt(1, "made up"), timeline_start + 8s);
    const auto run = kept.timeline();
    REQUIRE(run.winner() != nullptr);
    CHECK(run.winner()->decrypting == timeline_start + 6s);
    CHECK(run.winner()->judged == timeline_start + 7s);
    CHECK(run.winner()->failure.empty());
}

TEST_CASE("an answer wins also if nothing was heard of its attempt before") {
    Kept kept;
    kept.keeper.decrypting(kept.keeper.key(9), "server", timeline_start + 6s);
    kept.keeper.decrypted(kept.keeper.key(9), timeline_start + 7s);
    kept.keeper.delivered(kept.keeper.key(9));
    REQUIRE(kept.timeline().winner() != nullptr);
    CHECK(kept.timeline().winner()->server == "server");
}

TEST_CASE("an answer that is rejected without a reason has not won") {
    Kept kept;
    kept.keeper.decrypting(kept.keeper.key(1), "server", timeline_start + 6s);
    kept.keeper.rejected(kept.keeper.key(1), "", timeline_start + 7s);
    CHECK(kept.timeline().winner() == nullptr);
}

TEST_CASE("a worker cannot tell that an answer has won") {
    Kept kept;
    AttemptRecord lie = attempt(1);
    lie.decrypting = lie.judged = timeline_start + 2s;
    kept.keeper.add(lie, timeline_start + 5s);
    CHECK(kept.timeline().winner() == nullptr);
}

TEST_CASE("times are put where they can have been") {
    Kept kept;
    AttemptRecord record = attempt(1);
    record.connecting = timeline_start - 100s;
    record.handshake = base::Time::max();
    record.waiting = timeline_start + 1s;
    kept.keeper.add(record, timeline_start + 5s);
    InterfaceRecord interface {
        2, "eth0", base::Time::min(), base::Time::max(), {}, {}
    };
    kept.keeper.add(interface, timeline_start + 5s);
    const auto run = kept.timeline();
    CHECK(run.attempts[0].connecting == timeline_start);
    CHECK(run.attempts[0].handshake == timeline_start + 5s);
    CHECK(run.attempts[0].waiting == timeline_start + 5s);
    CHECK(run.interfaces[0].asked_up == timeline_start);
    CHECK(run.interfaces[0].running == timeline_start + 5s);
}

TEST_CASE("texts are made fit to be shown") {
    Kept kept;
    AttemptRecord record = attempt(1, std::string(5000, '\x1b'));
    record.server = "a\nb";
    kept.keeper.add(record, timeline_start + 5s);
    kept.keeper.failed("\x1b[2J");
    const auto run = kept.timeline();
    CHECK(run.attempts[0].server == "a\\x0ab");
    CHECK(run.attempts[0].failure.size() <= longest_record_text);
    CHECK(base::is_printable_utf8(run.attempts[0].failure));
    CHECK(run.failure == "\\x1b[2J");
    CHECK(from_json(to_json(run)).ok());
}

TEST_CASE("the attempts of a worker that has ended end with it, and are others than those of the next one") {
    Kept kept;
    kept.keeper.add(attempt(1), timeline_start + 5s);
    kept.keeper.worker_ended(timeline_start + 6s);
    kept.keeper.worker_started(timeline_start + 6s);
    kept.keeper.add(attempt(1), timeline_start + 7s);
    const auto run = kept.timeline();
    REQUIRE(run.attempts.size() == 2);
    CHECK(run.attempts[0].ended == timeline_start + 6s);
    CHECK(run.attempts[0].failure == "the worker ended");
    CHECK(run.attempts[1].connecting == timeline_start + 6s);
}

TEST_CASE("an interface keeps the moments that the worker before has seen") {
    Kept kept;
    kept.keeper.add(
        InterfaceRecord{2, "eth0", timeline_start + 1s, timeline_start + 2s, timeline_start + 3s, timeline_start + 4s},
        timeline_start + 5s);
    kept.keeper.worker_started(timeline_start + 6s);
    kept.keeper.add(InterfaceRecord{2, "renamed0", {}, timeline_start + 7s, {}, {}}, timeline_start + 8s);
    CHECK(kept.timeline().interfaces ==
          std::vector<InterfaceRecord>{
              {2, "renamed0", timeline_start + 1s, timeline_start + 2s, timeline_start + 3s, {}}});
}

TEST_CASE("of too many records those in the middle make way, and never the winner") {
    Kept kept;
    const servers::AttemptId winner = most_attempts / 2 + 1;  // the first to go, if it were not
    for (servers::AttemptId id = 1; id <= 1000; ++id) {
        kept.keeper.add(attempt(id, "refused"), timeline_start + 5s);
        if (id != winner) continue;
        kept.keeper.decrypting(kept.keeper.key(id), "server", timeline_start + 5s);
        kept.keeper.decrypted(kept.keeper.key(id), timeline_start + 5s);
        kept.keeper.delivered(kept.keeper.key(id));
    }
    for (std::uint32_t index = 1; index <= 1000; ++index)
        kept.keeper.add(InterfaceRecord{index, "eth", {}, {}, {}, {}}, timeline_start + 5s);
    for (int count = 0; count < 1000; ++count)
        kept.keeper.add(HookRecord{"hook", "start", timeline_start, timeline_start, ""});
    for (int count = 0; count < 1000; ++count) kept.keeper.restarted("worker", timeline_start);
    const auto run = kept.timeline();
    CHECK(run.attempts.size() == most_attempts);
    CHECK(run.attempts.front().id == 1);
    CHECK(run.attempts.back().id == 1000);
    REQUIRE(run.winner() != nullptr);
    CHECK(run.winner()->id == winner);
    CHECK(run.interfaces.size() == most_interfaces);
    CHECK(run.interfaces.back().index == 1000);
    CHECK(run.hooks.size() == most_hooks);
    CHECK(run.restarts.size() == most_restarts);
    CHECK(run.left_out == 4000 - most_attempts - most_interfaces - most_hooks - most_restarts);
    CHECK(from_json(to_json(run)).ok());
}
