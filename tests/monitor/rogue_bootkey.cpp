// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program with a worker or a decryptor that somebody has taken over: rogue_bootkey TRICK[=NUMBER] OPTION… The
// monitor is the real one. The other process gives up what the real one gives up, plays the trick and ends; from then
// on it is the real one, too. What it finds out it says on standard error ("rogue: …"). tests/netns/rogue_test.py runs
// this and looks at what comes of it.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/monitor/monitor.hpp"
#include "bootkey/options/command_line.hpp"
#include "bootkey/sandbox/confinement.hpp"

namespace {

using namespace bootkey;
using namespace bootkey::monitor;

constexpr int flood = 100'000;
constexpr std::uint32_t hooks = ~0U;                 // the number of requests to start them
constexpr std::uint32_t chosen = 2, not_chosen = 3;  // eth0 and eth1 of a lab's client, run with --interface=eth0

/// The end of a channel to the monitor in the wrong hands: bytes go out as they are.
class Rogue {
public:
    explicit Rogue(base::UniqueFd channel) : channel_(std::move(channel)) {}

    /// Sends bytes, waiting until there is room and, if `listening`, reading meanwhile. Ends the process if the monitor
    /// is gone.
    void send(std::span<const std::byte> bytes, bool listening = true) {
        while (::send(channel_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
            if (errno != EAGAIN) _exit(0);
            pollfd wait{channel_.get(), static_cast<short>(listening ? POLLOUT | POLLIN : POLLOUT), 0};
            poll(&wait, 1, -1);
            if (listening) listen();
        }
    }
    void send(const std::string& bytes) { send(base::bytes_of(bytes)); }
    template <typename Set>
    void say(const Set& message, bool listening = true) {
        send(encode(message)->bytes(), listening);
    }
    template <typename Message>
    void ask(const Message& message) {
        say(FromWorker(message));
    }
    /// Takes what the monitor has answered so far.
    void listen() {
        std::array<std::byte, 16 * 1024> buffer;
        for (ssize_t size; (size = recv(channel_.get(), buffer.data(), buffer.size(), 0)) != -1;) {
            if (size == 0) _exit(0);
            const auto message = decode<ToWorker>(std::span(buffer).first(static_cast<std::size_t>(size)));
            if (message) std::visit([this](const auto& said) { hear(said); }, *message);
        }
    }
    /// Waits for so many answers to requests.
    void wait_for(unsigned answers) {
        while (answered_ < answers) {
            pollfd wait{channel_.get(), POLLIN, 0};
            poll(&wait, 1, -1);
            listen();
        }
    }
    /// How often the monitor has answered what, as text.
    [[nodiscard]] std::string heard() const {
        std::string text;
        for (const auto& [what, count] : heard_) text += base::format("%d x %s; ", count, what.c_str());
        return text;
    }
    /// Asks and reports the answer.
    template <typename Message>
    void try_to(const std::string& what, const Message& message) {
        heard_.clear();
        ask(message);
        wait_for(answered_ + 1);
        report(what + ": " + heard());
    }
    static void report(const std::string& text) { (void)dprintf(STDERR_FILENO, "rogue: %s\n", text.c_str()); }
    void close() { channel_.reset(); }

private:
    void hear(const Replied& reply) {
        if (reply.number == hooks) {
            ++heard_["hooks are over"];
            return;
        }
        ++answered_;
        ++heard_[reply.error ? reply.error->tried + ": " + reply.error->why : "done"];
    }
    void hear(const Rejected& verdict) {
        ++answered_;
        ++heard_["rejected: " + verdict.why];
    }
    void hear(const Accepted&) { ++heard_["accepted"]; }
    void hear(const TryNow&) {}
    void hear(const Drop&) {}
    void hear(const SetVerb&) {}
    void hear(const LogStatus&) {}
    void hear(const Ping&) { ask(Pong{}); }

    base::UniqueFd channel_;
    unsigned answered_ = 0;
    std::map<std::string, int> heard_;
};

[[noreturn]] void stay() {
    for (;;) poll(nullptr, 0, -1);
}

base::IpAddress address(const std::string& text) {
    return *base::IpAddress::parse(text);
}

base::IpAddress stranger(unsigned number) {
    return address(base::format("198.18.%u.%u", number / 256 % 256, number % 256));
}

template <typename Make>
void flood_with(Rogue& rogue, int count, const Make& make) {
    constexpr int at_once = 64;  // whoever never reads the answers is ended for that
    for (int number = 0; number < count; ++number) {
        rogue.ask(make(static_cast<std::uint32_t>(number)));
        if (number % at_once == 0) rogue.listen();
    }
    Rogue::report("flood is over");
}

const std::string hostile =
    "line\nbootkey: second line\r\x1b[2J\x1b]0;title\a\x9b"
    "31m\xc2\x9b"
    "31m\xe2\x80\xae"
    "txt\xff%s%n\\";

// What is no message of a worker's set.
std::string undecodable(int number) {
    const auto bytes_of = [](const FromWorker& message) {
        const auto encoded = encode(message);
        return std::string(reinterpret_cast<const char*>(encoded->bytes().data()), encoded->size());
    };
    const std::string answer = bytes_of(Answer{1, "server", std::vector<std::byte>(100)});
    switch (number) {
        case 0:
            return "\xff";
        case 1:
            return answer.substr(0, answer.size() - 1);
        case 2:
            return answer + "x";
        case 3:
            return answer.substr(0, 1 + 8) + "\xff\xff\xff\xff" + answer.substr(1 + 8 + 4);
        case 4:
            return std::string(longest_message + 1, '\0');
        default:
            return {};
    }
}

// Tries to get at the monitor by other ways than the channel; not all of them leave the process alive.
void reach_for_the_monitor(int turn) {
    const pid_t monitor = getppid();
    const auto outcome = [](const char* what, long result) {
        Rogue::report(base::format("%s: %s", what, result < 0 ? std::strerror(errno) : "done"));
    };
    char byte = 0;
    iovec here{&byte, 1};
    iovec there{&byte, 1};  // in the monitor, of which this is a fork, the same place
    switch (turn) {
        case 0:
            return outcome("signal", kill(monitor, SIGKILL));
        case 1:
            return outcome("read memory", process_vm_readv(monitor, &here, 1, &there, 1, 0));
        case 2:
            return outcome("write memory", process_vm_writev(monitor, &here, 1, &there, 1, 0));
        case 3:
            return outcome("trace", ptrace(PTRACE_ATTACH, monitor, nullptr, nullptr));
        case 4:
            return outcome("take a descriptor",
                           syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, monitor, 0), STDOUT_FILENO, 0));
        default:
            break;
    }
    for (const char* file : {"mem", "environ", "fd/1", "root/etc/passwd"})
        outcome(base::format("open %s", file).c_str(),
                open(base::format("/proc/%d/%s", monitor, file).c_str(), O_RDONLY));
}

