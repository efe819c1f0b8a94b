// SPDX-License-Identifier: GPL-3.0-or-later
#include "servers/mandos_peer.hpp"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

#include "bootkey/base/text.hpp"

namespace bootkey::tests {
namespace {

constexpr int patience_seconds = 10;

void limit_waits(int fd) {
    const timeval limit{patience_seconds, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

void reset_on_close(int fd) {
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

// Until the other side closes or says nothing for too long.
void drain(int fd) {
    std::array<char, 4096> buffer;
    while (::recv(fd, buffer.data(), buffer.size(), 0) > 0) continue;
}

void send_text(int fd, std::string_view text) {
    [[maybe_unused]] const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

// Sends `piece` again and again until nobody takes it any more or it has been said for too long.
void flood(int fd, const std::string& piece) {
    std::string block;
    while (block.size() < 64 * 1024) block += piece;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(patience_seconds);
    while (std::chrono::steady_clock::now() < end && ::send(fd, block.data(), block.size(), MSG_NOSIGNAL) > 0) continue;
}

// The same inside a TLS session.
void chatter(gnutls_session_t session, Manners::Chatter kind) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(patience_seconds);
    int result = 0;
    while (result >= 0 && std::chrono::steady_clock::now() < end) {
        switch (kind) {
            case Manners::Chatter::none:
                return;
            case Manners::Chatter::alerts:
                result = gnutls_alert_send(session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
                break;
            case Manners::Chatter::key_updates:
                result = gnutls_session_key_update(session, 0);
                break;
            case Manners::Chatter::empty_records:
                result = static_cast<int>(gnutls_record_send2(session, "", 0, 1, 0));
                break;
        }
    }
}

std::string read_line(int fd) {
    std::string line;
    char byte = 0;
    while (line.size() < 64 && ::recv(fd, &byte, 1, 0) == 1) {
        line += byte;
        if (byte == '\n') break;
    }
    return line;
}

int certificate_wanted(gnutls_session_t session, const gnutls_datum_t*, int, const gnutls_pk_algorithm_t*, int,
                       gnutls_pcert_st**, unsigned* count, gnutls_privkey_t*) {
    static_cast<Visit*>(gnutls_session_get_ptr(session))->client_certificate_wanted = true;
    *count = 0;
    return 0;
}

std::string peer_key_id(gnutls_session_t session) {
    unsigned count = 0;
    const gnutls_datum_t* list = gnutls_certificate_get_peers(session, &count);
    if (list == nullptr || count == 0) return {};
    gnutls_pubkey_t key = nullptr;
    std::array<unsigned char, 32> digest{};
    std::size_t size = digest.size();
    gnutls_pubkey_init(&key);
    const bool usable = gnutls_pubkey_import(key, list, GNUTLS_X509_FMT_DER) == 0 &&
                        gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, digest.data(), &size) == 0;
    gnutls_pubkey_deinit(key);
    return usable ? base::hex(digest.data(), size) : std::string();
}

}  // namespace

MandosPeer::MandosPeer(Manners manners, int connections)
    : manners_(std::move(manners)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), plain, length) != 0 || ::listen(listener_.get(), 5) != 0 ||
        ::getsockname(listener_.get(), plain, &length) != 0)
        throw std::runtime_error("cannot listen on the loopback interface");
    endpoint_ = {base::IpAddress::v4(address.sin_addr), ntohs(address.sin_port), 0};
    thread_ = std::thread([this, connections] { serve(connections); });
}

MandosPeer::~MandosPeer() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

const std::vector<Visit>& MandosPeer::visits() {
    if (thread_.joinable()) thread_.join();
    return visits_;
}

void MandosPeer::serve(int connections) {
    for (int waited = 0; connections > 0 && !stop_ && waited < patience_seconds * 100; ++waited) {
        pollfd listening{listener_.get(), POLLIN, 0};
        if (::poll(&listening, 1, 10) != 1) continue;
        const base::UniqueFd visitor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!visitor) continue;
        visits_.push_back(receive_visitor(visitor.get()));
        --connections;
    }
    listener_.reset();
}

Visit MandosPeer::receive_visitor(int fd) {
    limit_waits(fd);
    Visit visit;
    visit.version_line = read_line(fd);
    switch (manners_.greeting) {
        case Manners::Greeting::tls:
            speak_tls(fd, visit);
            break;
        case Manners::Greeting::garbage:
            send_text(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            drain(fd);
            break;
        case Manners::Greeting::flood:
            flood(fd, manners_.flood);
            break;
        case Manners::Greeting::silence:
            drain(fd);
            break;
        case Manners::Greeting::close:
            break;
        case Manners::Greeting::reset:
            reset_on_close(fd);
            break;
    }
    return visit;
}

void MandosPeer::speak_tls(int fd, Visit& visit) {
    gnutls_session_t session = nullptr;
    gnutls_certificate_credentials_t credentials = nullptr;
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_ENABLE_RAWPK | GNUTLS_NO_SIGNAL);
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_certificate_set_retrieve_function2(credentials, &certificate_wanted);
    gnutls_session_set_ptr(session, &visit);
    gnutls_priority_set_direct(session, manners_.priority.c_str(), nullptr);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, fd);
    do visit.handshake = gnutls_handshake(session);
    while (visit.handshake < 0 && gnutls_error_is_fatal(visit.handshake) == 0);
    if (visit.handshake == 0) {
        visit.key_id = peer_key_id(session);
        const int bits = gnutls_dh_get_prime_bits(session);
        visit.prime_bits = bits > 0 ? static_cast<unsigned>(bits) : 0;
        std::this_thread::sleep_for(manners_.approval);
        give_answer(session, visit);
        chatter(session, manners_.chatter);
        if (manners_.stay)
            drain(fd);
        else if (manners_.farewell == Manners::Farewell::in_order)
            visit.farewell_in_order = gnutls_bye(session, GNUTLS_SHUT_RDWR) == 0;
        else if (manners_.farewell == Manners::Farewell::reset)
            reset_on_close(fd);
    }
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
}

void MandosPeer::give_answer(gnutls_session_t session, Visit& visit) {
    while (visit.sent < manners_.answer.size()) {
        const ssize_t sent =
            gnutls_record_send(session, manners_.answer.data() + visit.sent, manners_.answer.size() - visit.sent);
        if (sent < 0 && gnutls_error_is_fatal(static_cast<int>(sent)) != 0) break;
        if (sent > 0) visit.sent += static_cast<std::size_t>(sent);
    }
}

}  // namespace bootkey::tests
