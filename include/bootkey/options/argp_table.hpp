// SPDX-License-Identifier: GPL-3.0-or-later
//
// The option table in the form that GNU argp wants, and the texts that argp makes of it.
#pragma once

#include <argp.h>

#include <string>
#include <vector>

#include "bootkey/options/option_table.hpp"

namespace bootkey::options {

/// Owns the rows for argp and the strings they point to. Does not move, since argp keeps pointers into it.
class ArgpTable {
public:
    ArgpTable();
    ArgpTable(const ArgpTable&) = delete;
    ArgpTable& operator=(const ArgpTable&) = delete;

    /// Ends with an empty row, as argp demands.
    [[nodiscard]] const argp_option* rows() const { return rows_.data(); }
    /// The option whose row has this key, or nullptr.
    [[nodiscard]] static const Option* find(int key);
    /// What --help prints.
    [[nodiscard]] std::string help() const;
    /// What --usage prints.
    [[nodiscard]] std::string usage() const;

private:
    [[nodiscard]] std::string text(unsigned parts) const;

    std::vector<std::string> descriptions_;
    std::vector<argp_option> rows_;
};

/// What --version prints.
[[nodiscard]] std::string version_text();

}  // namespace bootkey::options
