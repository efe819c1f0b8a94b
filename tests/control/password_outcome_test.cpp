// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/password_outcome.hpp"

#include "catch.hpp"

using bootkey::control::PasswordOutcome;
using Verdict = PasswordOutcome::Verdict;

TEST_CASE("a password that is handed over before the end has unlocked") {
    PasswordOutcome outcome("Disk");
    outcome.given();
    for (const char* line : {">STATE:1,RESOLVE,,,,,,", ">LOG:1,I,x", ">INFO:x", ">STATE:1", "",
                             ">STATE:1,CONNECTED,SUCCESS,management,,,,"})
        CHECK_FALSE(outcome.take(line));
    CHECK(outcome.handed_over());
    CHECK(outcome.ended() == Verdict::unlocked);
    CHECK(outcome.take(">STATE:2,EXITING,exit,,,,,") == Verdict::unlocked);
}

TEST_CASE("a password that the device refuses is wrong") {
    PasswordOutcome outcome("Disk");
    CHECK_FALSE(outcome.take(">PASSWORD:Verification Failed: 'Disk'"));  // another one
    outcome.given();
    CHECK_FALSE(outcome.take(">STATE:1,CONNECTED,SUCCESS,management,,,,"));
    CHECK_FALSE(outcome.take(">PASSWORD:Verification Failed: 'Auth'"));
    CHECK(outcome.take(">PASSWORD:Verification Failed: 'Disk'") == Verdict::wrong);
    CHECK_FALSE(outcome.take(">STATE:1,RECONNECTING,decrypt_failed,,,,,"));
    CHECK_FALSE(outcome.handed_over());
}

TEST_CASE("who ends without a password has given up, and says why") {
    PasswordOutcome outcome("Disk");
    CHECK(outcome.ended() == Verdict::given_up);
    SECTION("by a signal") {
        CHECK(outcome.take(">STATE:1,EXITING,SIG\x1b,,,,,") == Verdict::given_up);
        CHECK(outcome.why() == "SIG\\x1b");
    }
    SECTION("by an error") {
        CHECK(outcome.take(">FATAL:no keys") == Verdict::given_up);
        CHECK(outcome.take(">STATE:1,EXITING,error,,,,,") == Verdict::given_up);
        CHECK(outcome.why() == "no keys");
    }
}
