// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/gpg_session.hpp"

namespace bootkey::openpgp {
namespace {

constexpr auto operation_limit = base::from_seconds(600);  // RSA with 4096 bits on a slow machine

base::Error gpg_error(const std::string& tried, const std::string& why) {
    return {base::ExitCode::unavailable, tried, why, "check the installation of GnuPG"};
}

}  // namespace

base::Result<std::unique_ptr<GpgSession>> GpgSession::open(const base::HeldSignals& signals, Agent agent,
                                                           const base::Secret* passphrase) {
    std::unique_ptr<GpgSession> session(new GpgSession(&signals, passphrase));
    if (auto prepared = session->prepare(agent); !prepared) return std::move(prepared).error();
    return session;
}

base::Result<std::unique_ptr<GpgSession>> GpgSession::open_keyring(std::vector<std::string> variables) {
    std::unique_ptr<GpgSession> session(new GpgSession(nullptr, nullptr));
    if (auto prepared = session->prepare_keyring(std::move(variables)); !prepared) return std::move(prepared).error();
    return session;
}

base::Result<void> GpgSession::prepare_keyring(std::vector<std::string> variables) {
    auto loop = base::EventLoop::create();
    if (!loop) return std::move(loop).error();
    loop_ = std::move(*loop);
    auto context = GpgContext::create_for(*loop_, std::move(variables));
    if (!context) return std::move(context).error();
    context_ = std::move(*context);
    return {};
}

base::Result<void> GpgSession::prepare(Agent agent) {
    auto loop = base::EventLoop::create();
    if (!loop) return std::move(loop).error();
    loop_ = std::move(*loop);
    auto home = TemporaryGpgHome::create();
    if (!home) return std::move(home).error();
    home_ = std::move(*home);
    if (agent == Agent::started) {
        auto started =
            GpgAgent::start(*loop_, home_->path(), passphrase_ == nullptr ? Passphrases::none : Passphrases::each_time);
        if (!started) return std::move(started).error();
        agent_.emplace(std::move(*started));
    }
    auto context = GpgContext::create(*loop_, home_->path());
    if (!context) return std::move(context).error();
    context_ = std::move(*context);
    gpgme_set_armor(handle(), 1);
    if (passphrase_ == nullptr) return {};
    if (const auto error = gpgme_set_pinentry_mode(handle(), GPGME_PINENTRY_MODE_LOOPBACK); error != 0)
        return gpg_error("cannot prepare gpg for a passphrase", gpgme_text(error));
    gpgme_set_passphrase_cb(handle(), &GpgSession::give_passphrase, this);
    return {};
}

base::Result<void> GpgSession::perform(const std::string& tried, const GpgContext::Start& start) {
    std::optional<gpgme_error_t> outcome;
    const auto on_signal = [this](base::Readiness) { loop_->stop(); };
    const int signals = signals_ != nullptr ? signals_->fd() : -1;
    const auto signal = signals >= 0 ? loop_->watch(signals, {.readable = true}, on_signal) : nullptr;
    context_->run(start, operation_limit, [&](gpgme_error_t error) {
        outcome = error;
        loop_->stop();
    });
    loop_->run();
    if (!outcome) {
        context_.reset();  // ends gpg, and without a call back
        return gpg_error(tried, "a signal ended it");
    }
    if (*outcome != 0) return gpg_error(tried, gpgme_text(*outcome));
    return {};
}

gpgme_error_t GpgSession::give_passphrase(void* self, const char*, const char*, int previous_was_bad, int fd) noexcept {
    if (previous_was_bad != 0) return gpgme_error(GPG_ERR_BAD_PASSPHRASE);  // it would not be better a second time
    const auto bytes = static_cast<GpgSession*>(self)->passphrase_->bytes();
    if (gpgme_io_writen(fd, bytes.data(), bytes.size()) != 0 || gpgme_io_writen(fd, "\n", 1) != 0)
        return gpgme_error_from_syserror();
    return 0;
}

}  // namespace bootkey::openpgp
