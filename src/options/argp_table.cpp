// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/argp_table.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

namespace bootkey::options {
namespace {

constexpr int first_key_without_letter = 256;  // argp takes smaller keys for short options

// argp prints what is behind the vertical tab below the options.
constexpr const char* description =
    "Unlocks an encrypted machine while it boots, without a person: brings the network up, finds password servers, "
    "proves "
    "who the machine is, and writes the password it gets to standard output."
    "\v"
    "Options can also be written into the configuration file, one a line, without dashes. The manual page bootkey(8) "
    "says "
    "more about all of them, and the file CONTRIBUTING.md of the source code where to report bugs.";

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};
struct FreeBuffer {
    void operator()(char* buffer) const noexcept { std::free(buffer); }
};

int key_of(std::size_t index) {
    const char letter = option_table()[index].letter;
    return letter != '\0' ? letter : first_key_without_letter + static_cast<int>(index);
}

}  // namespace

ArgpTable::ArgpTable() {
    const auto table = option_table();
    descriptions_.reserve(table.size());  // rows_ points into it
    std::optional<Group> group;
    for (std::size_t i = 0; i < table.size(); ++i) {
        const Option& option = table[i];
        const int number = static_cast<int>(option.group);
        if (group != option.group) rows_.push_back({nullptr, 0, nullptr, 0, heading(option.group), number});
        group = option.group;
        std::string& text = descriptions_.emplace_back(option.help);
        if (option.default_text) text += std::string(" (default: ") + option.default_text + ")";
        const int flags = option.argument_optional ? OPTION_ARG_OPTIONAL : 0;
        rows_.push_back({option.name, key_of(i), option.argument, flags, text.c_str(), number});
    }
    rows_.push_back({});
}

const Option* ArgpTable::find(int key) {
    const auto table = option_table();
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (key_of(i) == key) return &table[i];
    }
    return nullptr;
}

std::string ArgpTable::text(unsigned parts) const {
    // argp lets this variable change the layout and complains on standard error about what it does not understand.
    ::unsetenv("ARGP_HELP_FMT");
    char* buffer = nullptr;
    std::size_t size = 0;
    std::unique_ptr<std::FILE, CloseFile> stream(::open_memstream(&buffer, &size));
    if (!stream) throw std::bad_alloc();
    argp parser{};
    parser.options = rows();
    parser.doc = description;
    char name[] = "bootkey";
    ::argp_help(&parser, stream.get(), parts, name);
    const bool complete = std::fclose(stream.release()) == 0;  // sets buffer and size
    const std::unique_ptr<char, FreeBuffer> owner(buffer);
    if (!complete || !owner) throw std::bad_alloc();
    return std::string(buffer, size);
}

std::string ArgpTable::help() const {
    return text(ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC);
}

std::string ArgpTable::usage() const {
    return text(ARGP_HELP_USAGE);
}

std::string version_text() {
    return "bootkey " BOOTKEY_VERSION
           "\n"
           "Licence GPL-3.0-or-later: free software, without any warranty.\n";
}

}  // namespace bootkey::options
