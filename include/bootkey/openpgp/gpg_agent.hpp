// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gpg-agent of one GnuPG home: gpg cannot do without it, it holds the secret keys. Started by us, before gpg would,
// so that its pid is ours: it ends with this object, and, by the kernel, with this process however that ends. Private
// to the room.
#pragma once

#include <memory>
#include <string>

#include "bootkey/base/child_process.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"

namespace bootkey::openpgp {

/// Whether an agent gets passphrases, which come through gpg itself (GPGME's passphrase callback).
enum class Passphrases {
    none,
    each_time,
    once,  ///< the agent keeps them in its locked memory, for as long as it lives
};

class GpgAgent {
public:
    /// Starts an agent for the directory `home`. Returns at once: gpg's requests wait in the socket until the agent is
    /// up. Errors: unavailable (no gpg-agent), os_error (the socket cannot be made, its path is too long),
    /// cannot_create.
    [[nodiscard]] static base::Result<GpgAgent> start(base::Loop& loop, const std::string& home,
                                                      Passphrases passphrases = Passphrases::none);

    /// Ends the agent and removes its socket.
    ~GpgAgent();
    GpgAgent(GpgAgent&&) = default;
    GpgAgent& operator=(GpgAgent&&) = default;

    [[nodiscard]] bool running() const { return process_->running(); }
    /// Whether it has ended, also if the loop has not been told yet.
    [[nodiscard]] bool has_ended() const;

private:
    GpgAgent(std::unique_ptr<base::ChildProcess> process, std::string socket_path, bool own_directory)
        : process_(std::move(process)), socket_path_(std::move(socket_path)), own_directory_(own_directory) {}

    std::unique_ptr<base::ChildProcess> process_;
    std::string socket_path_;
    bool own_directory_;  // the socket is not in the home but in a directory made for it
};

}  // namespace bootkey::openpgp
