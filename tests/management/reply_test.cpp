// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/reply.hpp"

#include <string>

#include "catch.hpp"

using bootkey::management::Reply;

namespace {

Reply::Source numbers(int count) {
    return [next = 0, count]() mutable -> std::optional<std::string> {
        if (next == count) return std::nullopt;
        return std::to_string(next++);
    };
}

std::string all(Reply& reply) {
    std::string out;
    reply.move_to(out, SIZE_MAX);
    return out;
}

}  // namespace

TEST_CASE("a reply is lines that end with CR LF") {
    Reply reply;
    CHECK(reply.empty());
    reply.success("yes");
    reply.error("no");
    reply.lines(numbers(2));
    reply.lines(numbers(0));
    reply.end();
    CHECK_FALSE(reply.empty());
    CHECK(all(reply) == "SUCCESS: yes\r\nERROR: no\r\n0\r\n1\r\nEND\r\n");
    CHECK(reply.empty());
}

TEST_CASE("a long reply is made piece by piece, whole lines each") {
    Reply reply;
    reply.lines(numbers(1000));
    reply.end();
    std::string together;
    int pieces = 0;
    while (!reply.empty()) {
        std::string piece;
        reply.move_to(piece, 100);
        CHECK(piece.size() < 110);
        CHECK(piece.ends_with("\r\n"));
        together += piece;
        ++pieces;
    }
    CHECK(pieces > 40);
    CHECK(together.starts_with("0\r\n1\r\n"));
    CHECK(together.ends_with("999\r\nEND\r\n"));
}
