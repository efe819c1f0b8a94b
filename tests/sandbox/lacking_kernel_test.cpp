// SPDX-License-Identifier: GPL-3.0-or-later
//
// Kernels that lack something, older ones and those built or booted without it: played by a filter that is there first
// and refuses the call in question.
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/prctl.h>

#include <optional>

#include "base/forked.hpp"
#include "catch.hpp"
#include "sandbox/confined.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;
using namespace bootkey::sandbox::testing;
using base::testing::forked;

namespace {

// From now on `call` fails with `error`, if given only with `first` as its first argument.
void lack(const char* call, int error, std::optional<std::uint64_t> first = std::nullopt) {
    const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    const scmp_arg_cmp condition{0, SCMP_CMP_EQ, first.value_or(0), 0};
    const int number = seccomp_syscall_resolve_name(call);
    const auto action = SCMP_ACT_ERRNO(static_cast<unsigned>(error));
    if (seccomp_rule_add_array(filter, action, number, first ? 1 : 0, &condition) != 0 || seccomp_load(filter) != 0)
        _exit(99);
    seccomp_release(filter);
}

// Confines a process as a worker where something is lacking. "!" and the error, or the remarks and what comes of
// opening a file that everybody may read.
std::string confined_where(const std::function<void()>& lacking) {
    const base::testing::Pipe words;
    const int status = forked([&] {
        lacking();
        const auto confined = confine({Role::worker}, getppid());
        if (!confined) words.put("!" + confined.error().message());
        if (!confined) return 10;
        for (const std::string& remark : *confined) words.put(remark + "\n");
        words.put(outcome_of(open("/etc/passwd", O_RDONLY | O_CLOEXEC)));
        return 10;
    });
    if (status != 10) return "ended otherwise";
    std::string text(4096, '\0');
    const ssize_t count = read(words.read_end.get(), text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
}

}  // namespace

TEST_CASE("without Landlock a process is confined all the same, and it is said") {
    const int error = GENERATE(ENOSYS, EOPNOTSUPP);
    const std::string words = error == ENOSYS ? "no Landlock built in" : "no Landlock switched on";
    const std::string said = confined_where([&] { lack("landlock_create_ruleset", error); });
    CHECK_THAT(said, Catch::Contains(words) && Catch::EndsWith("EACCES"));  // the filter of system calls says that
}

TEST_CASE("without filters of system calls a process is confined all the same, and it is said") {
    const std::string said = confined_where([] { lack("seccomp", EINVAL, SECCOMP_GET_ACTION_AVAIL); });
    CHECK_THAT(said,
               Catch::Contains("they are not filtered") && Catch::EndsWith(landlock_abi() > 0 ? "EACCES" : "done"));
}

TEST_CASE("a filter or Landlock that is there and refused leaves nobody confined by half") {
    CHECK_THAT(confined_where([] { lack("seccomp", ENOMEM, SECCOMP_SET_MODE_FILTER); }),
               Catch::StartsWith("!cannot confine") && Catch::Contains("system call filter"));
    if (landlock_abi() > 0)
        CHECK_THAT(confined_where([] { lack("landlock_restrict_self", E2BIG); }),
                   Catch::StartsWith("!cannot confine") && Catch::Contains("Landlock"));
    for (const char* call : {"setgroups", "setresuid", "setresgid"})
        if (is_root()) CHECK_THAT(confined_where([&] { lack(call, EINVAL); }), Catch::StartsWith("!cannot confine"));
    for (const auto operation : {PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS})
        CHECK_THAT(confined_where([&] { lack("prctl", EINVAL, operation); }), Catch::StartsWith("!cannot confine"));
}

TEST_CASE("before close_range(2) descriptors are closed one by one") {
    const int seen = forked([] {
        lack("close_range", ENOSYS);
        for (const int fd : {5, 6, 7, 200})
            if (dup2(2, fd) != fd) return 1;
        const int kept[] = {2, 6};
        close_all_but(kept);
        for (int fd = 0; fd < 256; ++fd)
            if ((fcntl(fd, F_GETFD) >= 0) != (fd == 2 || fd == 6)) return 2;
        return 10;
    });
    CHECK(seen == 10);
}
