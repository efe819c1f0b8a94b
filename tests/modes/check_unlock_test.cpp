// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/check_unlock.hpp"

#include "catch.hpp"
#include "timeline/example_timeline.hpp"

using namespace bootkey;
using namespace bootkey::modes;
using namespace bootkey::timeline::tests;

namespace {

struct Checked {
    std::string text;
    base::ExitCode code;
};

Checked checked(const timeline::Timeline& timeline, base::Duration limit = std::chrono::milliseconds(60)) {
    Checked result{};
    CheckList list([&result](const std::string& line) { result.text += line; });
    check_unlock(timeline, limit, list);
    result.code = list.conclude();
    return result;
}

timeline::Timeline without_password() {
    timeline::Timeline run = example_timeline();
    run.written.reset();
    run.status = 69;
    run.failure = "given up";
    run.attempts[1].decrypting.reset();
    run.attempts[1].judged.reset();
    return run;
}

}  // namespace

TEST_CASE("an unlock that has the password is in order in every step") {
    const Checked result = checked(example_timeline());
    CHECK(result.code == base::ExitCode::ok);
    CHECK(result.text == R"(ok     interface  eth0
ok     server     "Mandos on attic", "Mandos on cellar"
ok     TCP        connected
ok     TLS        handshake done
ok     known      the server has a secret for this machine
ok     decrypts   the answer of "Mandos on cellar" is a password; it was dropped
A reboot would unlock this machine.
)");
}

TEST_CASE("the first step that is not reached is wrong, and what follows untried") {
    timeline::Timeline run = without_password();
    const auto ends_in = [](const timeline::Timeline& timeline, const std::string& step, const std::string& why) {
        const Checked result = checked(timeline);
        CAPTURE(result.text, step, why);
        CHECK(result.code == base::ExitCode::unavailable);
        const auto place = result.text.find("WRONG  " + step + std::string(11 - step.size(), ' '));
        REQUIRE(place != std::string::npos);
        CHECK(result.text.find(why, place) != std::string::npos);
        CHECK(result.text.find("ok  ", place) == std::string::npos);
    };
    ends_in(run, "decrypts", "not decrypted in time");
    run.attempts[1].decrypting = run.attempts[1].judged = at(50);
    run.attempts[1].rejection = "no key fits";
    ends_in(run, "decrypts", "the answer of \"Mandos on cellar\": no key fits; enrol again");
    run.attempts[1].failure = "the server does not know this machine";
    ends_in(run, "known", "\"Mandos on cellar\" at [fe80::1%2]:4711: the server does not know this machine; enrol it");
    run.attempts.push_back(run.attempts[1]);  // and is tried once more when the time is over
    run.attempts[2].ended.reset();
    run.attempts[2].failure.clear();
    ends_in(run, "known", "\"Mandos on cellar\" at [fe80::1%2]:4711: the server does not know this machine; enrol it");
    run.attempts.pop_back();
    run.attempts[1].ended.reset();
    run.attempts[1].failure.clear();
    ends_in(run, "known", "\"Mandos on cellar\" did not answer within 0.06 s; the server may wait");
    run.attempts[1].waiting.reset();
    run.attempts[1].ended = at(50);
    run.attempts[1].failure = "TLS handshake: no";
    ends_in(run, "TLS", "TLS handshake: no");
    run.attempts.pop_back();
    ends_in(run, "TCP", "\"Mandos on attic\" at 192.0.2.7:4712: Connection refused");
    run.attempts.clear();
    ends_in(run, "server", "no password server was found within 0.06 s");
    run.interfaces.clear();
    ends_in(run, "interface", "no network interface is up");
}

TEST_CASE("what cuts the trial short is the reason") {
    timeline::Timeline run = failed_timeline();
    run.status = 66;
    run.failure = "cannot use the key";
    const Checked result = checked(run, std::chrono::seconds(10));
    CHECK(result.code == base::ExitCode::no_input);
    CHECK(result.text.starts_with("WRONG  interface  cannot use the key\n?      server     not tried"));
    CHECK(result.text.ends_with(
        "A reboot would not unlock this machine, as far as can be seen: 6 of 6 steps are not in order.\n"));
}
