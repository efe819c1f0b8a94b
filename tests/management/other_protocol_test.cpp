// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/other_protocol.hpp"

#include <optional>
#include <string>
#include <string_view>

#include "bootkey/base/file.hpp"
#include "catch.hpp"

using namespace bootkey;
using management::OtherProtocol;

namespace {

// What is found in `text` that comes in pieces of so many bytes.
std::string protocol_of(std::string_view text, std::size_t piece) {
    OtherProtocol protocol;
    while (!text.empty()) {
        const auto first = text.substr(0, piece);
        if (const auto found = protocol.take(base::bytes_of(first))) return std::string(*found);
        text.remove_prefix(first.size());
    }
    return {};
}

}  // namespace

TEST_CASE("other protocols are known by their first bytes, in whatever pieces") {
    const std::size_t piece = GENERATE(1u, 2u, 3u, 1000u);
    for (const char* method :
         {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "PROPFIND"})
        CHECK(protocol_of(std::string(method) + " / HTTP/1.1\r\nHost: x\r\n\r\nhold release\n", piece) == "HTTP");
    CHECK(protocol_of("post /hold HTTP/1.0\n", piece) == "HTTP");
    CHECK(protocol_of("\r\n \tPOST / HTTP/1.1", piece) == "HTTP");
    CHECK(protocol_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", piece) == "HTTP");
    CHECK(protocol_of("HTTP/1.1 400 Bad Request\r\n", piece) == "HTTP");
    CHECK(protocol_of("\x16\x03\x01\x02", piece) == "TLS");
    CHECK(protocol_of("SSH-2.0-OpenSSH_9.2p1\r\n", piece) == "SSH");
    for (const char* text :
         {"", "G", "GET", "GETS ", "get\n", "POSTS / HTTP/1.1", "hold release\nPOST / HTTP/1.1\n", "help\n", "\x16",
          "\x16x", "SSH 1", "state on all\n", "\n\n\nstatus 3\n", "HTTP", "password Disk GET \n", "\x00GET "})
        CHECK(protocol_of(text, piece).empty());
}

TEST_CASE("an HTTP request is one whatever its method is") {
    for (const char* line : {"GET / HTTP/1.1", "X-HOLD /a b HTTP/1.1", "M_SEARCH * HTTP/1.1", "QUERY /x HTTP/3"})
        CHECK(OtherProtocol::is_http_request(line));
    for (const char* line :
         {"", " ", "HTTP/1.1", "GET HTTP/1.1", "hold / HTTP/1.1", "GET / FTP/1", " / HTTP/1.1", "GET /"})
        CHECK_FALSE(OtherProtocol::is_http_request(line));
}
