// SPDX-License-Identifier: GPL-3.0-or-later
//
// Network hooks that ask for credentials: real shell scripts, and somebody who knows.
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/network/network_hooks.hpp"
#include "catch.hpp"
#include "sandbox_fixture.hpp"

using namespace bootkey;
using namespace bootkey::network;
using namespace bootkey::network::fixture;
using namespace std::chrono_literals;

namespace {

// What hooks of these tests have in common: ask for the realm $1; user name and password, or "gone", are in the file
// `out`.
const std::string ask = R"(ask() {
    echo "auth $1" >&3
    read -r user <&3
    [ "$user" = gone ] || read -r password <&3
    echo "$user:$password" >>)";

std::optional<Credentials> answered_credentials(const std::string& user, const std::string& password) {
    Credentials made;
    for (const auto& [text, place] : {std::pair(&user, &made.user), std::pair(&password, &made.password)}) {
        *place = std::move(base::Secret::with_capacity(text->size())).value();
        REQUIRE(place->append(base::bytes_of(*text)));
    }
    return made;
}

struct QuestionsFixture {
    TemporaryDirectory directory;
    std::string hooks = directory / "hooks";
    std::string out = directory / "out";
    RememberingLog log;
    std::unique_ptr<base::EventLoop> loop = expect(base::EventLoop::create());
    HookSettings settings{hooks, "", "0.2", "", false, 200ms, 60s};
    std::unique_ptr<NetworkHooks> runner;
    bool proceeded = false;
    std::vector<HookQuestion> questions;
    std::vector<HookAnswerer::Reply> replies;
    std::vector<std::pair<std::uint32_t, bool>> verdicts;
    std::vector<std::uint32_t> withdrawn;

    QuestionsFixture() {
        std::filesystem::create_directory(hooks);
        settings.answerer = {
            .asked =
                [this](const HookQuestion& question, HookAnswerer::Reply reply) {
                    questions.push_back(question);
                    replies.push_back(std::move(reply));
                },
            .judged = [this](std::uint32_t question, bool good) { verdicts.emplace_back(question, good); },
            .withdrawn = [this](std::uint32_t question) { withdrawn.push_back(question); }};
    }
    void add(const std::string& name, const std::string& script) {
        write_text(hooks + '/' + name, "#!/bin/sh\n" + ask + out + "\n}\n" + script + "\n");
        chmod((hooks + '/' + name).c_str(), 0755);
    }
    void start() {
        runner = std::make_unique<NetworkHooks>(*loop, log.log, settings);
        runner->start([this](const auto&) { proceeded = true; });
    }
    bool wait(const std::function<bool()>& condition, base::Duration limit = 5s) {
        return run_until(*loop, condition, limit);
    }
    bool wait_for_questions(std::size_t count) {
        return wait([this, count] { return questions.size() == count; });
    }
    bool wait_for_note(const std::string& text) {
        return wait([this, text] { return content_of(out) == text; });
    }
};

}  // namespace

TEST_CASE("a hook gets user name and password that it asks for, and its verdict is heard") {
    QuestionsFixture f;
    f.add("vpn",
          "[ $1 = start ] || exit 0\nask 'VPN of the office'\n[ \"$password\" = right ] && echo ok >&3 || echo failed "
          ">&3");
    const bool right = GENERATE(true, false);
    f.start();
    REQUIRE(f.wait_for_questions(1));
    CHECK(f.questions[0].hook == "vpn");
    CHECK(f.questions[0].realm == "VPN of the office");
    CHECK_FALSE(f.questions[0].again);
    f.replies[0](answered_credentials("somebody", right ? "right" : "wrong"));
    REQUIRE(f.wait([&] { return f.verdicts.size() == 1; }));
    CHECK(f.verdicts[0] == std::pair(f.questions[0].number, right));
    CHECK(content_of(f.out) == std::string("somebody:") + (right ? "right\n" : "wrong\n"));
    CHECK(f.wait([&] { return f.proceeded; }));
    CHECK(f.withdrawn.empty());
    f.replies[0](answered_credentials("too", "late"));
    CHECK(f.log.text.find("somebody") == std::string::npos);
}

TEST_CASE("a hook whose credentials were no good asks again, for as long as it wants") {
    QuestionsFixture f;
    f.add("vpn", "until ask a && [ \"$password\" = right ]; do echo failed >&3; done; echo ok >&3");
    f.start();
    REQUIRE(f.wait_for_questions(1));
    f.replies[0](answered_credentials("me", "wrong"));
    REQUIRE(f.wait_for_questions(2));
    CHECK(f.questions[1].again);
    CHECK(f.questions[1].number != f.questions[0].number);
    f.replies[0](answered_credentials("me", "right"));  // to the first question: not heard
    f.replies[1](answered_credentials("me", "right"));
    f.replies[1](answered_credentials("me", "twice"));
    REQUIRE(f.wait([&] { return f.verdicts.size() == 2; }));
    CHECK(f.verdicts[1] == std::pair(f.questions[1].number, true));
    CHECK(content_of(f.out) == "me:wrong\nme:right\n");
}

