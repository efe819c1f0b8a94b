// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/timeline_chart.hpp"

#include <algorithm>
#include <csignal>
#include <string_view>

#include "catch.hpp"
#include "timeline/example_timeline.hpp"

using namespace bootkey;
using namespace bootkey::timeline;
using namespace bootkey::timeline::tests;

namespace {

const Row& row_of(const Chart& chart, std::string_view label) {
    const auto found = std::ranges::find(chart.rows, label, &Row::label);
    REQUIRE(found != chart.rows.end());
    return *found;
}

std::vector<std::string> labels(const Chart& chart) {
    std::vector<std::string> found;
    for (const Row& row : chart.rows) found.push_back(row.label);
    return found;
}

}  // namespace

TEST_CASE("a chart has a row for each hook, interface and server") {
    const Chart chart = chart_of(example_timeline());
    CHECK(labels(chart) ==
          std::vector<std::string>{"hook bridge", "eth0", "eth1", "Mandos on attic", "Mandos on cellar"});
    CHECK(chart.headline == "bootkey 1.2.3 had the password after 60.0 ms, from Mandos on cellar");
    CHECK(chart.remarks == std::vector<std::string>{"begun 1.0 s after the kernel",
                                                    "everything was put back 5.0 ms after the password was out"});
    CHECK(chart.length == Approx(63));
    CHECK(chart.password_at == Approx(60));
}

TEST_CASE("the rows of the interface and the server that the password came over are the winning ones") {
    const Chart chart = chart_of(example_timeline());
    for (const Row& row : chart.rows) {
        CAPTURE(row.label);
        CHECK(row.winning == (row.label == "eth0" || row.label == "Mandos on cellar"));
    }
}

TEST_CASE("a bar stands for each stage of an attempt, and its end shows whether it failed") {
    const Chart chart = chart_of(example_timeline());
    const Row& winner = row_of(chart, "Mandos on cellar");
    const std::vector<Stage> stages{Stage::connecting, Stage::handshake, Stage::waiting, Stage::receiving,
                                    Stage::decrypting};
    REQUIRE(winner.bars.size() == stages.size());
    for (std::size_t i = 0; i < stages.size(); ++i) {
        CHECK(winner.bars[i].stage == stages[i]);
        CHECK(winner.bars[i].winning);
        CHECK_FALSE(winner.bars[i].failed_at_end);
        if (i > 0) CHECK(winner.bars[i].from == Approx(winner.bars[i - 1].to));
    }
    CHECK(winner.bars.front().from == Approx(30));
    CHECK(winner.bars.back().to == Approx(59));
    CHECK(winner.note == "[fe80::1]:4711 over eth0: the password");

    const Row& loser = row_of(chart, "Mandos on attic");
    REQUIRE(loser.bars.size() == 1);
    CHECK(loser.bars[0].failed_at_end);
    CHECK(loser.note == "192.0.2.7:4712 over eth0: Connection refused");
    CHECK(row_of(chart, "hook bridge").note == "start: exit status 3");
    CHECK(row_of(chart, "eth1").note == "no carrier");
}

TEST_CASE("the way to the password has no gaps") {
    const Chart chart = chart_of(example_timeline());
    double sum = 0;
    for (const Step& step : chart.steps) sum += step.milliseconds;
    CHECK(sum == Approx(60));
    REQUIRE(chart.steps.size() == 10);
    CHECK(chart.steps[0].name == "beginning, hooks");
    CHECK(chart.steps[3].name == "finding the server");
    CHECK(chart.steps[3].milliseconds == Approx(4));
}

TEST_CASE("attempts at one server are one row, in front of which the winner is") {
    Timeline run = example_timeline();
    AttemptRecord late = run.attempts[0];
    late.server = run.attempts[1].server;
    run.attempts.push_back(late);
    const Chart chart = chart_of(run);
    const Row& row = row_of(chart, "Mandos on cellar");
    CHECK(row.bars.size() == 6);
    CHECK_FALSE(row.bars.front().winning);
    CHECK(row.bars.back().winning);
    CHECK(row.note == "[fe80::1]:4711 over eth0: the password (2 attempts)");
}

