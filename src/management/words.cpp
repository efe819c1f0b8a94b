// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/words.hpp"

#include <utility>

namespace bootkey::management {
namespace {

// OpenVPN's errors name a file and a line number, for it reads commands as it reads its configuration. Texts as
// measured (2.6.14); a word that is too long is not repeated, since it may be a password.
constexpr std::string_view no_closing_quote = "Options error: No closing quotation (\") in MANAGEMENT:0";
constexpr std::string_view no_closing_single_quote = "Options error: No closing single quotation (') in MANAGEMENT:0";
constexpr std::string_view residual_state = "Options error: Residual parse state (2) in MANAGEMENT:0";
constexpr std::string_view too_long = "Options error: Parameter at MANAGEMENT:0 is too long (256 chars max)";
constexpr std::string_view bad_backslash =
    "Options error: Bad backslash ('\\') usage in MANAGEMENT:0: only \\\\, \\\", \\SPACE and \\TAB have a meaning";

bool is_blank(char character) {
    return character == ' ' || character == '\t';
}

bool can_be_escaped(char character) {
    return character == '\\' || character == '"' || is_blank(character);
}

}  // namespace

base::Result<Words> Words::create(std::size_t longest_line) {
    auto text = base::Secret::with_capacity(longest_line);
    if (!text) return std::move(text).error();
    return Words(std::move(*text));
}

std::string_view Words::parse(std::string_view line) {
    clear();
    while (count_ < most_words) {
        while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
        has_comment_ = !line.empty() && (line.front() == '#' || line.front() == ';');
        if (line.empty() || has_comment_) break;
        if (const auto wrong = take_word(line); !wrong.empty()) {
            clear();
            return wrong;
        }
        ends_[++count_] = static_cast<std::uint16_t>(text_.size());
    }
    return {};
}

// Takes one word from the start of `rest`, where no blank is. Returns what is wrong with it, or nothing.
std::string_view Words::take_word(std::string_view& rest) {
    const char quote = rest.front() == '"' || rest.front() == '\'' ? rest.front() : '\0';
    if (quote != '\0') rest.remove_prefix(1);
    while (!rest.empty()) {
        char character = rest.front();
        if (quote == '\0' && is_blank(character)) return {};
        rest.remove_prefix(1);
        if (quote != '\0' && character == quote) return {};
        if (character == '\\' && quote != '\'') {
            if (rest.empty()) return quote == '"' ? no_closing_quote : residual_state;
            character = rest.front();
            if (!can_be_escaped(character)) return bad_backslash;
            rest.remove_prefix(1);
        }
        if (!add(character)) return too_long;
    }
    if (quote == '"') return no_closing_quote;
    return quote == '\'' ? no_closing_single_quote : std::string_view();
}

bool Words::add(char character) {
    const auto byte = static_cast<std::byte>(character);
    return text_.size() - ends_[count_] < longest_word && text_.append({&byte, 1});
}

void Words::clear() {
    text_.clear();
    count_ = 0;
    has_comment_ = false;
}

std::string_view Words::operator[](std::size_t index) const {
    if (index >= count_) return {};
    const std::size_t begin = ends_[index];
    return {reinterpret_cast<const char*>(text_.bytes().data()) + begin, ends_[index + 1] - begin};
}

}  // namespace bootkey::management
