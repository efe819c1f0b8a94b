// SPDX-License-Identifier: GPL-3.0-or-later
//
// The journal's file: made, replaced, removed, locked, and not trusted where others may have written it.
#include "bootkey/changes/journal_file.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/forked.hpp"
#include "catch.hpp"
#include "network/sandbox_fixture.hpp"

using namespace bootkey;
using namespace bootkey::changes;
using namespace bootkey::network::fixture;

namespace {

const Instance self{100, 1000};

unsigned mode_of(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777u : 0u;
}

void store_console(const JournalFile& file, const base::Log& log) {
    auto locked = expect(file.open_or_make(log));
    locked.journal.use(ConsoleLowered{7}, 0, self);
    if (!locked.store()) throw std::runtime_error("not stored");
}

}  // namespace

TEST_CASE("the file comes with the first entry and goes with the last") {
    TemporaryDirectory directory;
    RememberingLog log;
    const std::string path = directory / "run";
    const JournalFile file(path);
    CHECK_FALSE(expect(file.open(log.log)).has_value());
    CHECK_FALSE(std::filesystem::exists(path));

    store_console(file, log.log);
    CHECK(mode_of(path) == 01711);  // others cannot open it, so they cannot lock it
    CHECK(mode_of(path + "/journal") == 0600);
    {
        auto locked = expect(file.open(log.log));
        REQUIRE(locked.has_value());
        REQUIRE(locked->journal.entries().size() == 1);
        locked->journal.remove(Entry{ConsoleLowered{7}, 0, {self}});
        CHECK(locked->store().ok());
    }
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(log.text.empty());
}

TEST_CASE("where there is no room for the file, the journal is kept in memory, and written when there is") {
    if (geteuid() != 0) {
        WARN("skipped: needs root for a mount namespace");
        return;
    }
    constexpr int skipped = 100;
    const int status = base::testing::forked([&] {
        TemporaryDirectory directory;
        const std::string full = directory / "full";
        std::filesystem::create_directory(full);
        if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("none", full.c_str(), "tmpfs", 0, "size=4k") != 0)
            return skipped;
        RememberingLog log;
        const std::string path = full + "/run";
        std::ofstream(full + "/fill") << std::string(4096, 'x');
        const JournalFile file(path);
        store_console(file, log.log);
        if (log.text.find("cannot store the journal of changes in " + path) == std::string::npos) return 1;
        log.text.clear();
        if (expect(file.open(log.log))->journal.entries().size() != 1) return 2;
        if (std::filesystem::exists(path + "/journal")) return 3;
        std::filesystem::remove(full + "/fill");
        auto locked = expect(file.open(log.log));
        if (!locked || !locked->store().ok() || !std::filesystem::exists(path + "/journal")) return 4;
        locked.reset();
        // Read-only from the beginning: not even a directory can be made.
        std::filesystem::remove_all(path);
        if (mount(nullptr, full.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return skipped;
        const JournalFile read_only(path);
        store_console(read_only, log.log);
        auto in_memory = expect(read_only.open(log.log));
        if (!in_memory || in_memory->journal.entries().size() != 1) return 5;
        in_memory->journal.remove(Entry{ConsoleLowered{7}, 0, {self}});
        if (!in_memory->store().ok() || !expect(read_only.open(log.log))->journal.empty()) return 6;
        const bool told_once = log.text.find("cannot store") == log.text.rfind("cannot store");
        umount2(full.c_str(), MNT_DETACH);
        return told_once ? 0 : 7;
    });
    if (status == skipped) {
        WARN("skipped: may not make a mount namespace");
        return;
    }
    CHECK(status == 0);
}

TEST_CASE("a directory that others made, or keep something in, stays") {
    TemporaryDirectory directory;
    RememberingLog log;
    const std::string path = directory / "run";
    const bool made_before = GENERATE(true, false);
    if (made_before) std::filesystem::create_directory(path);
    const JournalFile file(path);
    store_console(file, log.log);
    if (!made_before) write_text(path + "/timeline.json", "{}");
    write_text(path + "/journal.new", "left by an instance that was killed");
    {
        auto locked = expect(file.open(log.log));
        locked->journal.use(DadOff{3, 1}, 1, self);
        CHECK(locked->store().ok());
        CHECK_FALSE(std::filesystem::exists(path + "/journal.new"));
        locked->journal.drop_users(1, [](const Instance&) { return true; });
        for (const Entry& entry : locked->journal.unused(1)) locked->journal.remove(entry);
        CHECK(locked->store().ok());
    }
    CHECK(std::filesystem::exists(path));
    CHECK_FALSE(std::filesystem::exists(path + "/journal"));
}

TEST_CASE("a timeline stays, readable for all, when all else is undone") {
    TemporaryDirectory directory;
    RememberingLog log;
    const std::string path = directory / "run";
    const JournalFile file(path);
    CHECK(expect(file.open_or_make(log.log)).leave_timeline("first").ok());
    CHECK(mode_of(path) == 01711);
    CHECK(mode_of(path + "/timeline.json") == 0644);
    store_console(file, log.log);
    write_text(path + "/timeline.json.new", "left by an instance that was killed");
    {
        auto locked = expect(file.open(log.log));
        REQUIRE(locked->journal.entries().size() == 1);
        locked->journal.remove(Entry{ConsoleLowered{7}, 0, {self}});
        CHECK(locked->store().ok());
    }
    CHECK(content_of(path + "/timeline.json") == "first");
    CHECK_FALSE(std::filesystem::exists(path + "/timeline.json.new"));
    CHECK_FALSE(std::filesystem::exists(path + "/journal"));
    CHECK(expect(file.open_or_make(log.log)).leave_timeline("second").ok());
    CHECK(content_of(path + "/timeline.json") == "second");
}

TEST_CASE("a timeline that cannot be written leaves the one before, and nothing of its own") {
    TemporaryDirectory directory;
    RememberingLog log;
    const std::string path = directory / "run";
    std::filesystem::create_directories(path + "/timeline.json/in the way");
    const auto left = expect(JournalFile(path).open_or_make(log.log)).leave_timeline("text");
    REQUIRE_FALSE(left.ok());
    CHECK(left.error().code == base::ExitCode::cannot_create);
    CHECK(std::filesystem::exists(path + "/timeline.json/in the way"));
    CHECK_FALSE(std::filesystem::exists(path + "/timeline.json.new"));
}

TEST_CASE("nothing is left of an instance that was killed before the first entry or after the last") {
    TemporaryDirectory directory;
    RememberingLog log;
    const std::string path = directory / "run";
    const JournalFile file(path);
    const bool while_storing = GENERATE(true, false);
    static_cast<void>(expect(file.open_or_make(log.log)));
    if (while_storing) write_text(path + "/journal.new", "console 0 -");
    CHECK(std::filesystem::exists(path));
    expect(file.open(log.log))->tidy();
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a file that others may have written is not believed") {
    TemporaryDirectory directory;
    const std::string path = directory / "run";
    std::filesystem::create_directory(path);
    const std::string journal = path + "/journal";
    const std::string outside = directory / "outside";
    write_text(outside, "console 0 - 7\n");
    const char* const what = GENERATE("writable", "link", "directory", "fifo", "huge");
    INFO(what);
    if (what == std::string("writable")) {
        write_text(journal, "console 0 - 7\n");
        chmod(journal.c_str(), 0666);
    } else if (what == std::string("link")) {
        std::filesystem::create_symlink(outside, journal);
    } else if (what == std::string("directory")) {
        std::filesystem::create_directory(journal);
    } else if (what == std::string("fifo")) {
        REQUIRE(mkfifo(journal.c_str(), 0600) == 0);
    } else {
        write_text(journal, "console 0 - 7\n" + std::string(300 * 1024, '#'));
    }
    RememberingLog log;
    auto locked = expect(JournalFile(path).open(log.log));
    REQUIRE(locked.has_value());
    CHECK(locked->journal.entries().empty());
    CHECK(log.has("was not written by bootkey"));
    locked->journal.use(DadOff{3, 1}, 1, self);
    CHECK(locked->store().ok() == (what != std::string("directory")));
    CHECK(content_of(outside) == "console 0 - 7\n");
}

TEST_CASE("a directory that others may write to, or a link, is not used") {
    TemporaryDirectory directory;
    RememberingLog log;
    const std::string path = directory / "run";
    std::filesystem::create_directory(path);
    std::filesystem::create_symlink(path, directory / "link");
    chmod(path.c_str(), 0777);
    auto refused = JournalFile(path).open_or_make(log.log);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::ExitCode::no_permission);
    chmod(path.c_str(), 0755);
    CHECK(JournalFile(path).open_or_make(log.log).ok());
    CHECK_FALSE(JournalFile(directory / "link").open_or_make(log.log).ok());
    CHECK_FALSE(JournalFile(directory / "missing/run").open_or_make(log.log).ok());
    write_text(directory / "file", "");
    CHECK_FALSE(JournalFile(directory / "file").open_or_make(log.log).ok());
}

