// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clients of the management interface and what happens meanwhile, one event a line: its letter, the client's number,
// and text
// (+ comes, - leaves, > sends a line, _ sends part of one, * sends a secret, r reads; s state, l log, e echo, h hold, t
// time, ? asks, f verification failed). The first line is empty unless a password is needed. Accepted: if a command
// succeeds.
#include <functional>

#include "management_world.hpp"

using namespace bootkey;
using management::Query;

bool fuzz::run(Input input) {
    Script script(input);
    // Made from the input, so that the input does not hold it.
    const std::string secret = base::format("s%zxt", std::hash<std::string_view>{}(text_of(input)));
    ManagementWorld world(secret, !script.until("\n").empty());
    auto& interface = world.interface;
    while (!script.ended()) {
        const char what = static_cast<char>(script.byte());
        const management::ClientId id = script.below(4);
        const std::string text(script.until("\n"));
        const Query query{static_cast<Query::Kind>(text.size() % 4), id == 0 ? "Disk" : text, text};
        if (what == '+') world.come(id);
        if (what == '-') world.leave(id);
        if (what == '>') world.send(id, text + "\r\n");
        if (what == '_') world.send(id, text);
        if (what == '*') world.send_secret(id, text);
        if (what == 'r') world.read(id);
        if (what == 's') interface.state_changed({.state = management::State::wait, .description = text, .by = text});
        if (what == 'l') world.log.info(static_cast<int>(id), text);
        if (what == 'e') interface.echoed(text);
        if (what == 'h') interface.hold();
        if (what == 't') interface.run_due(world.now += std::chrono::seconds(id));
        if (what == '?') interface.ask(query);
        if (what == 'f') static_cast<void>(interface.verification_failed(query));
    }
    world.settle();
    return world.succeeded;
}
