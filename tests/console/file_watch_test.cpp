// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/file_watch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "base/temporary_directory.hpp"
#include "bootkey/base/event_loop.hpp"
#include "catch.hpp"

using namespace bootkey;
using console::FileWatch;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

// The news of a file, as letters: o(pened), c(hanged).
struct News {
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    std::string seen;
    std::unique_ptr<FileWatch> watch;

    explicit News(const std::string& path) {
        auto made = FileWatch::create(
            *loop, path, [this](FileWatch::News news) { seen += news == FileWatch::News::opened ? 'o' : 'c'; });
        REQUIRE(made);
        watch = std::move(*made);
    }
    // All that has come so far, and what comes within a moment.
    std::string take() {
        const auto limit = loop->timer([&] { loop->stop(); });
        limit->arm(30ms);
        loop->run();
        return std::exchange(seen, {});
    }
};

void write_file(const std::string& path) {
    std::ofstream(path) << "x";
}

}  // namespace

TEST_CASE("a file in a directory that exists is watched") {
    const base::testing::TemporaryDirectory directory;
    const std::string path = directory / "file";
    News news(path);
    CHECK(news.take().empty());
    write_file(directory / "another");
    CHECK(news.take().empty());
    write_file(path);
    CHECK(news.take() == "o");
    { const std::ifstream reader(path); }
    CHECK(news.take() == "o");
    fs::rename(path, directory / "moved");
    CHECK(news.take() == "c");
    fs::rename(directory / "moved", path);
    CHECK(news.take() == "o");
    fs::remove(path);
    CHECK(news.take() == "c");
}

TEST_CASE("a file whose directories come later is watched then") {
    const base::testing::TemporaryDirectory directory;
    const std::string path = directory / "a/b/c/file";
    News news(path);
    fs::create_directory(directory / "unrelated");
    CHECK(news.take().empty());
    SECTION("one after the other") {
        for (const char* name : {"a", "a/b", "a/b/c"}) {
            fs::create_directory(directory / name);
            CHECK(news.take() == "o");
        }
    }
    SECTION("all at once") {
        fs::create_directories(directory / "a/b/c");
        CHECK_FALSE(news.take().empty());
    }
    SECTION("moved into place, with the file") {
        fs::create_directories(directory / "x/b/c");
        write_file(directory / "x/b/c/file");
        fs::rename(directory / "x", directory / "a");
        CHECK_FALSE(news.take().empty());
    }
    SECTION("after a file in the place of one of them") {
        write_file(directory / "a");
        CHECK(news.take() == "o");
        fs::remove(directory / "a");
        fs::create_directories(directory / "a/b/c");
        CHECK_FALSE(news.take().empty());
    }
    write_file(path);
    CHECK(news.take() == "o");
}

TEST_CASE("a directory that goes and comes again is watched again") {
    const base::testing::TemporaryDirectory directory;
    fs::create_directories(directory / "a/b");
    const std::string path = directory / "a/b/file";
    News news(path);
    fs::remove_all(directory / "a");
    CHECK_FALSE(news.take().empty());
    fs::create_directories(directory / "a/b");
    CHECK_FALSE(news.take().empty());
    write_file(path);
    CHECK(news.take() == "o");
    fs::rename(directory / "a/b", directory / "a/elsewhere");
    CHECK_FALSE(news.take().empty());
    write_file(directory / "a/elsewhere/file");
    CHECK(news.take().empty());
    fs::create_directory(directory / "a/b");
    CHECK_FALSE(news.take().empty());
    write_file(path);
    CHECK(news.take() == "o");
}
