// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a command answers: lines, some of which may be made only when the client is ready for them, so that a long reply
// takes no memory. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace bootkey::management {

class Reply {
public:
    /// The next line without its end, or none when there are no more.
    using Source = std::function<std::optional<std::string>()>;

    void success(std::string_view text);
    void error(std::string_view text);
    void line(std::string_view text);
    void lines(Source source);
    /// The last line of several.
    void end() { line("END"); }

    /// Nothing is left.
    [[nodiscard]] bool empty() const { return parts_.empty(); }
    /// Moves lines, with their ends, to `out` until there are no more or `out` has `enough` bytes.
    void move_to(std::string& out, std::size_t enough);

private:
    std::deque<std::variant<std::string, Source>> parts_;  // text: whole lines with their ends
};

}  // namespace bootkey::management
