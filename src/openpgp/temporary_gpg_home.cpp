// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/temporary_gpg_home.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "bootkey/base/child_process.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::openpgp {
namespace {

// Nothing is fetched, sent or left behind, and no agent is started that we would not know of.
constexpr const char* gpg_options =
    "batch\n"
    "disable-dirmngr\n"
    "no-auto-key-locate\n"
    "no-autostart\n"
    "no-random-seed-file\n";

// Where gpg looks for the agent of the home at `path`. Not always in it: where /run/user/UID exists, all of GnuPG's
// programs make a directory there, whose name is a digest of the home's.
base::Result<std::string> agent_socket(const std::string& path) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return base::system_error("cannot make a pipe for gpgconf", errno);
    const base::UniqueFd reading(ends[0]);
    base::UniqueFd writing(ends[1]);
    const auto ended = base::run_and_wait({.program = "/usr/bin/gpgconf",
                                           .arguments = {"gpgconf", "--homedir", path, "--list-dirs", "agent-socket"},
                                           .environment = {"PATH=/usr/bin:/bin"},
                                           .standard_output = writing.get()},
                                          base::from_seconds(10));
    if (!ended)
        return base::Error{base::ExitCode::unavailable, ended.error().tried, ended.error().why,
                           "install the package gpgconf"};
    writing.reset();
    char text[1024];  // the answer, a path, fits into the pipe, so gpgconf has not waited for us
    const ssize_t count = read(reading.get(), text, sizeof text);
    const std::string_view socket = base::trim({text, count > 0 ? static_cast<std::size_t>(count) : 0});
    if (!ended->success() || !socket.starts_with('/'))
        return base::Error{base::ExitCode::unavailable, "cannot find out where gpg expects its agent",
                           "gpgconf gave no path (" + ended->text() + ")", "check the installation of GnuPG"};
    return std::string(socket);
}

}  // namespace

base::Result<std::string> find_ram_directory(std::span<const std::string> candidates) {
    std::string looked_at;
    for (const std::string& directory : candidates) {
        if (base::is_in_memory(directory) && access(directory.c_str(), W_OK | X_OK) == 0) return directory;
        looked_at += (looked_at.empty() ? "" : " nor ") + directory;
    }
    return base::Error{base::ExitCode::unavailable, "cannot make a temporary directory for keys",
                       "neither " + looked_at + " is a file system in RAM (tmpfs) that we may write to",
                       "mount a tmpfs there, so that no secret reaches a disk"};
}

base::Result<std::unique_ptr<TemporaryGpgHome>> TemporaryGpgHome::create() {
    const std::string candidates[] = {"/run", "/dev/shm"};
    const auto ram = find_ram_directory(candidates);
    if (!ram) return ram.error();
    std::string path = *ram + base::format("/bootkey-gnupg-%d.XXXXXX", static_cast<int>(getpid()));
    if (mkdtemp(path.data()) == nullptr)  // mode 0700
        return base::system_error("cannot make a directory in " + *ram, errno, {}, base::ExitCode::cannot_create);
    std::unique_ptr<TemporaryGpgHome> home(new TemporaryGpgHome(path));
    if (auto written = base::write_file(path + "/gpg.conf", base::bytes_of(gpg_options), 0600, false); !written)
        return std::move(written).error();
    if (auto led = home->lead_to_agent(); !led) return std::move(led).error();
    return home;
}

TemporaryGpgHome::~TemporaryGpgHome() {
    std::error_code ignored;  // what cannot be removed is in RAM, readable for us only, and goes with the next boot
    if (!socket_directory_.empty()) std::filesystem::remove_all(socket_directory_, ignored);
    std::filesystem::remove_all(path_, ignored);
}

base::Result<void> TemporaryGpgHome::lead_to_agent() {
    const auto expected = agent_socket(path_);
    if (!expected) return expected.error();
    const std::string ours = path_ + "/S.gpg-agent";
    if (*expected == ours) return {};
    const std::string directory = std::filesystem::path(*expected).parent_path();
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return base::system_error("cannot make " + base::escaped(directory), errno, {}, base::ExitCode::cannot_create);
    socket_directory_ = directory;
    if (symlink(ours.c_str(), expected->c_str()) != 0)
        return base::system_error("cannot make " + base::escaped(*expected), errno, {}, base::ExitCode::cannot_create);
    return {};
}

}  // namespace bootkey::openpgp
