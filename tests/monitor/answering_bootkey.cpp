// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program with a person at it who knows the key's passphrase: answering_bootkey FIFO OPTION… The monitor and the
// decryptor are the real ones; the process "person" stands between them, says on standard error what the decryptor asks
// for, and answers with the lines that are written into FIFO. tests/netns/passphrase_test.py and secrets_test.py run
// this.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/monitor/channel.hpp"
#include "bootkey/monitor/monitor.hpp"
#include "bootkey/options/command_line.hpp"
#include "bootkey/sandbox/confinement.hpp"

namespace {

using namespace bootkey;
using namespace bootkey::monitor;

class Person {
public:
    Person(base::UniqueFd monitor, base::UniqueFd decryptor, base::UniqueFd fifo)
        : fifo_(std::move(fifo)),
          monitor_(
              *loop_, std::move(monitor),
              {.received = [this](const base::Secret& said) { pass_on(said); }, .closed = [this] { loop_->stop(); }}),
          decryptor_(
              *loop_, std::move(decryptor),
              {.received = [this](const base::Secret& said) { hear(said); }, .closed = [this] { loop_->stop(); }}),
          watch_(loop_->watch(fifo_.get(), {.readable = true}, [this](base::Readiness) { answer(); })) {}

    void run() const { loop_->run(); }

private:
    void pass_on(const base::Secret& said) {
        if (const auto message = decode<ToDecryptor>(said.bytes())) decryptor_.send(*message);
    }
    void hear(const base::Secret& said) {
        const auto message = decode<FromDecryptor>(said.bytes());
        if (!message) return loop_->stop();
        if (const auto* question = std::get_if<NeedPassphrase>(&*message))
            (void)dprintf(STDERR_FILENO, "person: asked %s for the passphrase of %s\n",
                          question->again ? "again" : "anew", question->key.c_str());
        else
            monitor_.send(*message);
    }
    // A line comes whole, for who writes it writes it at once (pipe(7)).
    void answer() {
        auto line = base::Secret::with_capacity(4096);
        if (!line) return loop_->stop();
        const ssize_t size = read(fifo_.get(), line->spare().data(), line->capacity());
        if (size <= 0) return;
        line->grow(static_cast<std::size_t>(size) - 1);  // without its end
        decryptor_.send(ToDecryptor(Passphrase{std::move(*line)}));
    }

    std::unique_ptr<base::EventLoop> loop_ = std::move(base::EventLoop::create()).value();
    base::UniqueFd fifo_;
    Channel monitor_;
    Channel decryptor_;
    std::unique_ptr<base::Watch> watch_;
};

int stand_between(const char* fifo, base::UniqueFd monitor, const options::Options& options,
                  const openpgp::KeyFiles& keys, const std::string& home) {
    auto ends = Channel::make_ends();
    if (!ends) return 71;
    const pid_t parent = getpid();
    const pid_t decryptor = fork();
    if (decryptor == 0) {
        ends->first.reset();
        _exit(run_decryptor(std::move(ends->second), options, keys, home, parent));
    }
    prctl(PR_SET_NAME, "person");
    ends->second.reset();
    sandbox::close_all_but(std::array{STDERR_FILENO, monitor.get(), ends->first.get()});
    for (int fd = 0; fd < STDERR_FILENO; ++fd) (void)open("/dev/null", O_RDWR);
    {
        Person(std::move(monitor), std::move(ends->first), base::UniqueFd(open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC)))
            .run();
    }
    waitpid(decryptor, nullptr, 0);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 64;
    const char* fifo = argv[1];
    base::Log log;
    log.add_sink(base::descriptor_sink(STDERR_FILENO, base::Clock::now(), log));
    (void)std::signal(SIGPIPE, SIG_IGN);
    const auto parsed = options::parse(argc - 1, argv + 1, false);
    if (!parsed || !std::holds_alternative<options::Options>(*parsed)) return 64;
    const auto& options = std::get<options::Options>(*parsed);
    log.set_level(options.verb);
    Bodies bodies;
    bodies.decryptor = [&](base::UniqueFd channel, const options::Options& given, const openpgp::KeyFiles& keys,
                           const std::string& home,
                           pid_t) { return stand_between(fifo, std::move(channel), given, keys, home); };
    const Outcome outcome = Monitor(options, log, base::UniqueFd(STDOUT_FILENO), std::move(bodies)).run();
    if (outcome.signal != 0) {
        (void)std::signal(outcome.signal, SIG_DFL);
        (void)std::raise(outcome.signal);
    }
    return static_cast<int>(outcome.code);
}