TEST_CASE("a run without a password says how it ended") {
    Timeline run = failed_timeline();
    Chart chart = chart_of(run);
    CHECK(chart.headline == "bootkey 1.2.3 ended after 500.0 ms with status 69, without a password: no gpg");
    CHECK_FALSE(chart.password_at);
    CHECK(chart.steps.empty());
    CHECK(chart.length == Approx(500));
    run.signal = SIGTERM;
    chart = chart_of(run);
    CHECK(chart.headline == "bootkey 1.2.3 was ended after 500.0 ms by a signal, without a password: Terminated");
}

TEST_CASE("a run in which a person was the one to unlock says how far bootkey came") {
    Timeline run = example_timeline();
    run.attempts.clear();
    run.written.reset();
    CHECK(chart_of(run).remarks.back() == "no password server was found");
    run.interfaces.clear();
    CHECK(chart_of(run).remarks.back() == "no network interface became usable");
}

TEST_CASE("what was under way at the end, restarts and records that were left out are told") {
    Timeline run = example_timeline();
    run.attempts[0].ended.reset();
    run.attempts[0].failure.clear();
    run.attempts[0].handshake = run.attempts[0].waiting = at(40);
    run.restarts = {{"worker", at(20)}};
    run.left_out = 7;
    const Chart chart = chart_of(run);
    CHECK(row_of(chart, "Mandos on attic").note == "192.0.2.7:4712 over eth0: silent until the end");
    CHECK(row_of(chart, "Mandos on attic").bars.back().to == Approx(chart.length));
    CHECK(chart.remarks[2] == "worker was started again after 20.0 ms");
    CHECK(chart.remarks[3] == "7 records were left out");
}

TEST_CASE("of very many servers the winner is shown in any case") {
    Timeline run = example_timeline();
    const AttemptRecord winner = run.attempts[1];
    run.attempts.assign(200, run.attempts[0]);
    for (std::size_t i = 0; i < run.attempts.size(); ++i) run.attempts[i].server = std::to_string(i);
    run.attempts.push_back(winner);
    const Chart chart = chart_of(run);
    CHECK(chart.rows.size() == 3 + most_server_rows);
    CHECK(chart.rows.back().label == "Mandos on cellar");
    CHECK(chart.remarks.back() == "177 more servers are not shown");
}

TEST_CASE("hostile names do no more than be seen") {
    Timeline run = example_timeline();
    run.attempts[0].server = "\x1b[2J\xe2\x80\xae\xff";
    run.interfaces[0].name = "a\nb";
    const Chart chart = chart_of(run);
    CHECK(chart.rows[1].label == "a\\x0ab");
    CHECK(chart.rows[3].label == "\\x1b[2J\\xe2\\x80\\xae\\xff");
}

TEST_CASE("the marks of the axis are round numbers, and not too many") {
    CHECK(marks(63, 6) == std::vector<double>{0, 20, 40, 60});
    CHECK(marks(100, 11) == std::vector<double>{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100});
    CHECK(marks(100, 2) == std::vector<double>{0, 100});
    double length = 0.1;
    while (length < 1e12) {
        for (const std::size_t most : {2U, 5U, 9U}) {
            const auto places = marks(length, most);
            CAPTURE(length, most);
            CHECK_FALSE(places.empty());
            CHECK(places.size() <= most);
            CHECK(places.back() <= length);
        }
        length *= 1.7;
    }
}

TEST_CASE("durations as a person says them") {
    CHECK(duration_text(0) == "0.0 ms");
    CHECK(duration_text(61.44) == "61.4 ms");
    CHECK(duration_text(12'340) == "12.3 s");
    CHECK(duration_text(303'000) == "5 min 3 s");
    CHECK(duration_text(27'540'000) == "7 h 39 min");
    CHECK(mark_text(50) == "50 ms");
    CHECK(mark_text(1500) == "1.5 s");
    CHECK(mark_text(1'200'000) == "20 min");
}
