// SPDX-License-Identifier: GPL-3.0-or-later
//
// udev writes /run/udev/data/nINDEX (by rename) when it has handled an interface: sd-device's database,
// systemd-udevd(8). It also does so just before it renames one, with the property ID_RENAMING, which goes when the
// kernel has told of the new name. /run/udev/queue is there while it has events to handle, which is how udevadm(8)
// settles.
#include "bootkey/network/udev_gate.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::network {

bool must_wait_for_udev(KernelVersion kernel, bool first_namespace, bool udev_runs) {
    constexpr KernelVersion renames_while_up{
        6, 2};  // commit bd039b5ea2a9, "net/core: Allow live renaming when an interface is up"
    return kernel < renames_while_up && first_namespace && udev_runs;
}

UdevGate::UdevGate(base::Loop& loop, std::string directory)
    : loop_(loop), directory_(std::move(directory)), database_(directory_ + "/data") {
}

bool UdevGate::is_named(std::uint32_t interface) const {
    constexpr std::size_t longest_record = 64 * 1024;  // bytes; it has some hundred
    const auto record = base::read_file(base::format("%s/n%u", database_.c_str(), interface), longest_record);
    return record && record->find("E:ID_RENAMING=") == std::string::npos;
}

bool UdevGate::is_busy() const {
    return access((directory_ + "/queue").c_str(), F_OK) == 0;
}

void UdevGate::watch_database() {
    if (watch_) return;
    inotify_.reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    // Where that fails, or udev has no database yet, the time limit serves.
    if (!inotify_ || inotify_add_watch(inotify_.get(), database_.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return;
    watch_ =
        loop_.watch(inotify_.get(), {.readable = true, .writable = false}, [this](base::Readiness) { on_change(); });
}

void UdevGate::when_named(std::uint32_t interface, std::function<void()> ready) {
    watch_database();  // before looking, so that nothing is missed in between
    Waiting& waiting = waiting_[interface];
    waiting.ready.push_back(std::move(ready));
    if (!waiting.timer) {
        waiting.timer = loop_.timer([this, interface] { on_timer(interface); });
        waiting.timer->arm(limit);
    }
    if (is_named(interface)) waiting.timer->arm({});
}

void UdevGate::on_change() {
    // What the events say does not matter: each waiting interface is looked for.
    alignas(inotify_event) char events[4096];
    while (read(inotify_.get(), events, sizeof events) > 0) {
    }
    for (auto& [interface, waiting] : waiting_)
        if (is_named(interface)) waiting.timer->arm({});
}

void UdevGate::on_timer(std::uint32_t interface) {
    Waiting& waiting = waiting_.at(interface);
    if (!is_named(interface) && ++waiting.limits < limits_if_busy && is_busy()) return waiting.timer->arm(limit);
    const auto node = waiting_.extract(interface);
    for (const auto& ready : node.mapped().ready) ready();
}

}  // namespace bootkey::network
