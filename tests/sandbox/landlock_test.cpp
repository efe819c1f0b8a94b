// SPDX-License-Identifier: GPL-3.0-or-later
//
// What Landlock adds to user ids and the filter of system calls: where files may be.
#include <sys/socket.h>
#include <sys/un.h>

#include "base/forked.hpp"
#include "catch.hpp"
#include "sandbox/confined.hpp"
#include "sandbox/writable_directory.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;
using namespace bootkey::sandbox::testing;

namespace {

bool has_landlock(long abi = 1) {
    if (landlock_abi() >= abi) return true;
    WARN("SKIPPED: this kernel has no Landlock, or an older one");
    return false;
}

std::string opened(const std::string& path, int flags) {
    const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
    std::string outcome = outcome_of(fd);
    if (fd >= 0) close(fd);
    return outcome;
}

// A world-readable file and a directory that everybody may write to: beside the decryptor's own, and not for it.
std::string readable_file(const WritableDirectory& directory) {
    std::string path = directory.outside("readable");
    std::ofstream(path) << "text";
    REQUIRE(chmod(path.c_str(), 0644) == 0);
    return path;
}

}  // namespace

TEST_CASE("a decryptor sees programs and its own directory only") {
    if (!has_landlock()) return;
    const WritableDirectory directory;
    const std::string readable = readable_file(directory);
    struct Case {
        std::string path;
        int flags;
        const char* outcome;
    };
    const Case cases[] = {
        {directory.path() + "/new", O_RDWR | O_CREAT, "done"},
        {directory.put("old", "text"), O_RDWR | O_TRUNC, "done"},
        {directory.path(), O_RDONLY | O_DIRECTORY, "done"},
        {"/usr/bin/gpg", O_RDONLY, "done"},
        {"/etc/passwd", O_RDONLY, "done"},
        {"/proc/self/status", O_RDONLY, "done"},
        {"/dev/null", O_RDWR, "done"},
        {"/dev/urandom", O_RDONLY, "done"},
        {readable, O_RDONLY, "EACCES"},
        {readable, O_WRONLY, "EACCES"},
        {directory.outside("new"), O_RDWR | O_CREAT, "EACCES"},
        {directory.path() + "/../new", O_RDWR | O_CREAT, "EACCES"},
        {"/tmp/bootkey-test-new", O_RDWR | O_CREAT, "EACCES"},
        {"/dev/shm/bootkey-test-new", O_RDWR | O_CREAT, "EACCES"},
        {"/dev/zero", O_RDONLY, "EACCES"},
        {"/", O_RDONLY | O_DIRECTORY, "EACCES"},
        {"/var", O_RDONLY | O_DIRECTORY, "EACCES"},
        {"/proc/self/oom_score_adj", O_WRONLY, "EACCES"},
        {"/proc/" + std::to_string(getpid()) + "/environ", O_RDONLY, "EACCES"},
    };
    for (const Case& which : cases) {
        INFO(which.path << " " << which.flags);
        CHECK(Confined(directory.confinement(), [&] { return opened(which.path, which.flags); }).result() ==
              which.outcome);
    }
    // Without Landlock user ids alone would have let it read and write there.
    CHECK(Confined(directory.confinement(false), [&] { return opened(readable, O_RDONLY); }).result() == "done");
    CHECK(Confined(directory.confinement(false), [&] {
              return opened(directory.outside("new"), O_RDWR | O_CREAT);
          }).result() == "done");
}

TEST_CASE("a decryptor cannot run what it has written") {
    if (!has_landlock()) return;
    const WritableDirectory directory;
    const std::string program = directory.put("program", "#!/bin/true\n");
    REQUIRE(chmod(program.c_str(), 0755) == 0);
    const auto run = [&] { return outcome_of(execl(program.c_str(), "program", nullptr)); };
    CHECK(Confined(directory.confinement(), run).result() == "EACCES");
    CHECK(Confined(directory.confinement(false), run).result().empty());  // it ran
}

TEST_CASE("a decryptor whose directory is missing is not confined by half") {
    if (!has_landlock()) return;
    const int seen = base::testing::forked([] {
        const auto confined = confine({.role = Role::decryptor, .writable_directory = "/nonexistent"}, getppid());
        if (confined) return 1;
        return confined.error().tried.find("/nonexistent") != std::string::npos ? 10 : 2;
    });
    CHECK(seen == 10);
}

TEST_CASE("a decryptor reaches no abstract socket of others") {
    if (!has_landlock(6)) return;
    const WritableDirectory directory;
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "bootkey-test-" + std::to_string(getpid());
    std::memcpy(address.sun_path + 1, name.c_str(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), length) == 0);
    REQUIRE(listen(listener, 2) == 0);
    const auto reach = [&] {
        return outcome_of(
            connect(socket(AF_UNIX, SOCK_STREAM, 0), reinterpret_cast<const sockaddr*>(&address), length));
    };
    CHECK(Confined(directory.confinement(), reach).result() == "EPERM");
    CHECK(Confined(directory.confinement(false), reach).result() == "done");
    close(listener);
}
