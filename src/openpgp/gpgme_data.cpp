// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/gpgme_data.hpp"

#include <cerrno>

namespace bootkey::openpgp {
namespace {

// Refusing to mark would only mean less wiping inside GPGME; it knows the flag since 1.18 at the latest.
void mark_sensitive(gpgme_data_t data) {
    [[maybe_unused]] const gpgme_error_t ignored = gpgme_data_set_flag(data, "sensitive", "1");
}

}  // namespace

DataHandle input_from(std::span<const std::byte> bytes, bool sensitive) {
    gpgme_data_t data = nullptr;
    constexpr int borrowed = 0;
    if (gpgme_data_new_from_mem(&data, reinterpret_cast<const char*>(bytes.data()), bytes.size(), borrowed) != 0)
        return {};
    if (sensitive) mark_sensitive(data);
    return DataHandle(data);
}

DataHandle SecretOutput::data() {
    // GPGME keeps the pointer to the table.
    static gpgme_data_cbs callbacks = {nullptr, &SecretOutput::write, nullptr, nullptr};
    gpgme_data_t data = nullptr;
    if (gpgme_data_new_from_cbs(&data, &callbacks, this) != 0) return {};
    mark_sensitive(data);
    return DataHandle(data);
}

ssize_t SecretOutput::write(void* self, const void* buffer, std::size_t size) noexcept {
    auto* output = static_cast<SecretOutput*>(self);
    if (!output->overflowed_ && output->secret_.append({static_cast<const std::byte*>(buffer), size}))
        return static_cast<ssize_t>(size);
    output->overflowed_ = true;
    errno = EFBIG;
    return -1;
}

}  // namespace bootkey::openpgp
