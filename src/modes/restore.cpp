// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/restore.hpp"

#include "bootkey/base/text.hpp"
#include "bootkey/changes/privileged_executor.hpp"
#include "bootkey/console/given_passwords.hpp"

namespace bootkey::modes {

base::Result<void> restore(const base::Log& log) {
    // Run at the end of the boot, too: what is unlocked later has nothing to do with it.
    auto forgotten = console::forget_given_passwords(console::given_passwords_file);
    const auto undone = changes::restore(log);
    if (!undone) return undone.error();
    if (!forgotten) return forgotten;
    log.info(1, *undone == 0 ? "nothing to restore" : base::format("restored %d changes", *undone));
    return {};
}

}  // namespace bootkey::modes
