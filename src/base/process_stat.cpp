// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/process_stat.hpp"

#include <limits>
#include <string>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::base {

std::optional<ProcessStat> parse_process_stat(std::string_view line) {
    // "PID (NAME) STATE PARENT ...": the name may hold blanks and parentheses, so the last one counts.
    const auto end_of_name = line.rfind(") ");
    if (end_of_name == std::string_view::npos) return std::nullopt;
    const auto fields = split(trim(line.substr(end_of_name + 2)), ' ');
    constexpr std::size_t state = 0, parent = 1, start_time = 19;  // fields 3, 4 and 22
    if (fields.size() <= start_time || fields[state].size() != 1) return std::nullopt;
    const auto child_of = parse_number(fields[parent], 0, std::numeric_limits<pid_t>::max());
    const auto started = parse_number(fields[start_time], 0, std::numeric_limits<std::uint64_t>::max());
    if (!child_of || !started) return std::nullopt;
    const char letter = fields[state].front();
    return ProcessStat{letter != 'Z' && letter != 'X' && letter != 'x', static_cast<pid_t>(*child_of), *started};
}

Result<std::optional<ProcessStat>> read_process_stat(pid_t pid) {
    constexpr std::size_t most = 4096;  // some 350 bytes are usual
    const auto content = read_file(format("/proc/%d/stat", static_cast<int>(pid)), most);
    if (!content) return content.error();
    return parse_process_stat(*content);
}

}  // namespace bootkey::base
