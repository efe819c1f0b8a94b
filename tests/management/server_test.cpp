// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/server.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "base/temporary_directory.hpp"
#include "fakes/fake_loop.hpp"
#include "management/peer.hpp"
#include "management/world.hpp"

using namespace bootkey;
using management::Place;
using management::Server;
using management::testing::banner;
using management::testing::Peer;
using management::testing::run;
using management::testing::secret;
using management::testing::World;
using namespace std::chrono_literals;

namespace {

base::Endpoint endpoint_at(const char* address, std::uint16_t port = 0) {
    const auto parsed = base::IpAddress::parse(address);
    REQUIRE(parsed);
    return {*parsed, port, 0};
}

management::Settings at(Place place) {
    management::Settings settings;
    settings.place = std::move(place);
    return settings;
}

struct Lab {
    base::testing::TemporaryDirectory directory;
    std::string path = directory / "management";
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    std::unique_ptr<World> world;
    std::unique_ptr<Server> server;

    // A broken connection must not end the program, whatever it does with SIGPIPE elsewhere.
    Lab() { std::signal(SIGPIPE, SIG_DFL); }
    void start(management::Settings settings) {
        world = std::make_unique<World>(std::move(settings));
        world->log.set_level(1);
        auto started = Server::start(*loop, world->interface, world->log);
        REQUIRE(started);
        server = std::move(*started);
    }
    void start() { start(at(path)); }
    [[nodiscard]] base::Error refused(management::Settings settings) {
        World other(std::move(settings));
        const auto started = Server::start(*loop, other.interface, other.log);
        REQUIRE_FALSE(started);
        return started.error();
    }
    [[nodiscard]] Peer connect() const { return {*loop, server->place()}; }
    // A client that has got the banner.
    Peer welcomed() const {
        Peer peer = connect();
        CHECK(peer.read("\r\n") == banner);
        return peer;
    }
    void wait_for_clients(std::size_t count) const {
        for (int i = 0; i < 3000 && server->clients() != count; ++i) run(*loop, 1ms);
        CHECK(server->clients() == count);
    }
};

bool is_socket_of_mode(const std::string& path, mode_t mode) {
    struct stat found {};
    return lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode) && (found.st_mode & 07777) == mode;
}

// A socket that a program left behind which did not clean up, or that one listens at still.
base::UniqueFd make_listener(const Place& place) {
    sockaddr_storage storage{};
    const socklen_t length = management::testing::address_of(place, storage);
    base::UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
    REQUIRE(::listen(fd.get(), 5) == 0);
    return fd;
}

// Where it listens: at `path`, if it is no TCP socket.
Place place_of(const base::UniqueFd& listener, const std::string& path) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0);
    if (storage.ss_family == AF_UNIX) return path;
    return endpoint_at("127.0.0.1", ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port));
}

}  // namespace

TEST_CASE("a Unix socket is for root alone, and removed in the end") {
    Lab lab;
    const mode_t before = umask(0);
    lab.start();
    umask(before);
    CHECK(is_socket_of_mode(lab.path, 0600));
    auto peer = lab.welcomed();
    CHECK(peer.ask("hold") == "SUCCESS: hold=0\r\n");
    lab.server.reset();
    CHECK_FALSE(std::filesystem::exists(lab.path));
    CHECK(peer.read_to_end().empty());
}

TEST_CASE("a Unix socket replaces one that nobody listens at, and nothing else") {
    Lab lab;
    SECTION("a dead socket") {
        make_listener(lab.path).reset();
        REQUIRE(std::filesystem::exists(lab.path));
        lab.start();
        lab.welcomed();
    }
    SECTION("a socket in use") {
        const auto listener = make_listener(lab.path);
        const auto error = lab.refused(at(lab.path));
        CHECK(error.code == base::ExitCode::unavailable);
        CHECK(error.message() == "cannot listen at the management socket " + lab.path +
                                     ": another program listens there; remove it or choose another path");
        CHECK(std::filesystem::exists(lab.path));
    }
    SECTION("a file") {
        std::ofstream(lab.path) << "content";
        CHECK(lab.refused(at(lab.path)).why == "something else than a socket is there");
        CHECK(std::filesystem::file_size(lab.path) == 7);
    }
    SECTION("a link to a dead socket") {
        make_listener(lab.directory / "elsewhere").reset();
        std::filesystem::create_symlink(lab.directory / "elsewhere", lab.path);
        CHECK(lab.refused(at(lab.path)).why == "something else than a socket is there");
        CHECK(std::filesystem::exists(lab.directory / "elsewhere"));
    }
    SECTION("a name that another program has taken since stays") {
        lab.start();
        std::filesystem::remove(lab.path);
        const auto listener = make_listener(lab.path);
        lab.server.reset();
        CHECK(std::filesystem::exists(lab.path));
    }
}

