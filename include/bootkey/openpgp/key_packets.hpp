// SPDX-License-Identifier: GPL-3.0-or-later
//
// The numbers inside an OpenPGP secret key (RFC 4880, sections 5.5 and 5.2; Ed25519 as GnuPG stores it): which of its
// keys speaks TLS, and that key's material. Pure; what it returns borrows from the packets.
#pragma once

#include <string>
#include <variant>

#include "bootkey/base/result.hpp"
#include "bootkey/openpgp/packets.hpp"

namespace bootkey::openpgp {

/// RSA, all numbers big-endian without leading zeros. `u` is p⁻¹ mod q: OpenPGP's order, PKCS#1 has it the other way
/// round.
struct RsaNumbers {
    Bytes n, e, d, p, q, u;
};

/// Ed25519: the point is 32 bytes; the seed may lack leading zeros.
struct Ed25519Numbers {
    Bytes point, seed;
};

using KeyNumbers = std::variant<RsaNumbers, Ed25519Numbers>;

/// The numbers of the first subkey that may authenticate ([A], key flag 0x20) or, without one, of the primary key.
/// `packets`: a binary transferable secret key, called `name` in errors (no_input).
[[nodiscard]] base::Result<KeyNumbers> authentication_key(Bytes packets, const std::string& name);

}  // namespace bootkey::openpgp
