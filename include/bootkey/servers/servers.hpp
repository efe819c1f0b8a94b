// SPDX-License-Identifier: GPL-3.0-or-later
//
// All known password servers, tried at once, for as long as it takes: the one class that unlocking speaks to in this
// room. It owns the server list, the race scheduler that decides what to try when (pure), and one Attempt for every
// connection; it hands out each complete answer and waits to be told whether it was worth anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/servers/progress.hpp"
#include "bootkey/servers/tls_credentials.hpp"

namespace bootkey::servers {

struct Listener {
    std::function<void(const Progress&)> progress;  ///< may be empty
    /// A whole answer (1 byte to 64 KiB, still encrypted). The server is not tried again until accept/reject.
    std::function<void(AttemptId, const Origin&, std::vector<std::byte> answer)> answer;
    /// Servers are known, but no attempt is under way before this moment, unless there is news; may be empty.
    std::function<void(base::Time until)> idle{};
};

class Servers {
public:
    /// `retry`: between tries of the same server. `credentials` must outlive this object.
    [[nodiscard]] static std::unique_ptr<Servers> create(base::Loop& loop, const base::Log& log,
                                                         const TlsCredentials& credentials, base::Duration retry,
                                                         Listener listener);
    /// Cancels everything at once; no callback comes from it.
    virtual ~Servers() = default;

    /// The endpoints at which `source` (an interface and protocol, or "--server") now sees the server called `name`
    /// that `host` announces: new ones are tried at once, those that `source` no longer lists are dropped. An empty
    /// `host` means that a person configured the server: it is never forgotten in favour of others, and no announcement
    /// under its name touches it. Announced servers have a host.
    virtual void update(const std::string& name, const std::string& host, const std::string& source,
                        const std::vector<base::Endpoint>& endpoints) = 0;
    /// `source` no longer sees the server. A connection that waits for an answer goes on.
    virtual void lost(const std::string& name, const std::string& source) = 0;
    /// The interface vanished: its attempts are cancelled and its endpoints dropped.
    virtual void interface_gone(std::uint32_t interface) = 0;
    /// Something on this interface (0: anywhere) makes servers reachable that were not: those that failed are tried
    /// now.
    virtual void reachable(std::uint32_t interface) = 0;
    /// The answer could not be decrypted: `why` is logged, and the server tried again after --retry.
    virtual void reject(AttemptId attempt, const std::string& why) = 0;
    /// Ends an attempt that is under way, because of `why`: the server is tried again after --retry.
    virtual void drop(AttemptId attempt, const std::string& why) = 0;
    /// Tries everything that does not wait for an answer again now (SIGUSR1).
    virtual void try_now() = 0;
    /// One line a server for the log: name, phase, tries, last error (SIGUSR2).
    [[nodiscard]] virtual std::vector<std::string> status() const = 0;
};

}  // namespace bootkey::servers
