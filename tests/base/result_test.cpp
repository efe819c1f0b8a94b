// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/result.hpp"

#include <cerrno>
#include <memory>

#include "catch.hpp"

using namespace bootkey::base;

TEST_CASE("a result holds a value or an error") {
    const Result<int> good(7);
    CHECK(good.ok());
    CHECK(good);
    CHECK(*good == 7);
    CHECK(good.value() == 7);
    CHECK_THROWS_AS(static_cast<void>(good.error()), std::bad_variant_access);

    const Result<int> bad(Error{ExitCode::usage, "cannot read option --x", "no number", ""});
    CHECK_FALSE(bad.ok());
    CHECK_FALSE(bad);
    CHECK(bad.error().code == ExitCode::usage);
    CHECK_THROWS_AS(static_cast<void>(bad.value()), std::bad_variant_access);

    CHECK(Result<void>().ok());
    CHECK_FALSE(Result<void>(Error{}).ok());
}

TEST_CASE("a result's value can be moved out and changed in place") {
    Result<std::unique_ptr<std::string>> result(std::make_unique<std::string>("moved"));
    (*result)->append(" on");
    const std::unique_ptr<std::string> taken = std::move(result).value();
    CHECK(*taken == "moved on");

    Result<std::string> text(std::string("short"));
    CHECK(text->size() == 5);
    CHECK(*std::move(text) == "short");
}

TEST_CASE("an error's message has what there is, in one line") {
    struct Row {
        Error error;
        std::string message;
    };
    const Row row = GENERATE(values<Row>({
        {{ExitCode::os_error, "cannot open x", "Permission denied", "run as root"},
         "cannot open x: Permission denied; run as root"},
        {{ExitCode::os_error, "cannot open x", "Permission denied", ""}, "cannot open x: Permission denied"},
        {{ExitCode::os_error, "cannot open x", "", "run as root"}, "cannot open x; run as root"},
        {{ExitCode::os_error, "", "Permission denied", ""}, "Permission denied"},
        {{}, ""},
    }));
    CHECK(row.error.message() == row.message);
}

TEST_CASE("want of memory and of file descriptors is the system's failure, whatever they were for") {
    for (const int shortage : {ENOMEM, ENOBUFS, EMFILE, ENFILE})
        CHECK(system_error("cannot open key file x", shortage, {}, ExitCode::no_input).code == ExitCode::os_error);
}

TEST_CASE("system errors carry the system's own words") {
    const Error error = system_error("cannot open x", ENOENT, "check the path", ExitCode::no_input);
    CHECK(error.code == ExitCode::no_input);
    CHECK(error.message() == "cannot open x: No such file or directory; check the path");
    CHECK(system_error("x", EPERM).code == ExitCode::os_error);
    CHECK(system_error("x", 123456).why == "Unknown error 123456");
}
