// SPDX-License-Identifier: GPL-3.0-or-later
//
// Each case spoils a process of its own in the way a hostile caller can, and looks at what is left of that.
#include "bootkey/base/process_start.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <string>

#include "base/forked.hpp"
#include "base/temporary_directory.hpp"
#include "catch.hpp"

using namespace bootkey::base;
using bootkey::base::testing::forked;
using bootkey::base::testing::TemporaryDirectory;

namespace {

constexpr uid_t nobody = 65534;

// The place (from 1 on) of the first condition that does not hold; 0 if all do.
int first_false(std::initializer_list<bool> conditions) {
    int place = 0;
    for (const bool holds : conditions) {
        ++place;
        if (!holds) return place;
    }
    return 0;
}

// As execve(2) of a set-user-ID program leaves a process of `nobody`.
bool be_set_user_id() {
    constexpr gid_t groups[] = {nobody, 4, 20};
    return setgroups(3, groups) == 0 && setresgid(nobody, nobody, nobody) == 0 && setresuid(nobody, 0, 0) == 0;
}

bool started_set_user_id() {
    const auto result = leave_caller_behind();
    return result && *result;
}

bool started_by_itself() {
    const auto result = leave_caller_behind();
    return result && !*result;
}

rlim_t soft_limit(int resource) {
    rlimit limit{};
    getrlimit(resource, &limit);
    return limit.rlim_cur;
}

bool is_handled_as(int signal_number, sighandler_t handler) {
    struct sigaction action {};
    return sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler == handler;
}

}  // namespace

#define SKIP_UNLESS_ROOT()                                     \
    if (geteuid() != 0) {                                      \
        WARN("SKIPPED: needs root, to start as another user"); \
        return;                                                \
    }

TEST_CASE("nothing of the caller's environment is left") {
    CHECK(
        forked([] {
            setenv("GNUPGHOME", "/tmp", 1);
            return first_false({started_by_itself(), environ == nullptr || *environ == nullptr, !getenv("GNUPGHOME")});
        }) == 0);
}

TEST_CASE("no signal stays blocked and no timer goes off") {
    CHECK(forked([] {
              sigset_t all;
              sigfillset(&all);
              sigprocmask(SIG_SETMASK, &all, nullptr);
              const itimerval soon{{0, 0}, {10, 0}};
              setitimer(ITIMER_REAL, &soon, nullptr);
              setitimer(ITIMER_PROF, &soon, nullptr);
              const bool started = started_by_itself();
              sigset_t blocked;
              sigprocmask(SIG_SETMASK, nullptr, &blocked);
              itimerval real{};
              itimerval profiling{};
              getitimer(ITIMER_REAL, &real);
              getitimer(ITIMER_PROF, &profiling);
              return first_false(
                  {started, sigisemptyset(&blocked) != 0, real.it_value.tv_sec == 0, profiling.it_value.tv_sec == 0});
          }) == 0);
}

TEST_CASE("signals that were ignored stay so, apart from SIGCHLD, and what a write can raise is ignored") {
    CHECK(forked([] {
              for (const int number : {SIGTERM, SIGHUP, SIGCHLD}) std::signal(number, SIG_IGN);
              return first_false({started_by_itself(), is_handled_as(SIGTERM, SIG_IGN), is_handled_as(SIGHUP, SIG_IGN),
                                  is_handled_as(SIGUSR1, SIG_DFL), is_handled_as(SIGCHLD, SIG_DFL),
                                  is_handled_as(SIGPIPE, SIG_IGN), is_handled_as(SIGXFSZ, SIG_IGN)});
          }) == 0);
}

TEST_CASE("files get the modes they are made with, whatever the caller's mask") {
    const TemporaryDirectory directory;
    const auto mask = GENERATE(values<mode_t>({0, 0777}));
    CHECK(forked([&] {
              umask(mask);
              const bool started = started_by_itself();
              struct stat made {};
              const std::string path = directory / "made";
              mkdir(path.c_str(), 0777);
              return first_false({started, stat(path.c_str(), &made) == 0, (made.st_mode & 07777) == 0755});
          }) == 0);
}

TEST_CASE("no core is dumped, into a file or into a pipe") {
    CHECK(forked([] {
              return first_false({started_by_itself(), soft_limit(RLIMIT_CORE) == 0, prctl(PR_GET_DUMPABLE) == 0});
          }) == 0);
}

TEST_CASE("no descriptor above 2 is left open, also none above a lowered limit") {
    CHECK(forked([] {
              dup2(STDERR_FILENO, 3);
              dup2(STDERR_FILENO, 900);
              rlimit limit{};
              getrlimit(RLIMIT_NOFILE, &limit);
              limit.rlim_cur = 16;
              setrlimit(RLIMIT_NOFILE, &limit);
              return first_false(
                  {started_by_itself(), fcntl(2, F_GETFD) >= 0, fcntl(3, F_GETFD) < 0, fcntl(900, F_GETFD) < 0});
          }) == 0);
}

TEST_CASE("who starts it by their own right keeps user, directory and limits") {
    const TemporaryDirectory directory;
    CHECK(forked([&] {
              const std::string path = directory / ".";
              if (chdir(path.c_str()) != 0) return 100;
              rlimit limit{};
              getrlimit(RLIMIT_NOFILE, &limit);
              limit.rlim_cur = 64;
              setrlimit(RLIMIT_NOFILE, &limit);
              struct stat there {};
              struct stat here {};
              stat(path.c_str(), &there);
              const uid_t user = getuid();
              const bool started = started_by_itself();
              stat(".", &here);
              return first_false({started, getuid() == user, geteuid() == user, here.st_ino == there.st_ino,
                                  soft_limit(RLIMIT_NOFILE) == 64});
          }) == 0);
}

