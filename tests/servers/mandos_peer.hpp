// SPDX-License-Identifier: GPL-3.0-or-later
//
// A password server for tests, well-behaved or not: a thread with a blocking socket on the loopback interface that
// reads the protocol version and is the TLS client (GnuTLS), as real Mandos servers are. Every wait in it is bounded.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/unique_fd.hpp"

struct gnutls_session_int;

namespace bootkey::tests {

/// What the peer does with each connection.
struct Manners {
    enum class Greeting { tls, garbage, silence, close, reset, flood };
    Greeting greeting = Greeting::tls;  ///< after the version line
    std::string flood;                  ///< sent again and again with Greeting::flood
    std::string priority = "SECURE128:!CTYPE-X.509:+CTYPE-RAWPK:!RSA:!VERS-ALL:+VERS-TLS1.3:%PROFILE_ULTRA";
    std::string answer;                     ///< sent after the handshake
    std::chrono::milliseconds approval{0};  ///< waited before the answer
    enum class Chatter { none, alerts, key_updates, empty_records };
    Chatter chatter = Chatter::none;  ///< sent without end in the place of an answer
    bool stay = false;                ///< after the answer keep the connection until the other side closes it
    enum class Farewell { in_order, cut_off, reset };
    Farewell farewell = Farewell::in_order;
};

/// What one connection came to.
struct Visit {
    std::string version_line;
    int handshake = 1;        ///< GnuTLS's result: 0 = success, 1 = none was tried
    std::string key_id;       ///< of the visitor's raw public key
    unsigned prime_bits = 0;  ///< of a finite-field key exchange
    bool client_certificate_wanted = false;
    bool farewell_in_order = false;  ///< the visitor answered our close_notify with his
    std::size_t sent = 0;            ///< bytes of the answer that were taken
};

class MandosPeer {
public:
    explicit MandosPeer(Manners manners, int connections = 1);
    ~MandosPeer();
    MandosPeer(const MandosPeer&) = delete;
    MandosPeer& operator=(const MandosPeer&) = delete;

    [[nodiscard]] base::Endpoint endpoint() const { return endpoint_; }
    /// Waits for the thread; then what all connections came to.
    const std::vector<Visit>& visits();

private:
    void serve(int connections);
    Visit receive_visitor(int fd);
    void speak_tls(int fd, Visit& visit);
    void give_answer(gnutls_session_int* session, Visit& visit);

    Manners manners_;
    base::UniqueFd listener_;
    base::Endpoint endpoint_;
    std::atomic<bool> stop_{false};
    std::vector<Visit> visits_;
    std::thread thread_;
};

}  // namespace bootkey::tests
