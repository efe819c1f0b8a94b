// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/lines.hpp"

#include <algorithm>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::control {
namespace {

constexpr std::string_view prompt = "ENTER PASSWORD:";

}  // namespace

void ControlLines::add(std::string_view bytes) {
    begun_ += bytes.substr(0, longest - std::min(longest, begun_.size()));
}

std::vector<ControlLine> ControlLines::take(std::string_view bytes) {
    std::vector<ControlLine> lines;
    for (std::size_t end; (end = bytes.find('\n')) != bytes.npos; bytes.remove_prefix(end + 1)) {
        add(bytes.substr(0, end));
        std::string text = std::exchange(begun_, {});
        if (text.ends_with('\r')) text.pop_back();
        const auto kind = text.starts_with('>') ? ControlLine::Kind::notification : ControlLine::Kind::reply;
        lines.push_back({kind, std::move(text)});
    }
    add(bytes);
    if (begun_ == prompt) lines.push_back({ControlLine::Kind::password_prompt, std::exchange(begun_, {})});
    return lines;
}

std::string shown(std::string_view text) {
    std::string fit;
    for (const std::string_view field : base::split(text, '\t')) {
        if (field.data() != text.data()) fit += '\t';
        fit += base::printable(field, ControlLines::longest);
    }
    return fit;
}

}  // namespace bootkey::control
