// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/ssh_host_key.hpp"

#include "bootkey/base/file.hpp"

namespace bootkey::modes {

std::optional<openpgp::SshHostKey> find_ssh_host_key(const std::string& directory) {
    constexpr std::size_t longest = 16 * 1024;  // bytes
    for (const char* kind : {"ed25519", "ecdsa", "rsa"}) {
        const auto text = base::read_file(directory + "/ssh_host_" + kind + "_key.pub", longest);
        if (!text) continue;
        if (auto key = openpgp::parse_ssh_host_key(*text)) return key;
    }
    return std::nullopt;
}

}  // namespace bootkey::modes
