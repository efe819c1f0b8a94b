// SPDX-License-Identifier: GPL-3.0-or-later
//
// Connects out to a client that listens (--management-client), for ever: after a failure later and later, so that
// nobody notices a client that is never there.
#pragma once

#include <functional>
#include <memory>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/management/settings.hpp"

namespace bootkey::management {

class Connector {
public:
    /// `connected` is called from the loop and gets the connection. Nothing happens before again().
    Connector(base::Loop& loop, Place place, const base::Log& log, std::function<void(base::UniqueFd)> connected);

    /// Connects, from now on: at once the first time, after a connection has ended a second later.
    void again();

    static constexpr base::Duration least_pause = std::chrono::seconds(1);
    static constexpr base::Duration most_pause = std::chrono::seconds(30);
    static constexpr base::Duration patience = std::chrono::seconds(10);  ///< with one try

private:
    void try_now();
    void finish_try();
    void fail(int errno_value);

    base::Loop& loop_;
    Place place_;
    const base::Log& log_;
    std::function<void(base::UniqueFd)> connected_;
    base::Duration pause_{};  // before the next try
    int failures_ = 0;        // since the last connection
    base::UniqueFd fd_;       // while it connects
    std::unique_ptr<base::Watch> watch_;
    std::unique_ptr<base::Timer> next_;   // try
    std::unique_ptr<base::Timer> limit_;  // of this try
};

}  // namespace bootkey::management
