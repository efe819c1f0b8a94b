// SPDX-License-Identifier: GPL-3.0-or-later
//
// How long to wait before something is tried again. Pure: randomness is handed in, so that tests can know the outcome.
// Waits are spread by chance because many machines may boot at the same moment (a rack after a power cut) and
// would otherwise knock at the same server in step.
#pragma once

#include <functional>

#include "bootkey/base/time.hpp"

namespace bootkey::servers {

/// A random number in [0, 1), evenly spread.
using Random = std::function<double()>;

/// Between tries of the same server: `retry` ± 10 %.
[[nodiscard]] base::Duration retry_delay(base::Duration retry, const Random& random);

/// How long the connection try number `number` (0 = first) of one attempt may last before a new SYN is sent from a new
/// socket: 0.25 s, then half as long again each time, each up to a quarter longer by chance. The first ones are shorter
/// than the kernel's own retransmission after 1, 3, 7 s (RFC 6298), because servers with a short listen backlog drop
/// SYNs in a rush; the later ones are long enough for a slow network.
[[nodiscard]] base::Duration connect_try(int number, const Random& random);

}  // namespace bootkey::servers
