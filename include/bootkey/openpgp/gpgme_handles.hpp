// SPDX-License-Identifier: GPL-3.0-or-later
//
// Owners for GPGME's objects, and its errors as text. Private to the room.
#pragma once

#include <gpgme.h>

#include <memory>
#include <string>
#include <type_traits>

namespace bootkey::openpgp {

struct ContextDeleter {
    void operator()(gpgme_ctx_t context) const noexcept { gpgme_release(context); }
};
using ContextHandle = std::unique_ptr<std::remove_pointer_t<gpgme_ctx_t>, ContextDeleter>;

struct DataDeleter {
    void operator()(gpgme_data_t data) const noexcept { gpgme_data_release(data); }
};
using DataHandle = std::unique_ptr<std::remove_pointer_t<gpgme_data_t>, DataDeleter>;

struct KeyDeleter {
    void operator()(gpgme_key_t key) const noexcept { gpgme_key_unref(key); }
};
using KeyHandle = std::unique_ptr<std::remove_pointer_t<gpgme_key_t>, KeyDeleter>;

/// What `error` means, for a person.
[[nodiscard]] inline std::string gpgme_text(gpgme_error_t error) {
    char text[200];
    if (gpgme_strerror_r(error, text, sizeof text) != 0) text[sizeof text - 1] = '\0';
    return text;
}

}  // namespace bootkey::openpgp
