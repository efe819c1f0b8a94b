// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/askpass_offers.hpp"

#include <sstream>
#include <string>
#include <vector>

#include "bootkey/base/text.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::console;

namespace {

unsigned as_number(std::string_view text) {
    const auto number = base::parse_number(text, 0, 1'000'000);
    REQUIRE(number);
    return static_cast<unsigned>(*number);
}

// Plays news, one a word, and gives what is decided after each, as words:
//   answer:A=P:HOST:!   answer A of HOST brought password P, "!" if a person prefers it; both may be missing
//   process:D:T/N:K that process asks for device D, T of N tries; K, if given: for what keyscript K wants
//   failed gone:PROCESS    taken    not-taken    postponed
// and out come PROCESS<P (offered) and A! (refused).
std::string play(AskpassOffers& offers, const std::string& news) {
    const auto parts = base::split(news, ':');
    if (parts[0] == "answer") {
        const auto numbers = base::split(parts[1], '=');
        offers.answered(as_number(numbers[0]), as_number(numbers[1]),
                        {parts.size() > 2 ? std::string(parts[2]) : "host", parts.size() > 3});
    } else if (parts[0] == "gone") {
        offers.gone(as_number(parts[1]));
    } else if (parts[0] == "taken") {
        offers.taken();
    } else if (parts[0] == "not-taken") {
        offers.not_taken();
    } else if (parts[0] == "postponed") {
        offers.postponed();
    } else {
        const auto tries = base::split(parts[2], '/');
        offers.waits({.process = as_number(parts[0]),
                      .device = std::string(parts[1]),
                      .tried = as_number(tries[0]),
                      .tries = as_number(tries[1]),
                      .foreign_keyscript = std::string(parts.size() > 3 ? parts[3] : "")});
    }
    std::string decided;
    for (const AskpassAction& action : offers.decide()) {
        if (const auto* offer = std::get_if<Offer>(&action))
            decided += base::format(" %lld<%llu", static_cast<long long>(offer->process),
                                    static_cast<unsigned long long>(offer->password));
        else
            decided += base::format(" %llu!", static_cast<unsigned long long>(std::get<Refuse>(action).answer));
    }
    return decided;
}

std::string play_all(const std::string& news) {
    AskpassOffers offers;
    std::istringstream words(news);
    std::string decided;
    for (std::string word; words >> word;) decided += play(offers, word);
    return decided.empty() ? decided : decided.substr(1);
}

struct Row {
    const char* what;
    const char* news;
    const char* decided;
};

}  // namespace

