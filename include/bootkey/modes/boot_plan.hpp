// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the boot scripts make of an image and of the kernel command line: whether they start bootkey, and with which
// server and interface. Pure. The scripts themselves are shell, initramfs-tools/functions; tests/package/boot_rules.txt
// is the table of cases that both are tested against.
#pragma once

#include <string>
#include <vector>

namespace bootkey::modes {

/// The texts that the boot scripts and init(8) of initramfs-tools go by; empty where there is no such file.
struct BootFiles {
    std::string client{};                 ///< /etc/bootkey/client, which the hook of initramfs-tools has written
    std::string crypttab{};               ///< /cryptroot/crypttab
    std::vector<std::string> settings{};  ///< /conf/initramfs.conf and then all of /conf/conf.d, which init(8) sources
    std::string config{};                 ///< /etc/bootkey/bootkey.conf
    std::string command_line{};           ///< the kernel's
};

/// What the scripts will do.
struct BootPlan {
    std::string obstacle{};               ///< why bootkey is not started; empty: it is
    std::string advice{};                 ///< then what to do about it
    std::vector<std::string> devices{};   ///< those that bootkey gives a password for, as in crypttab
    std::string connect{}, interface {};  ///< what the scripts give for --connect and --interface; empty: nothing
    std::string interface_source{};       ///< where that interface is written
    std::vector<std::string> remarks{};   ///< what a person should know, and what cannot be known here

    [[nodiscard]] bool is_started() const { return obstacle.empty(); }
};

/// The plan for an image in which bootkey is to unlock: by itself, or `as_plugin` of Mandos's plugin-runner, whose own
/// boot script goes by other rules (mandos.8mandos).
[[nodiscard]] BootPlan plan_boot(const BootFiles& files, bool as_plugin);

}  // namespace bootkey::modes
