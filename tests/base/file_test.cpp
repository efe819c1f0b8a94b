// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "base/forked.hpp"
#include "base/pipe.hpp"
#include "base/temporary_directory.hpp"
#include "catch.hpp"

using namespace bootkey::base;
using bootkey::base::testing::forked;
using bootkey::base::testing::Pipe;
using bootkey::base::testing::read_to_end;
using bootkey::base::testing::TemporaryDirectory;
using Names = std::vector<std::string>;

namespace {

void make_file(const std::string& path, std::string_view content, mode_t mode = 0600) {
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    REQUIRE(fd);
    REQUIRE(write_all(fd.get(), bytes_of(content)) == 0);
}

// Both readers, to be tested by the same rows.
Result<std::string> read_plain(const std::string& path, std::size_t most) {
    return read_file(path, most, ExitCode::no_input);
}
Result<std::string> read_secret(const std::string& path, std::size_t most) {
    const Result<Secret> secret = read_secret_file(path, most);
    if (!secret) return secret.error();
    return std::string(reinterpret_cast<const char*>(secret->bytes().data()), secret->size());
}
using Reader = Result<std::string> (*)(const std::string&, std::size_t);

}  // namespace

TEST_CASE("files are read whole up to a limit") {
    using namespace std::string_literals;
    const Reader reader = GENERATE(&read_plain, &read_secret);
    const TemporaryDirectory directory;
    const std::string path = directory / "file";
    const auto content = GENERATE(
        values<std::string>({"", "x", "line\nNUL \0 and \xff\n"s, std::string(4096, 'p'), std::string(70'000, 'q')}));
    make_file(path, content);

    for (const std::size_t most : {content.size(), content.size() + 1, std::size_t{1} << 20}) {
        const auto read = reader(path, most);
        REQUIRE(read);
        CHECK((*read == content));
    }
    if (content.empty()) return;
    const auto too_long = reader(path, content.size() - 1);
    REQUIRE_FALSE(too_long);
    CHECK(too_long.error().code == ExitCode::no_input);
    CHECK(too_long.error().message() == "cannot read " + path + ": it is longer than " +
                                            std::to_string(content.size() - 1) +
                                            " bytes; check that it is the right file");
}

TEST_CASE("a file whose size is not known before is held to the limit all the same") {
    const Reader reader = GENERATE(&read_plain, &read_secret);
    const std::string path = "/proc/self/status";  // a regular file of size 0
    const auto whole = reader(path, 100'000);
    REQUIRE(whole);
    CHECK(whole->starts_with("Name:"));
    const auto short_limit = reader(path, 10);
    REQUIRE_FALSE(short_limit);
    CHECK(short_limit.error().why == "it is longer than 10 bytes");
}

TEST_CASE("what is no regular file is refused and never waited for") {
    const Reader reader = GENERATE(&read_plain, &read_secret);
    const TemporaryDirectory directory;
    const std::string fifo = directory / "fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    for (const std::string& path : {fifo, directory / ".", std::string("/dev/zero")}) {
        const auto read = reader(path, 100);
        REQUIRE_FALSE(read);
        CHECK(read.error().message() == "cannot read " + path + ": it is not a regular file; name a regular file");
    }
}

TEST_CASE("a file that cannot be opened says why and what to do") {
    const Reader reader = GENERATE(&read_plain, &read_secret);
    const TemporaryDirectory directory;
    const auto missing = reader(directory / "missing\n", 100);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == ExitCode::no_input);
    CHECK(missing.error().message() ==
          "cannot read " + (directory / "missing\\x0a") + ": No such file or directory; check the path");

    make_file(directory / "forbidden", "x", 0);
    const int seen = forked([&] {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 1;
        const auto refused = reader(directory / "forbidden", 100);
        return !refused && refused.error().message().ends_with("Permission denied; run as root or give read permission")
                   ? 10
                   : 2;
    });
    CHECK(seen == 10);
}

TEST_CASE("reading leaks no descriptor and leaves the offset of none") {
    const TemporaryDirectory directory;
    make_file(directory / "file", "x");
    const int before = UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
    REQUIRE(read_file(directory / "file", 10));
    REQUIRE_FALSE(read_file(directory / "file", 0));
    REQUIRE_FALSE(read_file(directory / ".", 10));
    REQUIRE(write_file(directory / "other", bytes_of("y"), 0600, true));
    CHECK(UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)).get() == before);
}

TEST_CASE("write_all reports what the system says") {
    const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
    REQUIRE(full);
    CHECK(write_all(full.get(), bytes_of("x")) == ENOSPC);
    CHECK(write_all(full.get(), {}) == 0);
    CHECK(write_all(-1, bytes_of("x")) == EBADF);

    const int seen = forked([] {
        std::signal(SIGPIPE, SIG_IGN);
        Pipe pipe;
        pipe.read_end.reset();
        return write_all(pipe.write_end.get(), bytes_of("x"));
    });
    CHECK(seen == EPIPE);
}

TEST_CASE("write_all writes everything through a pipe that takes it piece by piece") {
    Pipe pipe;
    if (GENERATE(false, true)) REQUIRE(fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK) == 0);
    std::string content(300'000, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 % 251);
    int failure = -1;
    std::thread writer([&] {
        failure = write_all(pipe.write_end.get(), bytes_of(content));
        pipe.write_end.reset();
    });
    const std::string read = read_to_end(pipe.read_end.get());
    pipe.read_end.reset();  // ends the writer if not all was read
    writer.join();
    CHECK(failure == 0);
    CHECK((read == content));
}

TEST_CASE("a written file has its content and mode, whatever the umask") {
    const TemporaryDirectory directory;
    const bool replace = GENERATE(true, false);
    const mode_t mode = GENERATE(as<mode_t>{}, 0600, 0644, 0400, 0666);
    REQUIRE(write_file(directory / "file", bytes_of("content"), mode, replace));
    struct stat status {};
    REQUIRE(stat((directory / "file").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == mode);
    CHECK(directory.names() == Names{"file"});  // and no temporary file
    if (mode == 0644) CHECK(*read_file(directory / "file", 100) == "content");
}

TEST_CASE("an existing file is replaced in one step or not at all") {
    const TemporaryDirectory directory;
    const std::string path = directory / "file";
    make_file(path, "old");
    const UniqueFd held(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(held);

    SECTION("replaced: who has the old one open keeps it") {
        REQUIRE(write_file(path, bytes_of("new"), 0600, true));
        CHECK(*read_file(path, 100) == "new");
        CHECK(read_to_end(held.get()) == "old");
    }
    SECTION("not replaced") {
        const auto refused = write_file(path, bytes_of("new"), 0600, false);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ExitCode::cannot_create);
        CHECK(refused.error().message() == "cannot write " + path + ": File exists; move the old file away first");
        CHECK(*read_file(path, 100) == "old");
    }
    SECTION("not replaced by one that could not be written whole") {
        const int seen = forked([&] {
            constexpr rlimit ten_bytes{10, 10};
            std::signal(SIGXFSZ, SIG_IGN);
            if (setrlimit(RLIMIT_FSIZE, &ten_bytes) != 0) return 1;
            const auto refused = write_file(path, bytes_of("much longer than ten bytes"), 0600, true);
            return !refused && refused.error().why == "File too large" ? 10 : 2;
        });
        CHECK(seen == 10);
        CHECK(*read_file(path, 100) == "old");
    }
    SECTION("not a directory") {
        REQUIRE(mkdir((directory / "below").c_str(), 0700) == 0);
        CHECK_FALSE(write_file(directory / "below", bytes_of("new"), 0600, true));
        CHECK(directory.names() == Names{"below", "file"});
        return;
    }
    CHECK(directory.names() == Names{"file"});
}

TEST_CASE("a symbolic link is replaced itself, not what it points to") {
    const TemporaryDirectory directory;
    make_file(directory / "target", "old");
    REQUIRE(symlink((directory / "target").c_str(), (directory / "link").c_str()) == 0);
    REQUIRE(write_file(directory / "link", bytes_of("new"), 0600, true));
    CHECK(*read_file(directory / "target", 100) == "old");
    CHECK(*read_file(directory / "link", 100) == "new");
}

TEST_CASE("a file in a directory that is not there is an error") {
    const TemporaryDirectory directory;
    const auto refused = write_file(directory / "none/file", bytes_of("x"), 0600, true);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ExitCode::cannot_create);
    CHECK(refused.error().message() ==
          "cannot write " + (directory / "none/file") + ": No such file or directory; check the directory");
}
