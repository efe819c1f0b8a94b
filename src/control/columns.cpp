// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/columns.hpp"

#include <clocale>
#include <cwchar>

#include <algorithm>

namespace bootkey::control {
namespace {

// UTF-8 for this thread, until destroyed: glibc has this locale without any files (since 2.35).
class Utf8 {
public:
    Utf8() {
        static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
        if (utf8 != nullptr) before_ = uselocale(utf8);
    }
    ~Utf8() {
        if (before_ != nullptr) uselocale(before_);
    }
    Utf8(const Utf8&) = delete;
    Utf8& operator=(const Utf8&) = delete;

private:
    locale_t before_ = nullptr;
};

struct Character {
    std::size_t bytes = 1;
    std::size_t columns = 1;
};

// The one that `text`, which is not empty, begins with.
Character first_character(std::string_view text) {
    std::mbstate_t state{};
    wchar_t character = 0;
    const std::size_t bytes = std::mbrtowc(&character, text.data(), text.size(), &state);
    if (bytes == 0 || bytes > text.size()) return {};  // also for what is malformed or cut
    const int columns = wcwidth(character);
    return {bytes, columns < 0 ? 1 : static_cast<std::size_t>(columns)};
}

// Bytes of the longest beginning that takes no more than so many columns.
std::size_t fitting(std::string_view text, std::size_t most) {
    std::size_t end = 0, columns = 0;
    while (end < text.size()) {
        const Character next = first_character(text.substr(end));
        if ((columns += next.columns) > most) break;
        end += next.bytes;
    }
    return end;
}

}  // namespace

std::size_t columns_of(std::string_view text) {
    const Utf8 utf8;
    std::size_t columns = 0;
    while (!text.empty()) {
        const Character next = first_character(text);
        columns += next.columns;
        text.remove_prefix(next.bytes);
    }
    return columns;
}

std::string cut_to(std::string_view text, std::size_t most) {
    const Utf8 utf8;
    if (fitting(text, most) == text.size()) return std::string(text);
    if (most == 0) return {};
    return std::string(text.substr(0, fitting(text, most - 1))) + "~";
}

std::string padded_to(std::string_view text, std::size_t columns) {
    std::string fit = cut_to(text, columns);
    fit.append(columns - std::min(columns, columns_of(fit)), ' ');
    return fit;
}

std::vector<std::string> in_pieces(std::string_view text, std::size_t columns) {
    const Utf8 utf8;
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::max(fitting(text, columns), first_character(text).bytes);
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
    const Utf8 utf8;
    std::vector<std::string> lines;
    do {
        std::size_t end = std::max(fitting(text, columns), text.empty() ? 0 : first_character(text).bytes);
        std::size_t next = end;
        if (end < text.size())
            if (const auto blank = text.substr(0, end + 1).rfind(' '); blank != text.npos && blank > 0) {
                end = blank;
                next = blank + 1;
            }
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(next);
    } while (!text.empty());
    return lines;
}

}  // namespace bootkey::control
