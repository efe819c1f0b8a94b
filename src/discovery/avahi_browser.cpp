// SPDX-License-Identifier: GPL-3.0-or-later
//
// Everything is asked of avahi-core as a record browser: PTR records per interface, and for each instance they name its
// SRV, TXT, A and AAAA records. Avahi's callbacks only note what changed; it is told from the loop, outside of Avahi.
#include "bootkey/discovery/avahi_browser.hpp"

#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-core/core.h>
#include <avahi-core/log.h>
#include <avahi-core/lookup.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/discovery/avahi_poll.hpp"
#include "bootkey/discovery/datagram.hpp"
#include "bootkey/discovery/dns_message.hpp"

namespace bootkey::discovery {
namespace {

// Records per interface and protocol. When they are full Avahi ignores what comes, so a flood of a thousand services
// must fit; each is far below 1 KiB.
constexpr unsigned most_cached = 8192;
constexpr std::size_t most_addresses = 16;  // per service
constexpr std::size_t most_locations = 4;   // SRV records of one instance; one is usual, two while a port changes

struct ServerDeleter {
    void operator()(AvahiServer* server) const noexcept { avahi_server_free(server); }
};
struct BrowserDeleter {
    void operator()(AvahiSRecordBrowser* browser) const noexcept { avahi_s_record_browser_free(browser); }
};
using RecordBrowser = std::unique_ptr<AvahiSRecordBrowser, BrowserDeleter>;
struct KeyDeleter {
    void operator()(AvahiKey* key) const noexcept { avahi_key_unref(key); }
};

// avahi_set_log_function() takes no user data, so where the lines go has to be a variable of the whole program.
const base::Log* avahi_log_target = nullptr;

void log_line(AvahiLogLevel, const char* text) noexcept {
    if (avahi_log_target != nullptr && avahi_log_target->shows(9))
        avahi_log_target->debug("avahi: " + base::escaped(text, 512));
}

int family_of(AvahiProtocol protocol) {
    return protocol == AVAHI_PROTO_INET6 ? AF_INET6 : AF_INET;
}

/// What a record browser tells: `added` or not, and the record.
using RecordCallback = void (*)(bool added, AvahiProtocol protocol, const AvahiRecord& record, void* userdata);

/// Called by Avahi with every event of a record browser.
template <RecordCallback callback>
void on_record(AvahiSRecordBrowser*, AvahiIfIndex, AvahiProtocol protocol, AvahiBrowserEvent event, AvahiRecord* record,
               AvahiLookupResultFlags, void* userdata) noexcept {
    if (record != nullptr && (event == AVAHI_BROWSER_NEW || event == AVAHI_BROWSER_REMOVE))
        callback(event == AVAHI_BROWSER_NEW, protocol, *record, userdata);
}

template <RecordCallback callback>
RecordBrowser browse(AvahiServer* server, std::uint32_t interface, AvahiProtocol protocol, const std::string& name,
                     std::uint16_t type, void* userdata) {
    const std::unique_ptr<AvahiKey, KeyDeleter> key(avahi_key_new(name.c_str(), AVAHI_DNS_CLASS_IN, type));
    if (!key) return {};
    return RecordBrowser(avahi_s_record_browser_new(server, static_cast<AvahiIfIndex>(interface), protocol, key.get(),
                                                    AVAHI_LOOKUP_USE_MULTICAST, on_record<callback>, userdata));
}

// avahi-core 0.8 needs a socket for each protocol and one for netlink, and if it cannot have the last one it fails an
// assertion, which would end this program (avahi_interface_monitor_sync in iface-linux.c). So we see first whether they
// can be had. Returns 0 or errno.
int missing_for_avahi() {
    const auto make = [](int family, int protocol) {
        return base::UniqueFd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, protocol));
    };
    const std::array<base::UniqueFd, 3> sockets{make(AF_INET, 0), make(AF_INET6, 0), make(AF_NETLINK, NETLINK_ROUTE)};
    if (!sockets.back()) return errno;
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    return ::bind(sockets.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

}  // namespace

class AvahiBrowser::Stack {
public:
    Stack(base::Loop& loop, const base::Log& log, Events events)
        : events_(std::move(events)),
          log_(log),
          type_(*DnsName::from_text(std::string(mandos_service_type))),
          poll_(loop, [this](auto datagram, const Arrival& arrival) { return admit(datagram, arrival); }),
          news_timer_(loop.timer([this] { tell(); })) {
        avahi_log_target = &log;
        avahi_set_log_function(log_line);
    }
    ~Stack() {
        // Avahi says a last word while it is freed.
        services_.clear();
        pointers_.clear();
        server_.reset();
        if (avahi_log_target == &log_) avahi_log_target = nullptr;
    }
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

