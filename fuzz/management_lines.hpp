// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lines as a management client's come, and words as one may write them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/management/line_splitter.hpp"
#include "fuzz.hpp"

namespace bootkey::fuzz {

/// The lines of `bytes`, which come in pieces of `piece` bytes; an empty one in the place of one that is too long.
inline std::vector<std::string> lines_of(Input bytes, std::size_t piece) {
    auto splitter = management::LineSplitter::create();
    std::vector<std::string> lines;
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(piece, bytes.size()))) {
        for (auto rest = bytes.first(std::min(piece, bytes.size())); !rest.empty();) {
            const auto taken = splitter->take(rest);
            require(taken.used > 0 && taken.used <= rest.size(), "bytes are used");
            rest = rest.subspan(taken.used);
            if (taken.found != management::LineSplitter::Found::nothing) lines.emplace_back(splitter->text());
        }
    }
    return lines;
}

/// `word` in quotes.
inline std::string quoted(std::string_view word) {
    std::string text = "\"";
    for (const char character : word) {
        if (character == '"' || character == '\\') text += '\\';
        text += character;
    }
    return text + "\"";
}

}  // namespace bootkey::fuzz