struct Trick {
    std::string name;
    sandbox::Role role;
    void (*play)(Rogue&, int turn);
    int turns = 1;  // after so many the real body is started
};

int number_given = 0;  // with the name of the trick

constexpr auto worker = sandbox::Role::worker;
constexpr auto decryptor = sandbox::Role::decryptor;

const Trick tricks[] = {
    {"undecodable", worker,
     [](Rogue& rogue, int turn) {
         for (int i = 0; i < 100; ++i) rogue.send(undecodable(turn));
         stay();
     },
     6},
    {"flood-of-interfaces", worker,
     [](Rogue& rogue, int) {
         flood_with(rogue, flood, [](std::uint32_t request) { return Ask{request, changes::BringUp{chosen}}; });
         rogue.wait_for(flood);
         Rogue::report(rogue.heard());
     }},
    {"flood-of-routes", worker,
     [](Rogue& rogue, int) {
         flood_with(rogue, flood, [](std::uint32_t request) {
             return Ask{request, changes::AddHostRoute{chosen, stranger(request)}};
         });
         rogue.wait_for(flood);
     }},
    {"flood-of-lines", worker,
     [](Rogue& rogue, int) {
         flood_with(rogue, flood, [](std::uint32_t) {
             return LogLine{0, base::LogFlag::info, std::string(4096, 'x')};
         });
     }},
    {"flood-of-news", worker,
     [](Rogue& rogue, int) {
         flood_with(rogue, flood, [](std::uint32_t number) {
             timeline::AttemptRecord record;
             record.id = number;
             record.server = hostile + std::string(4096, 'x');
             record.connecting = base::Time::max();
             return AttemptNews{record};
         });
         flood_with(rogue, flood, [](std::uint32_t number) {
             return InterfaceNews{{number, hostile, base::Time::min(), {}, {}, {}}};
         });
     }},
    {"flood-on-standard-error", worker,
     [](Rogue&, int) {
         const std::string line = std::string(100, 'x') + "\n";
         for (int number = 0; number < flood; ++number)
             if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
     }},
    {"flood-of-console-levels", worker,
     [](Rogue& rogue, int) {
         for (int number = 0; number < 10'000; ++number) {
             rogue.ask(Ask{.request = changes::LowerConsoleLevel{}});
             rogue.ask(Ask{.request = changes::RestoreConsoleLevel{}});
         }
         Rogue::report("flood is over");
     }},
    {"flood-without-listening", worker,
     [](Rogue& rogue, int) {
         for (std::uint32_t number = 0; number < flood; ++number)
             rogue.say(FromWorker(Ask{number, changes::BringUp{chosen}}), false);
         Rogue::report("flood is over");
     }},
    {"forbidden-interfaces", worker,
     [](Rogue& rogue, int) {
         rogue.try_to("loopback", Ask{1, changes::BringUp{1}});
         rogue.try_to("not chosen", Ask{2, changes::BringUp{not_chosen}});
         for (const std::uint32_t number : {0U, 9999U, 0x7fff'ffffU, 0xffff'ffffU})
             rogue.try_to("absent", Ask{3, changes::BringUp{number}});
     }},
    {"forbidden-routes", worker,
     [](Rogue& rogue, int) {
         for (const char* destination : {"127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "224.0.0.1",
                                         "ff02::1", "255.255.255.255", "fe80::1", "169.254.0.1"})
             rogue.try_to(destination, Ask{1, changes::AddHostRoute{chosen, address(destination)}});
         rogue.try_to("over loopback", Ask{1, changes::AddHostRoute{1, stranger(1)}});
         rogue.try_to("over not chosen", Ask{1, changes::AddHostRoute{not_chosen, stranger(1)}});
     }},
    {"never-enough", worker,
     [](Rogue& rogue, int) {
         for (std::uint32_t number = 0; number < 1000; ++number) rogue.ask(Ask{number, changes::BringUp{1}});
         stay();
     }},
    {"many-routes", worker,
     [](Rogue& rogue, int) {
         rogue.try_to("interface", Ask{0, changes::BringUp{chosen}});
         for (std::uint32_t number = 1; number <= 17; ++number)
             rogue.try_to(base::format("route %u", number),
                          Ask{number, changes::AddHostRoute{chosen, stranger(number)}});
     }},
    {"route-of-others", worker,
     [](Rogue& rogue, int) {
         rogue.try_to("remove", Ask{1, changes::RemoveHostRoute{chosen, address("203.0.113.1")}});
         rogue.try_to("add", Ask{2, changes::AddHostRoute{chosen, address("203.0.113.1")}});
         rogue.try_to("remove again", Ask{3, changes::RemoveHostRoute{chosen, address("203.0.113.1")}});
     }},
    {"hooks-again-and-again", worker,
     [](Rogue& rogue, int) {
         for (int i = 0; i < 1000; ++i) rogue.ask(Ask{hooks, changes::StartHooks{}});
         poll(nullptr, 0, 500);
         rogue.listen();
         Rogue::report(rogue.heard());
     }},
    {"answers", worker,
     [](Rogue& rogue, int) {
         unsigned sent = 0;
         for (const std::size_t size : {0U, 1U, 1000U, 64U * 1024, 64U * 1024 + 1}) {
             rogue.ask(Answer{7, hostile, std::vector<std::byte>(size, std::byte{0x84})});
             rogue.wait_for(++sent);
         }
         for (int i = 0; i < 1000; ++i)
             rogue.ask(Answer{~servers::AttemptId{0}, "", std::vector<std::byte>(64U * 1024, std::byte{0x85})});
         rogue.wait_for(sent + 1000);
         Rogue::report(rogue.heard());
     }},
    {"hostile-lines", worker,
     [](Rogue& rogue, int) {
         for (const char flag : {'I', 'F', 'N', 'W', 'D'})
             rogue.ask(LogLine{0, static_cast<base::LogFlag>(flag), hostile});
         rogue.ask(LogLine{0, base::LogFlag::info, std::string(70'000, '\x1b')});
         rogue.ask(Answer{1, hostile, {}});
         rogue.wait_for(1);
         (void)dprintf(STDERR_FILENO, "%s\n", hostile.c_str());
         char byte;
         Rogue::report(base::format("reading standard error: %s",
                                    read(STDERR_FILENO, &byte, 1) < 0 ? std::strerror(errno) : "done"));
     }},
    {"closed-channel", worker,
     [](Rogue& rogue, int) {
         rogue.close();
         stay();
     }},
    {"stopped", worker,
     [](Rogue&, int) {
         Rogue::report("stopping");
         syscall(SYS_tgkill, getpid(), getpid(), SIGSTOP);
     }},
    {"exits", worker, [](Rogue&, int) {}, 1'000'000},
    {"failed", worker,
     [](Rogue& rogue, int) {
         rogue.ask(Failed{{static_cast<base::ExitCode>(number_given), hostile, hostile, hostile}});
         stay();
     }},
    {"reach-for-the-monitor", worker, [](Rogue&, int turn) { reach_for_the_monitor(turn); }, 6},
    {"decryptor-reaches-for-the-monitor", decryptor, [](Rogue&, int turn) { reach_for_the_monitor(turn); }, 6},
    {"decryptor-undecodable", decryptor,
     [](Rogue& rogue, int turn) {
         for (int i = 0; i < 100; ++i) rogue.send(undecodable(turn));
         stay();
     },
     4},
    {"decryptor-asks-as-worker", decryptor,
     [](Rogue& rogue, int) {
         rogue.ask(Ask{1, changes::AddHostRoute{chosen, stranger(1)}});
         stay();
     }},
    {"decryptor-out-of-turn", decryptor,
     [](Rogue& rogue, int) {
         for (int i = 0; i < 1000; ++i) {
             rogue.say(FromDecryptor(KeysGood{}));
             auto password = base::Secret::with_capacity(64U * 1024);
             (void)password->append(std::vector<std::byte>(64U * 1024, std::byte{'x'}));
             rogue.say(FromDecryptor(Password{std::move(*password)}));
             rogue.say(FromDecryptor(NotDecrypted{{base::ExitCode::unavailable, hostile, hostile, hostile}}));
         }
         Rogue::report("flood is over");
     }},
    {"decryptor-flood-of-lines", decryptor,
     [](Rogue& rogue, int) {
         for (int i = 0; i < flood; ++i) rogue.say(FromDecryptor(LogLine{0, base::LogFlag::info, hostile}));
         Rogue::report("flood is over");
     }},
    {"decryptor-failed", decryptor,
     [](Rogue& rogue, int) {
         rogue.say(FromDecryptor(Failed{{base::ExitCode::no_input, hostile, hostile, hostile}}));
         stay();
     }},
};

int play(const Trick& trick, int turn, base::UniqueFd channel, const std::string& home, pid_t monitor) {
    prctl(PR_SET_NAME, "rogue");
    sandbox::close_all_but(std::array<int, 2>{STDERR_FILENO, channel.get()});
    if (const auto confined = sandbox::confine({trick.role, home, true}, monitor); !confined) {
        Rogue::report(confined.error().message());
        return 1;
    }
    Rogue rogue(std::move(channel));
    trick.play(rogue, turn);
    return 0;
}

const Trick* find(std::string name) {
    if (const auto equals = name.find('='); equals != std::string::npos) {
        number_given = std::stoi(name.substr(equals + 1));
        name.resize(equals);
    }
    const auto found =
        std::find_if(std::begin(tricks), std::end(tricks), [&](const Trick& trick) { return trick.name == name; });
    return found != std::end(tricks) ? found : nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    const Trick* trick = argc > 1 ? find(argv[1]) : nullptr;
    if (trick == nullptr) return 64;
    base::Log log;
    log.add_sink(base::descriptor_sink(STDERR_FILENO, base::Clock::now(), log));
    (void)std::signal(SIGPIPE, SIG_IGN);
    const auto parsed = options::parse(argc - 1, argv + 1, false);
    if (!parsed || !std::holds_alternative<options::Options>(*parsed)) return 64;
    const auto& options = std::get<options::Options>(*parsed);
    log.set_level(options.verb);
    // In memory that the processes share: how often it was started.
    void* shared = mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 71;
    auto& turn = *new (shared) std::atomic<int>(0);

    Bodies bodies;
    if (trick->role == worker)
        bodies.worker = [&](base::UniqueFd channel, const options::Options& given, const openpgp::KeyFiles& keys,
                            discovery::Browsing browsing, pid_t monitor) {
            const int now = turn++;
            return now < trick->turns ? play(*trick, now, std::move(channel), {}, monitor)
                                      : run_worker(std::move(channel), given, keys, browsing, monitor);
        };
    else
        bodies.decryptor = [&](base::UniqueFd channel, const options::Options& given, const openpgp::KeyFiles& keys,
                               const std::string& home, pid_t monitor) {
            const int now = turn++;
            return now < trick->turns ? play(*trick, now, std::move(channel), home, monitor)
                                      : run_decryptor(std::move(channel), given, keys, home, monitor);
        };
    const Outcome outcome = Monitor(options, log, base::UniqueFd(STDOUT_FILENO), std::move(bodies)).run();
    if (outcome.signal != 0) {
        (void)std::signal(outcome.signal, SIG_DFL);
        (void)std::raise(outcome.signal);
    }
    return static_cast<int>(outcome.code);
}
