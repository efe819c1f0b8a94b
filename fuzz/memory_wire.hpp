// SPDX-License-Identifier: GPL-3.0-or-later
//
// A Transport without a network: two heaps of bytes in memory, which arrive piece by piece.
#pragma once

#include <algorithm>
#include <cerrno>
#include <string>

#include "bootkey/servers/transport.hpp"
#include "fuzz.hpp"

namespace bootkey::fuzz {

struct MemoryWire final : servers::Transport {
    int begin() override { return 0; }
    int connection() override { return 0; }
    ssize_t send(std::span<const std::byte> bytes) override {
        to_peer += text_of(bytes);
        return static_cast<ssize_t>(bytes.size());
    }
    ssize_t receive(std::span<std::byte> buffer) override {
        if (arrived == 0) return ended ? 0 : -EAGAIN;
        const auto size = std::min(arrived, buffer.size());
        std::copy_n(reinterpret_cast<const std::byte*>(to_us.data()), size, buffer.begin());
        to_us.erase(0, size);
        arrived -= size;
        received += size;
        return static_cast<ssize_t>(size);
    }
    void want(base::Readiness) override {}
    /// So much more of what the peer has sent arrives; where there is no more, the end of the stream.
    void arrive(std::size_t size) {
        ended = arrived == to_us.size();
        arrived += std::min(size, to_us.size() - arrived);
    }

    std::string to_us;         ///< sent by the peer, not yet received
    std::size_t arrived = 0;   ///< of that
    bool ended = false;        ///< the stream, behind that
    std::size_t received = 0;  ///< so far
    std::string to_peer;       ///< sent by us
};

}  // namespace bootkey::fuzz
