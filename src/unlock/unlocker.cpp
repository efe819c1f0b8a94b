// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/unlock/unlocker.hpp"

#include <algorithm>

#include "bootkey/base/text.hpp"
#include "bootkey/unlock/configured_servers.hpp"

namespace bootkey::unlock {
namespace {

using base::escaped;
using base::format;

// The source, as servers::Servers wants it, of what discovery sees on one interface over one protocol.
std::string source_of(const discovery::ServiceId& id) {
    return format("%u/%d", id.interface, id.family);
}

// The one plain name given with --interface: the way to a --connect or --server address that has no scope.
std::string only_name(const network::InterfaceChoice& choice) {
    const auto& names = choice.plain_names();
    return names.size() == 1 ? names.front() : std::string();
}

std::vector<options::ServerAddress> configured_servers(const options::Options& options) {
    if (options.connect) return {*options.connect};
    return options.servers;
}

}  // namespace

base::Result<std::unique_ptr<Unlocker>> Unlocker::start(base::Loop& loop, const base::Log& log,
                                                        const options::Options& options, changes::RequestSender ask,
                                                        const servers::TlsCredentials& credentials,
                                                        discovery::Browsing browsing, Listener listener) {
    std::unique_ptr<Unlocker> unlocker(new Unlocker(loop, log, options, std::move(ask), std::move(listener)));
    if (auto opened = unlocker->open_rooms(credentials, browsing); !opened) return std::move(opened).error();
    return unlocker;
}

Unlocker::Unlocker(base::Loop& loop, const base::Log& log, const options::Options& options, changes::RequestSender ask,
                   Listener listener)
    : loop_(loop),
      log_(log),
      options_(options),
      ask_(std::move(ask)),
      listener_(std::move(listener)),
      choice_(options.interfaces, options.connect.has_value() || !options.servers.empty()),
      configured_(configured_servers(options)) {
}

Unlocker::~Unlocker() = default;

// Interfaces first: they are what takes long.
base::Result<void> Unlocker::open_rooms(const servers::TlsCredentials& credentials, discovery::Browsing browsing) {
    servers_ = servers::Servers::create(
        loop_, log_, credentials, options_.retry,
        {.progress = [this](const servers::Progress& news) { on_progress(news); },
         .answer = [this](servers::AttemptId attempt, const servers::Origin& origin,
                          std::vector<std::byte> answer) { on_answer(attempt, origin, std::move(answer)); },
         .idle = [this](base::Time until) { listener_.idle(until); }});
    auto interfaces = Interfaces::start(
        loop_, log_, choice_, options_.delay, ask_,
        {.usable = [this](const network::InterfaceAddress& address) { on_address_usable(address); },
         .gone = [this](std::uint32_t interface, bool removed) { on_interface_gone(interface, removed); },
         .changed = [this] { update_configured_servers(); },
         .refused = [this](base::Error error) { fail(std::move(error)); },
         .progress = [this](const timeline::InterfaceRecord& record) { listener_.interface_progress(record); }});
    if (!interfaces) return std::move(interfaces).error();
    interfaces_ = std::move(*interfaces);

    if (!options_.connect) {
        auto discovery = discovery::Discovery::create(
            loop_, log_,
            {.found = [this](const discovery::Service& service) { on_found(service); },
             .lost = [this](const discovery::ServiceId& id) { servers_->lost(id.name, source_of(id)); }},
            [this](const base::IpAddress& address) { return interfaces_->table().is_own(address); }, browsing);
        if (!discovery) return std::move(discovery).error();
        discovery_ = std::move(*discovery);
    }
    update_configured_servers();
    return {};
}

void Unlocker::try_now() {
    if (over_) return;
    if (discovery_) discovery_->ask_again();
    servers_->try_now();
}

void Unlocker::log_status() const {
    for (const std::string& line : interfaces_->status()) log_.info(0, line);
    if (!servers_) return;
    for (const std::string& line : servers_->status()) log_.info(0, line);
}

void Unlocker::on_address_usable(const network::InterfaceAddress& address) {
    if (over_) return;
    const network::Link* link = interfaces_->table().find(address.interface);
    log_.info(3, format("interface %s: address %s is usable", link != nullptr ? escaped(link->name).c_str() : "?",
                        address.address.text().c_str()));
    listener_.address_usable(address);
    if (discovery_) discovery_->address_usable(address.interface, address.address);
    if (!address.address.is_link_local()) remove_routes_to_configured(address);
    update_configured_servers();
    servers_->reachable(address.interface);
}

void Unlocker::on_interface_gone(std::uint32_t interface, bool removed) {
    if (over_) return;
    if (discovery_) discovery_->interface_gone(interface);
    if (removed) servers_->interface_gone(interface);
    std::erase_if(routed_, [&](const auto& route) { return route.second == interface; });
}

void Unlocker::on_found(const discovery::Service& service) {
    if (over_) return;
    echo(service);
    const auto is_link_local = [](const base::Endpoint& endpoint) { return endpoint.address.is_link_local(); };
    if (std::any_of(service.endpoints.begin(), service.endpoints.end(), is_link_local)) return update_service(service);
    add_routes_to(service.endpoints, [this, service] { update_service(service); });
}

// Each text once, however often and by however many services it is announced.
void Unlocker::echo(const discovery::Service& service) {
    constexpr std::string_view key = "echo=";
    constexpr std::size_t most = 16;
    if (!options_.management.echo_from_servers) return;
    for (const std::string& text : service.txt)
        if (text.starts_with(key) && echoed_.size() < most && echoed_.insert(text).second)
            listener_.echo(text.substr(key.size()));
}

// A server that can only be reached at other than link-local addresses may need a route that nobody has configured.
// Calls `then` when there is one, or when that is known to be impossible; not if this object is gone by then.
void Unlocker::add_routes_to(const std::vector<base::Endpoint>& endpoints, std::function<void()> then) {
    const auto pending = std::make_shared<std::size_t>(1);
    const auto one_done = [weak = std::weak_ptr(self_), pending, then = std::move(then)] {
        if (--*pending == 0 && !weak.expired()) then();
    };
    for (const base::Endpoint& endpoint : endpoints) {
        if (!routed_.emplace(endpoint.address, endpoint.interface).second) continue;
        ++*pending;
        ask_(changes::AddHostRoute{endpoint.interface, endpoint.address},
             [&log = log_, one_done](const changes::Reply& reply) {
                 if (!reply.result) log.info(2, reply.result.error().message());
                 one_done();
             });
    }
    one_done();
}

void Unlocker::update_service(const discovery::Service& service) {
    if (!over_) servers_->update(service.id.name, service.host, source_of(service.id), service.endpoints);
}

void Unlocker::update_configured_servers() {
    if (over_ || !interfaces_) return;
    for (const options::ServerAddress& server : configured_) update_configured(server);
}

void Unlocker::update_configured(const options::ServerAddress& server) {
    const auto endpoints = endpoints_of(server, only_name(choice_), interfaces_->in_use(), interfaces_->table());
    const auto update = [this, server, endpoints] {
        if (!over_) servers_->update(server.text, {}, "command line", endpoints);
    };
    if (endpoints.size() == 1 && may_be_on_link(endpoints[0]))
        add_routes_to(endpoints, update);
    else
        update();
}

// Whether a configured server may be a neighbour for want of anything better known: the person has named the interface,
// which is in use, but nobody has given it an address from which the server could be reached.
bool Unlocker::may_be_on_link(const base::Endpoint& endpoint) const {
    if (endpoint.interface == 0 || endpoint.address.is_link_local() ||
        !interfaces_->in_use().contains(endpoint.interface))
        return false;
    const auto& addresses = interfaces_->table().addresses();
    return std::none_of(addresses.begin(), addresses.end(), [&](const network::InterfaceAddress& address) {
        return address.interface == endpoint.interface && address.address.family() == endpoint.address.family() &&
               !address.address.is_link_local();
    });
}

// Somebody (DHCP, a router) configures the interface after all: a route of ours to a server that is no neighbour would
// hide the right way.
void Unlocker::remove_routes_to_configured(const network::InterfaceAddress& address) {
    for (const options::ServerAddress& server : configured_) {
        if (server.address.family() != address.address.family()) continue;
        if (routed_.erase({server.address, address.interface}) == 0) continue;
        ask_(changes::RemoveHostRoute{address.interface, server.address},
             [weak = std::weak_ptr(self_), interface = address.interface](const changes::Reply& reply) {
                 const auto alive = weak.lock();
                 if (!alive) return;
                 if (!reply.result) (*alive)->log_.error(reply.result.error().message());
                 if (!(*alive)->over_) (*alive)->servers_->reachable(interface);
             });
    }
}

void Unlocker::on_progress(const servers::Progress& news) {
    timeline::AttemptRecord& record = attempts_[news.attempt];
    record.add(news);
    listener_.attempt_progress(record, news);
    if (record.ended) attempts_.erase(news.attempt);
}

void Unlocker::on_answer(servers::AttemptId attempt, const servers::Origin& origin, std::vector<std::byte> answer) {
    if (!over_) listener_.answer(attempt, origin, std::move(answer));
}

void Unlocker::accepted() {
    over_ = true;
    servers_.reset();
    discovery_.reset();
}

void Unlocker::rejected(servers::AttemptId attempt, const std::string& why) {
    if (!over_) servers_->reject(attempt, why);
}

void Unlocker::drop(servers::AttemptId attempt, const std::string& why) {
    if (!over_) servers_->drop(attempt, why);
}

void Unlocker::fail(base::Error error) {
    if (std::exchange(over_, true)) return;
    listener_.failed(std::move(error));
}

}  // namespace bootkey::unlock
