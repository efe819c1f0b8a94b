// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/known_passwords.hpp"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

namespace bootkey::console {
namespace {

base::Error digest_error(const char* why) {
    return {base::ExitCode::os_error, "cannot remember a password by its digest", why, ""};
}

struct HmacCloser {
    void operator()(gnutls_hmac_hd_t handle) const noexcept { gnutls_hmac_deinit(handle, nullptr); }
};
using Hmac = std::unique_ptr<std::remove_pointer_t<gnutls_hmac_hd_t>, HmacCloser>;

}  // namespace

base::Result<base::Secret> make_digest_key() {
    auto key = base::Secret::with_capacity(digest_size);
    if (!key) return key;
    // Early in the boot there may be no good random numbers yet, and a boot does not wait for them.
    if (getrandom(key->spare().data(), digest_size, GRND_INSECURE) != static_cast<ssize_t>(digest_size))
        return base::system_error("cannot make a random key", errno);
    key->grow(digest_size);
    return key;
}

base::Result<void> append_digest(base::Secret& digests, const base::Secret& key,
                                 std::span<const std::span<const std::byte>> parts) {
    if (digests.spare().size() < digest_size) return digest_error("there is no room for it");
    gnutls_hmac_hd_t handle = nullptr;
    int status = gnutls_hmac_init(&handle, GNUTLS_MAC_SHA256, key.bytes().data(), key.size());
    if (status != 0) return digest_error(gnutls_strerror(status));
    const Hmac hmac(handle);
    for (const auto& part : parts) {
        const std::uint64_t size = part.size();  // first, so that no two lists of parts run together
        if (status == 0) status = gnutls_hmac(handle, &size, sizeof size);
        if (status == 0) status = gnutls_hmac(handle, part.data(), part.size());
    }
    if (status == 0) {
        gnutls_hmac_output(handle, digests.spare().data());
        digests.grow(digest_size);
    }
    base::wipe_stack_below();
    if (status != 0) return digest_error(gnutls_strerror(status));
    return {};
}

base::Result<KnownPasswords> KnownPasswords::create() {
    auto key = make_digest_key();
    if (!key) return std::move(key).error();
    auto digests = base::Secret::with_capacity(most * digest_size);
    if (!digests) return std::move(digests).error();
    return KnownPasswords(std::move(*key), std::move(*digests));
}

base::Result<std::uint64_t> KnownPasswords::number_of(std::span<const std::byte> password) {
    auto digest = base::Secret::with_capacity(digest_size);
    if (!digest) return std::move(digest).error();
    const std::span<const std::byte> parts[] = {password};
    if (auto made = append_digest(*digest, key_, parts); !made) return std::move(made).error();
    const auto known = digests_.bytes();
    const std::size_t count = known.size() / digest_size;
    for (std::size_t i = 0; i < count; ++i)
        if (std::memcmp(known.data() + i * digest_size, digest->bytes().data(), digest_size) == 0) return first_ + i;
    if (count == most) {
        auto rest = base::Secret::with_capacity(most * digest_size);
        if (!rest) return std::move(rest).error();
        if (!rest->append(known.subspan(digest_size))) return digest_error("there is no room for it");
        digests_ = std::move(*rest);
        ++first_;
    }
    if (!digests_.append(digest->bytes())) return digest_error("there is no room for it");
    return first_ + digests_.size() / digest_size - 1;
}

}  // namespace bootkey::console
