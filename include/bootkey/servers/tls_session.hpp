// SPDX-License-Identifier: GPL-3.0-or-later
//
// A TlsSession by GnuTLS: the TLS server side with our raw public key, no certificate asked of the peer, no session
// tickets.
#pragma once

#include <memory>

#include "bootkey/base/result.hpp"
#include "bootkey/servers/tls_credentials.hpp"
#include "bootkey/servers/transport.hpp"

namespace bootkey::servers {

/// A session that speaks over `transport` as the machine of `credentials`; both must outlive it. Fails (unavailable)
/// only if GnuTLS has no memory or refuses the settings that were checked before.
[[nodiscard]] base::Result<std::unique_ptr<TlsSession>> make_tls_session(Transport& transport,
                                                                         const TlsCredentials& credentials);

}  // namespace bootkey::servers
