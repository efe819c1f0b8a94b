// SPDX-License-Identifier: GPL-3.0-or-later
//
// The real machine: everything is done by what this room has for it.
#include "bootkey/changes/machine.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "bootkey/changes/console_level.hpp"
#include "bootkey/changes/home_directory.hpp"
#include "bootkey/network/netlink_request.hpp"
#include "ipv6_setting.hpp"

namespace bootkey::changes {
namespace {

using base::IpAddress;
using base::Result;

class ThisMachine final : public Machine {
public:
    explicit ThisMachine(network::NetlinkRequests requests) : requests_(std::move(requests)) {}

    Result<std::optional<network::Link>> link(std::uint32_t index) override { return requests_.link(index); }
    Result<std::vector<network::AddressDetail>> addresses(std::uint32_t index) override {
        return requests_.addresses(index);
    }
    Result<std::vector<network::RouteDetail>> routes(std::uint32_t index) override { return requests_.routes(index); }
    Result<bool> has_route(const IpAddress& destination) override { return requests_.has_route(destination); }
    Result<void> set_up(const network::Link& link, bool up) override { return requests_.set_up(link, up); }
    Result<bool> add_host_route(const IpAddress& destination, std::uint32_t index) override {
        return requests_.add_host_route(destination, index);
    }
    Result<bool> delete_host_route(const IpAddress& destination, std::uint32_t index) override {
        return requests_.delete_host_route(destination, index);
    }

    std::optional<unsigned> ipv6_setting(const std::string& path) override { return read_ipv6_setting(path); }
    int set_ipv6_setting(const std::string& path, unsigned value) override { return write_ipv6_setting(path, value); }
    std::optional<unsigned> console_level(const std::string& printk_file) override {
        return changes::console_level(printk_file);
    }
    int set_console_level(const std::string& printk_file, unsigned level) override {
        return changes::set_console_level(printk_file, level);
    }
    int replace_hidden_console_level(const std::string& printk_file, unsigned expected, unsigned level) override {
        return changes::replace_hidden_console_level(printk_file, expected, level);
    }

    bool exists(const std::string& path) override { return access(path.c_str(), F_OK) == 0; }
    bool is_in_memory(const std::string& directory) override { return changes::is_in_memory(directory); }
    bool has_room(const std::string& directory) override { return changes::has_room(directory); }
    int make_directory(const std::string& path) override { return mkdir(path.c_str(), 0700) == 0 ? 0 : errno; }
    Result<void> remove_home(const std::string& path) override {
        end_agent(path);
        return remove_tree(path);
    }

    bool is_running(const Instance& instance) override { return changes::is_running(instance); }

private:
    network::NetlinkRequests requests_;
};

}  // namespace

Result<std::unique_ptr<Machine>> this_machine() {
    auto requests = network::NetlinkRequests::open();
    if (!requests) return std::move(requests).error();
    return std::unique_ptr<Machine>(std::make_unique<ThisMachine>(std::move(*requests)));
}

}  // namespace bootkey::changes
