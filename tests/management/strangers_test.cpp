// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who may connect to a Server, on real sockets: programs of other users, those who speak something else, and those who
// come in numbers and do not know the password.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

#include "base/temporary_directory.hpp"
#include "bootkey/management/server.hpp"
#include "management/peer.hpp"
#include "management/world.hpp"

using namespace bootkey;
using management::LoginGate;
using management::Place;
using management::Server;
using management::testing::banner;
using management::testing::Peer;
using management::testing::run;
using management::testing::secret;
using management::testing::World;
using namespace std::chrono_literals;

namespace {

constexpr const char* not_yours =
    "ERROR: without a password only root and the user who runs bootkey may connect, who wait for the replies\r\n";

Place loopback(const char* address) {
    return base::Endpoint{*base::IpAddress::parse(address), 0, 0};
}

struct Guarded {
    base::testing::TemporaryDirectory directory;
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    std::unique_ptr<World> world;
    std::unique_ptr<Server> server;

    explicit Guarded(Place place, const char* password = nullptr, bool decides = false) {
        management::Settings settings;
        settings.place = std::move(place);
        settings.hold = settings.confirm = decides;
        if (password != nullptr) settings.password = secret(password);
        begin(std::move(settings));
    }
    explicit Guarded(const char* password = nullptr) {
        management::Settings settings;
        settings.place = directory / "management";
        if (password != nullptr) settings.password = secret(password);
        begin(std::move(settings));
    }
    [[nodiscard]] Peer connect() const { return {*loop, server->place()}; }
    // What connects is another user's, as the worker is.
    [[nodiscard]] Peer connect_as(uid_t user) const {
        REQUIRE(seteuid(user) == 0);
        Peer peer(*loop, server->place());
        REQUIRE(seteuid(0) == 0);
        return peer;
    }
    [[nodiscard]] std::size_t logged(const std::string& part) const {
        return static_cast<std::size_t>(
            std::count_if(world->logged.begin(), world->logged.end(),
                          [&](const std::string& line) { return line.find(part) != line.npos; }));
    }

private:
    void begin(management::Settings settings) {
        world = std::make_unique<World>(std::move(settings));
        world->log.set_level(1);
        auto started = Server::start(*loop, world->interface, world->log);
        REQUIRE(started);
        server = std::move(*started);
    }
};

bool is_root() {
    if (geteuid() == 0) return true;
    WARN("SKIPPED: only root can be another user for a while");
    return false;
}

}  // namespace

TEST_CASE("without a password, programs of other users are turned away from TCP") {
    if (!is_root()) return;
    Guarded guarded(loopback(GENERATE("127.0.0.1", "::1")));
    for (int i = 0; i < 50; ++i) {
        auto stranger = guarded.connect_as(i % 2 == 0 ? 65520 : 65521);
        stranger.send_some("signal SIGTERM\n");
        CHECK(stranger.read_to_end() == not_yours);
    }
    CHECK(guarded.world->take_orders().empty());
    CHECK(guarded.logged("was refused: without --management-password-file only root") == 1);
    CHECK(guarded.world->logged.size() == 2);  // and the warning at the start
    CHECK(guarded.server->clients() == 0);
    auto peer = guarded.connect();
    CHECK(peer.read("\r\n") == banner);
    CHECK(peer.ask("verb") == "SUCCESS: verb=1\r\n");
    guarded.server.reset();
    CHECK(guarded.logged("49 more times in the last") == 1);
}

TEST_CASE("without a password, programs of other users are turned away from a Unix socket that was opened to them") {
    if (!is_root()) return;
    Guarded guarded;
    REQUIRE(::chmod((guarded.directory / ".").c_str(), 0711) == 0);
    REQUIRE(::chmod((guarded.directory / "management").c_str(), 0666) == 0);
    auto stranger = guarded.connect_as(65520);
    stranger.send_some("signal SIGTERM\n");
    CHECK(stranger.read_to_end() == not_yours);
    CHECK(guarded.world->take_orders().empty());
    CHECK(guarded.logged("from the Unix socket (user 65520) was refused") == 1);
}

TEST_CASE("with a password, whoever knows it is let in") {
    if (!is_root()) return;
    Guarded guarded(loopback("127.0.0.1"), "geheim");
    auto stranger = guarded.connect_as(65520);
    stranger.send("geheim\n");
    CHECK(stranger.read("info\r\n") == "ENTER PASSWORD:SUCCESS: password is correct\r\n" + std::string(banner));
}

TEST_CASE("whose a TCP connection was is not known when it is closed, and what it said is not done") {
    Guarded guarded(loopback("127.0.0.1"));
    SECTION("before it is accepted") {
        auto peer = guarded.connect();
        peer.send("signal SIGTERM\n");
        peer.vanish();
    }
    SECTION("after that") {
        auto peer = guarded.connect();
        CHECK(peer.read("\r\n") == banner);
        peer.send("signal SIGTERM\n");
        peer.vanish();
    }
    SECTION("in pieces") {
        auto peer = guarded.connect();
        peer.send("signal SIG");
        CHECK(peer.read("\r\n") == banner);
        peer.send("TERM\n");
        peer.vanish();
    }
    for (int i = 0; i < 1000 && guarded.logged("closed the connection before") == 0; ++i) run(*guarded.loop, 1ms);
    CHECK(guarded.logged("from this machine (unknown user) was refused, for it had closed the connection before") == 1);
    CHECK(guarded.world->take_orders().empty());
}

