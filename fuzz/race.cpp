// SPDX-License-Identifier: GPL-3.0-or-later
//
// The race scheduler under a script of events, each a letter with its details behind it. Accepted: if there is an
// answer.
#include "race_world.hpp"

using namespace bootkey;
using servers::Blame;

bool fuzz::run(Input input) {
    RaceWorld world;
    std::set<servers::AttemptId> answers;
    for (Script script(input); !script.ended(); world.act()) {
        const char event = static_cast<char>(script.byte());
        const unsigned which = script.byte();
        const std::string server(1, static_cast<char>('a' + which % 8));
        const auto attempt = world.nth(which);  // the one that is meant, if any
        const auto source = std::to_string(event == 's' || event == 'l' ? script.below(3) : 0);
        if (event == 's') world.see(server, source, script.byte());
        if (event == 'l') world.race.lost(server, source);
        if (event == 'g') world.race.interface_gone(which % 4);
        if (event == 'u') world.race.reachable(which % 4);
        if (event == 'y') world.race.try_now();
        if (event == 'e' && attempt) world.fail(*attempt, Blame::endpoint);
        if (event == 'f' && attempt) world.fail(*attempt, Blame::server);
        if (event == 'n' && attempt && world.go_on(*attempt)) answers.insert(*attempt);
        if (event == 'x' && !answers.empty()) world.race.rejected(*answers.rbegin(), "it is nonsense", world.now);
        if (event == 'p') world.now += 50ms * which;
    }

    // Whatever has happened: what is new and all that is left has its turn.
    for (std::uint32_t interface = 1; interface <= 3; ++interface) world.race.interface_gone(interface);
    for (const char* server : {"w", "x", "y", "z"}) world.see(server, "0", 1);
    std::set<std::string> tried;
    for (int i = 0; i < 100 && tried.size() < 4; ++i, world.now += 200ms) {
        world.act();
        while (!world.running.empty()) {
            tried.insert(world.running.begin()->second.server);
            world.fail(world.running.begin()->first, Blame::server);
        }
    }
    require(tried == std::set<std::string>{"w", "x", "y", "z"}, "no server is left untried");
    return !answers.empty();
}
