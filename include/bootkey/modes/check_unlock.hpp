// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far an unlock got that was tried without touching the machine, as steps of --check. Pure.
#pragma once

#include "bootkey/base/time.hpp"
#include "bootkey/modes/check_list.hpp"
#include "bootkey/timeline/timeline.hpp"

namespace bootkey::modes {

/// Adds the steps interface, server, TCP, TLS, known and decrypts. `limit`: for how long it was tried.
void check_unlock(const timeline::Timeline& timeline, base::Duration limit, CheckList& list);

}  // namespace bootkey::modes
