// SPDX-License-Identifier: GPL-3.0-or-later
//
// The last so many lines of one sort, numbered, so that a long reply can go on where it was while new ones come. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace bootkey::management {

class History {
public:
    /// Keeps at most `most_lines` lines, and of them the newest that fit into `most_bytes` of memory together.
    History(std::size_t most_lines, std::size_t most_bytes) : most_lines_(most_lines), most_bytes_(most_bytes) {}

    void add(std::string line);
    /// The numbers of the oldest line kept and of the next to come.
    [[nodiscard]] std::uint64_t begin() const { return end_ - lines_.size(); }
    [[nodiscard]] std::uint64_t end() const { return end_; }
    /// The number of the first of the newest `count` lines, or of the oldest if there are not so many.
    [[nodiscard]] std::uint64_t newest(std::uint64_t count) const;
    /// A line that is kept.
    [[nodiscard]] const std::string& line(std::uint64_t number) const { return lines_[number - begin()]; }

    static constexpr std::size_t overhead = 64;  ///< bytes that a line takes beside its text, generously

private:
    std::size_t most_lines_;
    std::size_t most_bytes_;
    std::deque<std::string> lines_;
    std::size_t bytes_ = 0;
    std::uint64_t end_ = 0;
};

}  // namespace bootkey::management
