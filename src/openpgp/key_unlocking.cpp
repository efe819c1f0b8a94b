// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_unlocking.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "bootkey/openpgp/gpgme_data.hpp"

namespace bootkey::openpgp {
namespace {

// The key derivation takes a tenth of a second on a present-day machine, some seconds on the slowest boards.
constexpr base::Duration unlocking_limit = std::chrono::seconds(30);

base::Error not_tried(std::string why) {
    return {base::ExitCode::unavailable, "cannot try a passphrase for the OpenPGP key", std::move(why),
            "check that /usr/bin/gpg runs and that there is memory for it"};
}

}  // namespace

KeyUnlocking::KeyUnlocking(GpgContext& context, std::vector<std::byte> test_message)
    : context_(context), test_message_(std::move(test_message)) {
    // GPGME knows the mode since 1.4.
    [[maybe_unused]] const auto ignored = gpgme_set_pinentry_mode(context.handle(), GPGME_PINENTRY_MODE_LOOPBACK);
    gpgme_set_passphrase_cb(context.handle(), &KeyUnlocking::give, this);
}

bool KeyUnlocking::is_possible(const base::Secret& passphrase) {
    constexpr std::size_t longest = 255;  // gpg-agent's MAX_PASSPHRASE_LEN
    const auto ends_it = [](std::byte byte) { return byte == std::byte{'\n'} || byte == std::byte{0}; };
    return !passphrase.empty() && passphrase.size() <= longest && std::ranges::none_of(passphrase.bytes(), ends_it);
}

void KeyUnlocking::unlock(base::Secret passphrase, Done done) {
    passphrase_ = std::move(passphrase);
    run([this, done = std::move(done)](gpgme_error_t error) mutable {
        passphrase_.reset();
        // Every error is expected but this one: nobody can decrypt that message.
        if (gpgme_err_code(error) == GPG_ERR_TIMEOUT) return done(not_tried("gpg did not end in time"));
        if (!asked_) return done(not_tried("gpg ended without asking for it"));
        check(std::move(done));
    });
}

void KeyUnlocking::check(Done done) {
    run([this, done = std::move(done)](gpgme_error_t error) {
        if (gpgme_err_code(error) == GPG_ERR_TIMEOUT) return done(not_tried("gpg did not end in time"));
        done(!asked_);
    });
}

void KeyUnlocking::run(std::function<void(gpgme_error_t)> then) {
    asked_ = false;
    input_ = input_from(test_message_, false);
    gpgme_data_t nowhere = nullptr;
    const gpgme_error_t made = gpgme_data_new(&nowhere);
    output_.reset(nowhere);
    context_.run(
        [this, made](gpgme_ctx_t context) {
            return made != 0 ? made : gpgme_op_decrypt_start(context, input_.get(), output_.get());
        },
        unlocking_limit,
        [this, then = std::move(then)](gpgme_error_t error) {
            input_.reset();
            output_.reset();
            const auto tell = then;  // a copy: it may destroy this object
            tell(error);
        });
}

// Without a passphrase gpg gets an empty one, which is wrong. An error here would have GPGME cancel and us kill gpg
// while the agent waits for it, and gpg-agent 2.2.40 dies of SIGPIPE when it answers a gpg that is gone.
gpgme_error_t KeyUnlocking::give(void* self, const char*, const char*, int, int fd) noexcept {
    auto* unlocking = static_cast<KeyUnlocking*>(self);
    unlocking->asked_ = true;
    const auto bytes = unlocking->passphrase_ ? unlocking->passphrase_->bytes() : std::span<const std::byte>();
    if (gpgme_io_writen(fd, bytes.data(), bytes.size()) != 0 || gpgme_io_writen(fd, "\n", 1) != 0)
        return gpgme_error_from_syserror();
    return 0;
}

}  // namespace bootkey::openpgp