TEST_CASE("what a hook cannot be told is no good, without the hook") {
    QuestionsFixture f;
    f.add("vpn", "ask a");
    f.start();
    REQUIRE(f.wait_for_questions(1));
    f.replies[0](answered_credentials("gone", "x"));
    REQUIRE(f.wait_for_questions(2));
    CHECK(f.verdicts == std::vector{std::pair(f.questions[0].number, false)});
    CHECK(f.questions[1].again);
    f.replies[1](answered_credentials("two\nlines", "x"));
    REQUIRE(f.wait_for_questions(3));
    CHECK(content_of(f.out).empty());
    f.replies[2](answered_credentials("", "x y\\z"));
    CHECK(f.wait_for_note(":x y\\z\n"));
}

TEST_CASE("a hook is told if nobody knows, at once if nobody could") {
    QuestionsFixture f;
    const bool somebody = GENERATE(true, false);
    if (!somebody) f.settings.answerer = {};
    f.add("vpn", "ask a");
    f.start();
    if (somebody) {
        REQUIRE(f.wait_for_questions(1));
        f.replies[0](std::nullopt);
    }
    CHECK(f.wait_for_note("gone:\n"));
    CHECK(f.verdicts.empty());
}

TEST_CASE("the time limit of a hook begins anew with each answer") {
    QuestionsFixture f;
    f.settings.time_limit = 500ms;
    f.add("vpn", "for i in 1 2 3; do sleep 0.3; ask a; done; echo done >>" + f.out);
    f.start();
    for (std::size_t count = 1; count <= 3; ++count) {
        REQUIRE(f.wait_for_questions(count));
        f.replies.back()(answered_credentials("me", "x"));
    }
    CHECK(f.wait_for_note("me:x\nme:x\nme:x\ndone\n"));
    CHECK_FALSE(f.log.has("is killed"));
}

TEST_CASE("the time limit of a hook stands still while somebody thinks") {
    QuestionsFixture f;
    f.settings.time_limit = 400ms;
    f.add("vpn", "ask a; echo started >>" + f.out + "; exec sleep 1000");
    f.start();
    REQUIRE(f.wait_for_questions(1));
    CHECK_FALSE(f.wait([&] { return !f.withdrawn.empty(); }, 700ms));
    CHECK(f.proceeded);  // the others do not wait for it
    f.replies[0](answered_credentials("me", "slow"));
    REQUIRE(f.wait_for_note("me:slow\nstarted\n"));
    CHECK(f.wait([&] { return f.log.has("still runs after 0.4 s: it is killed"); }, 2s));
}

TEST_CASE("a question is withdrawn when its hook ends, errs or is stopped") {
    QuestionsFixture f;
    const std::string end = GENERATE("exit 0", "echo nonsense >&3; sleep 1000", "exec 3<&-; sleep 1000", "sleep 1000");
    CAPTURE(end);
    f.add("vpn", "[ $1 = start ] || exit 0; echo 'auth a' >&3; sleep 0.1; " + end);
    f.start();
    REQUIRE(f.wait_for_questions(1));
    bool done = false;
    if (end == "sleep 1000") f.runner->stop(3s, [&] { done = true; });
    REQUIRE(f.wait([&] { return f.withdrawn.size() == 1; }));
    CHECK(f.withdrawn[0] == f.questions[0].number);
    CHECK(f.log.has("gets no more credentials") == end.starts_with("echo"));
    f.replies[0](answered_credentials("me", "late"));
    if (end == "sleep 1000") CHECK(f.wait([&] { return done; }));
    f.runner.reset();
    f.replies[0](answered_credentials("me", "later"));
    CHECK(f.withdrawn.size() == 1);
}

TEST_CASE("the last words of a hook are heard") {
    QuestionsFixture f;
    f.add("vpn", "ask a; echo failed >&3; exit 1");
    f.start();
    REQUIRE(f.wait_for_questions(1));
    f.replies[0](answered_credentials("me", "wrong"));
    REQUIRE(f.wait([&] { return f.proceeded; }));
    CHECK(f.verdicts == std::vector{std::pair(f.questions[0].number, false)});
}

TEST_CASE("several hooks may ask at once, and each gets what is for it") {
    QuestionsFixture f;
    f.add("a", "ask a");
    f.add("b", "sleep 0.1; ask b");
    f.start();
    REQUIRE(f.wait_for_questions(2));
    CHECK(f.questions[0].number != f.questions[1].number);
    f.replies[1](answered_credentials("for", "b"));
    REQUIRE(f.wait_for_note("for:b\n"));
    f.replies[0](answered_credentials("for", "a"));
    CHECK(f.wait_for_note("for:b\nfor:a\n"));
}

TEST_CASE("a stop hook has nobody to ask") {
    QuestionsFixture f;
    f.add("vpn", "if [ -e /proc/self/fd/3 ]; then echo $1 yes; else echo $1 no; fi >>" + f.out);
    f.start();
    REQUIRE(f.wait([&] { return f.proceeded; }));
    bool done = false;
    f.runner->stop(3s, [&] { done = true; });
    REQUIRE(f.wait([&] { return done; }));
    CHECK(content_of(f.out) == "start yes\nstop no\n");
}
