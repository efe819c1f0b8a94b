// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way out for the password: standard output, written byte for byte without ever blocking the loop, and
// closed with the last byte. Owns the descriptor.
#pragma once

#include <functional>
#include <memory>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::console {

class PasswordSink {
public:
    using Done = std::function<void(base::Result<void>)>;

    /// Takes `output` over. `reader_gone` is called once from the loop if the reader of a pipe closes its end before
    /// anything was written: whoever still fetches a password may then stop.
    PasswordSink(base::Loop& loop, base::UniqueFd output, std::function<void()> reader_gone);

    /// Writes all of `password` and closes the output; to be called once. `done` is called from the loop: with success
    /// only when every byte was written and the close succeeded; else io_error, or temporary where the reader went
    /// away.
    void write(base::Secret password, Done done);
    /// Writes nothing more and wipes the password; the output stays open. Nothing is told of that.
    void stop();

private:
    void proceed();
    void finish(int errno_value);
    [[nodiscard]] int write_some();

    base::Loop& loop_;
    base::UniqueFd output_;
    bool pollable_ = false;  // epoll takes pipes, terminals and sockets, but no regular files
    base::Secret password_;
    std::size_t written_ = 0;
    Done done_;
    std::unique_ptr<base::Watch> watch_;
    std::unique_ptr<base::Timer> next_;
};

/// Makes sure that descriptors 0, 1 and 2 are open, so that no file opened later takes their place: closed ones become
/// /dev/null. Returns whether standard output (1) was open for writing before.
[[nodiscard]] base::Result<bool> assure_standard_descriptors();

}  // namespace bootkey::console