    /// Returns 0 or Avahi's error number.
    [[nodiscard]] int start();
    void join(std::uint32_t interface);
    void leave(std::uint32_t interface);

private:
    /// One instance and what is known of it.
    struct Followed {
        Stack* stack = nullptr;
        ServiceId id;
        AvahiProtocol protocol = AVAHI_PROTO_UNSPEC;
        unsigned long number = 0;  // in the order of appearance
        bool appeared = true;      // not yet told
        bool dirty = false;
        struct Location {
            std::string host;  // as Avahi writes it, with escapes
            std::uint16_t port;
            friend bool operator==(const Location&, const Location&) = default;
        };
        std::vector<Location> locations;  // the latest last: it counts
        std::string host;                 // whose addresses are browsed for
        std::vector<base::IpAddress> addresses;
        std::vector<std::string> txt;
        RecordBrowser location_browser, txt_browser, a_browser, aaaa_browser;

        void changed() {
            dirty = true;
            stack->tell_soon();
        }
        void follow_host();
        [[nodiscard]] std::optional<Sighting> sighting() const;
    };
    struct Pointers {
        Stack* stack;
        std::uint32_t interface;
        RecordBrowser browser;
    };

    [[nodiscard]] bool admit(std::span<const std::byte> datagram, const Arrival& arrival);
    static void server_state(AvahiServer* server, AvahiServerState state, void* userdata) noexcept;
    static void pointer(bool added, AvahiProtocol protocol, const AvahiRecord& record, void* userdata);
    static void location(bool added, AvahiProtocol protocol, const AvahiRecord& record, void* userdata);
    static void txt(bool added, AvahiProtocol protocol, const AvahiRecord& record, void* userdata);
    static void address(bool added, AvahiProtocol protocol, const AvahiRecord& record, void* userdata);
    void follow(const ServiceId& id, AvahiProtocol protocol, const std::string& name);
    void unfollow(const ServiceId& id);
    void tell_soon() { news_timer_->arm(base::Duration::zero()); }
    void tell();

    Events events_;
    const base::Log& log_;
    DnsName type_;
    AvahiPollAdapter poll_;
    std::unique_ptr<base::Timer> news_timer_;
    std::unique_ptr<AvahiServer, ServerDeleter> server_;
    std::map<std::uint32_t, std::unique_ptr<Pointers>> pointers_;
    std::map<ServiceId, std::unique_ptr<Followed>> services_;
    std::vector<ServiceId> withdrawn_;
    unsigned long next_number_ = 0;
    bool failed_ = false;
};

int AvahiBrowser::Stack::start() {
    AvahiServerConfig config;
    avahi_server_config_init(&config);
    // We are heard asking, never announcing: no address, no host information, no service.
    config.host_name = avahi_strdup("bootkey");  // never sent; without it Avahi asks gethostname(2), "(none)" at boot
    config.disable_publishing = 1;
    config.publish_hinfo = config.publish_addresses = config.publish_workstation = config.publish_domain = 0;
    config.disallow_other_stacks = 0;
    config.use_iff_running = 0;
    config.allow_point_to_point = 1;
    config.enable_wide_area = 0;
    config.n_cache_entries_max = most_cached;
    // Avahi spreads its questions in time by rand(3): machines that boot together should not all throw the same dice.
    unsigned seed = 0;
    if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof seed)) std::srand(seed);
    int error = AVAHI_OK;
    server_.reset(avahi_server_new(poll_.api(), &config, server_state, this, &error));
    avahi_server_config_free(&config);
    return server_ ? AVAHI_OK : error;
}

void AvahiBrowser::Stack::server_state(AvahiServer*, AvahiServerState state, void* userdata) noexcept {
    if (state != AVAHI_SERVER_FAILURE) return;
    auto& stack = *static_cast<Stack*>(userdata);
    stack.failed_ = true;
    stack.tell_soon();
}

