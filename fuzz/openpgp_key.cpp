// SPDX-License-Identifier: GPL-3.0-or-later
//
// The machine's OpenPGP key, armoured or binary. Accepted: if it becomes a TLS key.
#include "bootkey/openpgp/key_packets.hpp"
#include "bootkey/openpgp/tls_export.hpp"
#include "bootkey/openpgp/tls_key.hpp"
#include "bootkey/servers/tls_credentials.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto numbers = openpgp::authentication_key(input, "a file");
    if (numbers) {
        const auto within = [&](openpgp::Bytes number) {
            return !number.empty() && number.data() >= input.data() &&
                   number.data() + number.size() <= input.data() + input.size();
        };
        if (const auto* rsa = std::get_if<openpgp::RsaNumbers>(&*numbers))
            for (const auto number : {rsa->n, rsa->e, rsa->d, rsa->p, rsa->q, rsa->u})
                require(within(number) && number.front() != std::byte{0}, "RSA's numbers are in the file");
        else if (const auto& ed25519 = std::get<openpgp::Ed25519Numbers>(*numbers); true)
            require(within(ed25519.point) && ed25519.point.size() == 32 && ed25519.seed.size() <= 32,
                    "a point has 32 bytes");
    } else {
        require_readable(numbers.error().message());
    }

    auto secret = base::Secret::with_capacity(input.size() + 1);
    require(secret.ok() && secret->append(input), "there is memory");
    auto key = openpgp::tls_key_from_openpgp(*secret, "a file");
    if (!key) {
        require_readable(key.error().message());
        return false;
    }
    const auto id = openpgp::key_id_of(key->public_key, "a file");
    servers::TlsIdentity identity{std::move(key->private_key), key->public_key, "a file"};
    const auto credentials = servers::TlsCredentials::load(std::move(identity), {"NORMAL", {}, {}}, base::Log(0));
    require(credentials.ok() && id.ok() && credentials->key_id() == *id, "TLS takes the key and knows it by its ID");
    return true;
}
