// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/askpass.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/console/waiting_askpass.hpp"

namespace bootkey::console {
namespace {

constexpr std::size_t usual_answer = 4096;               // bytes: a line that is typed is no longer
constexpr std::size_t longest_answer = 8 * 1024 * 1024;  // bytes: cryptsetup reads no longer key
constexpr base::Duration patience = std::chrono::seconds(1);
constexpr base::Duration until_it_reads = std::chrono::milliseconds(10);  // it may not have come so far yet
constexpr std::string_view any_answer = "\n";

}  // namespace

base::Result<std::unique_ptr<Askpass>> Askpass::start(base::Loop& loop, const base::Log& log, const std::string& text,
                                                      std::vector<std::string> environment, Ended ended) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return base::system_error("cannot make a pipe to askpass", errno);
    std::unique_ptr<Askpass> made(new Askpass(loop, log, std::move(ended)));
    made->output_.reset(ends[0]);
    const base::UniqueFd write_end(ends[1]);
    fcntl(made->output_.get(), F_SETFL, O_NONBLOCK);
    auto process =
        base::ChildProcess::start(loop,
                                  {.program = askpass_program,
                                   .arguments = {askpass_program, text},
                                   .environment = std::move(environment),
                                   .standard_input = STDIN_FILENO,
                                   .standard_output = write_end.get(),
                                   .standard_error = STDERR_FILENO,
                                   .die_with_parent = true},
                                  [self = made.get()](const base::ExitReport& report) { self->on_exit(report); });
    if (!process) return std::move(process).error();
    made->process_ = std::move(*process);
    made->output_watch_ = loop.watch(made->output_.get(), {.readable = true},
                                     [self = made.get()](base::Readiness) { self->read_answer(); });
    return made;
}

Askpass::Askpass(base::Loop& loop, const base::Log& log, Ended ended)
    : loop_(loop),
      log_(log),
      ended_(std::move(ended)),
      again_(loop.timer([this] { ask_to_end(); })),
      limit_(loop.timer([this] { be_impatient(); })) {
}

Askpass::~Askpass() {
    if (!process_ || !process_->running()) return;
    kill_all();
    process_.reset();  // waits for its end
    settings_.put_back();
}

void Askpass::read_answer() {
    for (;;) {
        if (answer_.spare().empty() && !too_long_) {
            auto larger = base::Secret::with_capacity(std::max(usual_answer, 2 * answer_.capacity()));
            too_long_ = !larger || larger->capacity() > longest_answer || !larger->append(answer_.bytes());
            if (!too_long_) answer_ = std::move(*larger);
        }
        if (too_long_) answer_.clear();
        const auto space = answer_.spare();
        const ssize_t count = read(output_.get(), space.data(), space.size());
        if (count < 0 && errno == EINTR) continue;
        if (count > 0) answer_.grow(static_cast<std::size_t>(count));
        if (count > 0) continue;
        if (count == 0) output_watch_.reset();
        return;
    }
}

// What it left in the pipe is read even if a child of its own keeps that open.
void Askpass::on_exit(const base::ExitReport& report) {
    again_->disarm();
    limit_->disarm();
    writer_.reset();
    read_answer();
    if (report.signalled) settings_.put_back();
    if (too_long_)
        log_.error("askpass printed more than any password can be long");
    else if (!report.success())
        log_.warning("askpass ended with " + report.text());
    std::optional<base::Secret> answer;
    if (report.success() && !too_long_) answer = std::move(answer_);
    const auto tell = std::move(ended_);
    tell(std::move(answer));
}

void Askpass::end(std::function<void()> then) {
    ended_ = [then = std::move(then)](const std::optional<base::Secret>&) { then(); };
    limit_->arm(patience);
    ask_to_end();
}

// It reads its FIFO a moment after it is started.
void Askpass::ask_to_end() {
    const auto fifo = find_fifo(askpass_fifo);
    if (!fifo || !*fifo || !reads(process_->pid(), **fifo)) return again_->arm(until_it_reads);
    auto writer = FifoWriter::start(loop_, askpass_fifo, base::bytes_of(any_answer), [this](bool) { writer_.reset(); });
    if (!writer || !*writer) return again_->arm(until_it_reads);
    writer_ = std::move(*writer);
}

// Whoever waits for its end does not wait for ever, should the kernel hold it.
void Askpass::be_impatient() {
    if (std::exchange(killed_, true)) {
        again_->disarm();
        const auto tell = std::move(ended_);
        return tell(std::nullopt);
    }
    log_.warning("askpass does not end; it is killed");
    kill_all();
    limit_->arm(patience);
}

// What it has started asks for it, and may have changed the terminal as well.
void Askpass::kill_all() {
    for (const pid_t child : children_of(process_->pid())) ::kill(child, SIGKILL);
    process_->kill(SIGKILL);
}

}  // namespace bootkey::console
