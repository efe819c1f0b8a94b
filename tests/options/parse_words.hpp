// SPDX-License-Identifier: GPL-3.0-or-later
//
// parse() on words as a test writes them, and a configuration file that exists as long as its owner.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/options/command_line.hpp"
#include "catch.hpp"

namespace bootkey::options::tests {

inline constexpr const char* no_file = "/nonexistent/bootkey.conf";

/// `words` without the program's name.
inline base::Result<ParseOutcome> parse_words(std::vector<std::string> words, bool set_user_id = false,
                                              const std::string& config_file = no_file) {
    words.insert(words.begin(), "bootkey");
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return parse(static_cast<int>(words.size()), argv.data(), set_user_id, config_file);
}

/// The Options of words that must be accepted.
inline Options accepted(const std::vector<std::string>& words, const std::string& config_file = no_file) {
    auto outcome = parse_words(words, false, config_file);
    if (!outcome) FAIL("refused: " << outcome.error().message());
    REQUIRE(std::holds_alternative<Options>(*outcome));
    return std::get<Options>(*outcome);
}

/// The error of words that must be refused, in one line.
inline base::Error refused_words(const std::vector<std::string>& words, bool set_user_id = false,
                                 const std::string& config_file = no_file) {
    auto outcome = parse_words(words, set_user_id, config_file);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().message().find('\n') == std::string::npos);
    return outcome.error();
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// A file in a directory of its own.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& content) {
        std::string pattern = (std::filesystem::temp_directory_path() / "bootkey-options-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        directory_ = pattern;
        std::ofstream(path()) << content;
    }
    ~TemporaryFile() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    [[nodiscard]] std::string path() const { return (directory_ / "bootkey.conf").string(); }

private:
    std::filesystem::path directory_;
};

}  // namespace bootkey::options::tests
