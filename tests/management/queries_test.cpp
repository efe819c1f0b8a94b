// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/queries.hpp"

#include "management/secrets.hpp"

using namespace bootkey;
using management::Part;
using management::Queries;
using management::Query;
using management::request;
using management::testing::secret;
using management::testing::text_of;
using Kind = Query::Kind;

TEST_CASE("a query is asked in OpenVPN's words") {
    CHECK(request({Kind::password, "Private Key"}) == ">PASSWORD:Need 'Private Key' password");
    CHECK(request({Kind::credentials, "Auth"}) == ">PASSWORD:Need 'Auth' username/password");
    CHECK(request({Kind::confirmation, "token-insertion-request", "Please insert your card"}) ==
          ">NEED-OK:Need 'token-insertion-request' confirmation MSG:Please insert your card");
    CHECK(request({Kind::text, "name", "a\r\n>FATAL:b"}) == ">NEED-STR:Need 'name' input MSG:a\\x0d\\x0a>FATAL:b");
    CHECK(request({Kind::password, "a'\r\nb"}) == ">PASSWORD:Need 'a\\x27\\x0d\\x0ab' password");
    CHECK(management::verification_failure("Auth") == ">PASSWORD:Verification Failed: 'Auth'");
}

TEST_CASE("what is not asked for is not taken") {
    Queries queries;
    struct Case {
        Part part;
        std::string text;
    };
    const auto [part, text] = GENERATE(values<Case>({
        {Part::username, "no username is currently needed at this time"},
        {Part::password, "no password is currently needed at this time"},
        {Part::confirmation, "no needok-confirmation is currently needed at this time"},
        {Part::text, "no needstr-string is currently needed at this time"},
    }));
    const auto refused = queries.enter(part, "Auth", secret("x"));
    CHECK_FALSE(refused.wanted);
    CHECK(refused.text == text);
    CHECK_FALSE(refused.answer);
}

TEST_CASE("a password answers the query of its name, whichever was asked first") {
    Queries queries;
    queries.ask({Kind::password, "Disk"});
    queries.ask({Kind::password, "Private Key"});
    CHECK(queries.enter(Part::password, "Auth", secret("x")).text ==
          "password of type 'Auth' entered, but we need one of type 'Disk'");
    CHECK(queries.enter(Part::username, "Disk", secret("x")).text == "no username is currently needed at this time");
    auto verdict = queries.enter(Part::password, "Private Key", secret("hunter2"));
    CHECK(verdict.wanted);
    CHECK(verdict.text == "'Private Key' password entered, but not yet verified");
    REQUIRE(verdict.answer);
    CHECK(verdict.answer->query.name == "Private Key");
    CHECK(verdict.answer->username.empty());
    CHECK(text_of(verdict.answer->value) == "hunter2");
    CHECK_FALSE(queries.is_pending(Kind::password, "Private Key"));
    CHECK(queries.is_pending(Kind::password, "Disk"));
}

TEST_CASE("user name and password come in either order") {
    Queries queries;
    queries.ask({Kind::credentials, "Auth"});
    const bool password_first = GENERATE(false, true);
    const auto [first, second] =
        password_first ? std::pair(Part::password, Part::username) : std::pair(Part::username, Part::password);
    const auto value = [](Part part) { return secret(part == Part::username ? "alice" : "wonder"); };
    CHECK_FALSE(queries.enter(first, "Auth", value(first)).answer);
    CHECK(queries.is_pending(Kind::credentials, "Auth"));
    CHECK_FALSE(queries.enter(first, "Auth", value(first)).wanted);  // it is there already
    auto verdict = queries.enter(second, "Auth", value(second));
    REQUIRE(verdict.answer);
    CHECK(text_of(verdict.answer->username) == "alice");
    CHECK(text_of(verdict.answer->value) == "wonder");
    CHECK(queries.pending().empty());
}

TEST_CASE("a query that is asked anew, or whose half answer is forgotten, wants both halves again") {
    Queries queries;
    queries.ask({Kind::credentials, "Auth"});
    CHECK(queries.enter(Part::username, "Auth", secret("alice")).wanted);
    CHECK_FALSE(queries.wants(Part::username, "Auth"));
    if (GENERATE(false, true))
        queries.ask({Kind::credentials, "Auth"});
    else
        queries.forget();
    CHECK(queries.wants(Part::username, "Auth"));
    CHECK(queries.wants(Part::password, "Auth"));
    CHECK(queries.pending().size() == 1);
}

TEST_CASE("a query that is withdrawn is not pending") {
    Queries queries;
    queries.ask({Kind::confirmation, "release-password", "Hand it over?"});
    CHECK_FALSE(queries.withdraw(Kind::confirmation, "token-insertion-request"));
    CHECK_FALSE(queries.withdraw(Kind::password, "release-password"));
    CHECK(queries.withdraw(Kind::confirmation, "release-password"));
    CHECK_FALSE(queries.is_pending(Kind::confirmation, "release-password"));
}
