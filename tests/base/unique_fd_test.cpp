// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/unique_fd.hpp"

#include <fcntl.h>

#include <utility>

#include "catch.hpp"

using namespace bootkey::base;

namespace {

int open_null() {
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}
bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("a descriptor is closed by its owner, once") {
    int number = -1;
    {
        const UniqueFd fd(open_null());
        REQUIRE(fd);
        number = fd.get();
        CHECK(is_open(number));
    }
    CHECK_FALSE(is_open(number));
    CHECK_FALSE(UniqueFd());
}

TEST_CASE("a descriptor's ownership moves") {
    UniqueFd first(open_null());
    const int number = first.get();
    UniqueFd second(std::move(first));
    CHECK(first.get() == -1);
    CHECK(second.get() == number);

    UniqueFd third(open_null());
    const int replaced = third.get();
    third = std::move(second);
    CHECK(third.get() == number);
    CHECK_FALSE(is_open(replaced));

    UniqueFd& same = third;
    third = std::move(same);
    CHECK(third.get() == number);
    CHECK(is_open(number));

    const int released = third.release();
    CHECK_FALSE(third);
    CHECK(is_open(released));
    third.reset(released);
    third.reset();
    CHECK_FALSE(is_open(number));
}
