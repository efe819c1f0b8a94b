// SPDX-License-Identifier: GPL-3.0-or-later
//
// What happened when in one run that unlocks, as one value: the worker tells of interfaces and attempts, the monitor of
// everything else, and of it all a file is left for --report (timeline_file.hpp). Plain values; nothing in them is
// secret. All times are the kernel's monotonic clock, which begins with the boot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/servers/progress.hpp"

namespace bootkey::timeline {

/// When something happened; nothing if it never did.
using Moment = std::optional<base::Time>;

/// What is known of an interface that was chosen. Each report of it holds all that went before, so that one that gets
/// lost is made up for by the next.
struct InterfaceRecord {
    std::uint32_t index = 0;
    std::string name;
    Moment asked_up;  ///< it was down, and bringing it up was asked for
    Moment running;   ///< up, with a carrier, for the first time
    Moment usable;    ///< an address could be used for the first time
    Moment gone;      ///< down, without carrier or removed since then
    friend bool operator==(const InterfaceRecord&, const InterfaceRecord&) = default;
};

/// What is known of one attempt at one endpoint; like InterfaceRecord.
struct AttemptRecord {
    servers::AttemptId id = 0;
    std::string server;
    base::Endpoint endpoint;
    Moment connecting, handshake, waiting, receiving;  ///< when it came there
    Moment ended;                                      ///< the answer is whole, or it failed
    std::string failure;                               ///< why; empty if it did not fail
    Moment decrypting;                                 ///< the decryptor got the answer
    Moment judged;                                     ///< and had made something of it
    std::string rejection;                             ///< why the answer is not the password; empty if it is
    friend bool operator==(const AttemptRecord&, const AttemptRecord&) = default;

    /// Takes in what has happened to it.
    void add(const servers::Progress& news);
    /// Whether its answer was the password.
    [[nodiscard]] bool won() const { return judged && rejection.empty(); }
};

/// A network hook that was run.
struct HookRecord {
    std::string name;
    std::string mode;  ///< "start" or "stop"
    base::Time begun;
    base::Time ended;
    std::string failure;  ///< empty if it did not fail
    friend bool operator==(const HookRecord&, const HookRecord&) = default;
};

/// A process of bootkey that was started again, or everything ("bootkey", by SIGHUP).
struct RestartRecord {
    std::string process;
    base::Time at;
    friend bool operator==(const RestartRecord&, const RestartRecord&) = default;
};

struct Timeline {
    std::string version;  ///< of the program
    base::Time begun;
    base::Time ended;
    int status = 0;       ///< exit status
    int signal = 0;       ///< not 0: it was told by this signal to end
    std::string failure;  ///< why it ended without success; may be empty
    Moment written;       ///< the password was out, whole
    std::vector<InterfaceRecord> interfaces;
    std::vector<HookRecord> hooks;
    std::vector<AttemptRecord> attempts;
    std::vector<RestartRecord> restarts;
    std::uint64_t left_out = 0;  ///< records of all kinds that there was no room for
    friend bool operator==(const Timeline&, const Timeline&) = default;

    /// The attempt that brought the password; nullptr if none did.
    [[nodiscard]] const AttemptRecord* winner() const;
};

/// Room for records of each kind.
inline constexpr std::size_t most_interfaces = 64;
inline constexpr std::size_t most_hooks = 64;
inline constexpr std::size_t most_attempts = 256;
inline constexpr std::size_t most_restarts = 64;
/// Bytes of a text in a record, once it is made fit to be shown.
inline constexpr std::size_t longest_record_text = 1100;

}  // namespace bootkey::timeline
