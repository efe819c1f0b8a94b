// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a confined process has given up, as the kernel tells it (proc(5)), and how its life ends with its parent's. With
// and without filters, as root and as somebody else.
#include "bootkey/sandbox/confinement.hpp"

#include <cap-ng.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <vector>

#include "base/forked.hpp"
#include "base/temporary_directory.hpp"
#include "catch.hpp"
#include "sandbox/confined.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;
using namespace bootkey::sandbox::testing;
using base::testing::forked;

namespace {

std::string content_of(pid_t pid, const char* file) {
    std::ifstream stream("/proc/" + std::to_string(pid) + "/" + file);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// The rest of the line that begins with `name`, with single blanks between words.
std::string line(const std::string& text, const std::string& name) {
    std::istringstream lines(text);
    for (std::string current; std::getline(lines, current);) {
        if (!current.starts_with(name)) continue;
        std::istringstream words(current.substr(name.size()));
        std::string result;
        for (std::string word; words >> word;) result += (result.empty() ? "" : " ") + word;
        return result;
    }
    return "no line " + name;
}

std::string four_times(id_t id) {
    const std::string text = std::to_string(id);
    return text + " " + text + " " + text + " " + text;
}

constexpr id_t somebody = 65531;  // no role's

// Becomes a user without privileges, as which bootkey may be started too.
void become_somebody() {
    if (setgroups(0, nullptr) != 0 || setresgid(somebody, somebody, somebody) != 0 ||
        setresuid(somebody, somebody, somebody) != 0)
        _exit(99);
}

bool can_lift_lock_limit() {
    return forked([] {
               constexpr rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
               return setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 ? 10 : 11;
           }) == 10;
}

}  // namespace

TEST_CASE("each role has an identity of its own, which is not that of whoever starts it") {
    const Identity worker = identity_of(Role::worker);
    const Identity decryptor = identity_of(Role::decryptor);
    CHECK(worker.user != decryptor.user);
    CHECK(worker.group != decryptor.group);
    for (const Identity identity : {worker, decryptor}) {
        CHECK(identity.user >= 65520);
        CHECK(identity.user <= 65533);
        CHECK(identity.group >= 65520);
        CHECK(identity.group <= 65533);
    }
    if (!is_root()) {
        WARN("SKIPPED: needs root, to have the worker's user id");
        return;
    }
    CHECK(forked([&] {
              if (setresuid(worker.user, decryptor.user, 0) != 0) return 1;
              for (const Role role : {Role::worker, Role::decryptor})
                  for (const uid_t mine : {worker.user, decryptor.user})
                      if (identity_of(role).user == mine) return 2;
              return identity_of(Role::worker).user != identity_of(Role::decryptor).user ? 10 : 3;
          }) == 10);
}

TEST_CASE("a confined process has given up everything, with and without filters") {
    const Role role = GENERATE(Role::worker, Role::decryptor);
    const bool filters = GENERATE(true, false);
    CAPTURE(role == Role::worker, filters);
    const base::testing::TemporaryDirectory directory;
    Confined confined({role, role == Role::worker ? "" : directory / "", filters}, stay);
    const std::string status = content_of(confined.pid(), "status");
    CAPTURE(status);
    CHECK(line(status, "Uid:") == four_times(is_root() ? identity_of(role).user : getuid()));
    CHECK(line(status, "Gid:") == four_times(is_root() ? identity_of(role).group : getgid()));
    if (is_root()) CHECK(line(status, "Groups:").empty());
    for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"}) CHECK(line(status, set) == "0000000000000000");
    if (is_root()) CHECK(line(status, "CapBnd:") == "0000000000000000");
    CHECK(line(status, "NoNewPrivs:") == "1");
    CHECK(line(status, "Umask:") == "0077");
    CHECK(line(status, "Seccomp:") == (filters ? "2" : "0"));
    CHECK(line(status, "Threads:") == "1");

    const std::string limits = content_of(confined.pid(), "limits");
    CAPTURE(limits);
    CHECK(line(limits, "Max core file size") == "0 0 bytes");
    if (role == Role::worker) CHECK(line(limits, "Max processes") == "0 0 processes");
    CHECK(line(limits, "Max open files") == (role == Role::worker ? "1024 1024 files" : "256 256 files"));
}

TEST_CASE("a confined process's memory is locked, not dumped and not for debuggers") {
    const Role role = GENERATE(Role::worker, Role::decryptor);
    const base::testing::TemporaryDirectory directory;
    // Without filters: a confined process could not ask otherwise.
    Confined confined({role, directory / "", false}, [] {
        if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return std::string("dumpable");
        // Memory mapped later is locked too, without the capability and without failing for a limit.
        void* memory = mmap(nullptr, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return memory == MAP_FAILED ? outcome_of(-1) : stay();
    });
    const std::string status = content_of(confined.pid(), "status");
    CAPTURE(status);
    if (sanitized)
        WARN("skipped in part: the address sanitizer makes mlockall(2) do nothing");
    else if (!can_lift_lock_limit())
        WARN("skipped in part: this process may not raise the limit on locked memory (CAP_SYS_RESOURCE)");
    else
        CHECK(line(status, "VmLck:") != "0 kB");
}

TEST_CASE("a confined process that crashes leaves no core") {
    const auto crash = [] {
        const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
        (void)setrlimit(RLIMIT_CORE, &unlimited);
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        return std::string("lives");
    };
    CHECK(Confined({.role = Role::worker, .filters = false}, crash).result() == "SIGSEGV");
}

TEST_CASE("a confined process ends when its parent is killed") {
    const Role role = GENERATE(Role::worker, Role::decryptor);
    const base::testing::TemporaryDirectory directory;
    base::testing::Pipe life;  // closed with the last process that has it
    base::testing::Pipe pids;
    const pid_t parent = fork();
    REQUIRE(parent >= 0);
    if (parent == 0) {
        alarm(30);
        Confined confined({role, directory / ""}, stay);
        confined.pid();
        pids.put("r");
        life.write_end.reset();
        pause();
        _exit(0);
    }
    life.write_end.reset();
    CHECK(base::testing::read_to_end(pids.read_end.get(), 1) == "r");
    kill(parent, SIGKILL);
    CHECK(end_of(parent) == "SIGKILL");
    CHECK(base::testing::read_to_end(life.read_end.get()).empty());
}

TEST_CASE("a process whose parent is gone before it is confined does not go on") {
    const int seen = forked([] {
        const auto confined = confine({Role::worker}, getppid() + 1);
        if (confined) return 1;
        return confined.error().code == base::ExitCode::os_error &&
                       confined.error().why == "the process that started it has ended"
                   ? 10
                   : 2;
    });
    CHECK(seen == 10);
}

TEST_CASE("whoever starts without root keeps the user id and loses the rest") {
    if (!is_root()) {
        WARN("SKIPPED: needs root, to become somebody else");
        return;
    }
    const int seen = forked([] {
        become_somebody();
        Confined confined({Role::worker}, stay);
        const std::string status = content_of(confined.pid(), "status");
        if (line(status, "Uid:") != four_times(somebody)) return 1;
        if (line(status, "CapEff:") != "0000000000000000") return 2;
        if (line(status, "NoNewPrivs:") != "1") return 3;
        if (line(status, "Seccomp:") != "2") return 4;
        return 10;
    });
    CHECK(seen == 10);
}

TEST_CASE("root that may not change users is told so and is not confined by half") {
    if (!is_root()) {
        WARN("SKIPPED: needs root, to give up a capability");
        return;
    }
    const int seen = forked([] {
        constexpr auto sets = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
        if (capng_get_caps_process() != 0 || capng_update(CAPNG_DROP, sets, CAP_SETUID) != 0) return 1;
        if (capng_apply(CAPNG_SELECT_CAPS) != 0) return 1;
        const auto confined = confine({Role::worker}, getppid());
        if (confined) return 2;
        const base::Error& error = confined.error();
        return error.code == base::ExitCode::no_permission && error.tried.find("user 655") != std::string::npos ? 10
                                                                                                                : 3;
    });
    CHECK(seen == 10);
}

TEST_CASE("a process's memory is protected as far as the limit on locked memory goes") {
    const auto text_of = [](const std::vector<std::string>& remarks) {
        std::string text;
        for (const std::string& remark : remarks) text += remark + "\n";
        return text;
    };
    SECTION("with the capability or without limit all is locked and nothing is remarked") {
        if (!is_root()) {
            WARN("SKIPPED: needs root, to lock memory");
            return;
        }
        CHECK(forked([&] {
                  if (!text_of(protect_memory()).empty()) return 1;
                  if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 2;
                  if (!sanitized && line(content_of(getpid(), "status"), "VmLck:") == "0 kB") return 3;
                  void* memory = mmap(nullptr, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  return memory != MAP_FAILED ? 10 : 4;
              }) == 10);
    }
    SECTION("with a limit that stays nothing is locked, and memory can still be had") {
        CHECK(forked([&] {
                  constexpr rlimit one_mebibyte{1 << 20, 1 << 20};
                  if (setrlimit(RLIMIT_MEMLOCK, &one_mebibyte) != 0) return 1;
                  if (is_root()) become_somebody();
                  if (text_of(protect_memory()).find("ulimit -l") == std::string::npos) return 2;
                  void* memory = mmap(nullptr, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  if (memory == MAP_FAILED) return 3;
                  std::memset(memory, 1, 64 << 20);
                  return mlock(memory, 4096) == 0 ? 10 : 4;  // as base::Secret does
              }) == 10);
    }
}

TEST_CASE("only the descriptors that are kept stay open") {
    const std::set<int> kept =
        GENERATE(std::set<int>{}, std::set<int>{0}, std::set<int>{1, 2, 7}, std::set<int>{5, 30, 31, 900});
    const int seen = forked([&] {
        for (const int fd : {5, 6, 7, 8, 30, 31, 32, 900, 901})
            if (dup2(2, fd) != fd) return 1;
        const std::vector<int> list(kept.rbegin(), kept.rend());  // in no special order
        close_all_but(list);
        for (int fd = 0; fd < 1000; ++fd) {
            const bool open = fcntl(fd, F_GETFD) >= 0;
            if (open != (kept.count(fd) == 1)) return 2;
        }
        return 10;
    });
    CHECK(seen == 10);
}

#ifdef __SANITIZE_ADDRESS__
TEST_CASE("the sanitizers report errors of a confined process and let it end without them") {
    const Role role = GENERATE(Role::worker, Role::decryptor);
    const base::testing::TemporaryDirectory directory;
    std::filesystem::permissions(directory / "", std::filesystem::perms(0755));
    const base::testing::Pipe report;
    const auto overflow = [&] {
        close(STDERR_FILENO);
        fcntl(report.write_end.get(), F_DUPFD, STDERR_FILENO);
        std::vector<char> bytes(10);
        volatile std::size_t size = 11;
        std::memset(bytes.data(), 1, size);
        return std::string("not noticed");
    };
    const auto leave = [] {
        exit(0);  // not _exit: looks for leaks
        return std::string();
    };
    CHECK(Confined({role, directory / ""}, overflow).result() == "exited 1");
    CHECK_THAT(base::testing::read_to_end(report.read_end.get(), 300), Catch::Contains("heap-buffer-overflow"));
    CHECK(Confined({role, directory / ""}, leave).result().empty());
}
#endif
