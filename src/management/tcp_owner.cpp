// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/tcp_owner.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <span>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::management {
namespace {

constexpr std::size_t max_table = 4 * 1024 * 1024;  // bytes: some 28,000 sockets
constexpr int max_tries = 3;                        // a table that changes while it is read may leave a socket out

// The hexadecimal number that is all of `text`.
template <typename Number>
std::optional<Number> parse_hex(std::string_view text) {
    Number value{};
    const auto end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value, 16);
    if (text.empty() || text.size() > 2 * sizeof value || result.ec != std::errc() || result.ptr != end)
        return std::nullopt;
    return value;
}

// "0100007F:1D51": 32 bits at a time as the machine's byte order makes a number of them, and the port's number.
std::optional<base::Endpoint> parse_endpoint(std::string_view text) {
    constexpr std::size_t digits = 8;  // of 32 bits
    const auto colon = text.find(':');
    if (colon != digits && colon != 4 * digits) return std::nullopt;
    std::array<std::byte, 16> bytes{};
    for (std::size_t at = 0; at < colon; at += digits) {
        const auto word = parse_hex<std::uint32_t>(text.substr(at, digits));
        if (!word) return std::nullopt;
        std::memcpy(bytes.data() + at / 2, &*word, sizeof *word);
    }
    const auto address = base::IpAddress::from_bytes(std::span(bytes).first(colon / 2));
    const auto port = parse_hex<std::uint16_t>(text.substr(colon + 1));
    if (!address || !port) return std::nullopt;
    return base::Endpoint{*address, *port, 0};
}

bool is_same(const base::Endpoint& one, const base::Endpoint& other) {
    return one.address == other.address && one.port == other.port;
}

// An IPv6 socket may be connected to an IPv4 address (RFC 4291 section 2.5.5.2).
base::Endpoint mapped(const base::Endpoint& endpoint) {
    std::array<std::byte, 16> bytes{};
    bytes[10] = bytes[11] = std::byte{0xff};
    std::ranges::copy(endpoint.address.bytes(), bytes.begin() + 12);
    return {*base::IpAddress::from_bytes(bytes), endpoint.port, 0};
}

std::optional<TcpSocket> look_up(const char* path, const base::Endpoint& local, const base::Endpoint& remote) {
    const base::UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
    if (!fd) return std::nullopt;
    TcpSearch search(local, remote);
    std::array<char, 16 * 1024> buffer{};
    for (std::size_t size = 0; size < max_table;) {
        const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        size += static_cast<std::size_t>(count);
        if (!search.take({buffer.data(), static_cast<std::size_t>(count)})) break;
    }
    return search.found();
}

}  // namespace

std::optional<TcpSocket> parse_tcp_socket(std::string_view line) {
    constexpr std::size_t local = 1, remote = 2, user = 7, inode = 9, least = 10;
    std::array<std::string_view, least> fields;
    std::size_t count = 0;
    while (count < least) {
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        if (line.empty()) return std::nullopt;
        const std::string_view field = line.substr(0, line.find(' '));
        fields.at(count++) = field;
        line.remove_prefix(field.size());
    }
    const auto here = parse_endpoint(fields[local]), there = parse_endpoint(fields[remote]);
    const auto owner = base::parse_number(fields[user], 0, std::numeric_limits<uid_t>::max());
    const auto number = base::parse_number(fields[inode], 0, std::numeric_limits<std::uint64_t>::max());
    if (!here || !there || !owner || !number || here->address.family() != there->address.family()) return std::nullopt;
    return TcpSocket{*here, *there, static_cast<uid_t>(*owner), *number};
}

bool TcpSearch::take(std::string_view bytes) {
    while (!found_ && !bytes.empty()) {
        const auto end = bytes.find('\n');
        const std::string_view piece = bytes.substr(0, end);
        if (line_.size() + piece.size() > max_line) return false;
        line_ += piece;
        if (end == bytes.npos) return true;
        const auto socket = parse_tcp_socket(line_);
        if (socket && is_same(socket->local, local_) && is_same(socket->remote, remote_)) found_ = socket;
        line_.clear();
        bytes.remove_prefix(end + 1);
    }
    return !found_;
}

std::optional<uid_t> tcp_owner(const base::Endpoint& peer, const base::Endpoint& ours) {
    if (peer.address.family() != ours.address.family()) return std::nullopt;
    std::optional<TcpSocket> socket;
    for (int tried = 0; tried < max_tries && !socket; ++tried) {
        if (peer.address.is_v6()) {
            socket = look_up("/proc/net/tcp6", peer, ours);
        } else {
            socket = look_up("/proc/net/tcp", peer, ours);
            if (!socket) socket = look_up("/proc/net/tcp6", mapped(peer), mapped(ours));
        }
    }
    if (!socket || socket->inode == 0) return std::nullopt;
    return socket->user;
}

}  // namespace bootkey::management
