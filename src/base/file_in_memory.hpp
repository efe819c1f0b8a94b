// SPDX-License-Identifier: GPL-3.0-or-later
//
// A log file in memory (tmpfs, ramfs), as the boot has it, must not take all of that: a machine may wait for its server
// for months, and whoever is on the network can make it write. Private to the room.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bootkey::base {

class FileInMemory {
public:
    /// Bytes of a file. If there would be more, so much of its beginning and of its end is kept.
    static constexpr std::size_t max_size = 1024 * 1024;
    static constexpr std::size_t beginning = 512 * 1024;
    static constexpr std::size_t end = 256 * 1024;

    /// `fd`: open for writing; not owned. Nothing is done if it is anything else than a file in memory.
    explicit FileInMemory(int fd) : fd_(fd) {}

    /// Before `size` bytes are written: takes lines out of the middle of the file if it would get too long, and puts a
    /// line in their place that says so. Others may write to the file, too.
    void make_room(std::size_t size);

private:
    void shorten(std::size_t size);

    int fd_;
    bool looked_at_ = false;
    bool is_bounded_ = false;
    std::uint64_t left_out_ = 0;  // lines, in all
};

}  // namespace bootkey::base
