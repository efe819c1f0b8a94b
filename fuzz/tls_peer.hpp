// SPDX-License-Identifier: GPL-3.0-or-later
//
// The other end of a session: the TLS client that a Mandos server is (GnuTLS), over a MemoryWire.
#pragma once

#include <gnutls/gnutls.h>

#include "bootkey/servers/transport.hpp"
#include "memory_wire.hpp"
#include "tls_identity.hpp"

namespace bootkey::fuzz {

class TlsPeer {
public:
    explicit TlsPeer(MemoryWire& wire) : wire_(wire) {
        gnutls_init(&session_, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_ENABLE_RAWPK | GNUTLS_NO_SIGNAL);
        gnutls_certificate_allocate_credentials(&credentials_);
        gnutls_priority_set_direct(session_, quick_priority, nullptr);
        gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_);
        gnutls_transport_set_ptr(session_, &wire);
        gnutls_transport_set_push_function(session_, push);
        gnutls_transport_set_pull_function(session_, pull);
        gnutls_transport_set_pull_timeout_function(session_, [](gnutls_transport_ptr_t, unsigned) { return 1; });
    }
    ~TlsPeer() {
        gnutls_deinit(session_);
        gnutls_certificate_free_credentials(credentials_);
    }
    TlsPeer(const TlsPeer&) = delete;
    TlsPeer& operator=(const TlsPeer&) = delete;

    /// With `other`, which has nothing to wait for. Returns whether both succeeded.
    bool shake_hands(servers::TlsSession& other) {
        const auto hear = [&] {
            wire_.arrive(wire_.to_us.size());
            return other.handshake().state;
        };
        // TLS 1.3: a flight of the client's, one of the server's, and the client's last.
        return gnutls_handshake(session_) == GNUTLS_E_AGAIN && hear() == servers::TlsSession::State::wants_read &&
               gnutls_handshake(session_) == 0 && hear() == servers::TlsSession::State::done;
    }
    /// Sends one record, of up to 16384 bytes. Returns what the other side is to hear of it.
    std::string say(const std::string& content) {
        const bool sent = gnutls_record_send(session_, content.data(), content.size()) > 0;
        return sent && !gone_ ? content : std::string();
    }
    /// "e": an empty record, "k": new keys, "w": a warning.
    void chatter(unsigned kind) {
        if (kind == 'e') gnutls_record_send2(session_, "", 0, 1, 0);
        if (kind == 'k') gnutls_session_key_update(session_, 0);
        if (kind == 'w') gnutls_alert_send(session_, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
    }
    void say_goodbye() {
        gnutls_bye(session_, GNUTLS_SHUT_WR);
        gone_ = true;
    }

private:
    static ssize_t push(gnutls_transport_ptr_t pointer, const void* bytes, std::size_t size) noexcept {
        static_cast<MemoryWire*>(pointer)->to_us.append(static_cast<const char*>(bytes), size);
        return static_cast<ssize_t>(size);
    }
    static ssize_t pull(gnutls_transport_ptr_t pointer, void* bytes, std::size_t size) noexcept {
        auto& heap = static_cast<MemoryWire*>(pointer)->to_peer;
        const auto taken = heap.copy(static_cast<char*>(bytes), size);
        heap.erase(0, taken);
        errno = EAGAIN;  // in the case of -1
        return taken > 0 ? static_cast<ssize_t>(taken) : -1;
    }

    MemoryWire& wire_;
    bool gone_ = false;  // has said goodbye: what follows is not heard
    gnutls_session_t session_ = nullptr;
    gnutls_certificate_credentials_t credentials_ = nullptr;
};

}  // namespace bootkey::fuzz
