// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/ssh_host_key.hpp"

#include <fstream>

#include "base/temporary_directory.hpp"
#include "catch.hpp"

using namespace bootkey;

TEST_CASE("the best SSH host key that can be used is found") {
    const base::testing::TemporaryDirectory root;
    const auto found = [&] {
        const auto key = modes::find_ssh_host_key(root / "");
        return key ? key->scan_type + " " + key->key : "";
    };
    CHECK(found().empty());
    std::ofstream(root / "ssh_host_rsa_key.pub") << "ssh-rsa AAAAB3NzaC1yc2E= root@laptop\n";
    CHECK(found() == "rsa AAAAB3NzaC1yc2E=");
    std::ofstream(root / "ssh_host_ecdsa_key.pub") << "ecdsa-sha2-nistp256 AAAAE2VjZHNh root@laptop\n";
    CHECK(found() == "ecdsa AAAAE2VjZHNh");
    std::ofstream(root / "ssh_host_ed25519_key.pub") << "damaged";
    CHECK(found() == "ecdsa AAAAE2VjZHNh");
    std::ofstream(root / "ssh_host_ed25519_key.pub") << "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 root@laptop\n";
    CHECK(found() == "ed25519 AAAAC3NzaC1lZDI1NTE5");
}
