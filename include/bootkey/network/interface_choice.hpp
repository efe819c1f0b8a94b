// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which interfaces to bring up and use: the --interface names where there are any, else every interface that fits.
// Pure; asked again for every interface that appears or is renamed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bootkey/network/link_table.hpp"

namespace bootkey::network {

/// What to do with an interface.
enum class Use {
    ignore,
    if_up,     ///< use it while it is up, never bring it up
    bring_up,  ///< bring it up if it is down, and use it
};

class InterfaceChoice {
public:
    /// `names`: the values of --interface in order, each a comma-separated list of names, globs (fnmatch(3)), "!"
    /// exclusions (which win wherever they stand) and "none" (what follows it is used only while it is up). Empty
    /// strings count as not given; with exclusions alone every other interface that fits is chosen. Loopback never is.
    /// `direct`:
    /// --connect or --server was given, so that point-to-point, non-broadcast and NOARP interfaces fit as well.
    InterfaceChoice(const std::vector<std::string>& names, bool direct);

    [[nodiscard]] Use use(const Link& link) const;
    /// These, and no others, are ignored while they are down from now on, whatever else is said: network hooks are
    /// going to take them.
    void leave_alone(std::vector<std::string> names) { left_alone_ = std::move(names); }
    /// The plain names (no pattern, no exclusion, no "none") among those given: to report those that do not exist.
    [[nodiscard]] const std::vector<std::string>& plain_names() const { return plain_names_; }
    /// DEVICE for the network hooks: what was given, comma-joined; empty if a pattern or an exclusion is among it. A
    /// "none" stays in it, as hooks know it from mandos-client: with "none" alone no hook finds its interface listed.
    [[nodiscard]] std::string device() const;

private:
    struct Pattern {
        std::string text;
        bool exclude;
        Use use;
    };
    void add(const std::string& text);

    std::vector<Pattern> patterns_;
    std::vector<std::string> plain_names_;
    std::vector<std::string> left_alone_;
    std::string given_;
    bool pattern_given_ = false;
    bool none_given_ = false;
    bool direct_;
};

}  // namespace bootkey::network
