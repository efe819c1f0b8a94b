// SPDX-License-Identifier: GPL-3.0-or-later
//
// A transport and a TLS session that do what a script says. When that is over they are silent for ever.
#pragma once

#include <cerrno>
#include <string>

#include "bootkey/servers/transport.hpp"
#include "fuzz.hpp"

namespace bootkey::fuzz {

class ScriptedTransport final : public servers::Transport {
public:
    explicit ScriptedTransport(Script& script) : script_(script) {}
    int begin() override {
        ++connections;
        return script_.below(16) == 1 ? ENETUNREACH : 0;
    }
    int connection() override {
        constexpr int answers[] = {EINPROGRESS, 0, ECONNREFUSED};
        return answers[script_.below(std::size(answers))];
    }
    ssize_t send(std::span<const std::byte> bytes) override {
        const auto taken = bytes.first(std::min<std::size_t>(script_.below(4), bytes.size()));
        sent += text_of(taken);
        return taken.empty() ? -EAGAIN : static_cast<ssize_t>(taken.size());
    }
    ssize_t receive(std::span<std::byte>) override { return -EAGAIN; }
    void want(base::Readiness) override {}

    int connections = 0;
    std::string sent;

private:
    Script& script_;
};

class ScriptedSession final : public servers::TlsSession {
public:
    explicit ScriptedSession(Script& script) : script_(script) {}
    Step handshake() override {
        constexpr State states[] = {State::wants_read, State::done, State::wants_write, State::failed, State::too_much};
        return {states[script_.below(std::size(states))], 0, "the script says so"};
    }
    Step receive(std::span<std::byte> buffer) override {
        constexpr State states[] = {State::wants_read,  State::data,   State::end,     State::cut_off,
                                    State::wants_write, State::failed, State::too_much};
        const State state = states[script_.below(std::size(states))];
        if (state != State::data) return {state, 0, "the script says so"};
        return {state, std::min<std::size_t>(1 + script_.byte() * 64, buffer.size())};
    }
    void say_goodbye() override { require(!std::exchange(goodbye_, true), "goodbye is said once"); }

private:
    Script& script_;
    bool goodbye_ = false;
};

}  // namespace bootkey::fuzz
