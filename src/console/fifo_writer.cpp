// SPDX-License-Identifier: GPL-3.0-or-later
//
// The FIFO is made to hold one piece only (F_SETPIPE_SZ, fcntl(2)): so it takes the next one, and says so, when the
// reader has taken the last, which it would not tell otherwise.
#include "bootkey/console/fifo_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "bootkey/base/text.hpp"
#include "bootkey/console/waiting_askpass.hpp"

namespace bootkey::console {
namespace {

constexpr int one_piece = 4096;  // bytes; the kernel makes it a page

bool reader_is_gone(int fifo) {
    pollfd state{fifo, POLLOUT, 0};
    return poll(&state, 1, 0) > 0 && (state.revents & POLLERR) != 0;
}

}  // namespace

base::Result<std::unique_ptr<FifoWriter>> FifoWriter::start(base::Loop& loop, const std::string& path,
                                                            std::span<const std::byte> bytes,
                                                            std::function<void(bool read)> done) {
    const std::string tried = "cannot hand the password to askpass over " + base::escaped(path);
    // Looked at first: opening and closing alone would be an empty answer.
    const auto expected = find_fifo(path);
    if (!expected) return expected.error();
    if (!*expected) return base::system_error(tried, ENOENT, {}, base::ExitCode::temporary);
    base::UniqueFd fifo(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
    if (!fifo)
        return base::system_error(tried, errno, {},
                                  errno == ENXIO ? base::ExitCode::temporary : base::ExitCode::os_error);
    struct stat status {};
    if (fstat(fifo.get(), &status) != 0 || status.st_dev != (*expected)->st_dev || status.st_ino != (*expected)->st_ino)
        return base::Error{base::ExitCode::no_permission, tried, "something else was put in its place", {}};
    // Whoever wrote it may have closed the FIFO since: ours behind it would make one wrong password of both.
    if (int unread = 0; ioctl(fifo.get(), FIONREAD, &unread) == 0 && unread > 0) return std::unique_ptr<FifoWriter>();
    fcntl(fifo.get(), F_SETPIPE_SZ, one_piece);
    std::unique_ptr<FifoWriter> made(new FifoWriter(std::move(fifo), bytes, std::move(done)));
    made->write_piece();  // at once: until there is something in it, closing it would be that empty answer
    made->watch_ =
        loop.watch(made->fifo_.get(), {.writable = true}, [self = made.get()](base::Readiness) { self->proceed(); });
    return made;
}

// Called when the reader has taken the last piece, or is gone.
void FifoWriter::proceed() {
    if (reader_is_gone(fifo_.get())) return finish(false);
    if (rest_.empty()) return finish(true);
    write_piece();
}

// What it cannot take now it takes when it is writable, unless the reader is gone by then.
void FifoWriter::write_piece() {
    const ssize_t count = write(fifo_.get(), rest_.data(), std::min<std::size_t>(rest_.size(), PIPE_BUF));
    if (count > 0) rest_ = rest_.subspan(static_cast<std::size_t>(count));
}

void FifoWriter::finish(bool read) {
    watch_.reset();
    fifo_.reset();
    const auto tell = std::move(done_);
    tell(read);
}

}  // namespace bootkey::console
