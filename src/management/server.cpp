// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "caller.hpp"
#include "connection.hpp"
#include "connector.hpp"
#include "listening_socket.hpp"
#include "socket_address.hpp"

namespace bootkey::management {
namespace {

constexpr int most_accepted_a_turn = 8;
constexpr base::Duration shortage_pause = std::chrono::seconds(1);
// How often somebody for whom there is no room is left waiting for so long, since one who has left may still be heard.
constexpr int most_waits_for_room = 10;
// Between strangers, and between clients of whom each takes another's place: so many take little of the processor's
// time.
constexpr base::Duration crowd_pause = std::chrono::milliseconds(5);
constexpr std::string_view too_many = "ERROR: too many management clients\r\n";
constexpr std::string_view not_yours =
    "ERROR: without a password only root and the user who runs bootkey may connect, who wait for the replies\r\n";
constexpr std::byte end_of_command{'\n'};

bool is_open_to_others(const Place& place) {
    const auto* const endpoint = std::get_if<base::Endpoint>(&place);
    return endpoint != nullptr && !endpoint->address.is_loopback();
}

std::string what_anybody_can_do(const Settings& settings) {
    std::string text = "can steer the unlock";
    if (settings.hold) text += ", release the hold";
    if (settings.confirm) text += ", give the consent to a password";
    return text;
}

// Nothing is waited for: a new connection takes so few bytes at once, and what it has sent is read, so that it is not
// reset.
void refuse(const base::UniqueFd& fd, std::string_view why) {
    [[maybe_unused]] const auto sent = ::send(fd.get(), why.data(), why.size(), MSG_NOSIGNAL);
    ::shutdown(fd.get(), SHUT_WR);
    if (auto dropped = base::Secret::with_capacity(Connection::most_at_once)) [[maybe_unused]]
        const auto size = recv(fd.get(), dropped->spare().data(), dropped->capacity(), 0);
}

}  // namespace

class Server::Sockets {
public:
    Sockets(base::Loop& loop, Interface& interface, const base::Log& log)
        : loop_(loop),
          interface_(interface),
          log_(log),
          place_(interface.settings().place),
          due_(loop.timer([this] {
              interface_.run_due(loop_.now());
              arm();
          })),
          accept_again_(loop.timer([this] { accepting_->update({.readable = true}); })) {
        interface_.attach({.send = [this](ClientId client, std::string_view lines) { return send(client, lines); },
                           .close = [this](ClientId client) { close(client); },
                           .drop = [this](ClientId client) { drop(client); },
                           .pause = [this](ClientId client, bool on) { pause(client, on); }});
    }
    ~Sockets() {
        interface_.log_counts(loop_.now());
        interface_.attach({});
        connections_.clear();
    }
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;

    base::Result<void> listen() {
        auto socket = ListeningSocket::open(place_);
        if (!socket) return std::move(socket).error();
        listening_.emplace(std::move(*socket));
        place_ = listening_->place();
        accepting_ = loop_.watch(listening_->fd(), {.readable = true}, [this](base::Readiness) { accept_some(); });
        log_.info(2, "management clients can connect to " + text_of(place_));
        return {};
    }

    base::Result<void> connect() {
        if (const auto address = socket_address(place_); !address) return address.error();
        connector_.emplace(loop_, place_, log_, [this](base::UniqueFd fd) {
            const std::string client = text_of(place_);
            add(std::move(fd), {{client, client}, std::nullopt, false});
        });
        connector_->again();
        return {};
    }

