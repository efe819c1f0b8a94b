// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where gpg's input comes from and its output goes to, as GPGME data objects. Those that carry secrets are marked
// sensitive: GPGME then wipes its own buffers, and no other copy than the Secret stays. Private to the room.
#pragma once

#include <cstddef>
#include <span>

#include "bootkey/base/secret.hpp"
#include "bootkey/openpgp/gpgme_handles.hpp"

namespace bootkey::openpgp {

/// Input from `bytes`, which are borrowed and must outlive the object. Empty handle: out of memory.
[[nodiscard]] DataHandle input_from(std::span<const std::byte> bytes, bool sensitive);

/// Output into a Secret of fixed capacity. What does not fit is refused, which makes GPGME cancel the operation: a
/// decompression bomb ends there. Must stay where it is while its data object lives.
class SecretOutput {
public:
    explicit SecretOutput(base::Secret into) : secret_(std::move(into)) {}
    SecretOutput(const SecretOutput&) = delete;
    SecretOutput& operator=(const SecretOutput&) = delete;

    /// The data object that fills this. Empty handle: out of memory.
    [[nodiscard]] DataHandle data();
    /// Whether gpg gave more than the capacity.
    [[nodiscard]] bool overflowed() const { return overflowed_; }
    [[nodiscard]] base::Secret take() { return std::move(secret_); }

private:
    static ssize_t write(void* self, const void* buffer, std::size_t size) noexcept;

    base::Secret secret_;
    bool overflowed_ = false;
};

}  // namespace bootkey::openpgp
