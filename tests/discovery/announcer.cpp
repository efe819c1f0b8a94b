// SPDX-License-Identifier: GPL-3.0-or-later
#include "discovery/announcer.hpp"

#include <avahi-common/malloc.h>
#include <avahi-core/core.h>
#include <avahi-core/log.h>
#include <avahi-core/publish.h>

#include "catch.hpp"

namespace bootkey::discovery::test {

Announcer::Announcer(base::Loop& loop, const std::string& host) : poll_(loop) {
    avahi_set_log_function([](AvahiLogLevel, const char*) {});
    AvahiServerConfig config;
    avahi_server_config_init(&config);
    config.host_name = avahi_strdup(host.c_str());
    int error = 0;
    server_ = avahi_server_new(poll_.api(), &config, nullptr, nullptr, &error);
    avahi_server_config_free(&config);
    REQUIRE(server_ != nullptr);
}

Announcer::~Announcer() {
    avahi_server_free(server_);
}

bool Announcer::running() const {
    return avahi_server_get_state(server_) == AVAHI_SERVER_RUNNING;
}

void Announcer::publish(const std::string& name, std::uint16_t port, const std::vector<std::string>& txt) {
    if (group_ == nullptr) group_ = avahi_s_entry_group_new(server_, nullptr, nullptr);
    REQUIRE(group_ != nullptr);
    AvahiStringList* strings = nullptr;
    for (const auto& text : txt) strings = avahi_string_list_add(strings, text.c_str());
    const int result = avahi_server_add_service_strlst(server_, group_, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, {},
                                                       name.c_str(), "_mandos._tcp", nullptr, nullptr, port, strings);
    avahi_string_list_free(strings);
    REQUIRE(result == 0);
    REQUIRE(avahi_s_entry_group_commit(group_) == 0);
}

bool Announcer::established() const {
    return group_ != nullptr && avahi_s_entry_group_get_state(group_) == AVAHI_ENTRY_GROUP_ESTABLISHED;
}

void Announcer::withdraw() {
    if (group_ != nullptr) avahi_s_entry_group_reset(group_);
}

}  // namespace bootkey::discovery::test
