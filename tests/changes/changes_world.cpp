// SPDX-License-Identifier: GPL-3.0-or-later
#include "changes_world.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::changes::toy {
namespace {

using model::require;

constexpr unsigned most_instances = 3;
constexpr unsigned restorer = most_instances;        // the number of one that only restores
constexpr std::uint64_t own_namespace = 4026531840;  // the network namespace

base::IpAddress destination(unsigned value) {
    constexpr const char* addresses[] = {"192.0.2.1", "2001:db8::1", "192.0.2.2"};
    return base::IpAddress::parse(addresses[value % std::size(addresses)]).value();
}

base::IpAddress own_address(unsigned value) {
    return base::IpAddress::parse(base::format("198.51.100.%u", 1 + value % 2)).value();
}

bool has(Journal& journal, const Change& object) {
    const bool of_machine =
        std::holds_alternative<ConsoleLowered>(object) || std::holds_alternative<DirectoryMade>(object);
    return journal.find(object, of_machine ? 0 : own_namespace) != nullptr;
}

}  // namespace

ChangesWorld::ChangesWorld(Met& met) : met_(met) {
    log_.add_sink([this](const base::LogEntry& entry) {
        if (entry.text.find(" is left up: ") != std::string::npos) ++left_to_others_;
    });
    paths_.journal_directory = kernel_.journal_directory = directory_ / "run";
    paths_.home_parents = {"/first", "/second"};
    paths_.boot_configuration = boot_configuration;
    paths_.ipv6_settings = ipv6_settings;
    paths_.printk = printk;
    kernel_.interfaces = {{2, {.name = "eth2"}}, {3, {.name = "eth3"}}, {4, {.name = "eth4"}}};
    kernel_.interfaces.at(4).up.set_by_others(true);
}

void ChangesWorld::apply(const Event& event) {
    if (event.is_by_others())
        act_for_others(event);
    else
        act(event);
    check();
}

// --- What instances do ----------------------------------------------------------------------------------------------

void ChangesWorld::act(const Event& event) {
    const unsigned number = event.instance;
    if (event.what == What::start && !living_.contains(number)) return begin(event);
    if (event.what == What::restore) {
        Event event_of_restorer = event;
        event_of_restorer.instance = restorer;
        begin(event_of_restorer);
        if (living_.contains(restorer)) forget(restorer);
        return;
    }
    if (event.what == What::start || !living_.contains(number)) return;
    const Route route(destination(event.value), event.interface);
    switch (event.what) {
        case What::bring_up:
            return perform(event, [&](Living& living) { bring_up(living, event.interface); });
        case What::add_route:
            return perform(event, [&](Living& living) { add_route(living, route); });
        case What::remove_route:
            return perform(event, [&](Living& living) {
                needs(living).routes.erase(route);
                static_cast<void>(living.changes->remove_host_route(route.first, route.second));
            });
        case What::lower_console:
            return perform(event, [&](Living& living) { lower_console(living); });
        case What::restore_console:
            return perform(event, [&](Living& living) {
                needs(living).quiet_console = false;
                static_cast<void>(living.changes->restore_console_level());
            });
        case What::make_home:
            return perform(event, [&](Living& living) { make_home(living); });
        case What::remove_home:
            return perform(event, [&](Living& living) { remove_home(living, event.value); });
        case What::end:
            perform(event, [&](Living& living) { end(living); });
            if (living_.contains(number)) forget(number);
            return;
        default:  // kill
            return forget(number);
    }
}

void ChangesWorld::begin(const Event& event) {
    const Instance self{++last_pid_, 1};
    kernel_.running[self] = {};
    Living& living = living_[event.instance] = {.self = self};
    living.changes = std::make_unique<Changes>(log_, paths_, machine(kernel_, living.mishap), self, own_namespace);
    perform(event, [this](Living& one) {
        const auto undone = one.changes->undo_left_over();
        if (undone && *undone > 0) ++met_["what a killed instance left is undone"];
    });
}

void ChangesWorld::perform(const Event& event, const std::function<void(Living&)>& action) {
    Living& living = living_.at(event.instance);
    living.mishap = event.mishap;
    living.mishap.others_act = [&] {
        ++met_["others act while an instance does"];
        act_for_others({.what = event.interruption, .interface = event.interface, .value = event.value});
    };
    living.disturbed = event.mishap.fails_at != 0 || event.mishap.interrupted_at != 0;
    try {
        action(living);
        living.mishap = {};
    } catch (const Killed&) {
        ++met_["an instance is killed at work"];
        forget(event.instance);
        // What it may have been writing, had it been killed a little earlier; see LockedJournal::store().
        if (std::filesystem::exists(paths_.journal_directory))
            network::fixture::write_text(paths_.journal_directory + "/journal.new", "link 4026531840 101:");
    }
}

