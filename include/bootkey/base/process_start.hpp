// SPDX-License-Identifier: GPL-3.0-or-later
//
// The first steps of the program: out of the hands of whoever started it. A program that runs as root for another user
// (set-user-ID) finds everything that execve(2) preserves as that user wants it, and passes much of it on to the
// programs that it runs.
#pragma once

#include "bootkey/base/result.hpp"

namespace bootkey::base {

/// Makes the process independent of its caller. To be called first in main(), while there is one thread and no
/// descriptor of our own is open.
///
/// Always: no environment; no signal blocked, SIGCHLD as by default (ignored, it would hide how children end, wait(2)),
/// SIGPIPE and SIGXFSZ ignored (a write to a closed pipe, or beyond the limit of file sizes, is an error value), all
/// others as they are; no timer running;
/// file modes as asked for, but nothing writable by group and others (umask 022); no core dump, and no other process of
/// the same user looks into this one; no descriptor above 2 open.
///
/// If started set-user-ID, also: root alone, the caller's user id staying behind as the saved one only, by which the
/// caller can still send signals (kill(2)), and nothing else; working directory "/"; resource limits no lower than
/// needed; priority and timers' slack as usual.
///
/// Returns whether it was started set-user-ID. Error: os_error.
[[nodiscard]] Result<bool> leave_caller_behind();

}  // namespace bootkey::base
