// SPDX-License-Identifier: GPL-3.0-or-later
//
// The machine's keys, found and checked before anything on the machine is touched.
#pragma once

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/servers/tls_credentials.hpp"

namespace bootkey::monitor {

/// Finds the key files, as named, else in the key directories, and sees whether they can be opened. Reads none of them.
/// Errors: no_input.
[[nodiscard]] base::Result<openpgp::KeyFiles> find_keys(const options::Options& options);

/// What becomes of keys that others may change or read, and set-user-ID of all other files that the options name; else
/// main() has looked at these. See options::check_files(). Error: no_permission.
[[nodiscard]] base::Result<void> check_exposure(const openpgp::KeyFiles& files, const options::Options& options,
                                                const base::Log& log);

/// Loads the TLS identity: the PEM pair where there is one, else the OpenPGP key's own material. Errors: no_input
/// (keys), usage
/// (--priority).
[[nodiscard]] base::Result<servers::TlsCredentials> load_credentials(const openpgp::KeyFiles& files,
                                                                     const options::Options& options,
                                                                     const base::Log& log);

}  // namespace bootkey::monitor
