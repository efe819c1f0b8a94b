// SPDX-License-Identifier: GPL-3.0-or-later
//
// All that the processes of an unlock say to each other, as values: four small sets, one for each direction, so that
// what one of them may not say cannot be read from it. One message is one datagram. Nothing here is believed: decode()
// refuses what is not well formed, and the receiver judges what it asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/changes/request.hpp"
#include "bootkey/servers/progress.hpp"
#include "bootkey/timeline/timeline.hpp"

namespace bootkey::monitor {

/// Bytes of the longest message: an answer of 64 KiB and what is said about it.
inline constexpr std::size_t longest_message = 72 * 1024;

// Each message lists its fields for the codec by parts(), which takes a message or a constant one.

/// A line for the log; its text is not to be trusted.
struct LogLine {
    std::uint8_t verbosity = 0;
    base::LogFlag flag = base::LogFlag::info;
    std::string text;
    static auto parts(auto& self) { return std::tie(self.verbosity, self.flag, self.text); }
};
/// The process cannot do its work. A new one is tried if the reason may pass (no memory), else the program ends with
/// this error (wrong key, no permission).
struct Failed {
    base::Error error;
    static auto parts(auto& self) { return std::tie(self.error); }
};
/// The answer to Ping.
struct Pong {
    static auto parts(auto&) { return std::tie(); }
};

/// Perform this; `number` comes back in Replied. None: no reply is wanted.
struct Ask {
    std::optional<std::uint32_t> number = {};
    changes::Request request;
    static auto parts(auto& self) { return std::tie(self.number, self.request); }
};
/// A server's whole answer, still encrypted.
struct Answer {
    servers::AttemptId attempt = 0;
    std::string server;  ///< its name, as the network says
    std::vector<std::byte> message;
    base::IpAddress host{};        ///< that sent it, and
    std::uint32_t interface = 0;   ///< over which, if its address is link-local
    bool is_configured = false;    ///< a person has named the server
    std::uint32_t recipients = 0;  ///< session key packets in it
    static auto parts(auto& self) {
        return std::tie(self.attempt, self.server, self.message, self.host, self.interface, self.is_configured,
                        self.recipients);
    }
};
/// What is known of an interface or an attempt, for the timeline; its texts and times are not to be trusted.
struct InterfaceNews {
    timeline::InterfaceRecord record;
    static auto parts(auto& self) {
        auto& it = self.record;
        return std::tie(it.index, it.name, it.asked_up, it.running, it.usable, it.gone);
    }
};
struct AttemptNews {
    timeline::AttemptRecord record;  ///< up to its end; what became of the answer only the monitor knows
    base::Endpoint local{};          ///< our end of the connection
    std::uint64_t received = 0;      ///< bytes
    std::uint64_t sent = 0;
    static auto parts(auto& self) {
        auto& it = self.record;
        return std::tie(it.id, it.server, it.endpoint.address, it.endpoint.port, it.endpoint.interface, it.connecting,
                        it.handshake, it.waiting, it.receiving, it.ended, it.failure, self.local.address,
                        self.local.port, self.received, self.sent);
    }
};
/// For whoever watches; like InterfaceNews.
struct AddressUsable {
    std::uint32_t interface = 0;
    base::IpAddress address;
    static auto parts(auto& self) { return std::tie(self.interface, self.address); }
};
/// No attempt is under way before that moment.
struct Idle {
    base::Time until{};
    static auto parts(auto& self) { return std::tie(self.until); }
};
/// A text that a server announces.
struct Echo {
    std::string text;
    static auto parts(auto& self) { return std::tie(self.text); }
};
using FromWorker =
    std::variant<LogLine, Failed, Ask, Answer, InterfaceNews, AttemptNews, Pong, AddressUsable, Idle, Echo>;

/// Answered at once by a process that is not stuck.
struct Ping {
    static auto parts(auto&) { return std::tie(); }
};
/// How the request of that number ended; see changes::Reply.
struct Replied {
    std::uint32_t number = 0;
    std::optional<base::Error> error = {};
    std::vector<std::string> reserved = {};
    static auto parts(auto& self) { return std::tie(self.number, self.error, self.reserved); }
};
/// The password is found: nothing is to be tried any more.
struct Accepted {
    static auto parts(auto&) { return std::tie(); }
};
/// The answer of that attempt is not the password.
struct Rejected {
    servers::AttemptId attempt = 0;
    std::string why;
    static auto parts(auto& self) { return std::tie(self.attempt, self.why); }
};
/// That attempt is to be given up, because of `why`.
struct Drop {
    servers::AttemptId attempt = 0;
    std::string why;
    static auto parts(auto& self) { return std::tie(self.attempt, self.why); }
};
/// What the log shows from now on, 0-15.
struct SetVerb {
    std::uint8_t level = 1;
    static auto parts(auto& self) { return std::tie(self.level); }
};
struct TryNow {
    static auto parts(auto&) { return std::tie(); }
};
struct LogStatus {
    static auto parts(auto&) { return std::tie(); }
};
using ToWorker = std::variant<Replied, Accepted, Rejected, TryNow, LogStatus, Ping, Drop, SetVerb>;

/// Decrypt this. One at a time: Password, NotDecrypted or Interrupted comes before the next.
struct Decrypt {
    std::vector<std::byte> message;
    std::uint32_t patience = 0;  ///< milliseconds; then it is given up, but only after Hurry
    static auto parts(auto& self) { return std::tie(self.message, self.patience); }
};
/// Other answers wait behind the one that is being decrypted.
struct Hurry {
    static auto parts(auto&) { return std::tie(); }
};
/// The passphrase that NeedPassphrase asked for; none: nobody gives it, and the key cannot be used.
struct Passphrase {
    std::optional<base::Secret> passphrase;
    static auto parts(auto& self) { return std::tie(self.passphrase); }
};
using ToDecryptor = std::variant<Decrypt, Ping, Passphrase, SetVerb, Hurry>;

struct Password {
    base::Secret password;
    static auto parts(auto& self) { return std::tie(self.password); }
};
struct NotDecrypted {
    base::Error error;
    static auto parts(auto& self) { return std::tie(self.error); }
};
/// The answer takes longer than it may while others wait. It may be given again.
struct Interrupted {
    static auto parts(auto&) { return std::tie(); }
};
/// The keys can be read and used, once the passphrase is given that may have been asked for before.
struct KeysGood {
    static auto parts(auto&) { return std::tie(); }
};
/// The secret key is under a passphrase: Passphrase is to be the answer, whenever that may be. The first time before
/// KeysGood.
struct NeedPassphrase {
    bool again = false;  ///< the one given last is wrong
    std::string key;     ///< what a person knows it by; may hold any bytes
    static auto parts(auto& self) { return std::tie(self.again, self.key); }
};
using FromDecryptor =
    std::variant<LogLine, Failed, KeysGood, Password, NotDecrypted, Pong, NeedPassphrase, Interrupted>;

/// The bytes of a message, which may hold secrets. `Message` is one of the four sets. Errors (os_error): no memory.
template <typename Message>
[[nodiscard]] base::Result<base::Secret> encode(const Message& message);
/// The message that is all of `bytes`; nothing if they are none of the set `Message`.
template <typename Message>
[[nodiscard]] std::optional<Message> decode(std::span<const std::byte> bytes);

}  // namespace bootkey::monitor