void ChangesWorld::forget(unsigned number) {
    kernel_.running.erase(living_.at(number).self);
    living_.erase(number);
}

void ChangesWorld::bring_up(Living& living, std::uint32_t interface) {
    const auto done = living.changes->bring_up(interface);
    const auto found = kernel_.interfaces.find(interface);
    if (found == kernel_.interfaces.end())
        return require(!done || living.disturbed, "an interface is brought up that is not there");
    const bool up = found->second.up.value;
    require(done || living.disturbed, found->second.name + " cannot be brought up");
    require(!done || up || living.disturbed, found->second.name + " is not up");
    if (done && up) needs(living).interfaces.insert(interface);
}

// Nobody can tell a route that others made just like bootkey's from bootkey's own, if it is killed in between.
void ChangesWorld::add_route(Living& living, const Route& route) {
    if (!needs(living).interfaces.contains(route.second)) return;
    const auto same = kernel_.routes.find(route);
    if (same != kernel_.routes.end() && !same->second) {
        living.mishap = {};
        living.disturbed = false;
    }
    const auto done = living.changes->add_host_route(route.first, route.second);
    require(done || living.disturbed, "a route cannot be added");
    const auto made = kernel_.routes.find(route);
    const bool there = made != kernel_.routes.end();
    require(!done || there || kernel_.is_reachable(route.first) || living.disturbed, "a route has not been added");
    if (done && there && made->second) needs(living).routes.insert(route);
}

void ChangesWorld::lower_console(Living& living) {
    const auto done = living.changes->lower_console_level();
    require(done || living.disturbed, "the console level cannot be lowered");
    require(!done || kernel_.console.value <= 5, "the console level is not lowered");
    if (done) needs(living).quiet_console = kernel_.console.by_bootkey;
}

void ChangesWorld::make_home(Living& living) {
    const auto home = living.changes->make_home();
    require(home.ok(), "no home can be made");  // if not in the first place, then in the second
    require(kernel_.homes.contains(*home), *home + " has not been made");
    needs(living).homes.insert(*home);
    const Journal known = journal();
    const auto homes = std::count_if(known.entries().begin(), known.entries().end(), [&](const Entry& entry) {
        return std::holds_alternative<DirectoryMade>(entry.change) && entry.users.contains(living.self);
    });
    require(static_cast<std::size_t>(homes) == needs(living).homes.size(), "other homes are recorded than are made");
}

void ChangesWorld::remove_home(Living& living, unsigned which) {
    auto& homes = needs(living).homes;
    if (homes.empty()) return;
    const std::string home = *std::next(homes.begin(), which % homes.size());
    homes.erase(home);
    const auto done = living.changes->remove_home(home);
    require(done || living.disturbed, home + " cannot be removed");
    require(!done || !kernel_.homes.contains(home), home + " has not been removed");
}

void ChangesWorld::end(Living& living) {
    needs(living) = {};
    if (kernel_.running.size() == 1 && !journal().empty()) ++met_["the last instance ends"];
    if (!living.changes->undo_ours()) static_cast<void>(living.changes->undo_ours());  // as PrivilegedExecutor does
}

// --- What others do -------------------------------------------------------------------------------------------------

// What others do just like bootkey, on something that the journal still has as changed by bootkey, nobody can tell from
// bootkey's own; so they do not.
void ChangesWorld::act_for_others(const Event& event) {
    if (event.what == What::others_set_console) {
        constexpr unsigned levels[] = {3, 4, 6, 8};
        kernel_.console.set_by_others(levels[event.value % std::size(levels)]);
        return kernel_.forget_need_of_console();
    }
    if (event.what == What::others_add) {
        ++last_interface_;
        kernel_.interfaces[last_interface_] = {.name = base::format("eth%u", last_interface_)};
        return;
    }
    const auto found = kernel_.interfaces.find(event.interface);
    if (found == kernel_.interfaces.end()) return;
    if (event.what != What::others_remove) return change_interface(event, found->second);
    kernel_.remove_routes(event.interface);
    kernel_.interfaces.erase(found);
    kernel_.forget_need(event.interface);
}

