// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/secret.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace bootkey::base {

Result<Secret> Secret::with_capacity(std::size_t capacity) {
    Secret secret;
    if (capacity == 0) return secret;
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    if (capacity > std::numeric_limits<std::size_t>::max() - page)
        return system_error("cannot get memory for a secret", ENOMEM, "check what asks for so much");
    const std::size_t size = (capacity + page - 1) / page * page;
    void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return system_error("cannot get memory for a secret", errno, "free memory or raise the process's limit");
    secret.data_ = static_cast<std::byte*>(pages);
    secret.capacity_ = capacity;
    secret.mapped_ = size;
    secret.locked_ = mlock(pages, size) == 0;
    // Advice: a kernel without it still keeps the pages private.
    madvise(pages, size, MADV_DONTDUMP);
    madvise(pages, size, MADV_WIPEONFORK);
    return secret;
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      mapped_(std::exchange(other.mapped_, 0)),
      locked_(std::exchange(other.locked_, false)) {
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, 0);
        mapped_ = std::exchange(other.mapped_, 0);
        locked_ = std::exchange(other.locked_, false);
    }
    return *this;
}

Secret::~Secret() {
    release();
}

bool Secret::append(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() > capacity_ - size_) return false;
    if (!bytes.empty()) std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return true;
}

void Secret::grow(std::size_t count) noexcept {
    size_ += count < capacity_ - size_ ? count : capacity_ - size_;
}

void Secret::shrink(std::size_t count) noexcept {
    if (count > size_) count = size_;
    size_ -= count;
    if (count > 0) explicit_bzero(data_ + size_, count);
}

void Secret::clear() noexcept {
    // The whole capacity: whoever wrote into spare() may not have declared all of it.
    if (data_ != nullptr) explicit_bzero(data_, mapped_);
    size_ = 0;
}

void Secret::release() noexcept {
    if (data_ == nullptr) return;
    clear();
    munmap(data_, mapped_);  // unlocks as well (munlock(2))
    data_ = nullptr;
    capacity_ = mapped_ = 0;
    locked_ = false;
}

[[gnu::noinline]] void wipe_stack_below() noexcept {
    std::byte area[32 * 1024];
    explicit_bzero(area, sizeof area);
}

}  // namespace bootkey::base