TEST_CASE("a path that no socket can have is refused") {
    Lab lab;
    const bool connect = GENERATE(false, true);
    for (const auto& path : {std::string(), "/" + std::string(107, 'x')}) {
        auto settings = at(path);
        settings.connect = connect;
        CHECK(lab.refused(std::move(settings)).code == base::ExitCode::usage);
    }
    CHECK(lab.refused(at(lab.directory / "missing/x")).code == base::ExitCode::unavailable);
}

TEST_CASE("a TCP socket listens at its address") {
    Lab lab;
    lab.start(at(endpoint_at(GENERATE("127.0.0.1", "::1"))));
    CHECK(std::get<base::Endpoint>(lab.server->place()).port != 0);
    auto peer = lab.welcomed();
    CHECK(peer.ask("verb") == "SUCCESS: verb=1\r\n");
    CHECK(lab.refused(at(lab.server->place())).code == base::ExitCode::unavailable);
}

TEST_CASE("other machines can reach the interface only with a password") {
    Lab lab;
    const auto place = endpoint_at(GENERATE("192.0.2.1", "2001:db8::1"), 7505);  // addresses that no machine has
    const auto error = lab.refused(at(place));
    CHECK(error.code == base::ExitCode::usage);
    CHECK(error.advice == "give --management-password-file, or use 127.0.0.1 or a Unix socket");
    auto settings = at(place);
    settings.password = secret("geheim");
    lab.start(std::move(settings));
    REQUIRE(lab.world->logged.size() == 1);
    CHECK(lab.world->logged[0].find("can be reached from other machines") != std::string::npos);
}

TEST_CASE("a password is asked for at the door") {
    Lab lab;
    auto settings = at(lab.path);
    settings.password = secret("geheim");
    lab.start(std::move(settings));
    auto peer = lab.connect();
    CHECK(peer.read(":") == "ENTER PASSWORD:");
    CHECK(peer.ask("x", ":") == "ERROR: bad password\r\nENTER PASSWORD:");
    CHECK(peer.ask("geheim", "info\r\n") == "SUCCESS: password is correct\r\n" + std::string(banner));
    auto guesser = lab.connect();
    guesser.send("a\nb\nc\ngeheim\n");
    CHECK(guesser.read("password\r\nENTER PASSWORD:") == "ENTER PASSWORD:ERROR: bad password\r\nENTER PASSWORD:");
    CHECK(guesser.read("password\r\nENTER PASSWORD:") == "ERROR: bad password\r\nENTER PASSWORD:");
    CHECK(guesser.read_to_end() == "ERROR: bad password\r\n");
}

TEST_CASE("commands come in any pieces") {
    Lab lab;
    lab.start();
    auto peer = lab.welcomed();
    for (const char character : std::string_view("hold on\r\nve")) {
        peer.send({&character, 1});
        run(*lab.loop, 1ms);
    }
    CHECK(peer.read("\r\n") == "SUCCESS: hold flag set to ON\r\n");
    CHECK(peer.ask("rb") == "SUCCESS: verb=1\r\n");
    std::string commands, replies;
    for (int i = 0; i < 3000; ++i) {
        commands += "verb " + std::to_string(i % 16) + "\nverb\n";
        replies += "SUCCESS: verb level changed\r\nSUCCESS: verb=" + std::to_string(i % 16) + "\r\n";
    }
    std::string got;
    for (std::string_view rest = commands; !rest.empty();) {
        rest.remove_prefix(peer.send_some(rest));
        got += peer.read("\n");
    }
    while (got.size() < replies.size() && !peer.is_closed()) got += peer.read("\n");
    CHECK((got == replies));
}

