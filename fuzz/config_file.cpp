// SPDX-License-Identifier: GPL-3.0-or-later
//
// The configuration file. Accepted: if every line is understood and every value taken.
#include "bootkey/options/config_file.hpp"

#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto lines = options::parse_config(text_of(input), "a file");
    if (!lines) {
        require_readable(lines.error().message());
        return false;
    }
    std::string written;
    for (const auto& [option, value, origin] : *lines) written += option->name + (value ? "=" + *value : "") + "\n";
    const auto again = options::parse_config(written, "a file");
    require(again.ok() && again->size() == lines->size(), "settings are read back");
    bool all_taken = true;
    options::Options options;
    for (std::size_t i = 0; i < lines->size(); ++i) {
        const auto& line = (*lines)[i];
        require(line.option == (*again)[i].option && line.value == (*again)[i].value, "settings are read back");
        require(line.option->kind == options::Kind::setting, "a file only holds settings");
        require_readable(line.text());
        const auto taken = line.option->apply(options, line.value);
        if (!taken) require_readable(taken.error().message());
        all_taken = all_taken && taken;
    }
    require(options.mode == options::Mode::unlock, "a file does not choose the mode");
    return all_taken;
}
