// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/fifo_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "base/temporary_directory.hpp"
#include "bootkey/base/event_loop.hpp"
#include "catch.hpp"
#include "console/reader.hpp"
#include "console/secrets.hpp"

using namespace bootkey;
using console::FifoWriter;
using console::testing::awkward_password;
using console::testing::secret;
using namespace std::chrono_literals;

namespace {

struct Fifo {
    base::testing::TemporaryDirectory directory;
    std::string path = directory / "fifo";
    base::UniqueFd reader;
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    std::optional<bool> done;

    Fifo() {
        console::testing::make_fifo(path);
        std::signal(SIGPIPE, SIG_IGN);
        reader.reset(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        REQUIRE(reader);
    }
    auto write(const base::Secret& password) {
        return FifoWriter::start(*loop, path, password.bytes(), [this](bool read) {
            done = read;
            loop->stop();
        });
    }
    void run_a_moment() const {
        const auto limit = loop->timer([this] { loop->stop(); });
        limit->arm(30ms);
        loop->run();
    }
    // Up to `most` bytes of what is there; empty at the end of the file and if there is nothing.
    [[nodiscard]] std::string read_some(std::size_t most) const {
        std::string text(most, '\0');
        const ssize_t count = ::read(reader.get(), text.data(), most);
        text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return text;
    }
    // Whether the writer is still there.
    [[nodiscard]] bool is_open() const {
        char byte = 0;
        return ::read(reader.get(), &byte, 1) < 0 && errno == EAGAIN;
    }
};

}  // namespace

TEST_CASE("a password is read whole before the FIFO is closed, and only then it was read") {
    Fifo fifo;
    const std::string text = GENERATE(std::string("x"), std::string("a\0b\n\xff", 5), awkward_password(65536));
    const auto password = secret(text);
    const auto writer = fifo.write(password);
    REQUIRE(writer);
    std::string received;
    while (received.size() < text.size()) {
        fifo.run_a_moment();
        REQUIRE_FALSE(fifo.done);  // nobody has read it
        const std::string some = fifo.read_some(1000);
        REQUIRE_FALSE(some.empty());
        received += some;
        while (received.size() % 4096 != 0 && received.size() < text.size()) {
            const std::string more = fifo.read_some(1000);
            REQUIRE_FALSE(more.empty());
            received += more;
        }
    }
    CHECK(received == text);
    CHECK(fifo.is_open());
    fifo.run_a_moment();
    CHECK(fifo.done == true);
    CHECK_FALSE(fifo.is_open());
}

TEST_CASE("a reader that leaves before the end has not read it") {
    Fifo fifo;
    const auto password = secret(awkward_password(65536));
    const auto writer = fifo.write(password);
    REQUIRE(writer);
    if (GENERATE(false, true)) CHECK(fifo.read_some(4096).size() == 4096);
    fifo.run_a_moment();
    CHECK_FALSE(fifo.done);
    fifo.reader.reset();
    fifo.run_a_moment();
    CHECK(fifo.done == false);
}

TEST_CASE("a FIFO that nobody reads is not written to") {
    Fifo fifo;
    fifo.reader.reset();
    const auto password = secret("secret");
    const auto writer = fifo.write(password);
    REQUIRE_FALSE(writer);
    CHECK(writer.error().code == base::ExitCode::temporary);
    std::filesystem::remove(fifo.path);
    CHECK(fifo.write(password).error().code == base::ExitCode::temporary);
}

TEST_CASE("a password is not written behind another one that was not read yet") {
    Fifo fifo;
    const auto password = secret("secret");
    std::ofstream(fifo.path) << "typed";
    const auto refused = fifo.write(password);
    REQUIRE(refused);
    CHECK(*refused == nullptr);
    CHECK(fifo.read_some(100) == "typed");
    const auto writer = fifo.write(password);
    REQUIRE(writer);
    CHECK(*writer != nullptr);
    CHECK(fifo.read_some(100) == "secret");
}

TEST_CASE("what is not a FIFO of ours is not written to") {
    Fifo fifo;
    const auto password = secret("secret");
    std::filesystem::rename(fifo.path, fifo.directory / "elsewhere");
    SECTION("a file") {
        std::ofstream(fifo.path) << "content";
        CHECK(fifo.write(password).error().code == base::ExitCode::no_permission);
        CHECK(std::filesystem::file_size(fifo.path) == 7);
    }
    SECTION("a link to one") {
        std::filesystem::create_symlink(fifo.directory / "elsewhere", fifo.path);
        CHECK(fifo.write(password).error().code == base::ExitCode::no_permission);
    }
    CHECK(fifo.read_some(100).empty());
}

TEST_CASE("a writer that is given up closes the FIFO") {
    Fifo fifo;
    const auto password = secret(awkward_password(10000));
    auto writer = fifo.write(password);
    REQUIRE(writer);
    writer->reset();
    CHECK(fifo.read_some(8192).size() == 4096);
    CHECK_FALSE(fifo.is_open());
    fifo.run_a_moment();
    CHECK_FALSE(fifo.done);
}