// Announcements are told as they are heard: mostly one says all about a service, and Avahi's view takes longer. That
// view is kept small, for Avahi looks through all records of a name again and again, and a flood would keep it busy for
// seconds.
bool AvahiBrowser::Stack::admit(std::span<const std::byte> datagram, const Arrival& arrival) {
    if (!is_plain_answer(datagram)) return false;
    if (arrival.source_port != mdns_port || !arrival.to_group || !pointers_.contains(arrival.interface)) return true;
    const auto announcement = parse_answer(datagram);
    if (!announcement) return true;
    const int family = arrival.source->family();
    events_.heard(arrival.interface, family, *announcement);
    if (services_.size() < most_services) return true;
    return std::none_of(announcement->pointers.begin(), announcement->pointers.end(), [&](const auto& pointer) {
        const auto label = pointer.target.label_below(type_);
        return label && !services_.contains({*label, arrival.interface, family});
    });
}

void AvahiBrowser::Stack::join(std::uint32_t interface) {
    auto& pointers = pointers_[interface];
    if (pointers) return;
    pointers.reset(new Pointers{this, interface, {}});
    pointers->browser = browse<pointer>(server_.get(), interface, AVAHI_PROTO_UNSPEC, std::string(mandos_service_type),
                                        AVAHI_DNS_TYPE_PTR, pointers.get());
    if (!pointers->browser)
        log_.warning(base::format("cannot browse for servers on interface %u: %s", interface,
                                  avahi_strerror(avahi_server_errno(server_.get()))));
}

void AvahiBrowser::Stack::leave(std::uint32_t interface) {
    pointers_.erase(interface);
    std::erase_if(services_, [&](const auto& service) { return service.first.interface == interface; });
    std::erase_if(withdrawn_, [&](const ServiceId& id) { return id.interface == interface; });
}

void AvahiBrowser::Stack::pointer(bool added, AvahiProtocol protocol, const AvahiRecord& record, void* userdata) {
    const auto& pointers = *static_cast<Pointers*>(userdata);
    Stack& stack = *pointers.stack;
    const auto name = DnsName::from_text(record.data.ptr.name);
    const auto label = name ? name->label_below(stack.type_) : std::nullopt;
    if (!label) return;
    const ServiceId id{*label, pointers.interface, family_of(protocol)};
    if (added)
        stack.follow(id, protocol, record.data.ptr.name);
    else
        stack.unfollow(id);
}

void AvahiBrowser::Stack::follow(const ServiceId& id, AvahiProtocol protocol, const std::string& name) {
    if (services_.contains(id)) return;
    if (services_.size() >= most_services) {
        const auto oldest = std::min_element(services_.begin(), services_.end(), [](const auto& a, const auto& b) {
            return a.second->number < b.second->number;
        });
        const ServiceId gone = oldest->first;
        unfollow(gone);
    }
    auto followed = std::make_unique<Followed>();
    followed->stack = this;
    followed->id = id;
    followed->protocol = protocol;
    followed->number = next_number_++;
    followed->location_browser =
        browse<location>(server_.get(), id.interface, protocol, name, AVAHI_DNS_TYPE_SRV, followed.get());
    followed->txt_browser =
        browse<txt>(server_.get(), id.interface, protocol, name, AVAHI_DNS_TYPE_TXT, followed.get());
    services_.emplace(id, std::move(followed));
    tell_soon();
}

void AvahiBrowser::Stack::unfollow(const ServiceId& id) {
    if (services_.erase(id) == 0) return;
    withdrawn_.push_back(id);
    tell_soon();
}

void AvahiBrowser::Stack::location(bool added, AvahiProtocol, const AvahiRecord& record, void* userdata) {
    auto& followed = *static_cast<Followed*>(userdata);
    const Followed::Location location{record.data.srv.name, record.data.srv.port};
    std::erase(followed.locations, location);
    if (added) {
        followed.locations.push_back(location);
        if (followed.locations.size() > most_locations) followed.locations.erase(followed.locations.begin());
    }
    followed.follow_host();
    followed.changed();
}

