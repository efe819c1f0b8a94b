// SPDX-License-Identifier: GPL-3.0-or-later
//
// The bodies of the two unprivileged processes. The worker speaks with the network: it finds servers and fetches
// answers, and asks the monitor for everything else. The decryptor never sees the network: it makes passwords of
// answers, with gpg. Both read the keys they need while they are still root, and then give up all that they do not need
// (sandbox::confine()).
#pragma once

#include <sys/types.h>

#include <string>

#include "bootkey/base/unique_fd.hpp"
#include "bootkey/discovery/discovery.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::monitor {

/// Unlocks over the network until the monitor closes `channel`. `monitor`: its process id. Returns the exit status.
[[nodiscard]] int run_worker(base::UniqueFd channel, const options::Options& options, const openpgp::KeyFiles& keys,
                             discovery::Browsing browsing, pid_t monitor);

/// Decrypts what the monitor sends until it closes `channel`. `home`: an empty directory of the decryptor's own.
[[nodiscard]] int run_decryptor(base::UniqueFd channel, const options::Options& options, const openpgp::KeyFiles& keys,
                                const std::string& home, pid_t monitor);

}  // namespace bootkey::monitor
