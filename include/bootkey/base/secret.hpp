// SPDX-License-Identifier: GPL-3.0-or-later
//
// Memory for passwords, passphrases and private keys: of a fixed capacity (it never reallocates, so it
// leaves no copies), locked into RAM, left out of core dumps and of forked children (which see zeros), and
// wiped before it is given back.
// A Secret owns its pages, moves but does not copy, and has no way to be printed or logged.
#pragma once

#include <cstddef>
#include <span>

#include "bootkey/base/result.hpp"

namespace bootkey::base {

class Secret {
public:
    /// An empty secret of capacity 0.
    Secret() = default;
    /// An empty secret that can take up to `capacity` bytes. Fails (os_error) if no memory can be mapped.
    /// A lock that the kernel refuses (RLIMIT_MEMLOCK) is not an error: see locked().
    [[nodiscard]] static Result<Secret> with_capacity(std::size_t capacity);

    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    /// Appends all of `bytes`, or, where they would pass the capacity, nothing. Returns whether they fit.
    [[nodiscard]] bool append(std::span<const std::byte> bytes) noexcept;
    /// The unused rest of the capacity, to be written directly (by read(2), say); then call grow().
    [[nodiscard]] std::span<std::byte> spare() noexcept { return {data_ + size_, capacity_ - size_}; }
    /// Declares the first `count` bytes of spare() part of the content. `count` ≤ spare().size().
    void grow(std::size_t count) noexcept;
    /// Wipes the last `count` bytes of the content, or all of it if there are not as many.
    void shrink(std::size_t count) noexcept;
    /// Wipes the content; the capacity stays.
    void clear() noexcept;

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// Whether the kernel keeps the pages out of swap.
    [[nodiscard]] bool locked() const noexcept { return locked_; }

private:
    void release() noexcept;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    std::size_t mapped_ = 0;  // whole pages
    bool locked_ = false;
};

/// Wipes the stack below the caller's frame, 32 KiB of it: for after calls of functions that leave secrets there.
void wipe_stack_below() noexcept;

}  // namespace bootkey::base
