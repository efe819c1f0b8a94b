// SPDX-License-Identifier: GPL-3.0-or-later
#include "file_in_memory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {
namespace {

constexpr std::string_view mark = "bootkey: of the log ";

bool is_file_in_memory(int fd) {
    struct stat status {};
    struct statfs system {};
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && fstatfs(fd, &system) == 0 &&
           (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

// What the file holds from `place` on, up to `size` bytes.
std::string read_at(int fd, std::size_t place, std::size_t size) {
    std::string text(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        const ssize_t count = pread(fd, text.data() + have, size - have, static_cast<off_t>(place + have));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        have += static_cast<std::size_t>(count);
    }
    text.resize(have);
    return text;
}

}  // namespace

void FileInMemory::make_room(std::size_t size) {
    if (!looked_at_) is_bounded_ = is_file_in_memory(fd_);
    looked_at_ = true;
    if (!is_bounded_) return;
    struct stat status {};
    if (fstat(fd_, &status) != 0) return;
    const auto now = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
    if (now + size > max_size) shorten(now);
}

// The descriptor is for writing alone, so the file is opened once more. If the program is killed in between, its end is
// lost.
void FileInMemory::shorten(std::size_t size) {
    const UniqueFd file(open(format("/proc/self/fd/%d", fd_).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return;
    // The first part ends with a whole line, or where lines were taken out before.
    constexpr std::size_t longest_line = 16 * 1024;
    const std::string before = read_at(file.get(), beginning - longest_line, longest_line);
    const auto old_mark = before.rfind(mark);
    const auto last_line_end = before.rfind('\n');
    std::size_t head = beginning - before.size();
    if (old_mark != before.npos)
        head += old_mark;
    else
        head += last_line_end == before.npos ? before.size() : last_line_end + 1;
    if (size <= head + end) return;
    const std::string rest = read_at(file.get(), head, size - head);
    const auto line_end = rest.find('\n', rest.size() - std::min(rest.size(), end));
    const std::size_t kept = line_end == rest.npos ? rest.size() : line_end + 1;
    left_out_ += static_cast<std::uint64_t>(std::ranges::count(std::string_view(rest).substr(0, kept), '\n'));
    if (rest.starts_with(mark)) --left_out_;
    if (ftruncate(fd_, static_cast<off_t>(head)) != 0) return;
    lseek(fd_, 0, SEEK_END);  // where it is not open for appending
    static_cast<void>(write_all(fd_, bytes_of(std::string(mark) +
                                              format("%llu lines are left out here, for the log is longer than 1 MiB\n",
                                                     static_cast<unsigned long long>(left_out_)) +
                                              rest.substr(kept))));
}

}  // namespace bootkey::base
