// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/hook_dialogue.hpp"

#include "bootkey/base/file.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::network;

namespace {

std::string in_words(const std::vector<HookDialogue::Event>& events) {
    std::string words;
    for (const auto& event : events) {
        if (!words.empty()) words += ", ";
        if (const auto* asks = std::get_if<HookDialogue::Asks>(&event))
            words += (asks->again ? "asks again " : "asks ") + asks->realm;
        else if (const auto* judges = std::get_if<HookDialogue::Judges>(&event))
            words += judges->good ? "good" : "bad";
        else
            words += "errs: " + std::get<HookDialogue::Errs>(event).why;
    }
    return words;
}

base::Secret secret(std::string_view text) {
    auto made = base::Secret::with_capacity(text.size());
    REQUIRE(made);
    REQUIRE(made->append(base::bytes_of(text)));
    return std::move(*made);
}

Credentials credentials(std::string_view user, std::string_view password) {
    return {secret(user), secret(password)};
}

}  // namespace

TEST_CASE("a hook asks, gets, and judges") {
    HookDialogue dialogue;
    CHECK(in_words(dialogue.hear("auth VPN of the d\xC3\xA9partement\n")) == "asks VPN of the d\xC3\xA9partement");
    CHECK(dialogue.hear("").empty());
    dialogue.answered(true);
    CHECK(in_words(dialogue.hear("ok\n")) == "good");
    CHECK(in_words(dialogue.hear("auth b\n")) == "asks b");
    dialogue.answered(true);
    CHECK(in_words(dialogue.hear("failed\nauth b\n")) == "bad, asks again b");
    dialogue.answered(true);
    CHECK(in_words(dialogue.hear("ok\nauth b\n")) == "good, asks b");
}

TEST_CASE("a hook asks again only for what was no good last") {
    HookDialogue dialogue;
    for (const char* said : {"auth a\n", "failed\nauth b\n", "auth c\n"}) {
        CHECK_THAT(in_words(dialogue.hear(said)), !Catch::Contains("again"));
        dialogue.answered(true);
    }
    CHECK(in_words(dialogue.hear("failed\nauth c\n")) == "bad, asks again c");
    dialogue.answered(false);
    CHECK(in_words(dialogue.hear("auth c\n")) == "asks again c");  // which is still not right
}

TEST_CASE("lines arrive in any pieces") {
    HookDialogue dialogue;
    std::string words;
    for (const char c : std::string("auth a\n")) words += in_words(dialogue.hear({&c, 1}));
    CHECK(words == "asks a");
    dialogue.answered(true);
    CHECK(dialogue.hear("fai").empty());
    CHECK(in_words(dialogue.hear("led\nau")) == "bad");
    CHECK(in_words(dialogue.hear("th a\n")) == "asks again a");
}

TEST_CASE("a hook that breaks the rules is told why, once, and not listened to any more") {
    struct Case {
        std::string said;
        const char* words;
    };
    const std::string long_realm(65, 'x');
    const std::vector<Case> cases = {
        {"hello\n", "errs: it says what is neither"},
        {"\n", "errs: it says what is neither"},
        {"AUTH a\n", "errs: it says what is neither"},
        {"ok\r\n", "errs: it says what is neither"},
        {"auth\n", "errs: it says what is neither"},
        {"auth \n", "errs: it does not name"},
        {"auth " + long_realm + "\n", "errs: it does not name"},
        {"auth a\x1b[2J\n", "errs: it does not name"},
        {"auth \xff\n", "errs: it does not name"},
        {"ok\n", "errs: it judges what it has not been told"},
        {"failed\n", "errs: it judges what it has not been told"},
        {"auth a\nauth b\n", "asks a, errs: it does not wait for the answer"},
        {"auth a\nok\n", "asks a, errs: it does not wait for the answer"},
        {std::string(257, 'x'), "errs: its line is too long"},
        {"auth " + std::string(300, 'x') + "\n", "errs: its line is too long"},
    };
    for (const Case& which : cases) {
        INFO(which.said);
        HookDialogue dialogue;
        CHECK_THAT(in_words(dialogue.hear(which.said)), Catch::StartsWith(which.words));
        dialogue.answered(true);
        CHECK(dialogue.hear("auth a\nok\nfailed\n").empty());
    }
    HookDialogue dialogue;
    CHECK(in_words(dialogue.hear("auth " + long_realm.substr(1) + "\n")) == "asks " + long_realm.substr(1));
}

TEST_CASE("what a hook says instead is not in the error, for it may be a password") {
    HookDialogue dialogue;
    CHECK_THAT(in_words(dialogue.hear("open sesame\n")), !Catch::Contains("sesame"));
}

TEST_CASE("a hook cannot ask for ever") {
    HookDialogue dialogue;
    for (int i = 0; i < HookDialogue::most_questions; ++i) {
        CHECK(in_words(dialogue.hear("auth a\n")) == "asks a");
        dialogue.answered(false);
    }
    CHECK(in_words(dialogue.hear("auth a\n")) == "errs: it has asked too often");
}

TEST_CASE("credentials are two lines, or cannot be told") {
    const auto lines = lines_of(credentials("me", "open sesame"));
    REQUIRE(lines);
    CHECK(std::string(reinterpret_cast<const char*>(lines->bytes().data()), lines->size()) == "me\nopen sesame\n");
    const std::string longest(256, 'x');
    for (const auto& [user, password] :
         {std::pair<std::string, std::string>("", ""), {longest, longest}, {"gone ", "gone"}, {"\xff", "\r"}})
        CHECK(can_be_told(credentials(user, password)));
    for (const auto& [user, password] : {std::pair<std::string, std::string>("gone", "x"),
                                         {longest + "x", "x"},
                                         {"x", longest + "x"},
                                         {"x\ny", "x"},
                                         {"x", "x\ny"},
                                         {std::string(1, '\0'), "x"},
                                         {"x", std::string(1, '\0')}})
        CHECK_FALSE(can_be_told(credentials(user, password)));
}
