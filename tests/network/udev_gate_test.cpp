// SPDX-License-Identifier: GPL-3.0-or-later
//
// When interfaces wait for udev, and for how long.
#include "bootkey/network/udev_gate.hpp"

#include "catch.hpp"
#include "sandbox_fixture.hpp"

using namespace bootkey;
using namespace bootkey::network;
using namespace bootkey::network::fixture;
using namespace std::chrono_literals;

TEST_CASE("only old kernels in udev's own namespace wait") {
    struct Row {
        KernelVersion kernel;
        bool first_namespace, udev_runs, wait;
    };
    const Row rows[] = {
        {{5, 10}, true, true, true},   {{6, 1}, true, true, true},    {{6, 2}, true, true, false},
        {{6, 18}, true, true, false},  {{10, 0}, true, true, false},  {{6, 1}, false, true, false},
        {{6, 1}, true, false, false},  {{6, 1}, false, false, false}, {{4, 19}, true, true, true},
        {{6, 2}, false, false, false},
    };
    for (const Row& row : rows) {
        INFO(row.kernel.major_number << "." << row.kernel.minor_number << " " << row.first_namespace << " "
                                     << row.udev_runs);
        CHECK(must_wait_for_udev(row.kernel, row.first_namespace, row.udev_runs) == row.wait);
    }
}

namespace {

// A fixture of /run/udev, and what the gate opened when, in milliseconds.
struct GateFixture {
    TemporaryDirectory directory;
    std::unique_ptr<base::EventLoop> loop = expect(base::EventLoop::create());
    base::Time start = loop->now();
    std::string opened;
    std::vector<base::Duration> times;

    std::function<void()> note(const std::string& name) {
        return [this, name] {
            opened += name;
            times.push_back(loop->now() - start);
        };
    }
    bool wait(std::size_t count) {
        return run_until(*loop, [this, count] { return opened.size() >= count; });
    }
};

}  // namespace

TEST_CASE("an interface that udev knows is ready from the next turn of the loop") {
    GateFixture f;
    std::filesystem::create_directory(f.directory / "data");
    write_text(f.directory / "data/n3", "");
    UdevGate gate(*f.loop, f.directory.path());
    gate.when_named(3, f.note("a"));
    CHECK(f.opened.empty());
    CHECK(f.wait(1));
    CHECK(f.times[0] < 500ms);
}

TEST_CASE("an interface is ready when udev writes its file, and each only then") {
    GateFixture f;
    std::filesystem::create_directory(f.directory / "data");
    UdevGate gate(*f.loop, f.directory.path());
    gate.when_named(3, f.note("a"));
    gate.when_named(4, f.note("b"));
    gate.when_named(3, f.note("c"));
    const auto udev = f.loop->timer([&] {
        write_text(f.directory / "data/n33", "");
        write_text(f.directory / "data/#tmp", "");  // as udev does
        std::filesystem::rename(f.directory / "data/#tmp", f.directory / "data/n3");
    });
    udev->arm(50ms);
    CHECK(f.wait(2));
    CHECK(f.opened == "ac");
    CHECK(f.times[0] >= 50ms);
    CHECK(f.times[0] < 600ms);
    CHECK(f.wait(3));
    CHECK(f.opened == "acb");
    CHECK(f.times[2] >= 990ms);
}

TEST_CASE("an interface that udev is about to rename is not ready") {
    GateFixture f;
    std::filesystem::create_directory(f.directory / "data");
    write_text(f.directory / "data/n3", "I:4242\nE:ID_RENAMING=1\n");
    UdevGate gate(*f.loop, f.directory.path());
    gate.when_named(3, f.note("a"));
    const auto renamed = f.loop->timer([&] {
        write_text(f.directory / "data/#tmp", "I:4242\nE:ID_NET_NAME=enp1s0\n");
        std::filesystem::rename(f.directory / "data/#tmp", f.directory / "data/n3");
    });
    renamed->arm(200ms);
    CHECK(f.wait(1));
    CHECK(f.times[0] >= 200ms);
    CHECK(f.times[0] < 900ms);
}

TEST_CASE("without udev's database the time limit serves") {
    GateFixture f;
    UdevGate gate(*f.loop, f.directory / "nowhere");
    gate.when_named(3, f.note("a"));
    CHECK(f.wait(1));
    CHECK(f.times[0] >= 990ms);
    CHECK(f.times[0] < 2500ms);
}

TEST_CASE("udev that is at work gets more time, until it has no more to do") {
    GateFixture f;
    std::filesystem::create_directory(f.directory / "data");
    write_text(f.directory / "queue", "");
    UdevGate gate(*f.loop, f.directory.path());
    gate.when_named(3, f.note("a"));
    gate.when_named(4, f.note("b"));
    const auto named = f.loop->timer([&] { write_text(f.directory / "data/n3", ""); });
    named->arm(1200ms);
    const auto idle = f.loop->timer([&] { std::filesystem::remove(f.directory / "queue"); });
    idle->arm(1500ms);
    CHECK(f.wait(2));
    CHECK(f.opened == "ab");
    CHECK(f.times[0] >= 1200ms);
    CHECK(f.times[0] < 1900ms);
    CHECK(f.times[1] >= 1990ms);
}

TEST_CASE("udev that is at work for ever is not waited for") {
    GateFixture f;
    std::filesystem::create_directory(f.directory / "data");
    write_text(f.directory / "queue", "");
    UdevGate gate(*f.loop, f.directory.path());
    gate.when_named(3, f.note("a"));
    CHECK(run_until(
        *f.loop, [&] { return !f.opened.empty(); }, 8s));
    CHECK(f.times[0] >= 4990ms);
}

TEST_CASE("a gate that goes while interfaces wait calls nobody") {
    GateFixture f;
    std::filesystem::create_directory(f.directory / "data");
    {
        UdevGate gate(*f.loop, f.directory.path());
        gate.when_named(3, f.note("a"));
        write_text(f.directory / "data/n3", "");
    }
    CHECK_FALSE(run_until(
        *f.loop, [&] { return !f.opened.empty(); }, 50ms));
}
