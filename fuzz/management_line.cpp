// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a management client sends: a byte that says in which pieces, and then the pieces. Accepted: if there is a
// command.
#include "bootkey/management/words.hpp"
#include "management_lines.hpp"

using namespace bootkey;
using management::Words;

bool fuzz::run(Input input) {
    Script script(input);
    const std::size_t piece = 1 + script.byte();
    const Input bytes = base::bytes_of(script.bytes(input.size()));
    const auto lines = lines_of(bytes, piece);
    require(lines == lines_of(bytes, bytes.size()), "lines do not depend on the pieces");
    auto words = std::move(*Words::create(4096));
    auto again = std::move(*Words::create(4096));
    bool accepted = false;
    for (const std::string& line : lines) {
        require(line.size() <= management::LineSplitter::longest_line, "a line is not too long");
        for (const char c : line)
            require(static_cast<unsigned char>(c) >= ' ' || c == '\t', "control bytes are dropped");
        const auto wrong = words.parse(line);
        require(wrong.empty() || words.empty(), "a line that is refused has no words");
        if (!wrong.empty()) require_readable(wrong);
        require(words.size() <= Words::most_words, "words are not too many");
        std::string rewritten;
        for (std::size_t i = 0; i < words.size(); ++i) {
            require(words[i].size() <= Words::longest_word, "a word is not too long");
            rewritten += quoted(words[i]);
        }
        require(again.parse(rewritten).empty() && again.size() == words.size(), "words in quotes are read again");
        for (std::size_t i = 0; i < words.size(); ++i) require(again[i] == words[i], "and are the same");
        accepted = accepted || !words.empty();
    }
    return accepted;
}
