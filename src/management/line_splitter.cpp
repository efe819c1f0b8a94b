// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/line_splitter.hpp"

#include <utility>

namespace bootkey::management {
namespace {

constexpr std::byte line_feed{'\n'}, tab{'\t'};

}  // namespace

base::Result<LineSplitter> LineSplitter::create() {
    auto line = base::Secret::with_capacity(longest_line);
    if (!line) return std::move(line).error();
    return LineSplitter(std::move(*line));
}

bool LineSplitter::drops(std::byte byte) {
    return (byte < std::byte{0x20} && byte != tab) || byte == std::byte{0x7f};
}

LineSplitter::Taken LineSplitter::take(std::span<const std::byte> bytes) {
    if (std::exchange(ended_, false)) {
        line_.clear();
        too_long_ = false;
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == line_feed) {
            ended_ = true;
            return {i + 1, too_long_ ? Found::too_long : Found::line};
        }
        if (!drops(bytes[i])) add(bytes[i]);
    }
    return {bytes.size(), Found::nothing};
}

void LineSplitter::add(std::byte byte) {
    if (too_long_ || line_.append({&byte, 1})) return;
    too_long_ = true;
    line_.clear();
}

std::string_view LineSplitter::text() const {
    if (!ended_) return {};
    return {reinterpret_cast<const char*>(line_.bytes().data()), line_.size()};
}

}  // namespace bootkey::management
