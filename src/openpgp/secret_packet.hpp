// SPDX-License-Identifier: GPL-3.0-or-later
//
// What all secret key packets have in common (RFC 4880, section 5.5.3): the algorithm, and how the secret numbers are
// kept. Private to the room.
#pragma once

#include <cstdint>

#include "bootkey/openpgp/packets.hpp"

namespace bootkey::openpgp {

/// Sections 9.1 (RFC 4880) and 5 (RFC 6637).
enum class Algorithm : std::uint8_t { rsa = 1, rsa_encrypt = 2, rsa_sign = 3, elgamal = 16, ecdh = 18, eddsa = 22 };

enum class Protection { none, passphrase, smart_card };

/// Reads, after the public numbers, how the secret ones are kept.
inline Protection read_protection(FieldReader& fields) {
    const unsigned usage = fields.byte();
    if (usage == 0) return Protection::none;
    if (usage != 254 && usage != 255) return Protection::passphrase;
    fields.byte();  // cipher
    constexpr unsigned gnu_extension = 101;
    // GnuPG, doc/DETAILS: no secret numbers here, they are elsewhere, on a card mostly.
    return fields.byte() == gnu_extension ? Protection::smart_card : Protection::passphrase;
}

}  // namespace bootkey::openpgp
