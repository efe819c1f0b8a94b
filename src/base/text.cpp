// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>

namespace bootkey::base {
namespace {

// The length in bytes of the well-formed UTF-8 character that `text` begins with (RFC 3629 section 4), or 0.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
        return i < text.size() && byte(i) >= low && byte(i) <= high;
    };
    if (text.empty()) return 0;
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const unsigned low = first == 0xe0 ? 0xa0 : 0x80;   // no overlong forms
        const unsigned high = first == 0xed ? 0x9f : 0xbf;  // no surrogates
        return continues(1, low, high) && continues(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const unsigned low = first == 0xf0 ? 0x90 : 0x80;
        const unsigned high = first == 0xf4 ? 0x8f : 0xbf;  // up to U+10FFFF
        return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

// Whether the character of `length` bytes at the start of `text` is a C0 or C1 control character or DEL.
bool is_control(std::string_view text, std::size_t length) {
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 1) return first < 0x20 || first == 0x7f;
    return length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
}

// Whether it is invisible or turns the text around it: U+061C, U+200B-200F, U+2028-202E, U+2060-206F, U+FEFF.
// Well-formed, but a line that a person reads must look like what it says (Unicode Technical Report 36).
bool is_misleading(std::string_view character) {
    const auto between = [&](std::string_view first, std::string_view last) {
        return character >= first && character <= last;
    };
    return character == "\xd8\x9c" || between("\xe2\x80\x8b", "\xe2\x80\x8f") ||
           between("\xe2\x80\xa8", "\xe2\x80\xae") || between("\xe2\x81\xa0", "\xe2\x81\xaf") ||
           character == "\xef\xbb\xbf";
}

bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

std::string fit(std::string_view text, std::size_t most, bool backslashes_stay) {
    std::string result;
    std::size_t taken = 0;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::size_t step = length == 0 ? 1 : length;
        if (taken + step > most) return result + "...";
        if (length == 0 || is_control(text, length) || is_misleading(text.substr(0, length)) ||
            (text[0] == '\\' && !backslashes_stay)) {
            for (std::size_t i = 0; i < step; ++i) result += format("\\x%02x", static_cast<unsigned char>(text[i]));
        } else {
            result += text.substr(0, step);
        }
        text.remove_prefix(step);
        taken += step;
    }
    return result;
}

}  // namespace

std::string_view without_byte_order_mark(std::string_view text) {
    constexpr std::string_view mark = "\xef\xbb\xbf";
    return text.starts_with(mark) ? text.substr(mark.size()) : text;
}

std::span<const std::byte> without_byte_order_mark(std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return bytes.subspan(text.size() - without_byte_order_mark(text).size());
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stopped != end || number < least || number > most) return std::nullopt;
    return number;
}

std::optional<double> parse_seconds(std::string_view text, double most) {
    bool digits = false;
    int points = 0;
    for (const char character : text) {
        if (character == '.')
            ++points;
        else if (is_digit(character))
            digits = true;
        else
            return std::nullopt;
    }
    if (!digits || points > 1) return std::nullopt;
    double seconds = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
    if (error != std::errc{} || stopped != end || seconds > most) return std::nullopt;
    return seconds;
}

bool is_printable_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0 || is_control(text, length)) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string escaped(std::string_view text, std::size_t most) {
    return fit(text, most, false);
}

std::string printable(std::string_view text, std::size_t most) {
    return fit(text, most, true);
}

std::string shell_word(std::string_view text) {
    static constexpr std::string_view plain = "%+,-./:=@_";
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               plain.find(c) != std::string_view::npos;
    };
    if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
    std::string word = "'";
    for (const char letter : is_printable_utf8(text) ? std::string(text) : escaped(text, 4 * text.size()))
        word += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    return word + "'";
}

std::string hex(const void* bytes, std::size_t size, bool upper_case) {
    const char* digits = upper_case ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string text;
    text.reserve(size * 2);
    for (std::size_t i = 0; i < size; ++i) {
        const unsigned byte = static_cast<const unsigned char*>(bytes)[i];
        text += digits[byte >> 4];
        text += digits[byte & 0xf];
    }
    return text;
}

std::string format(const char* pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, pattern, arguments);
    va_end(arguments);
    std::string text(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
    if (length > 0) static_cast<void>(std::vsnprintf(text.data(), text.size() + 1, pattern, again));
    va_end(again);
    return text;
}

}  // namespace bootkey::base
