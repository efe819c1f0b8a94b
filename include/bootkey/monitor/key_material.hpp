// SPDX-License-Identifier: GPL-3.0-or-later
//
// The machine's keys, found, read and checked before anything on the machine is touched.
#pragma once

#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/servers/tls_credentials.hpp"

namespace bootkey::monitor {

struct KeyMaterial {
    servers::TlsCredentials credentials;
    std::string seckey;  ///< path of the OpenPGP secret key
};

/// Finds the key files (as named, else in the key directories) and loads the TLS identity: the PEM pair where there is one, else the
/// OpenPGP key's own material. Errors: no_input (keys), usage (--priority).
[[nodiscard]] base::Result<KeyMaterial> load_keys(const options::Options& options, const base::Log& log);

}  // namespace bootkey::monitor
