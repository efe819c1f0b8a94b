// SPDX-License-Identifier: GPL-3.0-or-later
//
// The outer shape of OpenPGP data (RFC 4880, sections 4 and 6): ASCII armour, the sequence of packets, and whether a
// server's answer has the only shape that is accepted. Pure; every length is checked against what is there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::openpgp {

using Bytes = std::span<const std::byte>;

/// Packet tags (RFC 4880, section 4.3) that this program looks at.
enum class Tag : std::uint8_t {
    session_key = 1,  ///< a session key encrypted to a public key
    signature = 2,
    passphrase_session_key = 3,  ///< a session key encrypted with a passphrase
    secret_key = 5,
    public_key = 6,
    secret_subkey = 7,
    unprotected_data = 9,  ///< encrypted without integrity protection
    marker = 10,
    user_id = 13,
    public_subkey = 14,
    protected_data = 18,  ///< encrypted with integrity protection (MDC)
};

struct Packet {
    Tag tag{};
    Bytes body;  ///< empty if the packet is in pieces (partial lengths)
};

/// Reads one packet after another from binary OpenPGP data, which it borrows.
class PacketReader {
public:
    explicit PacketReader(Bytes data) : rest_(data) {}
    /// The next packet; nothing at the end and at malformed data: malformed() tells which.
    [[nodiscard]] std::optional<Packet> next();
    [[nodiscard]] bool malformed() const { return malformed_; }

private:
    std::optional<Packet> fail();
    std::optional<Packet> take(Tag tag, std::size_t size);
    std::optional<Packet> old_format(unsigned header);
    std::optional<Packet> new_format(unsigned header);
    bool skip_pieces(std::size_t first_size);

    Bytes rest_;
    bool malformed_ = false;
};

/// Big-endian reader over borrowed bytes. Reading past the end gives zeros and nothing, and is remembered.
class FieldReader {
public:
    explicit FieldReader(Bytes data) : rest_(data) {}
    std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t two() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t four() { return number(4); }
    /// The next `size` bytes; empty if there are not as many.
    Bytes bytes(std::size_t size);
    /// A multiprecision integer (section 3.2), without its length and leading zeros.
    Bytes integer();
    [[nodiscard]] Bytes rest() const { return rest_; }
    [[nodiscard]] bool overrun() const { return overrun_; }

private:
    std::uint32_t number(std::size_t size);

    Bytes rest_;
    bool overrun_ = false;
};

/// The bytes inside ASCII armour (the first block, if there are several); binary data is copied as it is. The checksum
/// may be missing but not wrong. Errors (no_input) call the data `name`.
[[nodiscard]] base::Result<base::Secret> without_armour(Bytes data, const std::string& name);

/// A key ID (RFC 4880, section 12.2). Zeros stand for any key, which the sender does not want to name (section 5.1).
using KeyId = std::array<std::byte, 8>;

/// Session key packets of one answer. gpg tries its secret keys on each that may be meant for them, and nothing in an
/// answer costs more: so there are bounds. One packet is usual; others name further people who may read the answer.
inline constexpr std::size_t max_session_keys = 16;
inline constexpr std::size_t max_session_keys_for_us =
    4;  ///< to one of our key IDs; and as many to no key in particular

/// Whether `message` (armoured or binary) has the shape of an answer: session keys for public keys only, then one piece
/// of integrity-protected data, and nothing after it; and whether finding out what is inside costs no more than a few
/// uses of the secret key. `key_ids`: of the keys that could decrypt it; nothing if they are not known. Error
/// (unavailable) otherwise; what is inside only gpg can tell.
[[nodiscard]] base::Result<void> check_answer_shape(Bytes message,
                                                    const std::optional<std::vector<KeyId>>& key_ids = std::nullopt);

/// How many session key packets `message` begins with; 0 if it is none that could be an answer.
[[nodiscard]] std::size_t count_session_keys(Bytes message);

}  // namespace bootkey::openpgp
