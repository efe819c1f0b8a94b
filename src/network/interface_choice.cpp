// SPDX-License-Identifier: GPL-3.0-or-later
//
// The --interface names as patterns, and the rule for when there are none.
#include "bootkey/network/interface_choice.hpp"

#include <fnmatch.h>
#include <linux/if.h>

#include <algorithm>

#include "bootkey/base/text.hpp"

namespace bootkey::network {
namespace {

bool is_pattern(const std::string& text) {
    return text.find_first_of("*?[") != std::string::npos;
}

// A name that happens to look like a pattern still names itself.
bool matches(const std::string& pattern, const std::string& name) {
    return pattern == name || fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

// Whether servers can be looked for there: a multicast question needs to go out, and answers to come back.
bool fits(const Link& link, bool direct) {
    if (direct) return true;  // packets to one address pass tunnels as well
    return (link.flags & IFF_BROADCAST) != 0 && (link.flags & (IFF_POINTOPOINT | IFF_NOARP)) == 0;
}

}  // namespace

InterfaceChoice::InterfaceChoice(const std::vector<std::string>& names, bool direct) : direct_(direct) {
    for (const std::string& list : names)
        for (const std::string_view part : base::split(list, ','))
            if (!part.empty()) add(std::string(part));
}

void InterfaceChoice::add(const std::string& text) {
    given_ += (given_.empty() ? "" : ",") + text;
    if (text == "none") {
        none_given_ = true;
        return;
    }
    const bool exclude = text.front() == '!';
    if (exclude || is_pattern(text))
        pattern_given_ = true;
    else
        plain_names_.push_back(text);
    patterns_.push_back({exclude ? text.substr(1) : text, exclude, none_given_ ? Use::if_up : Use::bring_up});
}

Use InterfaceChoice::use(const Link& link) const {
    if ((link.flags & IFF_LOOPBACK) != 0) return Use::ignore;
    // One that is up is not changed by being used, and may be all that there is if the hook waits for another one.
    const bool is_up = (link.flags & IFF_UP) != 0;
    if (!is_up && std::ranges::find(left_alone_, link.name) != left_alone_.end()) return Use::ignore;
    bool named = false;  // whether anything but exclusions was given
    Use found = Use::ignore;
    for (const Pattern& pattern : patterns_) {
        named = named || !pattern.exclude;
        if (!matches(pattern.text, link.name)) continue;
        if (pattern.exclude) return Use::ignore;  // wherever in the list it stands
        if (found == Use::ignore) found = pattern.use;
    }
    if (named) return found;
    if (!fits(link, direct_)) return Use::ignore;
    return none_given_ ? Use::if_up : Use::bring_up;
}

std::string InterfaceChoice::device() const {
    return pattern_given_ ? std::string() : given_;
}

}  // namespace bootkey::network
