// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a network hook says when it asks for credentials; each question is answered, every third by nobody. Accepted: if
// it keeps to the rules.
#include "bootkey/network/hook_dialogue.hpp"

#include <algorithm>
#include "fuzz.hpp"

using namespace bootkey;
using network::HookDialogue;

bool fuzz::run(Input input) {
    HookDialogue whole;
    HookDialogue in_pieces;
    bool good = true;
    int questions = 0;
    for (const char c : text_of(input)) {
        const auto events = in_pieces.hear({&c, 1});
        require(events.size() <= 1, "one byte is the end of one line at most");
        require(good || events.empty(), "whoever breaks the rules is not listened to any more");
        for (const auto& event : events) {
            if (const auto* asks = std::get_if<HookDialogue::Asks>(&event)) {
                require(base::is_printable_utf8(asks->realm) && !asks->realm.empty() && asks->realm.size() <= 64,
                        "a realm is short and printable");
                in_pieces.answered(++questions % 3 != 0);
            } else if (const auto* errs = std::get_if<HookDialogue::Errs>(&event)) {
                require_readable(errs->why);
                good = false;
            }
        }
        require(questions <= HookDialogue::most_questions, "nobody asks for ever");
    }
    const auto at_once = whole.hear(text_of(input));
    require(std::ranges::count_if(
                at_once, [](const auto& event) { return std::holds_alternative<HookDialogue::Asks>(event); }) <= 1,
            "nobody asks again before there is an answer");
    return good;
}