TEST_CASE("a client that says what it wants and closes at once is heard at a Unix socket, and at TCP if it waits") {
    SECTION("Unix") {
        Guarded guarded;
        auto peer = guarded.connect();
        peer.send("hold on\nsignal SIGTERM\n");
        peer.vanish();
        for (int i = 0; i < 1000 && guarded.world->orders.empty(); ++i) run(*guarded.loop, 1ms);
        CHECK(guarded.world->take_orders() == std::vector<std::string>{"signal 15"});
    }
    SECTION("TCP") {
        Guarded guarded(loopback("127.0.0.1"));
        auto peer = guarded.connect();
        peer.send("signal SIGTERM\n");
        peer.finish();
        CHECK(peer.read_to_end() == std::string(banner) + "SUCCESS: signal SIGTERM thrown\r\n");
        CHECK(guarded.world->take_orders() == std::vector<std::string>{"signal 15"});
    }
}

TEST_CASE("who has closed a Unix socket is heard to the end, in order, whenever the greeting finds out") {
    const bool with_password = GENERATE(false, true);
    Guarded guarded(with_password ? "geheim" : nullptr);
    std::string commands = with_password ? "geheim\n" : "";
    std::vector<std::string> expected;
    for (int i = 0; i < 2000; ++i) {
        const std::string kill = "kill server-" + std::to_string(i);
        expected.push_back(kill);
        commands += kill + "\nhelp\n";  // whose replies are more than waits for anybody
    }
    auto peer = guarded.connect();
    SECTION("before anything is sent") {
    }
    SECTION("while the greeting waits to be read") {
        run(*guarded.loop, 5ms);
    }
    peer.send(commands);
    SECTION("before the first is read") {
    }
    SECTION("between commands") {
        run(*guarded.loop, 1ms);
    }
    peer.vanish();
    for (int i = 0; i < 3000 && guarded.world->orders.size() < expected.size(); ++i) run(*guarded.loop, 1ms);
    CHECK(guarded.world->take_orders() == expected);
}

TEST_CASE("a hundred who say one thing each and close at once are all heard at a Unix socket") {
    Guarded guarded;
    for (int i = 0; i < 100; ++i) {
        auto peer = guarded.connect();
        peer.send("kill " + std::to_string(i) + "\n");
        peer.vanish();
    }
    for (int i = 0; i < 1000 && guarded.world->orders.size() < 100; ++i) run(*guarded.loop, 1ms);
    CHECK(guarded.world->orders.size() == 100);
}

TEST_CASE("TCP without a password is warned of") {
    SECTION("all that can be done there") {
        Guarded guarded(loopback("127.0.0.1"), nullptr, true);
        REQUIRE(guarded.world->logged.size() == 1);
        CHECK(guarded.world->logged[0].find("asks for no password") != std::string::npos);
        CHECK(guarded.world->logged[0].find("release the hold, give the consent") != std::string::npos);
        CHECK(
            guarded.world->logged[0].ends_with("; give --management-password-file, or a Unix socket to --management"));
    }
    SECTION("with a password it is not") {
        Guarded guarded(loopback("::1"), "geheim", true);
        CHECK(guarded.world->logged.empty());
    }
    SECTION("nor is a Unix socket") {
        Guarded guarded;
        CHECK(guarded.world->logged.empty());
    }
}

TEST_CASE("a browser's request is not read as commands") {
    const bool is_tcp = GENERATE(false, true);
    auto guarded = is_tcp ? std::make_unique<Guarded>(loopback("127.0.0.1")) : std::make_unique<Guarded>();
    auto peer = guarded->connect();
    peer.send("PO");
    CHECK(peer.read("\r\n") == banner);
    peer.send("ST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n");
    peer.send_some("signal SIGTERM\r\n");
    CHECK(peer.read_to_end().empty());
    peer.send_some("signal SIGTERM\r\n");
    CHECK(guarded->world->take_orders().empty());
    CHECK(guarded->logged("spoke HTTP, not commands") == 1);
}

TEST_CASE("connections that never log in keep nobody out") {
    Guarded guarded(loopback("127.0.0.1"), "geheim");
    std::deque<Peer> idle;
    for (std::size_t i = 0; i < LoginGate::max_clients + 20; ++i) {
        idle.push_back(guarded.connect());
        CHECK(idle.back().read(":") == "ENTER PASSWORD:");
    }
    CHECK(guarded.server->clients() == LoginGate::max_clients);
    auto peer = guarded.connect();
    CHECK(peer.read(":") == "ENTER PASSWORD:");
    CHECK(peer.ask("geheim", "info\r\n") == "SUCCESS: password is correct\r\n" + std::string(banner));
    CHECK(idle.front().read_to_end().empty());
    CHECK(guarded.logged("had to make room") == 1);
    CHECK(guarded.world->logged.size() == 1);
}

TEST_CASE("a password that has to wait costs no time of the processor, and what follows it is heard") {
    Guarded guarded(loopback("127.0.0.1"), "geheim");
    auto peer = guarded.connect();
    rusage before{}, after{};
    peer.send("x\ngeheim\nverb\n");
    peer.finish();
    CHECK(peer.read("password\r\nENTER PASSWORD:") == "ENTER PASSWORD:ERROR: bad password\r\nENTER PASSWORD:");
    getrusage(RUSAGE_SELF, &before);
    CHECK(peer.read_to_end() == "SUCCESS: password is correct\r\n" + std::string(banner) + "SUCCESS: verb=1\r\n");
    getrusage(RUSAGE_SELF, &after);
    const auto used = after.ru_utime.tv_sec * 1'000'000 + after.ru_utime.tv_usec - before.ru_utime.tv_sec * 1'000'000 -
                      before.ru_utime.tv_usec;
    CHECK(used < 500'000);  // of a second
}
