// SPDX-License-Identifier: GPL-3.0-or-later
//
// How gpg behaves in a GnuPG home of ours: its gpg.conf. Private to the room.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"

namespace bootkey::openpgp {

/// Writes gpg.conf for decrypting answers into the directory `home`. Error: cannot_create.
[[nodiscard]] base::Result<void> write_decryption_settings(const std::string& home);

}  // namespace bootkey::openpgp
