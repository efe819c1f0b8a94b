// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the kernel says of a process and of itself. Accepted: either.
#include "bootkey/base/process_stat.hpp"
#include "bootkey/network/kernel_version.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const std::string text(text_of(input));
    const auto stat = base::parse_process_stat(text);
    if (stat) {
        const auto behind_name = text.substr(text.rfind(") "));
        const auto again = base::parse_process_stat("1 (a name) R 1 1 (" + behind_name);
        require(again && again->running == stat->running && again->parent == stat->parent &&
                    again->start_time == stat->start_time,
                "a process's name has no say in what it is");
    }
    const auto version = network::parse_kernel_version(text);
    if (version) {
        const auto written = std::to_string(version->major_number) + "." + std::to_string(version->minor_number);
        require(network::parse_kernel_version(written + "-rc1") == version, "a version is read back");
    }
    return stat || version;
}