TEST_CASE("started set-user-ID it is root alone, in the root directory") {
    SKIP_UNLESS_ROOT();
    CHECK(forked([] {
              if (chdir("/tmp") != 0 || !be_set_user_id() || !started_set_user_id()) return 100;
              uid_t users[3];
              gid_t groups[3];
              getresuid(&users[0], &users[1], &users[2]);
              getresgid(&groups[0], &groups[1], &groups[2]);
              char directory[16] = {};
              return first_false({users[0] == 0, users[1] == 0, users[2] == nobody, groups[0] == 0, groups[1] == 0,
                                  groups[2] == 0, getgroups(0, nullptr) == 0,
                                  getcwd(directory, sizeof directory) != nullptr, std::string(directory) == "/",
                                  prctl(PR_GET_DUMPABLE) == 0});
          }) == 0);
}

TEST_CASE("started set-user-ID it has the resources it needs, whatever the caller has left of them") {
    SKIP_UNLESS_ROOT();
    CHECK(forked([] {
              rlim_t most[RLIM_NLIMITS] = {};
              for (const int resource : {RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_CPU, RLIMIT_NOFILE}) {
                  rlimit limit{};
                  getrlimit(resource, &limit);
                  most[resource] = limit.rlim_max;
                  limit.rlim_cur = 8;
                  setrlimit(resource, &limit);
              }
              return first_false(
                  {be_set_user_id(), started_set_user_id(), soft_limit(RLIMIT_FSIZE) == most[RLIMIT_FSIZE],
                   soft_limit(RLIMIT_NPROC) >= most[RLIMIT_NPROC], soft_limit(RLIMIT_CPU) == most[RLIMIT_CPU],
                   soft_limit(RLIMIT_NOFILE) >= std::min<rlim_t>(most[RLIMIT_NOFILE], 1024)});
          }) == 0);
}

TEST_CASE("started set-user-ID it raises limits for good where it may") {
    SKIP_UNLESS_ROOT();
    constexpr rlimit little{1 << 20, 1 << 20};
    constexpr rlimit more{1 << 20, 1 << 21};
    const auto may_raise = [&] { return setrlimit(RLIMIT_FSIZE, &little) != 0 || setrlimit(RLIMIT_FSIZE, &more) != 0; };
    if (forked(may_raise) != 0) {
        WARN("SKIPPED: even root may not raise limits here (no CAP_SYS_RESOURCE)");
        return;
    }
    CHECK(forked([&] {
              for (const int resource : {RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_NPROC, RLIMIT_CPU})
                  setrlimit(resource, &little);
              constexpr rlimit few_files{8, 8};
              setrlimit(RLIMIT_NOFILE, &few_files);
              return first_false({be_set_user_id(), started_set_user_id(), soft_limit(RLIMIT_FSIZE) == RLIM_INFINITY,
                                  soft_limit(RLIMIT_NPROC) == RLIM_INFINITY, soft_limit(RLIMIT_CPU) == RLIM_INFINITY,
                                  soft_limit(RLIMIT_MEMLOCK) >= 8 * 1024 * 1024, soft_limit(RLIMIT_NOFILE) >= 1024});
          }) == 0);
}

TEST_CASE("started set-user-ID it is no slower than others and no sooner killed") {
    SKIP_UNLESS_ROOT();
    CHECK(forked([] {
              setpriority(PRIO_PROCESS, 0, 19);
              constexpr sched_param none{};
              sched_setscheduler(0, SCHED_IDLE, &none);
              prctl(PR_SET_TIMERSLACK, 4'000'000'000UL);
              std::ofstream("/proc/self/oom_score_adj") << 1000;
              const bool started = be_set_user_id() && started_set_user_id();
              int adjustment = -1;
              std::ifstream("/proc/self/oom_score_adj") >> adjustment;
              return first_false({started, getpriority(PRIO_PROCESS, 0) == 0, sched_getscheduler(0) == SCHED_OTHER,
                                  prctl(PR_GET_TIMERSLACK) == 50'000, adjustment == 0});
          }) == 0);
}

TEST_CASE("all that the caller of a set-user-ID process can do to it is to send it signals") {
    SKIP_UNLESS_ROOT();
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t process = fork();
    REQUIRE(process >= 0);
    if (process == 0) {
        dup2(ready[1], STDOUT_FILENO);
        const bool started = be_set_user_id() && started_set_user_id();
        [[maybe_unused]] const auto written = write(STDOUT_FILENO, started ? "+" : "-", 1);
        alarm(20);  // an end in any case
        for (;;) pause();
    }
    char answer = 0;
    REQUIRE(read(ready[0], &answer, 1) == 1);
    CHECK(answer == '+');
    CHECK(forked([process] {
              if (setresuid(nobody, nobody, nobody) != 0) return 100;
              const std::string directory = "/proc/" + std::to_string(process);
              constexpr rlimit none{0, 0};
              return first_false({kill(process, 0) == 0, setpriority(PRIO_PROCESS, static_cast<id_t>(process), 19) != 0,
                                  prlimit(process, RLIMIT_NOFILE, &none, nullptr) != 0,
                                  open((directory + "/mem").c_str(), O_RDONLY) < 0,
                                  open((directory + "/environ").c_str(), O_RDONLY) < 0,
                                  open((directory + "/fd/0").c_str(), O_RDONLY) < 0});
          }) == 0);
    kill(process, SIGKILL);
    CHECK(waitpid(process, nullptr, 0) == process);
    close(ready[0]);
    close(ready[1]);
}
