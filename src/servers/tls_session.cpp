// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/tls_session.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "gnutls_handles.hpp"

namespace bootkey::servers {
namespace {

using base::Error;
using base::ExitCode;

// GnuTLS asks to be called again for warning alerts too; a peer that sends nothing else is not indulged for ever.
template <typename Call>
auto repeated(Call call) {
    constexpr int most = 16;
    auto result = call();
    for (int i = 0; i < most && (result == GNUTLS_E_INTERRUPTED || result == GNUTLS_E_WARNING_ALERT_RECEIVED); ++i)
        result = call();
    return result;
}

class GnutlsSession final : public TlsSession {
public:
    GnutlsSession(Transport& transport, SessionHandle session) : transport_(transport), session_(std::move(session)) {
        gnutls_transport_set_ptr(session_.get(), this);
        gnutls_transport_set_pull_function(session_.get(), &GnutlsSession::pull);
        gnutls_transport_set_push_function(session_.get(), &GnutlsSession::push);
        gnutls_transport_set_pull_timeout_function(session_.get(), &GnutlsSession::may_pull);
    }

    Step handshake() override {
        waits_for_ = State::wants_read;
        const int result = repeated([this] { return gnutls_handshake(session_.get()); });
        if (result == GNUTLS_E_SUCCESS) {
            allowance_ = after_handshake;
            return {State::done};
        }
        if (result == GNUTLS_E_AGAIN) return again();
        Step failure = failed(result);
        (void)gnutls_alert_send_appropriate(session_.get(), result);  // a courtesy, if there is room for it
        return failure;
    }

    Step receive(std::span<std::byte> buffer) override {
        waits_for_ = State::wants_read;
        const ssize_t result =
            repeated([&] { return gnutls_record_recv(session_.get(), buffer.data(), buffer.size()); });
        if (result > 0) return {State::data, static_cast<std::size_t>(result)};
        if (result == 0) return {State::end};
        if (result == GNUTLS_E_AGAIN) return again();
        if (result == GNUTLS_E_PREMATURE_TERMINATION) return {State::cut_off};
        return failed(static_cast<int>(result));
    }

    void say_goodbye() override { (void)gnutls_bye(session_.get(), GNUTLS_SHUT_WR); }

private:
    // gnutls_record_get_direction(3) tells of the last transfer, and after a part of a message that is in memory
    // already that was a finished write: waiting to be able to write would never end.
    [[nodiscard]] Step again() const { return {waits_for_}; }

    [[nodiscard]] Step failed(int result) const {
        if (error_ == EMSGSIZE) return {State::too_much, 0, "the server sends far more than it should"};
        return {State::failed, 0, reason(result)};
    }

    [[nodiscard]] std::string reason(int result) const {
        if (result == GNUTLS_E_FATAL_ALERT_RECEIVED || result == GNUTLS_E_WARNING_ALERT_RECEIVED) {
            const char* alert = gnutls_alert_get_name(gnutls_alert_get(session_.get()));
            return std::string("the server says \"") + (alert != nullptr ? alert : "unknown alert") + "\"";
        }
        if ((result == GNUTLS_E_PULL_ERROR || result == GNUTLS_E_PUSH_ERROR) && error_ != 0)
            return std::strerror(error_);
        if (result == GNUTLS_E_PREMATURE_TERMINATION) return "the server closed the connection";
        return gnutls_strerror(result);
    }

    static ssize_t report(GnutlsSession& self, ssize_t result) noexcept {
        if (result >= 0) return result;
        const int error = static_cast<int>(-result);
        if (error != EAGAIN) self.error_ = error;
        gnutls_transport_set_errno(self.session_.get(), error);
        return -1;
    }
    static ssize_t pull(gnutls_transport_ptr_t pointer, void* buffer, std::size_t size) noexcept {
        auto& self = *static_cast<GnutlsSession*>(pointer);
        if (self.allowance_ == 0) return report(self, -EMSGSIZE);
        const ssize_t received =
            self.transport_.receive({static_cast<std::byte*>(buffer), std::min(size, self.allowance_)});
        if (received > 0) self.allowance_ -= static_cast<std::size_t>(received);
        return report(self, received);
    }
    static ssize_t push(gnutls_transport_ptr_t pointer, const void* bytes, std::size_t size) noexcept {
        auto& self = *static_cast<GnutlsSession*>(pointer);
        const ssize_t sent = self.transport_.send({static_cast<const std::byte*>(bytes), size});
        if (sent == -EAGAIN) self.waits_for_ = State::wants_write;
        return report(self, sent);
    }
    // "Is there something to pull?" The pull function never waits and says so itself.
    static int may_pull(gnutls_transport_ptr_t, unsigned) noexcept { return 1; }

    // GnuTLS collects the pieces of a handshake message of up to 16 MiB before it looks at its length, in a session
    // too. So the bytes themselves are bounded: for the handshake (a Mandos server's is well under 1 kB), and after it
    // for the longest answer in records of any sensible size (each has 22 bytes of its own).
    static constexpr std::size_t for_handshake = 32 * 1024;
    static constexpr std::size_t after_handshake = (64 + 1) * 1024;

    Transport& transport_;
    SessionHandle session_;
    std::size_t allowance_ = for_handshake;  // bytes that the peer may still send
    int error_ = 0;                          // the transport's last one
    State waits_for_ = State::wants_read;    // a call that cannot go on: wants_write if there was no room to send
};

}  // namespace

base::Result<std::unique_ptr<TlsSession>> make_tls_session(Transport& transport, const TlsCredentials& credentials) {
    constexpr unsigned flags =
        GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_ENABLE_RAWPK | GNUTLS_NO_SIGNAL;
    const auto failure = [](int error) {
        return Error{ExitCode::unavailable, "cannot set up a TLS session", gnutls_strerror(error), {}};
    };
    gnutls_session_t made = nullptr;
    int error = gnutls_init(&made, flags);
    if (error != GNUTLS_E_SUCCESS) return failure(error);
    SessionHandle session(made);
    error = gnutls_priority_set(session.get(), credentials.impl().priority.get());
    if (error != GNUTLS_E_SUCCESS) return failure(error);
    error = gnutls_credentials_set(session.get(), GNUTLS_CRD_CERTIFICATE, credentials.impl().credentials.get());
    if (error != GNUTLS_E_SUCCESS) return failure(error);
    gnutls_session_set_ptr(
        session.get(), const_cast<TlsCredentials::Impl*>(&credentials.impl()));  // for the Diffie-Hellman parameters
    gnutls_certificate_server_set_request(session.get(), GNUTLS_CERT_IGNORE);
    gnutls_session_set_keylog_function(session.get(), nullptr);  // whatever SSLKEYLOGFILE says
    return std::unique_ptr<TlsSession>(std::make_unique<GnutlsSession>(transport, std::move(session)));
}

}  // namespace bootkey::servers
