// SPDX-License-Identifier: GPL-3.0-or-later
//
// In --supervised mode the agent serves a socket that it is given (LISTEN_FDS, sd_listen_fds(3)) and stays our child.
// The other way, letting gpg start it as a daemon, costs the same time, but it then belongs to process 1: it would have
// to be asked to end (KILLAGENT) over its socket, could refuse, and would outlive us, with the secret key, if we were
// killed.
#include "bootkey/openpgp/gpg_agent.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::openpgp {
namespace {

base::Error no_gpgconf(std::string why) {
    return {base::ExitCode::unavailable, "cannot find out where gpg expects its agent", std::move(why),
            "install the package gpgconf"};
}

// Where gpg expects the agent of `home`: in it, or, if the user has a run-time directory (on a running system, never in
// the initial RAM disk), in a directory there whose name only GnuPG knows how to make.
base::Result<std::string> socket_path(const std::string& home) {
    const std::string runtime_directory = "/run/user/" + std::to_string(getuid());
    if (access(runtime_directory.c_str(), F_OK) != 0) return home + "/S.gpg-agent";
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return base::system_error("cannot make a pipe for gpgconf", errno);
    const base::UniqueFd reading(ends[0]);
    const base::UniqueFd writing(ends[1]);
    const auto ended = base::run_and_wait({.program = "/usr/bin/gpgconf",
                                           .arguments = {"gpgconf", "--homedir", home, "--list-dirs", "agent-socket"},
                                           .environment = {"PATH=/usr/bin:/bin", "HOME=" + home},
                                           .standard_output = writing.get()},
                                          base::from_seconds(5));
    if (!ended) return no_gpgconf(ended.error().message());
    if (!ended->success()) return no_gpgconf("gpgconf ended with " + ended->text());
    char text[sizeof(sockaddr_un::sun_path) +
              1];  // what is longer is no path for a socket; what is shorter fits into the pipe
    const ssize_t count = read(reading.get(), text, sizeof text);
    const std::string_view path = base::trim({text, count > 0 ? static_cast<std::size_t>(count) : 0});
    if (!path.starts_with('/')) return no_gpgconf("gpgconf gave no path");
    return std::string(path);
}

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

base::Result<void> make_directory(const std::string& path) {
    if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return base::system_error("cannot make directory " + path, errno, {}, base::ExitCode::cannot_create);
}

base::Result<base::UniqueFd> listen_at(const std::string& path) {
    const std::string tried = "cannot make gpg-agent's socket " + path;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return base::system_error(tried, ENAMETOOLONG);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const base::UniqueFd made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!made) return base::system_error(tried, errno);
    base::UniqueFd fd(fcntl(made.get(), F_DUPFD_CLOEXEC, 3));  // out of the way of the standard descriptors
    unlink(path.c_str());                                      // of an agent that has ended
    constexpr int backlog = 16;
    if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd.get(), backlog) != 0)
        return base::system_error(tried, errno);
    return fd;
}

// What makes an agent remember passphrases: a year is longer than any wait, and short enough for seconds of 32 bits.
// When it first uses a key, the agent protects its own copy anew, by default so that each use of it takes half a
// second. That is too long for every answer, and of no use: the copy is in RAM, and who can read it can read the
// agent's memory too.
constexpr const char* remembering[] = {"--default-cache-ttl", "31536000", "--max-cache-ttl", "31536000",
                                       "--s2k-count",         "65536"};

base::Command agent_command(const std::string& home, int socket, Passphrases passphrases) {
    base::Command command;
    command.program = "/usr/bin/gpg-agent";
    // Not --batch: by that gpg-agent 2.2.40 asks for no passphrase, loopback or not, and fails an assertion for want of
    // it.
    const bool loopback = passphrases != Passphrases::none;
    command.arguments = {"gpg-agent",
                         "--homedir",
                         home,
                         "--no-options",
                         "--supervised",
                         "--quiet",
                         "--disable-scdaemon",
                         "--disable-check-own-socket",
                         "--no-allow-external-cache",
                         loopback ? "--allow-loopback-pinentry" : "--no-allow-loopback-pinentry"};
    if (passphrases == Passphrases::once)
        command.arguments.insert(command.arguments.end(), std::begin(remembering), std::end(remembering));
    command.environment = {"PATH=/usr/bin:/bin", "HOME=" + home, "LISTEN_FDS=1"};
    command.die_with_parent = true;
    command.descriptor_3 = socket;
    return command;
}

}  // namespace

base::Result<GpgAgent> GpgAgent::start(base::Loop& loop, const std::string& home, Passphrases passphrases) {
    // The agent makes this directory when it starts as a daemon, but not in supervised mode.
    if (auto made = make_directory(home + "/private-keys-v1.d"); !made) return std::move(made).error();
    auto path = socket_path(home);
    if (!path) return std::move(path).error();
    if (auto made = make_directory(directory_of(*path)); !made) return std::move(made).error();
    const auto socket = listen_at(*path);
    if (!socket) return socket.error();
    auto process =
        base::ChildProcess::start(loop, agent_command(home, socket->get(), passphrases), [](base::ExitReport) {});
    if (!process)
        return base::Error{base::ExitCode::unavailable, process.error().tried, process.error().why,
                           "install the package gpg-agent; in the initial RAM disk: run update-initramfs -u"};
    return GpgAgent(std::move(*process), std::move(*path), directory_of(*path) != home);
}

bool GpgAgent::has_ended() const {
    siginfo_t info{};
    if (!process_->running()) return true;
    return waitid(P_PID, static_cast<id_t>(process_->pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
}

GpgAgent::~GpgAgent() {
    if (!process_) return;  // moved from
    process_.reset();
    unlink(socket_path_.c_str());
    if (own_directory_) rmdir(directory_of(socket_path_).c_str());
}

}  // namespace bootkey::openpgp