TEST_CASE("a client that has said all it wants gets its replies") {
    Lab lab;
    lab.start();
    auto peer = lab.connect();
    const bool says_exit = GENERATE(false, true);
    peer.send(says_exit ? "hold\nstate\nexit\nverb 15\n" : "hold\nstate\nverb");
    if (!says_exit) peer.finish();
    CHECK(peer.read_to_end() == std::string(banner) + "SUCCESS: hold=0\r\n1000,CONNECTING,,,,,,\r\nEND\r\n");
    CHECK(lab.world->take_orders().empty());
    peer.vanish();
    lab.wait_for_clients(0);
    lab.welcomed();
}

TEST_CASE("a client that has left takes up no place, even if it does not close its end") {
    Lab lab;
    lab.start();
    auto peer = lab.welcomed();
    peer.send("exit\n");
    CHECK(peer.read_to_end().empty());
    peer.send("and on it talks\n");
    lab.wait_for_clients(0);
}

TEST_CASE("a client that closes its end while a long reply is under way gets all of it") {
    Lab lab;
    lab.start();
    for (int i = 0; i < 250; ++i) lab.world->log.info(1, std::string(1000, 'x'));
    auto peer = lab.welcomed();
    for (int i = 0; i < 10; ++i) peer.send("log all\n");
    peer.finish();
    const std::string text = peer.read_to_end();
    CHECK(std::count(text.begin(), text.end(), '\n') == 10 * 251);
    CHECK(text.ends_with("END\r\n"));
}

TEST_CASE("the seventeenth client is told that there are too many") {
    Lab lab;
    lab.start(at(GENERATE(true, false) ? Place(lab.path) : Place(endpoint_at("127.0.0.1"))));
    std::deque<Peer> peers;
    for (std::size_t i = 0; i < Server::most_clients; ++i) peers.push_back(lab.welcomed());
    auto refused = lab.connect();
    refused.send("verb\n");
    CHECK(refused.read_to_end() == "ERROR: too many management clients\r\n");
    CHECK(peers.front().ask("verb") == "SUCCESS: verb=1\r\n");
    peers.pop_back();
    lab.wait_for_clients(Server::most_clients - 1);
    lab.welcomed();
}

TEST_CASE("a client that vanishes harms nobody") {
    Lab lab;
    lab.start(at(GENERATE(true, false) ? Place(lab.path) : Place(endpoint_at("127.0.0.1"))));
    auto other = lab.welcomed();
    for (int i = 0; i < 250; ++i) lab.world->log.info(1, std::string(1000, 'x'));
    for (int i = 0; i < 20; ++i) {
        auto peer = lab.welcomed();
        peer.send("log on all\nstate on\nlog all\nlog all\nlog a");
        if (i % 2 == 0) run(*lab.loop, 1ms);
        peer.vanish();
        lab.world->log.info(1, "on it goes");
    }
    lab.wait_for_clients(1);
    CHECK(other.ask("verb") == "SUCCESS: verb=1\r\n");
}

TEST_CASE("a client that stops reading is disconnected, and the others miss nothing") {
    Lab lab;
    lab.start();
    auto stalled = lab.welcomed();
    CHECK(stalled.ask("log on") == "SUCCESS: real-time log notification set to ON\r\n");
    auto other = lab.welcomed();
    CHECK(other.ask("log on") == "SUCCESS: real-time log notification set to ON\r\n");
    std::string told;
    int said = 0;
    for (; lab.server->clients() == 2 && said < 3000; ++said) {
        lab.world->log.info(1, std::to_string(said) + std::string(500, 'x'));
        told += other.read_for(1ms);
    }
    CHECK(said > 256 * 1024 / 520);
    lab.wait_for_clients(1);
    for (int i = 0; i < said; ++i) REQUIRE(told.find(">LOG:1000,I," + std::to_string(i) + "xx") != std::string::npos);
    if (!told.ends_with("disconnected\r\n")) told += other.read("disconnected\r\n");
    CHECK(told.ends_with("\r\n>LOG:1000,W,management client 1 does not read what it is sent: it is disconnected\r\n"));
}

