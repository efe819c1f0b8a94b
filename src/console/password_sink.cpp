// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/password_sink.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace bootkey::console {
namespace {

base::Error output_error(int errno_value) {
    if (errno_value == EPIPE)
        return {base::ExitCode::temporary, "cannot write the password to standard output", "its reader went away",
                "start bootkey from what reads the password"};
    return base::system_error("cannot write the whole password to standard output", errno_value,
                              "connect standard output to what takes the password", base::ExitCode::io_error);
}

// Opens /dev/null as descriptor `fd`, which is closed, so that nothing opened later becomes a standard descriptor.
// Returns 0 or errno.
int hold_place(int fd) {
    const int null_fd = open("/dev/null", O_RDWR | O_NOCTTY);
    if (null_fd < 0) return errno;
    if (null_fd == fd) return 0;
    const int failure = dup2(null_fd, fd) < 0 ? errno : 0;
    ::close(null_fd);
    return failure;
}

}  // namespace

PasswordSink::PasswordSink(base::Loop& loop, base::UniqueFd output, std::function<void()> reader_gone)
    : loop_(loop), output_(std::move(output)) {
    struct stat status {};
    pollable_ = fstat(output_.get(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) &&
                !S_ISBLK(status.st_mode);
    if (!S_ISFIFO(status.st_mode)) return;
    // The writing end of a pipe never becomes readable, except by the error that its reader is gone (epoll(7),
    // EPOLLERR).
    watch_ =
        loop_.watch(output_.get(), {.readable = true}, [this, reader_gone = std::move(reader_gone)](base::Readiness) {
            const auto tell = reader_gone;
            watch_.reset();
            tell();
        });
}

void PasswordSink::write(base::Secret password, Done done) {
    password_ = std::move(password);
    done_ = std::move(done);
    watch_.reset();
    next_ = loop_.timer([this] { proceed(); });
    next_->arm({});
}

void PasswordSink::stop() {
    watch_.reset();
    next_.reset();
    password_.clear();
}

// Called when the output takes bytes, or may take them.
void PasswordSink::proceed() {
    next_.reset();
    if (pollable_ && !watch_) {
        watch_ = loop_.watch(output_.get(), {.writable = true}, [this](base::Readiness) { proceed(); });
        return;
    }
    do {
        const int failure = write_some();
        if (failure == EAGAIN) return;
        if (failure != 0) return finish(failure);
        if (written_ == password_.size()) return finish(0);
    } while (!pollable_);
}

// At most PIPE_BUF bytes, so many as a writable pipe takes without blocking (pipe(7)), though the descriptor,
// which we share with others, is in blocking mode.
int PasswordSink::write_some() {
    const auto rest = password_.bytes().subspan(written_);
    const ssize_t count = ::write(output_.get(), rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
    if (count < 0) return errno == EINTR ? (pollable_ ? EAGAIN : 0) : errno;
    written_ += static_cast<std::size_t>(count);
    return 0;
}

void PasswordSink::finish(int errno_value) {
    watch_.reset();
    password_.clear();
    const int fd = output_.release();
    if (::close(fd) != 0 && errno_value == 0) errno_value = errno;
    if (fd <= STDERR_FILENO) hold_place(fd);
    const Done done = std::move(done_);
    if (errno_value == 0)
        done({});
    else
        done(output_error(errno_value));
}

base::Result<bool> assure_standard_descriptors() {
    const int output_flags = fcntl(STDOUT_FILENO, F_GETFL);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        if (const int failure = hold_place(fd); failure != 0)
            return base::system_error("cannot open /dev/null in the place of a closed standard descriptor", failure,
                                      "mount /dev, or start bootkey with descriptors 0, 1 and 2 open");
    }
    return output_flags >= 0 && (output_flags & O_ACCMODE) != O_RDONLY;
}

}  // namespace bootkey::console
