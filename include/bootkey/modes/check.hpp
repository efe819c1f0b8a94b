// SPDX-License-Identifier: GPL-3.0-or-later
//
// --check: sees on the running system whether a reboot would unlock it, the whole way from the keys to the disk.
#pragma once

#include <functional>

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/options/command_line.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/timeline/timeline.hpp"

namespace bootkey::modes {

/// An unlock as at boot, with all of its processes, that is given up after `limit` and leaves no timeline; the password
/// goes to `output`, which is closed with its end. Returns what happened. The monitor does it, whom this room does not
/// know.
using Rehearse = std::function<timeline::Timeline(const options::Options& options, base::Log& log,
                                                  base::UniqueFd output, base::Duration limit)>;

/// The options of this --check, with what is in `config` in the place of the system's configuration file.
using ReadAnew = std::function<base::Result<options::Options>(const options::ConfigText& config)>;

/// How --check ended.
struct CheckOutcome {
    base::ExitCode code = base::ExitCode::ok;  ///< ok only if a reboot would unlock the machine
    int signal = 0;                            ///< not 0: it was told by this signal to end
};

/// Prints one line a step to standard output, and the verdict. Brings no interface up and runs no hook; the password is
/// seen by cryptsetup alone, if a device is named, and dropped.
/// The rehearsal goes by what is in the image, as the boot will.
[[nodiscard]] CheckOutcome check(const options::Options& options, base::Log& log, const Rehearse& rehearse,
                                 const ReadAnew& read_anew);

}  // namespace bootkey::modes
