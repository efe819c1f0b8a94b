// SPDX-License-Identifier: GPL-3.0-or-later
//
// What comes from a management interface, cut into lines: replies, notifications and the one thing that is no line, the
// prompt for the password. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bootkey::control {

struct ControlLine {
    enum class Kind {
        reply,            ///< (part of) what a command is answered with
        notification,     ///< begins with '>' and comes when it likes, but never inside a reply of several lines
        password_prompt,  ///< "ENTER PASSWORD:", without a line end
    };
    Kind kind = Kind::reply;
    std::string text;  ///< as it came, hostile bytes included, without CR LF
};

class ControlLines {
public:
    /// Longer lines are cut to so many bytes; the log's, the longest there are, are far shorter.
    static constexpr std::size_t longest = 16 * 1024;

    /// The lines that `bytes` complete, in order.
    [[nodiscard]] std::vector<ControlLine> take(std::string_view bytes);

private:
    void add(std::string_view bytes);

    std::string begun_;  // a line whose end has not come
};

/// Whether this line of a reply tells that the command was refused.
[[nodiscard]] inline bool is_refusal(std::string_view reply) {
    return reply.starts_with("ERROR:");
}
/// Whether a reply can end with this line: the one line of a success or an error, or the END of several.
[[nodiscard]] inline bool ends_reply(std::string_view reply) {
    return reply == "END" || reply.starts_with("SUCCESS:") || is_refusal(reply);
}

/// `text` fit for a terminal: as base::printable(), but TABs, which separate fields, stay.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace bootkey::control
