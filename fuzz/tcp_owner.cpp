// SPDX-License-Identifier: GPL-3.0-or-later
//
// /proc/net/tcp or tcp6: a byte that says in which pieces, and then the table. Accepted: if a line of it is a socket.
#include "bootkey/management/tcp_owner.hpp"

#include <algorithm>

#include "fuzz.hpp"

using namespace bootkey;
using management::TcpSearch;

namespace {

// What is found of a socket like `wanted`, in pieces of so many bytes.
std::optional<management::TcpSocket> found_in(std::string_view table, std::size_t piece,
                                              const management::TcpSocket& wanted) {
    TcpSearch search(wanted.local, wanted.remote);
    while (!table.empty() && search.take(table.substr(0, piece))) table.remove_prefix(std::min(piece, table.size()));
    return search.found();
}

}  // namespace

bool fuzz::run(Input input) {
    Script script(input);
    const std::size_t piece = 1 + script.byte();
    const std::string_view table = script.bytes(input.size());
    bool accepted = false;
    bool is_table = true;
    for (std::string_view rest = table; rest.find('\n') != rest.npos && is_table;) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(line.size() + 1);
        is_table = line.size() <= TcpSearch::max_line;
        const auto socket = management::parse_tcp_socket(line);
        if (!socket || !is_table) continue;
        require(socket->local.address.family() == socket->remote.address.family(), "both ends are of one family");
        const auto found = found_in(table, piece, *socket);
        const auto again = found_in(table, table.size(), *socket);
        require(found && again, "a socket that is there is found");
        require(found->user == again->user && found->inode == again->inode, "in whatever pieces");
        accepted = true;
    }
    return accepted;
}
