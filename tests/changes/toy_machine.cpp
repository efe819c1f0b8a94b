// SPDX-License-Identifier: GPL-3.0-or-later
#include "toy_machine.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "bootkey/base/unique_fd.hpp"
#include "bootkey/changes/console_level.hpp"
#include "model/sequences.hpp"

namespace bootkey::changes::toy {
namespace {

using base::Error;
using base::IpAddress;
using base::Result;
using model::require;

constexpr std::uint8_t made_by_kernel = 2;  // IFAPROT_KERNEL_LL

// Whether somebody holds the lock on the directory; see journal_file.hpp.
bool is_locked(const std::string& directory) {
    const base::UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd && flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
}

class ToyMachine final : public Machine {
public:
    ToyMachine(Kernel& kernel, Mishap& mishap) : kernel_(kernel), mishap_(mishap) {}

    Result<std::optional<network::Link>> link(std::uint32_t index) override;
    Result<std::vector<network::AddressDetail>> addresses(std::uint32_t index) override;
    Result<std::vector<network::RouteDetail>> routes(std::uint32_t index) override;
    Result<bool> has_route(const IpAddress& destination) override;
    Result<void> set_up(const network::Link& link, bool up) override;
    Result<bool> add_host_route(const IpAddress& destination, std::uint32_t index) override;
    Result<bool> delete_host_route(const IpAddress& destination, std::uint32_t index) override;
    std::optional<unsigned> ipv6_setting(const std::string& path) override;
    int set_ipv6_setting(const std::string& path, unsigned value) override;
    std::optional<unsigned> console_level(const std::string& printk_file) override;
    int set_console_level(const std::string& printk_file, unsigned level) override;
    int replace_hidden_console_level(const std::string&, unsigned, unsigned) override {
        return 0;
    }  // nobody hides it here
    bool exists(const std::string& path) override;
    bool is_in_memory(const std::string& directory) override;
    bool has_room(const std::string&) override { return true; }
    int make_directory(const std::string& path) override;
    Result<void> remove_home(const std::string& path) override;
    bool is_running(const Instance& instance) override;

private:
    // The caller may be killed on the way into a call and on the way out of it, and others may act there.
    class Call {
    public:
        explicit Call(ToyMachine& machine) : mishap_(machine.mishap_) {
            const std::string& journal = machine.kernel_.journal_directory;
            require(journal.empty() || is_locked(journal), "the machine is used while the journal is not locked");
            step();
        }
        template <typename Value>
        Value done(Value value) {
            step();
            return value;
        }

    private:
        void step() {
            if (mishap_.killed_at != 0 && --mishap_.killed_at == 0) throw Killed();
            if (mishap_.interrupted_at != 0 && --mishap_.interrupted_at == 0) mishap_.others_act();
        }
        Mishap& mishap_;
    };

    [[nodiscard]] bool fails() { return mishap_.fails_at != 0 && --mishap_.fails_at == 0; }
    [[nodiscard]] static Error failure(const char* tried) {
        return {base::ExitCode::os_error, tried, "it is a toy", ""};
    }
    [[nodiscard]] Interface* interface_of(const std::string& setting);
    void bring_up(Interface& interface);
    void take_down(std::uint32_t index, Interface& interface);
    [[nodiscard]] bool is_needed(const std::function<bool(const Needs&)>& needed) const;

