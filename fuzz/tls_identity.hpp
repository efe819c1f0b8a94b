// SPDX-License-Identifier: GPL-3.0-or-later
//
// The TLS key of all fuzz targets, always the same: the example of RFC 8410, sections 10.1 and 10.3.
#pragma once

#include <string_view>

#include "bootkey/servers/tls_credentials.hpp"
#include "fuzz.hpp"

namespace bootkey::fuzz {

inline constexpr std::string_view example_private_key =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view example_public_key =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n";
/// What takes the least time.
inline constexpr const char* quick_priority =
    "NORMAL:-CTYPE-ALL:+CTYPE-RAWPK:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519";

inline servers::TlsIdentity identity(std::string_view private_key, std::string_view public_key) {
    auto secret = base::Secret::with_capacity(private_key.size());
    require(secret.ok() && secret->append(base::bytes_of(private_key)), "there is memory");
    return {std::move(*secret), std::string(public_key), "a file"};
}

inline servers::TlsCredentials example_credentials(const char* priority) {
    auto loaded = servers::TlsCredentials::load(identity(example_private_key, example_public_key), {priority, {}, {}},
                                                base::Log(0));
    require(loaded.ok(), "the example key can be used");
    return std::move(*loaded);
}

}  // namespace bootkey::fuzz
