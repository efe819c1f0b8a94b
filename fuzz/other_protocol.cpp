// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a client of the management interface says first: a byte that says in which pieces, and then the bytes. Accepted:
// what begins like HTTP, TLS or SSH.
#include "bootkey/management/other_protocol.hpp"

#include <algorithm>

#include "fuzz.hpp"

using namespace bootkey;

namespace {

std::optional<std::string_view> protocol_of(fuzz::Input bytes, std::size_t piece) {
    management::OtherProtocol protocol;
    std::optional<std::string_view> found;
    for (; !found && !bytes.empty(); bytes = bytes.subspan(std::min(piece, bytes.size())))
        found = protocol.take(bytes.first(std::min(piece, bytes.size())));
    return found;
}

}  // namespace

bool fuzz::run(Input input) {
    Script script(input);
    const std::size_t piece = 1 + script.byte();
    const Input bytes = base::bytes_of(script.bytes(input.size()));
    const auto found = protocol_of(bytes, piece);
    require(found == protocol_of(bytes, bytes.size()), "it does not depend on the pieces");
    const auto first = base::trim(text_of(bytes));
    for (const char* command : {"hold", "state", "help", "password", "signal", "status", "log", "pid", "verb"})
        require(!found || !first.starts_with(command), "a command is not another protocol");
    return found.has_value();
}
