// SPDX-License-Identifier: GPL-3.0-or-later
//
// All of it is read from /proc.
#include "bootkey/network/instance.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <limits>
#include <string>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::network {
namespace {

constexpr std::size_t most_stat = 4096;  // some 350 bytes are usual

base::Result<std::string> read_stat(pid_t pid) {
    return base::read_file(base::format("/proc/%d/stat", static_cast<int>(pid)), most_stat);
}

std::uint64_t network_namespace(const char* path) {
    struct stat status {};
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view line) {
    // "PID (NAME) STATE PARENT ...": the name may hold blanks and parentheses, so the last one counts.
    const auto end_of_name = line.rfind(") ");
    if (end_of_name == std::string_view::npos) return std::nullopt;
    const auto fields = base::split(base::trim(line.substr(end_of_name + 2)), ' ');
    constexpr std::size_t state = 0, start_time = 19;  // fields 3 and 22
    if (fields.size() <= start_time || fields[state].size() != 1) return std::nullopt;
    const auto started = base::parse_number(fields[start_time], 0, std::numeric_limits<std::uint64_t>::max());
    if (!started) return std::nullopt;
    const char letter = fields[state].front();
    return ProcessStat{letter != 'Z' && letter != 'X' && letter != 'x', *started};
}

base::Result<Instance> this_instance() {
    const pid_t pid = getpid();
    const auto content = read_stat(pid);
    if (!content) return content.error();
    const auto stat = parse_process_stat(*content);
    if (!stat)
        return base::Error{base::ExitCode::os_error, "cannot tell when bootkey started",
                           "unexpected content of /proc/self/stat", ""};
    return Instance{pid, stat->start_time};
}

bool is_running(const Instance& instance) {
    const auto content = read_stat(instance.pid);
    const auto stat = content ? parse_process_stat(*content) : std::nullopt;
    return stat && stat->running && stat->start_time == instance.start_time;
}

std::uint64_t own_network_namespace() {
    return network_namespace("/proc/self/ns/net");
}

bool in_first_network_namespace() {
    const std::uint64_t first = network_namespace("/proc/1/ns/net");
    return first == 0 || first == own_network_namespace();
}

}  // namespace bootkey::network
