// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/history.hpp"

#include <utility>

namespace bootkey::management {

void History::add(std::string line) {
    line.shrink_to_fit();
    bytes_ += line.size() + overhead;
    lines_.push_back(std::move(line));
    ++end_;
    while (!lines_.empty() && (lines_.size() > most_lines_ || bytes_ > most_bytes_)) {
        bytes_ -= lines_.front().size() + overhead;
        lines_.pop_front();
    }
}

std::uint64_t History::newest(std::uint64_t count) const {
    return count < lines_.size() ? end_ - count : begin();
}

}  // namespace bootkey::management
