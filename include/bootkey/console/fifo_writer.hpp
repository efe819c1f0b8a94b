// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writes a password into the FIFO at which an askpass waits, without ever blocking, and finds out whether that askpass
// has read all of it: until the FIFO is closed askpass goes on waiting for more, and a person may still answer instead.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::console {

class FifoWriter {
public:
    /// Writes `bytes` (which must outlive the writer and be some) to the FIFO at `path`, which must be one of ours (see
    /// find_fifo). `done` is called once from the loop, and may destroy the writer: whether everything was read, the
    /// FIFO being closed by then. Destroying the writer closes it, too: for askpass that is the end of the answer, if
    /// it has read some. Null if somebody else has written what is not read yet: that is the answer, and ends the
    /// reader. Errors: temporary (nobody reads there any more), no_permission, os_error.
    [[nodiscard]] static base::Result<std::unique_ptr<FifoWriter>> start(base::Loop& loop, const std::string& path,
                                                                         std::span<const std::byte> bytes,
                                                                         std::function<void(bool read)> done);
    FifoWriter(const FifoWriter&) = delete;
    FifoWriter& operator=(const FifoWriter&) = delete;

private:
    FifoWriter(base::UniqueFd fifo, std::span<const std::byte> bytes, std::function<void(bool read)> done)
        : fifo_(std::move(fifo)), rest_(bytes), done_(std::move(done)) {}
    void proceed();
    void write_piece();
    void finish(bool read);

    base::UniqueFd fifo_;
    std::span<const std::byte> rest_;
    std::function<void(bool read)> done_;
    std::unique_ptr<base::Watch> watch_;
};

}  // namespace bootkey::console
