// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a source (one-shot question or browser) heard of one service instance: raw from the network, nothing checked
// yet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/discovery/discovery.hpp"

namespace bootkey::discovery {

struct Sighting {
    ServiceId id;                            ///< its name is the instance label's bytes as they came
    std::string host;                        ///< SRV target without the final dot
    std::uint16_t port = 0;                  ///< host byte order
    std::vector<base::IpAddress> addresses;  ///< of the host
    std::vector<std::string> txt;
    friend bool operator==(const Sighting&, const Sighting&) = default;
};

}  // namespace bootkey::discovery
