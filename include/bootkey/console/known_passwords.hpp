// SPDX-License-Identifier: GPL-3.0-or-later
//
// Telling whether a password came before, without keeping it: a digest of each (HMAC-SHA-256 with a random key) stays
// in locked memory, and the password gets a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::console {

/// Bytes of a key and of a digest.
inline constexpr std::size_t digest_size = 32;

/// A key for digests, from the kernel's random numbers. Errors (os_error): no memory, or none of those.
[[nodiscard]] base::Result<base::Secret> make_digest_key();
/// Appends the digest of `parts`, put together in an unmistakable way, to `digests`. Errors (os_error): no room there,
/// or the library refuses its work.
[[nodiscard]] base::Result<void> append_digest(base::Secret& digests, const base::Secret& key,
                                               std::span<const std::span<const std::byte>> parts);

class KnownPasswords {
public:
    /// So many are told apart; then the one that came first is forgotten.
    static constexpr std::size_t most = 256;

    /// Errors: as of make_digest_key().
    [[nodiscard]] static base::Result<KnownPasswords> create();

    /// The number of this password: always the same for the same bytes, until `most` others came. Errors (os_error): no
    /// memory.
    [[nodiscard]] base::Result<std::uint64_t> number_of(std::span<const std::byte> password);

private:
    KnownPasswords(base::Secret key, base::Secret digests) : key_(std::move(key)), digests_(std::move(digests)) {}

    base::Secret key_, digests_;
    std::uint64_t first_ = 0;  // number of the first digest that is kept
};

}  // namespace bootkey::console