    Kernel& kernel_;
    Mishap& mishap_;
};

bool ToyMachine::is_needed(const std::function<bool(const Needs&)>& needed) const {
    return std::any_of(kernel_.running.begin(), kernel_.running.end(),
                       [&](const auto& entry) { return needed(entry.second); });
}

// --- Interfaces, addresses and routes -------------------------------------------------------------------------------

Result<std::optional<network::Link>> ToyMachine::link(std::uint32_t index) {
    Call call(*this);
    const auto found = kernel_.interfaces.find(index);
    if (found == kernel_.interfaces.end()) return call.done(std::optional<network::Link>());
    Interface& interface = found->second;
    if (!interface.up.value) interface.name_then = interface.name;
    const unsigned flags = interface.up.value ? unsigned{IFF_UP} : 0;
    return call.done(std::optional(network::Link{index, interface.name, flags, interface.controller}));
}

Result<std::vector<network::AddressDetail>> ToyMachine::addresses(std::uint32_t index) {
    Call call(*this);
    std::vector<network::AddressDetail> all;
    if (const auto found = kernel_.interfaces.find(index); found != kernel_.interfaces.end()) {
        for (const IpAddress& address : found->second.addresses)
            all.push_back({{index, address}, IFA_F_PERMANENT, 24, 0});
        if (found->second.up.value)
            all.push_back({{index, *IpAddress::parse("fe80::1")}, IFA_F_PERMANENT, 64, made_by_kernel});
    }
    return call.done(all);
}

Result<std::vector<network::RouteDetail>> ToyMachine::routes(std::uint32_t index) {
    Call call(*this);
    std::vector<network::RouteDetail> all;
    const auto found = kernel_.interfaces.find(index);
    if (found != kernel_.interfaces.end() && found->second.up.value)
        all.push_back({RTN_UNICAST, RTPROT_KERNEL, RT_TABLE_MAIN, {index}});
    for (const auto& [route, by_bootkey] : kernel_.routes)
        if (route.second == index) all.push_back({RTN_UNICAST, RTPROT_STATIC, RT_TABLE_MAIN, {index}});
    return call.done(all);
}

Result<bool> ToyMachine::has_route(const IpAddress& destination) {
    Call call(*this);
    return call.done(kernel_.is_reachable(destination));
}

Result<void> ToyMachine::set_up(const network::Link& link, bool up) {
    Call call(*this);
    const auto found = kernel_.interfaces.find(link.index);
    if (found == kernel_.interfaces.end() || fails()) return failure("cannot change an interface");
    Interface& interface = found->second;
    if (up && !interface.up.value) bring_up(interface);
    if (!up && interface.up.value) take_down(link.index, interface);
    return call.done(Result<void>());
}

void ToyMachine::bring_up(Interface& interface) {
    interface.up.value = interface.up.by_bootkey = true;
    interface.controller_then = interface.controller;
    interface.addresses_then = interface.addresses;
}

void ToyMachine::take_down(std::uint32_t index, Interface& interface) {
    const std::string what = interface.name + " is taken down, ";
    require(interface.up.by_bootkey, what + "which others brought up");
    const std::string use = kernel_.use_by_others(index);
    require(use.empty(), what + "though " + use);
    require(!is_needed([&](const Needs& needs) { return needs.interfaces.contains(index); }),
            what + "and still needed");
    kernel_.take_down(index);
}

Result<bool> ToyMachine::add_host_route(const IpAddress& destination, std::uint32_t index) {
    Call call(*this);
    const auto found = kernel_.interfaces.find(index);
    if (found == kernel_.interfaces.end() || !found->second.up.value || fails()) return failure("cannot add a route");
    return call.done(kernel_.routes.emplace(Route(destination, index), true).second);
}

Result<bool> ToyMachine::delete_host_route(const IpAddress& destination, std::uint32_t index) {
    Call call(*this);
    if (fails()) return failure("cannot delete a route");
    const Route route(destination, index);
    const auto found = kernel_.routes.find(route);
    if (found == kernel_.routes.end()) return call.done(false);
    const std::string what = "the route to " + destination.text() + " is deleted, ";
    require(found->second, what + "which others made");
    require(!is_needed([&](const Needs& needs) { return needs.routes.contains(route); }), what + "and still needed");
    kernel_.routes.erase(found);
    return call.done(true);
}

// --- Settings -------------------------------------------------------------------------------------------------------

Interface* ToyMachine::interface_of(const std::string& setting) {
    for (auto& [index, interface] : kernel_.interfaces)
        if (setting == std::string(ipv6_settings) + '/' + interface.name + "/accept_dad") return &interface;
    return nullptr;
}

std::optional<unsigned> ToyMachine::ipv6_setting(const std::string& path) {
    Call call(*this);
    const Interface* interface = interface_of(path);
    return call.done(interface != nullptr ? std::optional(interface->accept_dad.value) : std::nullopt);
}

// It goes back when the interface is down again, or has been left to others.
int ToyMachine::set_ipv6_setting(const std::string& path, unsigned value) {
    Call call(*this);
    Interface* interface = interface_of(path);
    if (interface == nullptr) return ENOENT;
    if (fails()) return EIO;
    auto& setting = interface->accept_dad;
    if (value != 0) {
        require(setting.by_bootkey, path + " is put back, which bootkey has not changed");
        require(setting.others == value, path + " is put back to another value");
        const auto found = std::find_if(kernel_.interfaces.begin(), kernel_.interfaces.end(),
                                        [&](const auto& entry) { return &entry.second == interface; });
        require(!interface->up.by_bootkey || !kernel_.use_by_others(found->first).empty(),
                path + " is put back before the interface is down");
    }
    setting.value = value;
    setting.by_bootkey = value == 0 && setting.others != 0;
    return call.done(0);
}

std::optional<unsigned> ToyMachine::console_level(const std::string&) {
    Call call(*this);
    return call.done(std::optional(kernel_.console.value));
}

int ToyMachine::set_console_level(const std::string&, unsigned level) {
    Call call(*this);
    if (fails()) return EIO;
    auto& console = kernel_.console;
    if (level == lowered_console_level) {
        require(console.value > level, "the console level is raised");
        console.by_bootkey = true;
    } else {
        require(console.by_bootkey, "the console level is put back, which bootkey has not changed");
        require(console.others == level, "the console level is put back to another value");
        require(!is_needed([](const Needs& needs) { return needs.quiet_console; }),
                "the console level is put back, and still needed");
        console.by_bootkey = false;
    }
    console.value = level;
    return call.done(0);
}

// --- Files and processes --------------------------------------------------------------------------------------------

bool ToyMachine::exists(const std::string& path) {
    Call call(*this);
    return call.done(interface_of(path) != nullptr || kernel_.configurations.contains(path));
}

bool ToyMachine::is_in_memory(const std::string&) {
    Call call(*this);
    return call.done(true);
}

int ToyMachine::make_directory(const std::string& path) {
    Call call(*this);
    if (fails()) return ENOSPC;
    require(kernel_.homes.insert(path).second, path + " is made twice");
    return call.done(0);
}

Result<void> ToyMachine::remove_home(const std::string& path) {
    Call call(*this);
    if (fails()) return failure("cannot remove a directory");
    require(!is_needed([&](const Needs& needs) { return needs.homes.contains(path); }),
            path + " is removed, and still needed");
    kernel_.homes.erase(path);
    return call.done(Result<void>());
}

bool ToyMachine::is_running(const Instance& instance) {
    Call call(*this);
    return call.done(kernel_.running.contains(instance));
}

}  // namespace

// --- What anybody can do --------------------------------------------------------------------------------------------

std::string Kernel::use_by_others(std::uint32_t index) const {
    const Interface& interface = interfaces.at(index);
    if (interface.controller != 0 && interface.controller != interface.controller_then) return "it was enslaved";
    for (const std::string& name : {interface.name, interface.name_then})
        if (configurations.contains(std::string(boot_configuration) + "/net-" + name + ".conf"))
            return "it was configured at boot";
    for (const IpAddress& address : interface.addresses)
        if (!interface.addresses_then.contains(address)) return "it was given " + address.text();
    for (const auto& [route, by_bootkey] : routes)
        if (route.second == index && !by_bootkey) return "there is a route over it";
    return {};
}

bool Kernel::is_reachable(const IpAddress& destination) const {
    return std::any_of(routes.begin(), routes.end(), [&](const auto& entry) {
        const auto& [to, index] = entry.first;
        const auto over = interfaces.find(index);
        return to == destination && over != interfaces.end() && over->second.up.value && over->second.carrier;
    });
}

void Kernel::remove_routes(std::uint32_t index) {
    for (const auto& [route, by_bootkey] : std::map(routes)) {
        if (route.second != index) continue;
        routes.erase(route);
        forget_need(route);
    }
}

void Kernel::take_down(std::uint32_t index) {
    interfaces.at(index).up.value = interfaces.at(index).up.by_bootkey = false;
    remove_routes(index);
}

void Kernel::forget_need(std::uint32_t index) {
    for (auto& [instance, needs] : running) needs.interfaces.erase(index);
}

void Kernel::forget_need(const Route& route) {
    for (auto& [instance, needs] : running) needs.routes.erase(route);
}

void Kernel::forget_need_of_console() {
    for (auto& [instance, needs] : running) needs.quiet_console = false;
}

std::unique_ptr<Machine> machine(Kernel& kernel, Mishap& mishap) {
    return std::make_unique<ToyMachine>(kernel, mishap);
}

}  // namespace bootkey::changes::toy
