// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an attempt needs from below, as two seams: a non-blocking byte stream to one endpoint, and a TLS session
// on top of it. The real ones are TcpTransport and GnutlsSession; tests hand in fakes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"

namespace bootkey::servers {

/// A byte stream to one endpoint. No call blocks. Numbers of errors are errno's.
class Transport {
public:
    virtual ~Transport() = default;
    /// Begins a connection; one begun before is dropped. Returns 0 (under way or done) or an error.
    [[nodiscard]] virtual int begin() = 0;
    /// How the connection that was begun stands: 0 = connected, EINPROGRESS = not yet, else why it failed.
    [[nodiscard]] virtual int connection() = 0;
    /// How many bytes were taken, or a negative error (-EAGAIN: none for now).
    [[nodiscard]] virtual ssize_t send(std::span<const std::byte> bytes) = 0;
    /// How many bytes came, 0 at the end of the stream, or a negative error (-EAGAIN: none for now).
    [[nodiscard]] virtual ssize_t receive(std::span<std::byte> buffer) = 0;
    /// From now on the owner is called when the stream is ready for any of `interest`.
    virtual void want(base::Readiness interest) = 0;
};

/// The TLS layer of one connection.
class TlsSession {
public:
    enum class State {
        done,         ///< handshake: finished
        wants_read,   ///< nothing more can be done until bytes arrive
        wants_write,  ///< nothing more can be done until bytes can leave
        data,         ///< receive: `bytes` of content are in the buffer
        end,          ///< receive: the peer ended the session in order (close_notify)
        cut_off,      ///< receive: the stream ended without close_notify
        too_much,     ///< the peer sent more bytes than a handshake or an answer can have
        failed,       ///< for good; `why` says the reason
    };
    struct Step {
        State state{};
        std::size_t bytes = 0;
        std::string why{};
    };

    virtual ~TlsSession() = default;
    /// Goes on with the handshake as far as possible without waiting: done, wants_read, wants_write, too_much
    /// or failed.
    [[nodiscard]] virtual Step handshake() = 0;
    /// Takes content that has arrived: any but `done`. After the handshake only.
    [[nodiscard]] virtual Step receive(std::span<std::byte> buffer) = 0;
    /// Tells the peer that we close (close_notify), if that is possible without waiting.
    virtual void say_goodbye() = 0;
};

}  // namespace bootkey::servers
