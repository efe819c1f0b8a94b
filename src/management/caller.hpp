// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who is at the other end of a connection that came in, as far as the kernel knows.
#pragma once

#include <sys/types.h>

#include <optional>

#include "bootkey/management/login_gate.hpp"

namespace bootkey::management {

struct Caller {
    Origin origin;              ///< fit to be logged
    std::optional<uid_t> user;  ///< whose the connection is, if it is of this machine and still known
    bool is_tcp = false;        ///< the user is no longer known when the other end has been closed
};

/// The caller at the connected socket `fd`: the user by SO_PEERCRED (unix(7)), or by tcp_owner().
[[nodiscard]] Caller caller_at(int fd);
/// Whether a program of this user may steer without a password: root, and the user who runs or started bootkey. Never
/// one of bootkey's own unprivileged processes, whose users are nobody else's (sandbox::identity_of), if bootkey runs
/// as root.
[[nodiscard]] bool may_steer(const std::optional<uid_t>& user);

}  // namespace bootkey::management