TEST_CASE("the lock is waited for, but not for ever") {
    TemporaryDirectory directory;
    RememberingLog log;
    const JournalFile file(directory.path());
    const auto before = base::Clock::now();
    {
        const auto held = expect(file.open_or_make(log.log));
        const auto refused = file.open(log.log);
        REQUIRE_FALSE(refused.ok());
        CHECK(refused.error().code == base::ExitCode::unavailable);
        CHECK(base::Clock::now() - before < std::chrono::milliseconds(1500));
    }
    CHECK(file.open(log.log).ok());
}

TEST_CASE("instances that come and go at the same time lose no entry and leave nothing") {
    TemporaryDirectory directory;
    const std::string path = directory / "run";
    constexpr int instances = 4, rounds = 100;
    const auto come_and_go = [&path] {
        RememberingLog log;
        const JournalFile file(path);
        const Instance me{getpid(), 1};
        for (int i = 0; i < rounds; ++i) {
            {
                auto locked = expect(file.open_or_make(log.log));
                locked.journal.use(DadOff{static_cast<std::uint32_t>(getpid()), 1}, 1, me);
                EXPECT(locked.store().ok());
            }
            auto locked = expect(file.open(log.log));
            EXPECT(locked.has_value());
            const Entry* own = locked->journal.find(DadOff{static_cast<std::uint32_t>(getpid())}, 1);
            EXPECT(own != nullptr && own->users.count(me) == 1);
            locked->journal.remove(Entry(*own));
            EXPECT(locked->store().ok());
        }
        EXPECT(log.text.empty());
    };
    std::vector<pid_t> children;
    for (int i = 0; i < instances; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            try {
                come_and_go();
                _exit(0);
            } catch (const std::exception& exception) {
                dprintf(2, "%s\n", exception.what());
                _exit(1);
            }
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    CHECK_FALSE(std::filesystem::exists(path));
}
