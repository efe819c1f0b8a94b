// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finds the machine's SSH host key.
#pragma once

#include <optional>
#include <string>

#include "bootkey/openpgp/enrolment.hpp"

namespace bootkey::modes {

/// The first usable public host key in `directory` (/etc/ssh): Ed25519, else ECDSA, else RSA. Nothing if there is none.
[[nodiscard]] std::optional<openpgp::SshHostKey> find_ssh_host_key(const std::string& directory);

}  // namespace bootkey::modes
