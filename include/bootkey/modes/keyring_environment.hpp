// SPDX-License-Identifier: GPL-3.0-or-later
//
// By which variables GnuPG finds a person: their keyring, the terminal or display where their agent asks for a
// passphrase, and the language in which it asks. Pure.
#pragma once

#include <string>
#include <vector>

namespace bootkey::modes {

/// Those of `environment` (as environ(7): "NAME=value" each, and a null at the end), as they are.
[[nodiscard]] std::vector<std::string> keyring_environment(const char* const* environment);

}  // namespace bootkey::modes
