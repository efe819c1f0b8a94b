// SPDX-License-Identifier: GPL-3.0-or-later
//
// The text functions that all others lean on. Accepted: printable UTF-8.
#include <algorithm>
#include <string>

#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto text = text_of(input);
    const bool printable = base::is_printable_utf8(text);
    const auto escaped = base::escaped(text, 1000);
    require(base::is_printable_utf8(escaped) && escaped.size() <= 4 * 1000 + 3,
            "escaped text is printable and bounded");
    require(base::escaped(std::string(text) + "\n", text.size()).find('\n') == std::string::npos,
            "no line end is left");
    if (printable) {
        require(std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }),
                "controls are not printable");
        require(base::is_printable_utf8(base::escaped(text, text.size() / 2)), "characters are not cut");
        for (const char* wrong : {"\xc0\x80", "\xc2\x85", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82"})
            require(!base::is_printable_utf8(std::string(text) + wrong), "malformed UTF-8 is not printable");
    }

    std::string joined;
    for (const auto part : base::split(text, ',')) joined += std::string(part) + ',';
    require(joined == std::string(text) + ',', "the parts of a text make it up");
    require(base::trim(base::trim(text)) == base::trim(text), "trimmed text is trimmed");
    const auto number = base::parse_number(text, 3, 65535);
    require(!number || (*number >= 3 && text.ends_with(std::to_string(*number))), "a number is what is written");
    const auto seconds = base::parse_seconds(text, 86400);
    require(!seconds || (*seconds >= 0 && *seconds <= 86400), "seconds are within their limits");
    require(!number || (seconds && *seconds == static_cast<double>(*number)), "whole seconds are a number");
    return printable;
}
