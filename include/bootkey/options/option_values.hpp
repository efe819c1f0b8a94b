// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the option table does with the value of each option: check it and put it into Options. All functions here have
// the type Option::Apply. Their errors (usage) say why a value is refused and what to give instead, but not which
// option it was: who calls them knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::options {

using Value = std::optional<std::string_view>;

/// A value is refused: `why`, and what to do about it.
[[nodiscard]] base::Error refused(std::string why, std::string advice = {});

/// A flag that was given.
template <bool Options::*Field>
base::Result<void> set_flag(Options& options, Value) {
    options.*Field = true;
    return {};
}

/// A file name or another text that must not be empty.
template <std::string Options::*Field>
base::Result<void> set_text(Options& options, Value value) {
    if (value->empty()) return refused("the value is empty", "give one or leave the option out");
    options.*Field = *value;
    return {};
}

template <bool Management::*Field>
base::Result<void> set_management_flag(Options& options, Value) {
    options.management.*Field = true;
    return {};
}

[[nodiscard]] base::Result<void> set_connect(Options& options, Value value);
[[nodiscard]] base::Result<void> add_server(Options& options, Value value);
[[nodiscard]] base::Result<void> add_interfaces(Options& options, Value value);
[[nodiscard]] base::Result<void> set_delay(Options& options, Value value);
[[nodiscard]] base::Result<void> set_retry(Options& options, Value value);
[[nodiscard]] base::Result<void> set_network_hook_timeout(Options& options, Value value);
[[nodiscard]] base::Result<void> set_dh_bits(Options& options, Value value);
[[nodiscard]] base::Result<void> set_askpass_fifo(Options& options, Value value);
[[nodiscard]] base::Result<void> set_prompt(Options& options, Value value);
[[nodiscard]] base::Result<void> set_mapping(Options& options, Value value);
[[nodiscard]] base::Result<void> set_tried(Options& options, Value value);
[[nodiscard]] base::Result<void> set_management(Options& options, Value value);
[[nodiscard]] base::Result<void> set_management_password_file(Options& options, Value value);
[[nodiscard]] base::Result<void> set_management_query(Options& options, Value value);
[[nodiscard]] base::Result<void> set_management_log_cache(Options& options, Value value);
[[nodiscard]] base::Result<void> add_echo(Options& options, Value value);
[[nodiscard]] base::Result<void> set_verb(Options& options, Value value);
[[nodiscard]] base::Result<void> set_generate_keys(Options& options, Value value);
[[nodiscard]] base::Result<void> set_key_type(Options& options, Value value);
[[nodiscard]] base::Result<void> set_enroll(Options& options, Value value);
[[nodiscard]] base::Result<void> set_name(Options& options, Value value);
[[nodiscard]] base::Result<void> set_host(Options& options, Value value);
[[nodiscard]] base::Result<void> set_timeout(Options& options, Value value);
[[nodiscard]] base::Result<void> set_check(Options& options, Value value);
[[nodiscard]] base::Result<void> set_check_config(Options& options, Value value);
[[nodiscard]] base::Result<void> set_report(Options& options, Value value);
[[nodiscard]] base::Result<void> set_control(Options& options, Value value);
[[nodiscard]] base::Result<void> set_restore(Options& options, Value value);

}  // namespace bootkey::options