    [[nodiscard]] const Place& place() const { return place_; }
    [[nodiscard]] std::size_t clients() const { return connections_.size(); }

private:
    void accept_some() {
        for (int count = 0; count < most_accepted_a_turn; ++count) {
            if (waits_for_room()) return pause_accepting(crowd_pause);
            base::UniqueFd fd(::accept4(listening_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!fd && (errno == EINTR || errno == ECONNABORTED)) continue;
            if (!fd && errno == EAGAIN) return;
            if (!fd) return wait_for_resources(errno);
            prepare_connected(fd.get(), place_);
            const bool is_welcome = take(std::move(fd));
            if (!is_welcome || interface_.is_crowded()) return pause_accepting(crowd_pause);
        }
    }

    // Those who say what they want and close at once take a place until they are heard: a burst of them is no crowd.
    [[nodiscard]] bool waits_for_room() {
        const bool is_full = !needs_password() && connections_.size() >= most_clients;
        if (is_full && ++waits_for_room_ <= most_waits_for_room) return true;
        waits_for_room_ = 0;
        return false;
    }

    // Returns whether it was one that may come.
    bool take(base::UniqueFd fd) {
        const Caller caller = caller_at(fd.get());
        const bool is_stranger = !needs_password() && !may_steer(caller.user);
        if (is_stranger)
            refuse_stranger(fd, caller);
        else if (!needs_password() && connections_.size() >= most_clients)
            refuse(fd, too_many);
        else
            add(std::move(fd), caller);
        return !is_stranger;
    }

    void refuse_stranger(const base::UniqueFd& fd, const Caller& caller) {
        tell_of_stranger(caller);
        refuse(fd, not_yours);
        arm();
    }

    void tell_of_stranger(const Caller& caller) {
        interface_.repeatable(
            caller.user
                ? "was refused: without --management-password-file only root and the user who runs bootkey may "
                  "connect"
                : "was refused, for it had closed the connection before it could be seen whose it is; let it wait "
                  "for the replies, or use a Unix socket",
            caller.origin.address, loop_.now());
    }

    [[nodiscard]] bool needs_password() const { return !interface_.settings().password.empty(); }

    // Want of descriptors or memory passes, but the connection that waits keeps the socket readable.
    void wait_for_resources(int errno_value) {
        log_.info(4, base::system_error("cannot accept a management client", errno_value).message());
        pause_accepting(shortage_pause);
    }

    void pause_accepting(base::Duration pause) {
        accepting_->update({});
        accept_again_->arm(pause);
    }

    void add(base::UniqueFd fd, const Caller& caller) {
        const ClientId client = ++last_client_;
        const int number = fd.get();
        auto connection = Connection::create(
            loop_, std::move(fd),
            {[this, client, number](std::span<const std::byte> bytes) { return received(client, number, bytes); },
             [this, client] { interface_.drained(client); },
             [this, client](std::string_view why) { ended(client, std::string(why)); }});
        if (!connection) return refuse_for(connection.error());
        connections_[client] = std::move(*connection);
        if (!needs_password() && caller.is_tcp) unheard_.insert(client);
        if (const auto known = interface_.client_came(client, caller.origin, loop_.now()); !known) {
            drop(client);
            refuse_for(known.error());
        }
        arm();
    }

    void refuse_for(const base::Error& error) {
        log_.warning("a management client is turned away: " + error.message());
        if (connector_) connector_->again();
    }

    // Before its first command the client has to be there still: only then is it sure whose it is.
    std::size_t received(ClientId client, int fd, std::span<const std::byte> bytes) {
        if (unheard_.contains(client) && std::ranges::find(bytes, end_of_command) != bytes.end()) {
            unheard_.erase(client);
            if (const Caller caller = caller_at(fd); !may_steer(caller.user)) {
                tell_of_stranger(caller);
                close(client);
                arm();
                return bytes.size();
            }
        }
        const std::size_t used = interface_.received(client, bytes, loop_.now());
        arm();
        return used;
    }

    // What the Interface has to do by itself.
    void arm() {
        if (const auto deadline = interface_.next_deadline())
            due_->arm(std::max(*deadline - loop_.now(), base::Duration{}));
        else
            due_->disarm();
    }

    [[nodiscard]] bool send(ClientId client, std::string_view lines) {
        const auto found = connections_.find(client);
        return found != connections_.end() && found->second->send(lines);
    }

    void close(ClientId client) {
        if (const auto found = connections_.find(client); found != connections_.end()) found->second->close();
    }

    void pause(ClientId client, bool on) {
        if (const auto found = connections_.find(client); found != connections_.end()) found->second->pause(on);
    }

    void drop(ClientId client) {
        connections_.erase(client);
        unheard_.erase(client);
    }

    void ended(ClientId client, const std::string& why) {
        if (!why.empty())
            log_.warning("management client " + std::to_string(client) + " " + why + ": it is disconnected");
        drop(client);
        if (connector_) connector_->again();
        interface_.client_left(client);
        arm();
    }

    base::Loop& loop_;
    Interface& interface_;
    const base::Log& log_;
    Place place_;
    std::optional<ListeningSocket> listening_;
    std::optional<Connector> connector_;
    ClientId last_client_ = 0;
    std::map<ClientId, std::unique_ptr<Connection>> connections_;
    int waits_for_room_ = 0;
    std::set<ClientId> unheard_;  // of whom it is to be seen again whose they are
    std::unique_ptr<base::Timer> due_;
    std::unique_ptr<base::Timer> accept_again_;
    std::unique_ptr<base::Watch> accepting_;
};

base::Result<std::unique_ptr<Server>> Server::start(base::Loop& loop, Interface& interface, const base::Log& log) {
    const auto& settings = interface.settings();
    if (!settings.connect && is_open_to_others(settings.place)) {
        if (settings.password.empty())
            return base::Error{base::ExitCode::usage,
                               "cannot offer the management interface at " + text_of(settings.place),
                               "every machine that reaches this address could steer the unlock",
                               "give --management-password-file, or use 127.0.0.1 or a Unix socket"};
        log.warning("the management interface at " + text_of(settings.place) +
                    " can be reached from other machines, and nothing that is said there is encrypted");
    } else if (!settings.connect && settings.password.empty() &&
               std::holds_alternative<base::Endpoint>(settings.place)) {
        log.warning("the management interface at " + text_of(settings.place) +
                    " asks for no password: whatever program of root or of the user who runs bootkey connects there " +
                    what_anybody_can_do(settings) +
                    "; give --management-password-file, or a Unix socket to --management");
    }
    auto sockets = std::make_unique<Sockets>(loop, interface, log);
    if (const auto begun = settings.connect ? sockets->connect() : sockets->listen(); !begun) return begun.error();
    return std::unique_ptr<Server>(new Server(std::move(sockets)));
}

Server::Server(std::unique_ptr<Sockets> sockets) : sockets_(std::move(sockets)) {
}

Server::~Server() = default;

const Place& Server::place() const {
    return sockets_->place();
}

std::size_t Server::clients() const {
    return sockets_->clients();
}

}  // namespace bootkey::management
