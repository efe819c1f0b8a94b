// SPDX-License-Identifier: GPL-3.0-or-later
//
// Holds the manual page, the README and --help against the option table: every option is described with its argument
// and its default, and none that does not exist.
#include <map>
#include <set>
#include <sstream>

#include "bootkey/base/text.hpp"
#include "bootkey/options/argp_table.hpp"
#include "catch.hpp"
#include "options/parse_words.hpp"

using namespace bootkey::options;
using namespace bootkey::options::tests;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(BOOTKEY_DOCUMENTS + path);
    REQUIRE(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

// ".It Fl c , Fl -connect Ns = Ns Ar ADDRESS:PORT"
std::string man_page_item(const Option& option) {
    std::string item = ".It ";
    if (option.letter != '\0') item += std::string("Fl ") + option.letter + " , ";
    item += std::string("Fl -") + option.name;
    if (option.argument)
        item += std::string(option.argument_optional ? " Ns Op = Ns Ar " : " Ns = Ns Ar ") + option.argument;
    return item;
}

// "--connect=ADDRESS:PORT"
std::string long_form(const Option& option) {
    std::string form = std::string("--") + option.name;
    if (option.argument_optional) return form + "[=" + option.argument + "]";
    return option.argument ? form + "=" + option.argument : form;
}

// "| `-c`, `--connect=ADDRESS:PORT` |", with the '|' of an argument escaped
std::string readme_cell(const Option& option) {
    std::string cell = "| ";
    if (option.letter != '\0') cell += std::string("`-") + option.letter + "`, ";
    cell += "`";
    for (const char character : long_form(option))
        cell += character == '|' ? std::string("\\|") : std::string(1, character);
    return cell + "` |";
}

}  // namespace

TEST_CASE("the manual page describes every option with its argument and default, and no other") {
    std::map<std::string, std::string> defaults;  // item to its "Default: ..." sentence
    std::string item;
    bool in_options = false;
    for (const std::string& line : lines_of("/man/bootkey.8")) {
        if (line.starts_with(".Sh ")) in_options = line == ".Sh OPTIONS";
        if (!in_options) continue;
        if (line.starts_with(".It ")) {
            item = line;
            CAPTURE(item);
            CHECK(defaults.emplace(item, "").second);
        }
        if (line.starts_with("Default: ") && !item.empty()) defaults[item] = line;
    }
    for (const Option& option : option_table()) {
        const auto found = defaults.find(man_page_item(option));
        INFO("wanted in the manual page: " << man_page_item(option));
        REQUIRE(found != defaults.end());
        CHECK(found->second == (option.default_text ? std::string("Default: ") + option.default_text + "." : ""));
        defaults.erase(found);
    }
    for (const auto& rest : defaults) FAIL_CHECK("not in the option table: " << rest.first);
}

TEST_CASE("the README's table has every option with its argument and default, and no other") {
    std::map<std::string, std::string> rows;  // first cell to the last
    for (const std::string& line : lines_of("/README.md")) {
        if (!line.starts_with("| `-")) continue;
        const auto first_end = line.find("` |");
        REQUIRE(first_end != std::string::npos);
        REQUIRE(line.ends_with(" |"));
        const auto bar = line.rfind('|', line.size() - 2);
        const std::string_view last =
            bootkey::base::trim(std::string_view(line).substr(bar + 1, line.size() - bar - 2));
        CHECK(rows.emplace(line.substr(0, first_end + 3), last).second);
    }
    for (const Option& option : option_table()) {
        const auto found = rows.find(readme_cell(option));
        INFO("wanted in README.md: " << readme_cell(option));
        REQUIRE(found != rows.end());
        CHECK(found->second == (option.default_text ? option.default_text : ""));
        rows.erase(found);
    }
    for (const auto& rest : rows) FAIL_CHECK("not in the option table: " << rest.first);
}

TEST_CASE("the help text has every option with its argument and default, and no other") {
    const std::string help = ArgpTable().help();
    std::string joined;  // without line breaks and runs of blanks
    for (const char character : help) {
        const char blank = character == '\n' ? ' ' : character;
        if (blank != ' ' || !joined.ends_with(' ')) joined += blank;
    }
    std::set<std::string> names;
    for (const Option& option : option_table()) {
        CAPTURE(option.name);
        names.insert(option.name);
        const auto place = joined.find(" " + long_form(option) + " ");
        REQUIRE(place != std::string::npos);
        CHECK(joined.substr(place + long_form(option).size() + 2).starts_with(option.help));
        if (option.letter != '\0')
            CHECK(contains(joined, std::string(" -") + option.letter + ", " + long_form(option)));
        if (option.default_text)
            CHECK(contains(joined, std::string(option.help) + " (default: " + option.default_text + ")"));
    }
    // Whatever begins an entry is an option of the table.
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
        const auto dashes = line.find("--");
        if (dashes != 6 || !line.starts_with("  ")) continue;
        CAPTURE(line);
        CHECK(names.count(line.substr(8, line.find_first_of(" =[", 8) - 8)) == 1);
    }
}
