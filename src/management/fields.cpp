// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/fields.hpp"

#include <ctime>

#include "bootkey/base/text.hpp"
#include "bootkey/management/words.hpp"

namespace bootkey::management {
namespace {

constexpr std::size_t longest_field = 256;  // bytes
constexpr std::string_view cut = "...";

std::string without(char separator, std::string_view text) {
    std::string result;
    for (const char character : text) {
        if (character == separator)
            result += base::format("\\x%02x", static_cast<unsigned char>(character));
        else
            result += character;
    }
    return result;
}

}  // namespace

std::string field(std::string_view text, char separator) {
    return without(separator, base::escaped(text, longest_field));
}

std::string shown_field(std::string_view text, char separator) {
    return without(separator, base::printable(text, longest_field));
}

std::string shown_word(std::string_view word) {
    return base::printable(word, Words::longest_word);
}

std::string rest_of_line(std::string_view text) {
    std::string rest = base::printable(text, longest_rest);
    if (rest.size() <= longest_rest + cut.size()) return rest;
    std::size_t end = longest_rest;  // of what was escaped: a character of UTF-8 stays whole
    while ((static_cast<unsigned char>(rest[end]) & 0xc0) == 0x80) --end;
    return rest.replace(end, rest.size(), cut);
}

std::string date_and_time(std::int64_t when) {
    const std::time_t seconds = when;
    std::tm parts{};
    char text[sizeof "-2147483648-01-01 00:00:00"];
    if (gmtime_r(&seconds, &parts) == nullptr) return "?";  // a year beyond an int
    if (std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0) return "?";
    return text;
}

}  // namespace bootkey::management
