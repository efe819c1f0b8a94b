// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/network_namespace.hpp"

#include <unistd.h>

#include "catch.hpp"
#include "sandbox_fixture.hpp"

using namespace bootkey::network;
using namespace bootkey::network::fixture;

TEST_CASE("network namespaces have numbers of their own") {
    CHECK(own_network_namespace() != 0);
    CHECK(own_network_namespace() == own_network_namespace());
    const auto here = own_network_namespace();
    CHECK(in_namespace([here] { EXPECT(own_network_namespace() != here); }) == "");
    if (access("/proc/1/ns/net", R_OK) != 0) {
        WARN("SKIPPED: may not see the network namespace of process 1");
        return;
    }
    CHECK(in_namespace([] { EXPECT(!in_first_network_namespace()); }) == "");
}