TEST_CASE("askpass is offered what the rules allow") {
    const auto row = GENERATE(values<Row>({
        {"nothing without a prompt", "answer:1=7", ""},
        {"nothing without a password", "10:root:0/3", ""},
        {"a prompt that waits gets what comes", "10:root:0/3 answer:1=7", "10<7"},
        {"a prompt that comes gets what is there", "answer:1=7 10:root:0/3", "10<7"},
        {"one offer at a time", "10:root:0/3 answer:1=7 answer:2=8", "10<7"},
        {"one offer for a process", "10:root:0/3 answer:1=7 answer:2=8 taken", "10<7"},
        {"even if it has not read it", "10:root:0/3 answer:1=7 answer:2=8 not-taken", "10<7"},
        {"the next device gets the same", "answer:1=7 10:root:0/3 taken gone:10 11:swap:0/3", "10<7 11<7"},

        // Refusals
        {"asked again: refused, and not offered again", "answer:1=7 10:root:0/3 taken gone:10 11:root:1/3", "10<7 1!"},
        {"all answers that brought it are refused",
         "answer:1=7 10:root:0/3 answer:2=7 taken answer:3=7 gone:10 11:root:1/3", "10<7 1! 2! 3!"},
        {"another one is offered", "answer:1=7 answer:2=8 10:root:0/3 taken gone:10 11:root:1/3", "10<7 1! 11<8"},
        {"another one that comes later, too", "answer:1=7 10:root:0/3 taken gone:10 11:root:1/3 answer:2=8",
         "10<7 1! 11<8"},
        {"the same that comes again is refused again", "answer:1=7 10:root:0/3 taken gone:10 11:root:1/3 answer:2=7",
         "10<7 1! 2!"},
        {"and kept if nobody asks", "answer:1=7 10:root:0/3 taken gone:10 11:root:1/4 gone:11 answer:2=7 12:swap:0/3",
         "10<7 1! 12<7"},
        {"until the device asks again",
         "answer:1=7 10:root:0/4 taken gone:10 11:root:1/4 gone:11 answer:2=7 12:root:2/4", "10<7 1! 2!"},
        {"two wrong ones", "answer:1=7 answer:2=8 10:root:0/0 taken gone:10 11:root:1/0 taken gone:11 12:root:2/0",
         "10<7 1! 11<8 2!"},
        {"a new round of tries refuses, too", "answer:1=7 10:root:0/1 taken gone:10 11:root:0/1", "10<7 1!"},

        // A new round of tries
        {"what failed in the one before is offered once more",
         "answer:1=7 10:root:0/3 taken gone:10 11:root:1/3 gone:11 12:root:2/3 gone:12 13:root:0/3 answer:2=7",
         "10<7 1! 13<7"},
        {"once", "answer:1=7 10:root:0/3 taken gone:10 11:root:0/3 answer:2=7 taken gone:11 12:root:1/3 answer:3=7",
         "10<7 1! 11<7 2! 3!"},
        {"and the last try is the person's again",
         "answer:1=7 10:root:0/2 taken gone:10 11:root:1/2 gone:11 12:root:0/2 answer:2=7 taken gone:12 13:root:1/2",
         "10<7 1! 12<7 2!"},
        {"though another device has taken it meanwhile",
         "answer:1=7 10:root:0/3 taken gone:10 11:swap:0/3 taken gone:11 12:root:0/3 answer:2=7", "10<7 11<7 1! 12<7"},

        // Mistakes of the person, and askpass in trouble
        {"not read: not refused, and offered again", "answer:1=7 10:root:0/3 not-taken gone:10 11:root:1/3",
         "10<7 11<7"},
        {"a mistake is not ours", "10:root:0/3 gone:10 answer:1=7 11:root:1/3", "11<7"},
        {"a mistake after a refusal, either",
         "answer:1=7 answer:2=8 10:root:0/9 taken gone:10 11:root:1/9 not-taken gone:11 12:root:2/9",
         "10<7 1! 11<8 12<8"},
        {"gone before it has read: the next one", "answer:1=7 10:root:0/3 gone:10 not-taken 11:root:1/3", "10<7 11<7"},
        {"postponed: again with the next news", "answer:1=7 10:root:0/3 postponed", "10<7 10<7"},
        {"gone while postponed", "answer:1=7 10:root:0/3 gone:10", "10<7"},

        // The last try
        {"is the person's", "answer:1=7 10:root:2/3", ""},
        {"also if more have failed than there are", "answer:1=7 10:root:5/3", ""},
        {"but not if it is the only one", "answer:1=7 10:root:0/1", "10<7"},
        {"the last but one is filled", "answer:1=7 10:root:1/3", "10<7"},
        {"without limit there is none", "answer:1=7 10:root:99/0", "10<7"},
        {"what was refused is told even then", "answer:1=7 10:root:0/2 taken gone:10 11:root:1/2", "10<7 1!"},

        // Whose password comes next
        {"after a refusal another host's",
         "answer:1=7:evil answer:2=8:evil answer:3=9:good 10:root:0/4 taken gone:10 11:root:1/4", "10<7 1! 11<9"},
        {"the same host's if there is no other",
         "answer:1=7:evil answer:2=8:evil 10:root:0/4 taken gone:10 11:root:1/4", "10<7 1! 11<8"},
        {"what a second host sends, too, is as good as that host's",
         "answer:1=7:evil answer:2=8:evil answer:3=9:evil answer:4=9:good 10:root:0/4 taken gone:10 11:root:1/4",
         "10<7 1! 11<9"},
        {"a server that a person has named before announced ones", "answer:1=7 answer:2=8:server:! 10:root:0/3",
         "10<8"},
        {"but not after it was wrong",
         "answer:1=7:one answer:2=8:server:! answer:3=9:server:! 10:root:0/4 taken gone:10 11:root:1/4",
         "10<8 2! 11<7"},
        {"another device is not concerned",
         "answer:1=7:evil answer:2=8:evil answer:3=9:good 10:a:0/4 taken gone:10 11:a:1/4 gone:11 not-taken 12:b:0/4",
         "10<7 1! 11<9 12<8"},

        // Several
        {"two that wait get nothing", "10:root:0/3 11:swap:0/3 answer:1=7", ""},
        {"one of them does when the other is gone", "10:root:0/3 11:swap:0/3 answer:1=7 gone:10", "11<7"},
        {"a card's PIN is nobody's", "answer:1=7 10:root:0/3:pin", ""},
        {"nor is it when another disk has been given a password",
         "answer:1=7 10:root:0/3 taken gone:10 11:card:0/3:pin gone:11 12:swap:0/3", "10<7 12<7"},
        {"while a card's PIN is asked for, a disk gets nothing", "10:card:0/3:pin 11:root:0/3 answer:1=7", ""},
        {"and then it does", "10:card:0/3:pin 11:root:0/3 answer:1=7 gone:10", "11<7"},
        {"a PIN asked for refuses no password", "answer:1=7 10:root:0/3 taken gone:10 11:root:0/3:pin", "10<7"},
        {"what is being read is not refused meanwhile", "answer:1=7 10:root:0/3 taken gone:10 12:swap:0/3 11:root:1/3",
         "10<7 12<7"},
        {"what was taken elsewhere comes first",
         "answer:1=7 answer:2=8 10:a:0/3 taken gone:10 11:a:1/3 taken gone:11 answer:3=7 12:b:0/3",
         "10<7 1! 11<8 12<8"},
        {"refused by one, good for the other",
         "answer:1=7 10:a:0/3 taken gone:10 11:a:1/3 gone:11 answer:2=7 12:b:0/3 taken gone:12 13:c:0/3",
         "10<7 1! 12<7 13<7"},
        {"a device without name", "answer:1=7 10::10/0 taken gone:10 11::11/0", "10<7 1!"},
    }));
    CAPTURE(row.what, row.news);
    CHECK(play_all(row.news) == row.decided);
}

