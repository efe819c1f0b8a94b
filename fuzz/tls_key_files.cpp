// SPDX-License-Identifier: GPL-3.0-or-later
//
// The TLS key's two files, PEM or DER: first the private one and behind a line "+" the public one. Accepted: a pair.
#include "bootkey/servers/tls_credentials.hpp"
#include "fuzz.hpp"
#include "tls_identity.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    Script script(input);
    const auto private_key = script.until("\n+\n");
    const auto public_key = script.bytes(input.size());
    const servers::TlsSettings settings{"NORMAL:+CTYPE-RAWPK", {}, {}};
    const auto alone = servers::TlsCredentials::load(identity(private_key, ""), settings, base::Log(0));
    const auto pair = servers::TlsCredentials::load(identity(private_key, public_key), settings, base::Log(0));
    for (const auto* loaded : {&alone, &pair}) {
        if (*loaded)
            require((*loaded)->key_id().size() == 64, "a key has an ID of 64 digits");
        else
            require_readable(loaded->error().message());
    }
    require(!pair || alone, "half a pair is enough");
    require(!pair || (*pair).key_id() == (*alone).key_id(), "the halves belong together");
    return pair.ok() && !public_key.empty();
}
