// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finite-field Diffie-Hellman for key exchanges that use it (DHE in TLS 1.2 and before; the groups FFDHE* in TLS 1.3).
// Private to this room. GnuTLS in the TLS server role chooses a named group (RFC 7919) if the peer offers any, and the
// parameters set on the credentials otherwise; so a wanted size has to be put into both.
#pragma once

#include <optional>
#include <string>

#include "bootkey/base/log.hpp"
#include "gnutls_handles.hpp"

namespace bootkey::servers {

struct DhParameters {
    /// For peers that offer no named group; null: none are needed.
    DhHandle parameters;
    /// To be appended to the priority string: takes out the named groups that are too small or take too long.
    std::string priority_suffix;
};

/// What `settings` ask for, if their priority string (parsed: `priority`) allows such a key exchange by parameters at
/// all; otherwise TLS 1.3's groups are bounded, and that is all. The file wins; if it cannot be used, a warning says so
/// and the bits decide; without them the profile in the priority string does. The result is the file's prime or the
/// smallest group of RFC 7919 that is large enough. Primes are not generated: that takes minutes to hours for sizes the
/// groups do not have.
[[nodiscard]] DhParameters choose_dh(const TlsSettings& settings, gnutls_priority_t priority, const base::Log& log);

}  // namespace bootkey::servers
