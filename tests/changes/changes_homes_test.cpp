// SPDX-License-Identifier: GPL-3.0-or-later
//
// Directories for OpenPGP keys, made and removed; and a journal that is not bootkey's.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "catch.hpp"
#include "sandbox_machine.hpp"

using namespace bootkey;
using namespace bootkey::changes;
using namespace bootkey::changes::fixture;

TEST_CASE("homes are made in memory only, are private, and go with what is in them") {
    SandboxMachine machine;
    if (machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs a /dev/shm to write to");
        return;
    }
    Changes changes = machine.changes();
    const std::string home = expect(changes.make_home());
    struct stat status {};
    REQUIRE(stat(home.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    CHECK(home.rfind(machine.paths.journal_directory + "/bootkey-home-", 0) == 0);
    CHECK(machine.journal().find(home) != std::string::npos);
    const std::string outside = machine.directory / "outside";
    std::filesystem::create_directories(home + "/private-keys-v1.d/deeper");
    std::filesystem::create_directories(outside);
    write_text(outside + "/precious", "kept");
    write_text(home + "/private-keys-v1.d/deeper/key", "secret");
    std::filesystem::create_symlink(outside, home + "/link-to-directory");
    std::filesystem::create_symlink(outside + "/precious", home + "/private-keys-v1.d/link-to-file");
    std::filesystem::create_symlink("nowhere", home + "/broken");
    std::string deep = home;
    for (int level = 0; level < 200; ++level) std::filesystem::create_directory(deep += "/d" + std::to_string(level));
    write_text(deep + "/secret", "secret");
    std::filesystem::create_directory(home + "/removed-1");
    std::filesystem::permissions(home + "/d0", std::filesystem::perms::none);
    const std::string second = expect(changes.make_home());
    CHECK(second != home);
    CHECK(changes.undo_ours().ok());
    CHECK_FALSE(std::filesystem::exists(home));
    CHECK_FALSE(std::filesystem::exists(second));
    CHECK(content_of(outside + "/precious") == "kept");
    CHECK(machine.clean());

    machine.paths.home_parents = {"/proc", "/nowhere"};
    const auto refused = machine.changes().make_home();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::ExitCode::cannot_create);
    CHECK(refused.error().why == "/proc: not a file system in memory; /nowhere: not a file system in memory");
}

TEST_CASE("a home that cannot be made below one directory is made below the next") {
    SandboxMachine machine;
    if (machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs a /dev/shm to write to");
        return;
    }
    const std::string removed = machine.directory / "removed";
    std::filesystem::create_directory(removed);
    const base::UniqueFd fd(open(removed.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::filesystem::remove(removed);
    const std::string nowhere = base::format("/proc/self/fd/%d", fd.get());  // in memory, but nothing can be made there
    machine.paths.home_parents.insert(machine.paths.home_parents.begin(), nowhere);
    Changes changes = machine.changes();
    CHECK(expect(changes.make_home()).rfind(nowhere, 0) != 0);
    CHECK(changes.undo_ours().ok());
    CHECK(machine.clean());

    machine.paths.home_parents = {nowhere};
    const auto refused = machine.changes().make_home();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().why == nowhere + ": No such file or directory");
    CHECK(machine.clean());
}

TEST_CASE("one home is removed while another stays") {
    SandboxMachine machine;
    if (machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs a /dev/shm to write to");
        return;
    }
    Changes changes = machine.changes();
    const std::string first = expect(changes.make_home());
    const std::string second = expect(changes.make_home());
    write_text(first + "/key", "secret");
    CHECK(changes.remove_home(first).ok());
    CHECK_FALSE(std::filesystem::exists(first));
    CHECK(machine.journal().find(first) == std::string::npos);
    CHECK(std::filesystem::exists(second));
    CHECK(changes.remove_home(first).ok());                   // nothing to do
    CHECK(changes.remove_home(machine.directory / "").ok());  // nothing that it has made
    CHECK(std::filesystem::exists(machine.directory / ""));
    CHECK(changes.undo_ours().ok());
    CHECK(machine.clean());
}

TEST_CASE("an agent that runs in a home is ended") {
    SandboxMachine machine;
    if (access("/usr/bin/gpg-agent", X_OK) != 0 || machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs gpg-agent and a /dev/shm to write to");
        return;
    }
    Changes changes = machine.changes();
    const std::string home = expect(changes.make_home());
    run("/usr/bin/gpg-agent --quiet --homedir " + home + " --daemon >/dev/null 2>&1");
    const auto is_running = [&home] {
        for (const auto& process : std::filesystem::directory_iterator("/proc"))
            if (content_of(process.path() / "comm") == "gpg-agent\n" &&
                content_of(process.path() / "cmdline").find(home) != std::string::npos)
                return true;
        return false;
    };
    REQUIRE(std::filesystem::exists(home + "/S.gpg-agent"));
    REQUIRE(is_running());
    CHECK(changes.undo_ours().ok());
    CHECK_FALSE(std::filesystem::exists(home));
    bool running = true;
    for (int i = 0; i < 200 && (running = is_running()); ++i)
        usleep(5000);  // the last part of its exit is the kernel's
    CHECK_FALSE(running);
    CHECK(machine.clean());
}

TEST_CASE("an agent that does not answer, and a socket that nobody serves, hold nothing up for long") {
    SandboxMachine machine;
    if (machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs a /dev/shm to write to");
        return;
    }
    for (const bool listening : {true, false}) {
        Changes changes = machine.changes();
        const std::string home = expect(changes.make_home());
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        home.copy(address.sun_path, sizeof address.sun_path - 1);
        std::string(address.sun_path).append("/S.gpg-agent").copy(address.sun_path, sizeof address.sun_path - 1);
        const base::UniqueFd mute(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(bind(mute.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        if (listening) REQUIRE(listen(mute.get(), 1) == 0);
        const auto before = base::Clock::now();
        CHECK(changes.undo_ours().ok());
        CHECK(base::Clock::now() - before < std::chrono::milliseconds(900));
        CHECK_FALSE(std::filesystem::exists(home));
    }
}

TEST_CASE("directories that bootkey cannot have made are never removed") {
    SandboxMachine machine;
    const std::string precious = machine.directory / "precious";
    std::filesystem::create_directories(precious);
    std::filesystem::create_directories(machine.paths.journal_directory);
    write_text(machine.paths.journal_directory + "/journal",
               "directory 0 - " + precious + "\n" + "directory 0 - " + precious + "/bootkey-home-0123456789abcdef\n" +
                   "directory 0 - " + machine.directory.path() + "/bootkey-home-0123456789abcdef/../precious\n" +
                   "directory 0 - /etc\n");
    const auto undone = machine.changes().undo_left_over();
    REQUIRE(undone.ok());
    CHECK(*undone == 0);
    CHECK(std::filesystem::exists(precious));
    CHECK_FALSE(std::filesystem::exists(machine.paths.journal_directory + "/journal"));
    CHECK(std::filesystem::exists(machine.paths.journal_directory));  // that, bootkey did not make
}

TEST_CASE("every kind of nonsense in the journal is survived") {
    const char* const texts[] = {
        "",
        "\n\n\n",
        "link",
        "link 0 - 1",
        "link 0 - 1 lo 0 -\n",
        "garbage\xff\xfe\x01 \n\x80",
        "console 0 - 99\nconsole 0 - -1\nconsole 0 -\n",
        "route 0 - 4000000000 ::1\nroute 0 1:2 1 nonsense\n",
        "accept_dad 0 - 77 9\n",
    };
    for (const char* text : texts) {
        INFO(text);
        SandboxMachine machine;
        std::filesystem::create_directories(machine.paths.journal_directory);
        write_text(machine.paths.journal_directory + "/journal", text);
        Changes changes = machine.changes();
        CHECK(changes.undo_left_over().ok());
        CHECK(changes.lower_console_level().ok());
        CHECK(changes.undo_ours().ok());
        CHECK(content_of(machine.paths.printk).substr(0, 1) == "7");
        CHECK_FALSE(std::filesystem::exists(machine.paths.journal_directory + "/journal"));
    }
}
