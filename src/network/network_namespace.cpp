// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/network_namespace.hpp"

#include <sys/stat.h>

namespace bootkey::network {
namespace {

std::uint64_t number_of(const char* path) {
    struct stat status {};
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

std::uint64_t own_network_namespace() {
    return number_of("/proc/self/ns/net");
}

bool in_first_network_namespace() {
    const std::uint64_t first = number_of("/proc/1/ns/net");
    return first == 0 || first == own_network_namespace();
}

}  // namespace bootkey::network
