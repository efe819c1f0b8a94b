// SPDX-License-Identifier: GPL-3.0-or-later
//
// What instances of bootkey and others do to the toy machine, as plain data and as lines to be read.
#pragma once

#include <cstdint>
#include <iterator>
#include <string>

#include "bootkey/base/text.hpp"
#include "toy_machine.hpp"

namespace bootkey::changes::toy {

enum class What {
    start,
    bring_up,
    add_route,
    remove_route,
    lower_console,
    restore_console,
    make_home,
    remove_home,
    end,
    kill,
    restore,
    others_up,
    others_down,
    others_add_address,
    others_remove_address,
    others_add_route,
    others_remove_route,
    others_set_console,
    others_set_dad,
    others_enslave,
    others_rename,
    others_remove,
    others_add,
    others_configure,
    others_toggle_carrier
};
/// What others may do while an instance looks at things and changes them, and can be put right all the same.
inline constexpr What interruptions[] = {What::others_down, What::others_rename, What::others_remove,
                                         What::others_toggle_carrier};

struct Event {
    What what;
    unsigned instance = 0;
    std::uint32_t interface = 0;
    unsigned value = 0;  ///< which of a few
    Mishap mishap = {};
    What interruption = What::others_down;  ///< at mishap.interrupted_at, of the same interface

    [[nodiscard]] bool is_by_others() const { return what >= What::others_up; }
    [[nodiscard]] std::string text() const;
};

struct Kind {
    What what;
    unsigned weight;  // of 100
    const char* text;
};
// In the order of What; the weights add up to 100.
inline constexpr Kind kinds[] = {
    {What::start, 13, "starts"},
    {What::bring_up, 16, "brings up"},
    {What::add_route, 8, "adds a route"},
    {What::remove_route, 2, "removes a route"},
    {What::lower_console, 6, "lowers the console level"},
    {What::restore_console, 3, "restores the console level"},
    {What::make_home, 4, "makes a home"},
    {What::remove_home, 2, "removes a home"},
    {What::end, 8, "ends"},
    {What::kill, 4, "is killed"},
    {What::restore, 3, "what killed ones left is restored"},
    {What::others_up, 3, "others bring up"},
    {What::others_down, 4, "others take down"},
    {What::others_add_address, 3, "others add an address to"},
    {What::others_remove_address, 3, "others remove an address from"},
    {What::others_add_route, 3, "others add a route"},
    {What::others_remove_route, 1, "others remove a route"},
    {What::others_set_console, 4, "others set the console level"},
    {What::others_set_dad, 3, "others set accept_dad"},
    {What::others_enslave, 1, "others enslave"},
    {What::others_rename, 2, "others rename"},
    {What::others_remove, 1, "others remove"},
    {What::others_add, 1, "others add an interface"},
    {What::others_configure, 1, "others configure"},
    {What::others_toggle_carrier, 1, "others plug or unplug"},
};

static_assert(std::size(kinds) == static_cast<std::size_t>(What::others_toggle_carrier) + 1);

[[nodiscard]] inline const char* text_of(What what) {
    return kinds[static_cast<std::size_t>(what)].text;
}

inline std::string Event::text() const {
    const bool by_instance = !is_by_others() && what != What::restore;
    std::string line = by_instance ? base::format("instance %u ", instance) : "";
    line += text_of(what) + base::format(" (interface %u, value %u)", interface, value);
    if (mishap.killed_at != 0) line += base::format(" and is killed at step %u", mishap.killed_at);
    if (mishap.fails_at != 0) line += base::format(" and change number %u fails", mishap.fails_at);
    if (mishap.interrupted_at != 0)
        line += base::format("; at step %u ", mishap.interrupted_at) + text_of(interruption) + " it";
    return line;
}

}  // namespace bootkey::changes::toy
