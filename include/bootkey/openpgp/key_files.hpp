// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the machine's keys are: files named by the person, else the first key directory that holds a pair.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/options/used_files.hpp"

namespace bootkey::openpgp {

/// Paths of the key files. As names: empty where the person named none. As found: the TLS pair is empty where there is
/// none.
struct KeyFiles {
    std::string pubkey;       ///< OpenPGP public key
    std::string seckey;       ///< OpenPGP secret key
    std::string tls_pubkey;   ///< SubjectPublicKeyInfo, PEM
    std::string tls_privkey;  ///< its private key, PEM
};

/// No more of a key file is read; bytes.
inline constexpr std::size_t longest_key_file = 256 * 1024;

/// Where keys are looked for, in this order, if none are named.
inline constexpr const char* key_directories[] = {"/conf/conf.d/mandos", "/etc/keys/bootkey", "/etc/keys/mandos"};

/// Finds the key files. `named`: what the person named. `directories`: the first one that holds pubkey.txt and
/// seckey.txt counts for what is not named. A TLS pair that is not named is tls-pubkey.pem and tls-privkey.pem beside
/// the secret key, wherever that is. Named files are taken as they are (whoever reads them reports what is wrong).
/// Errors (no_input): no directory holds a pair; one half of a TLS pair without the other.
[[nodiscard]] base::Result<KeyFiles> find_key_files(const KeyFiles& named, std::span<const std::string> directories);

/// Those that are there, for options::check_files().
[[nodiscard]] std::vector<options::UsedFile> used_files(const KeyFiles& keys);

}  // namespace bootkey::openpgp