void AvahiBrowser::Stack::Followed::follow_host() {
    const std::string wanted = locations.empty() ? std::string() : locations.back().host;
    if (wanted == host) return;
    host = wanted;
    addresses.clear();
    a_browser.reset();
    aaaa_browser.reset();
    if (host.empty()) return;
    AvahiServer* server = stack->server_.get();
    aaaa_browser = browse<Stack::address>(server, id.interface, protocol, host, AVAHI_DNS_TYPE_AAAA, this);
    a_browser = browse<Stack::address>(server, id.interface, protocol, host, AVAHI_DNS_TYPE_A, this);
}

void AvahiBrowser::Stack::txt(bool added, AvahiProtocol, const AvahiRecord& record, void* userdata) {
    auto& followed = *static_cast<Followed*>(userdata);
    if (!added) return;  // replaced, then the new one has come already, or expired: no news
    followed.txt.clear();
    for (const AvahiStringList* entry = record.data.txt.string_list; entry != nullptr; entry = entry->next)
        if (entry->size > 0) followed.txt.emplace_back(reinterpret_cast<const char*>(entry->text), entry->size);
    // Avahi's lists are in reverse order of the record.
    std::reverse(followed.txt.begin(), followed.txt.end());
    followed.changed();
}

void AvahiBrowser::Stack::address(bool added, AvahiProtocol, const AvahiRecord& record, void* userdata) {
    auto& followed = *static_cast<Followed*>(userdata);
    const bool is_v6 = record.key->type == AVAHI_DNS_TYPE_AAAA;
    const auto address = is_v6
                             ? base::IpAddress::from_bytes(std::as_bytes(std::span(record.data.aaaa.address.address)))
                             : base::IpAddress::from_bytes(std::as_bytes(std::span(&record.data.a.address.address, 1)));
    if (!address) return;
    std::erase(followed.addresses, *address);
    if (added && followed.addresses.size() < most_addresses) followed.addresses.push_back(*address);
    followed.changed();
}

std::optional<Sighting> AvahiBrowser::Stack::Followed::sighting() const {
    if (locations.empty() || addresses.empty()) return std::nullopt;
    const auto name = DnsName::from_text(host);
    if (!name || name->is_root()) return std::nullopt;
    return Sighting{id, name->text(), locations.back().port, addresses, txt};
}

void AvahiBrowser::Stack::tell() {
    if (failed_) {
        events_.failed();  // may end this object
        return;
    }
    // All is collected first: listeners may leave interfaces.
    const std::vector<ServiceId> withdrawn = std::move(withdrawn_);
    withdrawn_.clear();
    std::vector<ServiceId> appeared;
    std::vector<Sighting> changed;
    for (const auto& [id, followed] : services_) {
        if (std::exchange(followed->appeared, false)) appeared.push_back(id);
        if (!std::exchange(followed->dirty, false)) continue;
        if (auto sighting = followed->sighting()) changed.push_back(std::move(*sighting));
    }
    for (const ServiceId& id : withdrawn) events_.withdrawn(id);
    for (const ServiceId& id : appeared)
        if (pointers_.contains(id.interface)) events_.appeared(id);
    for (const Sighting& sighting : changed)
        if (pointers_.contains(sighting.id.interface)) events_.changed(sighting);
}

base::Result<std::unique_ptr<AvahiBrowser>> AvahiBrowser::create(base::Loop& loop, const base::Log& log,
                                                                 Events events) {
    const char* tried = "cannot start browsing for servers (multicast DNS)";
    const char* instead = "servers are still asked for by single questions";
    if (const int reason = missing_for_avahi(); reason != 0)
        return base::system_error(tried, reason, instead, base::ExitCode::unavailable);
    auto stack = std::make_unique<Stack>(loop, log, std::move(events));
    if (const int error = stack->start(); error != AVAHI_OK)
        return base::Error{base::ExitCode::unavailable, tried, avahi_strerror(error), instead};
    return std::unique_ptr<AvahiBrowser>(new AvahiBrowser(std::move(stack)));
}

AvahiBrowser::AvahiBrowser(std::unique_ptr<Stack> stack) : stack_(std::move(stack)) {
}
AvahiBrowser::~AvahiBrowser() = default;

void AvahiBrowser::join(std::uint32_t interface) {
    stack_->join(interface);
}

void AvahiBrowser::leave(std::uint32_t interface) {
    stack_->leave(interface);
}

}  // namespace bootkey::discovery
