// SPDX-License-Identifier: GPL-3.0-or-later
//
// The words in which this room speaks about connections to servers: phases, numbers, and what happened. Plain values.
#pragma once

#include <cstdint>
#include <string>

#include "bootkey/base/address.hpp"
#include "bootkey/base/time.hpp"

namespace bootkey::servers {

/// Where an attempt is.
enum class Phase { connecting, handshake, waiting, receiving, answered, failed };
[[nodiscard]] const char* name(Phase phase);

using AttemptId = std::uint64_t;

/// Something that happened to an attempt, for the timeline, the log and whoever watches.
struct Progress {
    AttemptId attempt = 0;
    std::string server;  ///< name of the server, already checked by discovery
    base::Endpoint endpoint;
    Phase phase{};
    std::string detail;  ///< with failed: why
    base::Time at;
    base::Endpoint local{};      ///< our end of the connection, once there is one
    std::uint64_t received = 0;  ///< bytes so far
    std::uint64_t sent = 0;
};

/// Where an answer comes from.
struct Origin {
    std::string server;  ///< name of the server
    base::Endpoint endpoint{};
    bool is_configured = false;  ///< a person has named the server; else it was announced
};

/// Whose fault a failed attempt is, and so what to do next.
enum class Blame {
    endpoint,  ///< could not be reached or spoken to there: the server's next endpoint is tried at once
    server,    ///< the server itself said no, or nonsense: all of it waits for the next round
};

}  // namespace bootkey::servers
