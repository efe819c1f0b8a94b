// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/kernel_version.hpp"

#include "catch.hpp"

using namespace bootkey::network;

TEST_CASE("kernel releases") {
    struct Row {
        const char* release;
        std::optional<KernelVersion> version;
    };
    const Row rows[] = {
        {"5.10.0-26-amd64", KernelVersion{5, 10}},
        {"6.1.0-18-cloud-amd64", KernelVersion{6, 1}},
        {"6.2", KernelVersion{6, 2}},
        {"6.2-rc1", KernelVersion{6, 2}},
        {"6.2+", KernelVersion{6, 2}},
        {"6.18.44-fc", KernelVersion{6, 18}},
        {"10.0", KernelVersion{10, 0}},
        {"", std::nullopt},
        {"6", std::nullopt},
        {"6.", std::nullopt},
        {".2", std::nullopt},
        {"6-2", std::nullopt},
        {"linux 6.2", std::nullopt},
        {"-6.2", std::nullopt},
        {"99999999999.1", std::nullopt},
    };
    for (const Row& row : rows) {
        INFO(row.release);
        CHECK(parse_kernel_version(row.release) == row.version);
    }
    CHECK(KernelVersion{5, 19} < KernelVersion{6, 0});
    CHECK(KernelVersion{6, 2} < KernelVersion{6, 10});
    CHECK(running_kernel() > KernelVersion{3, 0});
}
