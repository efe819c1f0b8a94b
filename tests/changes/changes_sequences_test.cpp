// SPDX-License-Identifier: GPL-3.0-or-later
//
// Instances of bootkey change a toy machine, share its journal, end or are killed at any step, while others change what
// they like: by chance, and in one usual run everything that can happen at each of its steps. The rules are those of
// changes_world.hpp.

#include <string>
#include <vector>

#include "catch.hpp"
#include "changes_events.hpp"
#include "changes_world.hpp"
#include "model/sequences.hpp"

using namespace bootkey::changes::toy;
using bootkey::model::Amount;
using bootkey::model::check_sequences;
using bootkey::model::Sequences;

namespace {

const char* const killed = "an instance is killed at work";
const char* const restored = "what a killed instance left is undone";
const char* const left_alone = "an interface is left to others";
const char* const last_ends = "the last instance ends";
const char* const interrupted = "others act while an instance does";

// Whether each of these has happened; else the rules about it were not tried.
void check_met(const ChangesWorld::Met& met, const std::vector<const char*>& what) {
    for (const char* each : what) {
        CAPTURE(each);
        CHECK((met.contains(each) && met.at(each) > 0));
    }
}

// Two instances that share an interface, a route and the console level, and have something of their own; the second is
// killed for once, and what it leaves is restored.
const std::vector<Event> usual_run = {
    {.what = What::start, .instance = 0},
    {.what = What::lower_console, .instance = 0},
    {.what = What::bring_up, .instance = 0, .interface = 2},
    {.what = What::add_route, .instance = 0, .interface = 2, .value = 0},
    {.what = What::make_home, .instance = 0},
    {.what = What::start, .instance = 1},
    {.what = What::lower_console, .instance = 1},
    {.what = What::bring_up, .instance = 1, .interface = 2},
    {.what = What::add_route, .instance = 1, .interface = 2, .value = 0},
    {.what = What::add_route, .instance = 1, .interface = 2, .value = 1},
    {.what = What::bring_up, .instance = 1, .interface = 3},
    {.what = What::make_home, .instance = 1},
    {.what = What::remove_home, .instance = 0},
    {.what = What::restore_console, .instance = 1},
    {.what = What::remove_route, .instance = 1, .interface = 2, .value = 1},
    {.what = What::end, .instance = 0, .interface = 2},
    {.what = What::kill, .instance = 1},
    {.what = What::restore, .interface = 2},
};

// What others do to interface 2, or to the whole machine.
const Event acts_of_others[] = {
    {.what = What::others_add_address, .interface = 2},
    {.what = What::others_add_route, .interface = 2, .value = 2},
    {.what = What::others_enslave, .interface = 2, .value = 1},
    {.what = What::others_configure, .interface = 2},
    {.what = What::others_rename, .interface = 2},
    {.what = What::others_down, .interface = 2},
    {.what = What::others_remove, .interface = 2},
    {.what = What::others_toggle_carrier, .interface = 2},
    {.what = What::others_set_dad, .interface = 2, .value = 2},
    {.what = What::others_set_console},
};

// Runs the events, which must not break a rule; whether `what` has happened then.
bool happens(const char* what, const std::vector<Event>& events, ChangesWorld::Met& met) {
    const auto before = met[what];
    const auto make = [&met] { return ChangesWorld(met); };
    const std::string broken = Sequences(make).broken_by(events);
    if (!broken.empty()) {
        std::string lines;
        for (const Event& event : events) lines += "    " + event.text() + '\n';
        FAIL(lines << "then: " << broken);
    }
    return met[what] > before;
}

}  // namespace

TEST_CASE("by chance: whoever is killed when, the machine is as others left it in the end") {
    ChangesWorld::Met met;
    check_sequences([&] { return ChangesWorld(met); }, Amount{.sequences = 4'000, .events = 40});
    check_met(met, {killed, restored, left_alone, last_ends, interrupted});
}

TEST_CASE(
    "at every step: whoever is killed there, before or after others act, the machine is as others left it in the end") {
    ChangesWorld::Met met;
    for (std::size_t place = 0; place < usual_run.size(); ++place)
        for (const Event& act : acts_of_others)
            for (const unsigned after : {0U, 1U}) {
                std::vector<Event> events = usual_run;
                events.insert(events.begin() + static_cast<std::ptrdiff_t>(place + after), act);
                unsigned& step = events[place + 1 - after].mishap.killed_at;
                step = 1;
                while (happens(killed, events, met)) ++step;
            }
    check_met(met, {killed, restored, left_alone, last_ends});
}

TEST_CASE("at every step: whatever others do there, the machine is as others left it in the end") {
    ChangesWorld::Met met;
    for (std::size_t place = 0; place < usual_run.size(); ++place)
        for (const What act : interruptions) {
            std::vector<Event> events = usual_run;
            events[place].interruption = act;
            unsigned& step = events[place].mishap.interrupted_at;
            step = 1;
            while (happens(interrupted, events, met)) ++step;
        }
    check_met(met, {interrupted, restored});
}