TEST_CASE("only so many passwords are kept for askpass, and what is not is refused") {
    AskpassOffers offers;
    for (std::size_t i = 0; i < AskpassOffers::most_kept; ++i) {
        offers.answered(i, 100 + i, {std::to_string(i), false});
        CHECK(offers.decide().empty());
        CHECK(offers.keeps(100 + i));
    }
    CHECK(play(offers, "answer:50=99") == " 50!");
    CHECK_FALSE(offers.keeps(99));
    CHECK(play(offers, "answer:51=100").empty());  // one that is kept
}

TEST_CASE("one host's many passwords do not keep another's out, nor what a device has") {
    AskpassOffers offers;
    CHECK(play(offers, "answer:99=99:evil").empty());
    CHECK(play(offers, "10:root:0/9") == " 10<99");
    play(offers, "taken");
    play(offers, "gone:10");
    for (std::size_t i = 1; i < AskpassOffers::most_kept; ++i) {
        offers.answered(i, i, {"evil", false});
        CHECK(offers.decide().empty());
    }
    CHECK(play(offers, "answer:50=50:good") == " 15!");
    CHECK(offers.keeps(50));
    CHECK(play(offers, "answer:51=51:evil") == " 51!");
    CHECK(offers.keeps(99));
}

TEST_CASE("only so many answers that bring the same password are remembered") {
    AskpassOffers offers;
    for (std::size_t i = 0; i < AskpassOffers::most_answers; ++i) {
        offers.answered(i, 7, {"host", false});
        CHECK(offers.decide().empty());
    }
    CHECK(play(offers, "answer:1000=7") == " 1000!");
    CHECK(offers.keeps(7));
}

TEST_CASE("a password that was refused is not kept, and one that is being read is") {
    AskpassOffers offers;
    play(offers, "answer:1=7");
    play(offers, "10:root:0/3");
    CHECK(offers.keeps(7));
    play(offers, "taken");
    play(offers, "gone:10");
    CHECK(offers.keeps(7));
    play(offers, "11:root:1/3");
    CHECK_FALSE(offers.keeps(7));
}
