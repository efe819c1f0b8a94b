// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/settings.hpp"

#include <algorithm>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/management/line_splitter.hpp"

namespace bootkey::management {
namespace {

constexpr std::size_t longest_file = 64 * 1024;
constexpr std::byte end_of_password{'\n'}, carriage_return{'\r'};

base::Error unusable(const std::string& path, std::string why) {
    return {base::ExitCode::usage, "cannot use the password file " + path, std::move(why),
            "its first line must be a password that can be typed"};
}

}  // namespace

base::Result<base::Secret> read_password(const std::string& path) {
    const auto content = base::read_secret_file(path, longest_file, base::ExitCode::usage);
    if (!content) return content.error();
    const auto bytes = base::without_byte_order_mark(content->bytes());
    auto line =
        bytes.first(static_cast<std::size_t>(std::find(bytes.begin(), bytes.end(), end_of_password) - bytes.begin()));
    if (!line.empty() && line.back() == carriage_return) line = line.first(line.size() - 1);
    if (line.empty()) return unusable(path, "its first line is empty");
    if (line.size() > LineSplitter::longest_line) return unusable(path, "its first line has more than 1024 bytes");
    if (std::any_of(line.begin(), line.end(), LineSplitter::drops))
        return unusable(path, "its first line has control characters");
    auto password = base::Secret::with_capacity(line.size());
    if (!password) return std::move(password).error();
    static_cast<void>(password->append(line));  // as large as it is
    return password;
}

}  // namespace bootkey::management