TEST_CASE("a client that asks without reading waits, and gets everything when it reads") {
    Lab lab;
    lab.start();
    for (int i = 0; i < 250; ++i) lab.world->log.info(1, std::to_string(i) + "," + std::string(1000, 'x'));
    auto greedy = lab.welcomed();
    auto other = lab.welcomed();
    std::size_t asked = 0;
    for (int idle = 0; idle < 20;) {
        const std::size_t taken = greedy.send_some("log all\n");
        asked += taken / 8;
        idle = taken == 0 ? idle + 1 : 0;
        if (asked % 64 == 0 || taken == 0) run(*lab.loop, 1ms);
        if (asked == 1000) break;
    }
    run(*lab.loop, 50ms);
    CHECK(other.ask("verb") == "SUCCESS: verb=1\r\n");
    CHECK(lab.server->clients() == 2);
    std::size_t lines = 0;
    while (lines < asked * 251 && !greedy.is_closed()) {
        const std::string text = greedy.read("\n");
        REQUIRE_FALSE(text.empty());
        lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    }
    CHECK(lines == asked * 251);
}

TEST_CASE("garbage is harmless") {
    Lab lab;
    lab.start();
    auto peer = lab.connect();
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
    for (int i = 0; i < 200; ++i) {
        std::string bytes(random() % 3000, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        for (std::string_view rest = bytes; !rest.empty(); peer.read_for(1ms)) rest.remove_prefix(peer.send_some(rest));
    }
    peer.send("\n");
    CHECK(peer.ask("verb", "verb=1\r\n").ends_with("SUCCESS: verb=1\r\n"));
    CHECK(lab.world->take_orders().empty());
}

TEST_CASE("bytes are counted every second for who wants it") {
    Lab lab;
    lab.start();
    auto peer = lab.welcomed();
    CHECK(peer.ask("bytecount 1") == "SUCCESS: bytecount interval changed\r\n");
    const auto begin = base::Clock::now();
    CHECK(peer.read("\r\n") == ">BYTECOUNT:1234,56\r\n");
    CHECK(base::Clock::now() - begin > 900ms);
    CHECK(peer.read("\r\n") == ">BYTECOUNT:1234,56\r\n");
}

TEST_CASE("last words are delivered") {
    Lab lab;
    lab.start(at(GENERATE(true, false) ? Place(lab.path) : Place(endpoint_at("127.0.0.1"))));
    auto peer = lab.welcomed();
    peer.send("verb\n");  // not read any more
    lab.world->interface.fatal("no key");
    lab.server.reset();
    CHECK(peer.read_to_end() == ">FATAL:no key\r\n");
}

TEST_CASE("want of descriptors passes") {
#ifdef __SANITIZE_ADDRESS__
    WARN("SKIPPED: without descriptors the undefined-behaviour sanitizer takes every object for a broken one");
#else
    Lab lab;
    lab.start();
    auto peer = lab.connect();
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{3, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    run(*lab.loop, 50ms);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(lab.server->clients() == 0);
    CHECK(peer.read("\r\n") == banner);
#endif
}

TEST_CASE("a client that listens is connected to, again and again") {
    Lab lab;
    const auto listener = make_listener(GENERATE(true, false) ? Place(lab.path) : Place(endpoint_at("127.0.0.1")));
    auto settings = at(place_of(listener, lab.path));
    settings.connect = true;
    lab.start(std::move(settings));
    for (int i = 0; i < 2; ++i) {
        base::UniqueFd fd;
        for (int wait = 0; wait < 3000 && !fd; ++wait) {
            run(*lab.loop, 1ms);
            fd.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        }
        REQUIRE(fd);
        Peer peer(*lab.loop, std::move(fd));
        CHECK(peer.read("\r\n") == banner);
        CHECK(peer.ask("verb") == "SUCCESS: verb=1\r\n");
    }
    CHECK(lab.world->logged.empty());
}

TEST_CASE("a client that is not there is tried less and less often, and complained of once") {
    base::testing::TemporaryDirectory directory;
    fakes::FakeLoop loop;
    auto settings = at(directory / "nobody");
    settings.connect = true;
    World world(std::move(settings));
    world.log.set_level(1);
    const auto server = Server::start(loop, world.interface, world.log);
    REQUIRE(server);
    for (const auto pause : {0s, 1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
        CHECK(loop.next_timer() == pause);
        loop.run_next_timer();
    }
    REQUIRE(world.logged.size() == 1);
    CHECK(world.logged[0].starts_with("cannot connect to the management client at " + directory / "nobody"));
}