void ChangesWorld::change_interface(const Event& event, Interface& interface) {
    const std::uint32_t index = event.interface;
    const Route route(destination(event.value), index);
    switch (event.what) {
        case What::others_up:
            if (!interface.up.value && !is_recorded(LinkUp{index, {}})) interface.up.set_by_others(true);
            return;
        case What::others_down:
            kernel_.take_down(index);
            interface.up.set_by_others(false);
            return kernel_.forget_need(index);
        case What::others_add_address:
            interface.addresses.insert(own_address(event.value));
            return;
        case What::others_remove_address:
            interface.addresses.erase(own_address(event.value));
            return;
        case What::others_add_route:
            if (interface.up.value && !is_recorded(HostRoute{index, route.first})) kernel_.routes.emplace(route, false);
            return;
        case What::others_remove_route:
            kernel_.routes.erase(route);
            return kernel_.forget_need(route);
        case What::others_set_dad:
            if (event.value % 3 != 0 || !is_recorded(DadOff{index}))
                interface.accept_dad.set_by_others(event.value % 3);
            return;
        case What::others_enslave:
            interface.controller = event.value % 3 == 0 ? 0 : 100 + event.value % 3;
            return;
        case What::others_rename:
            interface.name = base::format("en%us%u", index, event.value % 2);
            return;
        case What::others_configure:
            kernel_.configurations.insert(std::string(boot_configuration) + "/net-" + interface.name + ".conf");
            return;
        default:  // others_toggle_carrier
            interface.carrier = !interface.carrier;
    }
}

// --- What must hold -------------------------------------------------------------------------------------------------

Journal ChangesWorld::journal() const {
    return Journal::parse(network::fixture::content_of(paths_.journal_directory + "/journal"));
}

bool ChangesWorld::is_recorded(const Change& object) const {
    Journal known = journal();
    return has(known, object);
}

void ChangesWorld::check() {
    check_records();
    check_needs();
}

// An interface that others have come to use is theirs when the journal knows nothing of it any more.
void ChangesWorld::check_records() {
    Journal known = journal();
    std::size_t reasons = std::exchange(left_to_others_, 0);
    for (auto& [index, interface] : kernel_.interfaces) {
        require(!interface.accept_dad.by_bootkey || has(known, DadOff{index}),
                "nothing records that " + interface.name + " does not detect duplicates");
        if (!interface.up.by_bootkey || has(known, LinkUp{index, {}})) continue;
        require(!kernel_.use_by_others(index).empty(), "nothing records that " + interface.name + " was brought up");
        require(reasons > 0, interface.name + " is left to others, and the log does not say why");
        --reasons;
        interface.up.set_by_others(true);
        ++met_["an interface is left to others"];
    }
    for (const auto& [route, by_bootkey] : kernel_.routes)
        require(!by_bootkey || has(known, HostRoute{route.second, route.first}), "nothing records a route");
    for (const std::string& home : kernel_.homes)
        require(has(known, DirectoryMade{home}), "nothing records the directory " + home);
    require(!kernel_.console.by_bootkey || has(known, ConsoleLowered{}), "nothing records the console level");
}

void ChangesWorld::check_needs() const {
    for (const auto& [instance, needs] : kernel_.running) {
        for (const std::uint32_t index : needs.interfaces)
            require(kernel_.interfaces.at(index).up.value, "an interface that is needed is down");
        for (const Route& route : needs.routes)
            require(kernel_.routes.contains(route), "a route that is needed is gone");
        for (const std::string& home : needs.homes) require(kernel_.homes.contains(home), home + " is needed and gone");
        require(!needs.quiet_console || kernel_.console.value <= 5, "the console is not quiet any more");
    }
}

void ChangesWorld::finish() {
    while (!living_.empty()) apply({.what = What::end, .instance = living_.begin()->first});
    apply({.what = What::restore});
    for (const auto& [index, interface] : kernel_.interfaces) {
        require(!interface.up.by_bootkey, interface.name + " is left up");
        require(interface.accept_dad.value == interface.accept_dad.others,
                interface.name + " is left with another accept_dad");
    }
    for (const auto& [route, by_bootkey] : kernel_.routes) require(!by_bootkey, "a route is left");
    require(kernel_.homes.empty(), "a directory is left");
    require(kernel_.console.value == kernel_.console.others, "the console level is left lowered");
    require(!std::filesystem::exists(paths_.journal_directory), "the journal or its directory is left");
}

// --- By chance ------------------------------------------------------------------------------------------------------

toy::Event ChangesWorld::next(model::Chance& chance) const {
    const Kind* kind = kinds;
    for (unsigned left = chance.below(100); left >= kind->weight; ++kind) left -= kind->weight;
    toy::Event event{.what = kind->what, .instance = chance.below(most_instances), .value = chance.below(12)};
    event.interface = 2 + chance.below(last_interface_ - 1);
    if (event.is_by_others() || chance.one_in(2)) return event;
    switch (chance.below(5)) {
        case 0:
            event.mishap.fails_at = 1 + chance.below(4);
            break;
        case 1:
            event.mishap.interrupted_at = 1 + chance.below(16);
            event.interruption = chance.one_of(interruptions);
            break;
        default:
            event.mishap.killed_at = 1 + chance.below(24);
    }
    return event;
}

}  // namespace bootkey::changes::toy
