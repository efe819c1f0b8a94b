// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/attempt.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::servers {
namespace {

// Protocol version 1, before TLS begins: a decimal number and a line end.
constexpr std::string_view protocol_version = "1\r\n";

std::string within(const char* what, base::Duration limit) {
    return base::format("%s within %g s", what, base::to_seconds(limit));
}

}  // namespace

const char* name(Phase phase) {
    switch (phase) {
        case Phase::connecting:
            return "connecting";
        case Phase::handshake:
            return "handshake";
        case Phase::waiting:
            return "waiting";
        case Phase::receiving:
            return "receiving";
        case Phase::answered:
            return "answered";
        case Phase::failed:
            return "failed";
    }
    return "unknown";
}

Attempt::Attempt(Transport& transport, MakeSession make_session, Random random, AttemptLimits limits)
    : transport_(transport), make_session_(std::move(make_session)), random_(std::move(random)), limits_(limits) {
}

void Attempt::advance(base::Time now) {
    bool more = !ended();
    while (more) {
        switch (step_) {
            case Step::begin:
                more = begin(now);
                break;
            case Step::connect:
                more = connect(now);
                break;
            case Step::greet:
                more = greet(now);
                break;
            case Step::shake_hands:
                more = shake_hands(now);
                break;
            case Step::receive:
                more = receive(now);
                break;
        }
    }
}

std::optional<base::Time> Attempt::deadline() const {
    if (ended()) return std::nullopt;
    if (step_ == Step::connect) return std::min(try_until_, *phase_until_);
    return phase_until_;
}

bool Attempt::begin(base::Time now) {
    phase_until_ = now + limits_.connect;
    step_ = Step::connect;
    return begin_try(now);
}

bool Attempt::begin_try(base::Time now) {
    try_until_ = now + connect_try(tries_++, random_);
    if (const int error = transport_.begin(); error != 0) return fail(Blame::endpoint, std::strerror(error));
    transport_.want({.readable = false, .writable = true});
    return true;
}

bool Attempt::connect(base::Time now) {
    const int error = transport_.connection();
    if (error == EINPROGRESS) {
        if (now >= *phase_until_) return fail(Blame::endpoint, within("no connection", limits_.connect));
        return now >= try_until_ && begin_try(now);
    }
    if (error != 0) return fail(Blame::endpoint, std::strerror(error));
    enter(Phase::handshake, now + limits_.handshake);
    step_ = Step::greet;
    return true;
}

bool Attempt::greet(base::Time now) {
    const auto rest = base::bytes_of(protocol_version).subspan(greeted_);
    const ssize_t sent = transport_.send(rest);
    if (sent == -EAGAIN && now >= *phase_until_) return fail_handshake();
    if (sent == -EAGAIN) return false;
    if (sent < 0) return fail(Blame::endpoint, std::strerror(static_cast<int>(-sent)));
    greeted_ += static_cast<std::size_t>(sent);
    if (greeted_ < protocol_version.size()) return true;
    auto session = make_session_(transport_);
    if (!session) return fail(Blame::endpoint, session.error().message());
    session_ = std::move(*session);
    step_ = Step::shake_hands;
    return true;
}

bool Attempt::shake_hands(base::Time now) {
    const auto step = session_->handshake();
    switch (step.state) {
        case TlsSession::State::done:
            enter(Phase::waiting, std::nullopt);
            step_ = Step::receive;
            return true;
        case TlsSession::State::wants_read:
        case TlsSession::State::wants_write:
            if (now >= *phase_until_) return fail_handshake();
            transport_.want({.readable = step.state == TlsSession::State::wants_read,
                             .writable = step.state == TlsSession::State::wants_write});
            return false;
        default:
            return fail(Blame::endpoint, "TLS handshake: " + step.why);
    }
}

bool Attempt::receive(base::Time now) {
    if (phase_until_ && now >= *phase_until_)
        return fail(Blame::server, within("no end of the answer", limits_.answer));
    std::array<std::byte, 16 * 1024> buffer;  // the most that one TLS record holds (RFC 8446 section 5.1)
    const auto step = session_->receive(buffer);
    switch (step.state) {
        case TlsSession::State::data:
            answer_.insert(answer_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(step.bytes));
            return take(now);
        case TlsSession::State::wants_read:
        case TlsSession::State::wants_write:
            transport_.want({.readable = true, .writable = step.state == TlsSession::State::wants_write});
            return false;
        case TlsSession::State::end:
        case TlsSession::State::cut_off:
            return finish(step.state);
        case TlsSession::State::too_much:
            return fail(Blame::server, step.why);
        default:
            return fail(
                Blame::endpoint,
                (phase_ == Phase::receiving ? "the answer broke off: " : "while waiting for an answer: ") + step.why);
    }
}

bool Attempt::take(base::Time now) {
    if (phase_ == Phase::waiting) enter(Phase::receiving, now + limits_.answer);
    if (answer_.size() <= limits_.answer_bytes) return true;
    return fail(Blame::server, base::format("its answer is longer than %zu bytes", limits_.answer_bytes));
}

// Mandos servers end every session with close_notify, but not every server may: a stream that ends without it after
// some bytes is an answer too, for OpenPGP's own integrity protection finds out whether any of it is missing.
bool Attempt::finish(TlsSession::State how) {
    if (!answer_.empty()) {
        session_->say_goodbye();
        phase_ = Phase::answered;
        return false;
    }
    if (how == TlsSession::State::cut_off) return fail(Blame::endpoint, "the connection broke off without an answer");
    session_->say_goodbye();
    return fail(Blame::server, "the server does not know this machine or has not approved it (yet)");
}

void Attempt::enter(Phase phase, std::optional<base::Time> until) {
    phase_ = reached_ = phase;
    phase_until_ = until;
}

bool Attempt::fail_handshake() {
    return fail(Blame::endpoint, within("no end of the TLS handshake", limits_.handshake));
}

bool Attempt::fail(Blame blame, std::string why) {
    phase_ = Phase::failed;
    blame_ = blame;
    why_ = std::move(why);
    answer_.clear();
    return false;
}

}  // namespace bootkey::servers
