// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/config_file.hpp"

#include <algorithm>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::options {
namespace {

constexpr std::size_t most_bytes = 65'536;

std::string_view without_comment(std::string_view line) {
    for (std::size_t i = 0; i < line.size(); ++i) {
        const bool at_start_or_behind_blank = i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t';
        if (line[i] == '#' && at_start_or_behind_blank) return line.substr(0, i);
    }
    return line;
}

// A word with the value behind "=" or blanks, if any.
struct Setting {
    std::string_view name;
    std::optional<std::string_view> value;
};

Setting split_setting(std::string_view line) {
    const auto end = line.find_first_of("= \t");
    if (end == std::string_view::npos) return {line, {}};
    std::string_view value = base::trim(line.substr(end));
    if (value.starts_with('=')) value = base::trim(value.substr(1));
    return {line.substr(0, end), value};
}

// The error for a line, or nothing; `option` is what its name stands for, if anything.
std::optional<base::Error> objection(const Setting& setting, const Option* option, std::string tried) {
    const auto refuse = [&](std::string why, std::string advice) {
        return base::Error{base::ExitCode::usage, std::move(tried), std::move(why), std::move(advice)};
    };
    if (setting.name.starts_with('-'))
        return refuse("options have no dashes in a configuration file", "leave them out");
    if (!option) return refuse("there is no such option", "see the manual page bootkey(8)");
    if (option->kind != Kind::setting)
        return refuse("not an option for a configuration file", "give it on the command line");
    if (setting.value && !option->argument) return refuse("this option takes no value", "give its name alone");
    if (!setting.value && option->argument)
        return refuse("the value is missing", std::string("give ") + option->name + "=" + option->argument);
    return {};
}

bool has_control_character(std::string_view line) {
    return std::ranges::any_of(line, [](char character) {
        const auto byte = static_cast<unsigned char>(character);
        return (byte < ' ' && character != '\t') || byte == 0x7f;
    });
}

}  // namespace

base::Result<Assignments> parse_config(std::string_view text, const std::string& file) {
    Assignments assignments;
    int number = 0;
    for (const std::string_view raw : base::split(base::without_byte_order_mark(text), '\n')) {
        const std::string origin = file + ":" + std::to_string(++number) + ": ";
        const std::string_view line = base::trim(without_comment(base::trim(raw)));
        if (has_control_character(line))
            return base::Error{base::ExitCode::usage, origin + "line '" + base::escaped(line) + "'",
                               "there is a control character in it", "write the line anew"};
        if (line.empty()) continue;
        const Setting setting = split_setting(line);
        const Option* const option = find_option(setting.name);
        if (auto error = objection(setting, option, origin + "option '" + base::escaped(line) + "'"))
            return *std::move(error);
        assignments.push_back({option, std::optional<std::string>(setting.value), origin});
    }
    return assignments;
}

base::Result<Assignments> read_config(const std::string& path) {
    auto text = base::read_file(path, most_bytes, base::ExitCode::no_input);
    if (!text)
        return base::Error{text.error().code, "cannot read configuration file " + base::escaped(path, 4096),
                           text.error().why, "name another one with --config, or none with --config="};
    return parse_config(*text, base::escaped(path, 4096));
}

}  // namespace bootkey::options
