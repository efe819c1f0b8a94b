// SPDX-License-Identifier: GPL-3.0-or-later
//
// The journal of changes. Accepted: if it has entries.
#include "bootkey/changes/journal.hpp"

#include "fuzz.hpp"

using namespace bootkey;
using changes::Journal;

bool fuzz::run(Input input) {
    constexpr std::uint64_t here = 4026531840;
    Journal journal = Journal::parse(text_of(input));
    const auto entries = journal.entries();
    require(entries.size() <= input.size() / 10, "no entry is made up");
    require(Journal::parse(journal.text()).entries() == entries, "a journal is read back");
    for (const auto& entry : entries)
        require(*journal.find(entry.change, entry.network_namespace) == entry, "there is one entry for an object");

    const changes::Instance self{4711, 1};
    for (const auto& entry : entries) journal.use(entry.change, here, self);
    require(Journal::parse(journal.text()).entries() == journal.entries(), "a journal is read back");
    journal.drop_users(here, [](const auto&) { return true; });
    for (const auto& entry : journal.unused(here)) {
        require(entry.network_namespace == here || entry.network_namespace == 0, "others' changes stay");
        journal.remove(entry);
    }
    require(journal.unused(here).empty(), "all that nobody uses can be undone");
    return !entries.empty();
}
