// SPDX-License-Identifier: GPL-3.0-or-later
//
// The management interface, version 5 of OpenVPN's protocol, server side, without its sockets: the owner tells it what
// happens in the program and what clients send, and it says what is sent to which client and what a client wants done.
// Pure but for the callbacks. Histories, hold flag, verb, mute and queries are shared by all clients and outlive them;
// each client has its own real-time switches. One line of a client is a command; its reply is never interrupted by a
// line that begins with '>'. What a client sends may be a password: it stays in Secrets, and is never shown, logged or
// kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bootkey/base/log.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/management/login_gate.hpp"
#include "bootkey/management/queries.hpp"
#include "bootkey/management/repeats.hpp"
#include "bootkey/management/settings.hpp"
#include "bootkey/management/state.hpp"
#include "bootkey/management/steering.hpp"

namespace bootkey::management {

/// How lines reach the clients: what Server makes of it. Neither may call the Interface back.
struct Outlet {
    /// Takes whole lines (or the prompt for the password). Returns whether the client should get more before it has
    /// read some; where not, Interface::drained() is to be called when it has.
    std::function<bool(ClientId client, std::string_view lines)> send;
    /// Ends the connection when all that was sent has been delivered. client_left() follows from the loop.
    std::function<void(ClientId client)> close;
    /// Ends the connection at once; client_left() does not follow.
    std::function<void(ClientId client)> drop;
    /// received() is not to be called for a while, or again.
    std::function<void(ClientId client, bool on)> pause;
};

class Session;
struct Shared;
struct Switches;
struct Turn;

class Interface {
public:
    static constexpr std::size_t max_clients = 16;  ///< that are logged in; others do not count (see LoginGate)

    /// `log` gets a line for each command that may change something (verbosity 3) or only asks (7), and for clients
    /// that come and go (2; without the password, 7), and must outlive the object.
    Interface(Settings settings, Steering steering, const base::Log& log);
    ~Interface();
    Interface(const Interface&) = delete;
    Interface& operator=(const Interface&) = delete;

    [[nodiscard]] const Settings& settings() const;

    // What happens in the program

    /// The unlock's state changed: history, `>STATE:`. A change to what is the state already, with all it tells, is
    /// none. The first state is CONNECTING, from the constructor on.
    void state_changed(const StateChange& change);
    /// Something was logged: history, `>LOG:`. To be given to base::Log::add_sink.
    void logged(const base::LogEntry& entry);
    /// A parameter of --echo or of a server's TXT record: history, `>ECHO:`. `text` may be anything.
    void echoed(std::string_view text);
    /// The program ends with an error: `>FATAL:`.
    void fatal(std::string_view text);
    /// The program waits until a client releases it: `>HOLD:`, to clients that come later as well, until the release,
    /// of which the others are told by `>INFO:`. The next state is told, whichever it is.
    void hold();
    /// It no longer waits, for another reason: `>INFO:`, if it did.
    void hold_over();
    [[nodiscard]] bool holds() const;
    /// The hold flag: whether the program is to hold at the start and at each restart.
    [[nodiscard]] bool hold_flag() const;

    /// Asks the clients, also those that come later, until answered or withdrawn. One that is pending already is asked
    /// again. When a client has answered, `>INFO:` tells the others.
    void ask(Query query);
    /// The answer is no longer needed: `>INFO:`. Nothing if it is not pending.
    void withdraw(Query::Kind kind, std::string_view name);
    [[nodiscard]] bool is_pending(Query::Kind kind, std::string_view name) const;
    /// The password given for `query` was wrong: `>PASSWORD:Verification Failed: 'NAME'`. With AuthRetry::interact it
    /// is asked again here; with the others the owner does what the result says.
    AuthRetry verification_failed(const Query& query);
    [[nodiscard]] AuthRetry auth_retry() const;

    // Clients

    /// How lines are sent from now on; an empty one: not at all.
    void attach(Outlet outlet);
    /// A client came: it gets the banner and what is pending, or is asked for the password, and another one or itself
    /// may be dropped to make room. Fails (os_error) for want of locked memory: then the client is unknown here.
    [[nodiscard]] base::Result<void> client_came(ClientId client, Origin origin, base::Time now);
    /// Bytes that it sent. Returns how many were used; the rest is to be offered again after drained(), or is of no
    /// interest where the client is being closed. Bytes that were used are not needed any more and should be wiped.
    [[nodiscard]] std::size_t received(ClientId client, std::span<const std::byte> bytes, base::Time now);
    /// It has read what it was sent: a long reply goes on.
    void drained(ClientId client);
    void client_left(ClientId client);
    /// A client from `address` did what anybody can do as often as they like: logged once, and then by counts. `what`
    /// as for Repeats::happened.
    void repeatable(std::string_view what, std::string_view address, base::Time now);
    /// Whether the next client to come makes another one go.
    [[nodiscard]] bool is_crowded() const { return gate_.is_full(); }
    /// Logs what has been counted so far, for the end.
    void log_counts(base::Time now);
    /// When run_due() is to be called next (byte counts, passwords to be compared, clients that do not log in).
    [[nodiscard]] std::optional<base::Time> next_deadline() const;
    void run_due(base::Time now);

private:
    /// Says `line` to every client that has been let in and wants it.
    void tell_all(const std::string& line, bool Switches::*is_wanted = nullptr);
    [[nodiscard]] std::string welcome() const;
    void hear(Session& session, bool is_too_long, base::Time now);
    void take_password(Session& session, base::Time now);
    void compare_passwords(base::Time now);
    void log_in(Session& session, base::Time now);
    void let_in(Session& session);
    void refuse_protocol(Session& session, std::string_view protocol, base::Time now);
    void drop(ClientId client, std::string_view why, base::Time now);
    [[nodiscard]] std::size_t admitted() const;
    void carry_out(Turn& turn, Session& session, std::string_view line) const;

    const base::Log& log_;
    Outlet outlet_;
    std::unique_ptr<Shared> shared_;
    std::map<ClientId, std::unique_ptr<Session>> sessions_;
    LoginGate gate_;
    Repeats repeats_;
    bool heeds_protocol_;               // the password does not begin like one
    std::optional<StateChange> state_;  // the last one
};

}  // namespace bootkey::management
