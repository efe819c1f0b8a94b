// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is in the image is written down in initramfs-tools/README.md. Paths in it are looked up as if its root were "/"
// (openat2(2)), for its symbolic links are meant so.
#include "bootkey/modes/check_image.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "bootkey/base/child_process.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/options/command_line.hpp"

namespace bootkey::modes {
namespace {

using base::escaped;
using base::Result;
using base::UniqueFd;

constexpr const char* unpacker = "/usr/bin/unmkinitramfs";
constexpr auto unpacking_limit = std::chrono::minutes(5);
constexpr const char* keys_inside = "/conf/conf.d/mandos/";
constexpr std::size_t longest_key_file = 256 * 1024;
constexpr const char* client_file = "/etc/bootkey/client";
constexpr const char* boot_script = "/scripts/init-premount/bootkey";
constexpr const char* boot_functions = "/lib/bootkey/functions";
constexpr const char* make_anew = "make the image anew with update-initramfs -u";

/// A file of the image, opened; nothing if there is none.
UniqueFd open_inside(int root, const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return UniqueFd(static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

std::string path_of(const UniqueFd& fd) {
    return base::format("/proc/self/fd/%d", fd.get());
}

// What is in a regular file of the image; empty if there is none, or more than the boot scripts would ever need.
std::string text_inside(int root, const std::string& path) {
    constexpr std::size_t longest = 64 * 1024;
    const UniqueFd file = open_inside(root, path);
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
    auto text = base::read_file(path_of(file), longest);
    return text ? *std::move(text) : std::string();
}

// The paths of all that is in a directory of the image, in the order of a shell's "*".
std::vector<std::string> list_inside(int root, const std::string& directory) {
    std::vector<std::string> paths;
    const UniqueFd fd = open_inside(root, directory);
    std::error_code error;
    if (fd)
        for (std::filesystem::directory_iterator one(path_of(fd), error), end; !error && one != end;
             one.increment(error))
            paths.push_back(directory + '/' + one->path().filename().string());
    std::ranges::sort(paths);
    return paths;
}

bool is_runnable_inside(int root, const std::string& path) {
    const UniqueFd file = open_inside(root, path);
    struct stat status {};
    return file && fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IXUSR) != 0;
}

/// What the hook of initramfs-tools has decided about who unlocks.
struct Client {
    std::string client = "none";
    std::string why = "the image knows nothing of bootkey";
    bool plugin = false;  ///< plugin-runner runs bootkey
};

Client read_client(int root) {
    Client client;
    const std::string text = text_inside(root, client_file);
    if (text.empty()) {
        if (is_runnable_inside(root, "/scripts/init-premount/mandos")) client.client = "mandos-client";
        return client;
    }
    for (const std::string_view line : base::split(text, '\n')) {
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string value(line.substr(equals + 1));
        if (line.starts_with("client=")) client.client = value;
        if (line.starts_with("why=")) client.why = escaped(value);
        if (line.starts_with("plugin=")) client.plugin = value == "bootkey";
    }
    return client;
}

// Who will unlock at boot. False if that is not bootkey.
bool check_client(const Client& client, CheckList& list) {
    const bool is_ours = client.client == "bootkey" || client.plugin;
    if (is_ours)
        list.good("client", client.plugin ? "bootkey, run by plugin-runner" : "bootkey (" + client.why + ")");
    else if (client.client == "mandos-client")
        list.wrong("client", "mandos-client will unlock at boot, not bootkey: " + client.why,
                   std::string("write CLIENT=bootkey into /etc/bootkey/initramfs.conf and ") + make_anew);
    else
        list.wrong("client", "nobody but a person will unlock at boot: " + client.why,
                   "install the package of bootkey, or see its warnings, and " + std::string(make_anew));
    return is_ours;
}

void check_programs(int root, const Client& client, CheckList& list) {
    std::vector<std::string> wanted{"/usr/bin/gpg", "/usr/bin/gpg-agent"};
    if (client.plugin)
        wanted.insert(wanted.end(), {"/lib/mandos/plugin-runner", "/lib/mandos/plugins.d/mandos-client",
                                     "/scripts/init-premount/mandos"});
    else
        wanted.insert(wanted.end(), {"/usr/sbin/bootkey", boot_script, "/scripts/local-bottom/bootkey"});
    std::string missing;
    for (const std::string& path : wanted)
        if (!is_runnable_inside(root, path)) missing += (missing.empty() ? "" : ", ") + path;
    // Without them the script ends at once.
    if (!client.plugin && text_inside(root, boot_script).find(boot_functions) != std::string::npos &&
        !open_inside(root, boot_functions))
        missing += (missing.empty() ? "" : ", ") + std::string(boot_functions);
    if (missing.empty())
        list.good("programs", "bootkey, gpg, gpg-agent and the boot scripts are in the image");
    else
        list.wrong("programs", "missing in the image, or not executable: " + missing, make_anew);
}

Result<bool> same_content(int root, const std::string& inside, const std::string& outside) {
    const UniqueFd file = open_inside(root, inside);
    if (!file) return false;
    const auto theirs = base::read_secret_file(path_of(file), longest_key_file);
    if (!theirs) return theirs.error();
    const auto ours = base::read_secret_file(outside, longest_key_file);
    if (!ours) return ours.error();
    return std::ranges::equal(theirs->bytes(), ours->bytes());
}

// Named files are in the image under their own names, all others where mandos-client has them.
void check_keys_inside(int root, const options::Options& options, const openpgp::KeyFiles& keys, CheckList& list) {
    struct Key {
        const char* usual_name;
        const std::string& named;
        const std::string& found;
    };
    const std::array files{Key{"pubkey.txt", options.pubkey, keys.pubkey},
                           Key{"seckey.txt", options.seckey, keys.seckey},
                           Key{"tls-pubkey.pem", options.tls_pubkey, keys.tls_pubkey},
                           Key{"tls-privkey.pem", options.tls_privkey, keys.tls_privkey}};
    std::string different;
    for (const Key& key : files) {
        const std::string inside = key.named.empty() ? keys_inside + std::string(key.usual_name) : key.named;
        const auto same =
            key.found.empty() ? Result<bool>(!open_inside(root, inside)) : same_content(root, inside, key.found);
        if (!same) return list.wrong("image keys", same.error());
        if (!*same) different += (different.empty() ? "" : ", ") + escaped(inside);
    }
    if (different.empty())
        list.good("image keys", "the same as on this system");
    else
        list.wrong("image keys", "not the same in the image as on this system: " + different, make_anew,
                   base::ExitCode::no_input);
}

void check_mode(const std::string& path, const struct stat& status, CheckList& list) {
    const auto mode = static_cast<unsigned>(status.st_mode & 07777);
    if (status.st_uid == 0 && (mode & 077) == 0)
        list.good("image", escaped(path) + ", for root alone to read");
    else
        list.wrong("image",
                   base::format("%s is for others than root to read (mode %04o): secret keys are in it",
                                escaped(path).c_str(), mode),
                   "chmod go= it now, and write UMASK=0077 into a file in /etc/initramfs-tools/conf.d for all to come",
                   base::ExitCode::no_input);
}

/// A file system in memory that this process alone has; taken away when destroyed.
class PrivateMemory {
public:
    /// `kept`: a path that must stay visible.
    static Result<std::unique_ptr<PrivateMemory>> mount_beside(const std::string& kept) {
        const std::string tried = "cannot make room in memory for what is in the image";
        if (unshare(CLONE_NEWNS) != 0) return base::system_error(tried, errno);
        if (::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return base::system_error(tried, errno);
        for (const std::string place : {"/mnt", "/media", "/tmp"}) {
            if (kept.starts_with(place + '/')) continue;
            if (::mount("bootkey", place.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
                return std::unique_ptr<PrivateMemory>(new PrivateMemory(place));
        }
        return base::system_error(tried, errno);
    }
    ~PrivateMemory() { umount2(path_.c_str(), MNT_DETACH); }
    PrivateMemory(const PrivateMemory&) = delete;
    PrivateMemory& operator=(const PrivateMemory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    explicit PrivateMemory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// The first line that a program has said, at most.
std::string first_line_from(int fd) {
    std::array<char, 512> said{};
    const ssize_t size = pread(fd, said.data(), said.size(), 0);
    if (size <= 0) return {};
    const std::string_view text(said.data(), static_cast<std::size_t>(size));
    return escaped(text.substr(0, text.find('\n')));
}

// Unpacks the image below `memory`, temporary files included: there are secret keys in it. Returns where its root is.
Result<std::string> unpack(const std::string& image, const std::string& memory) {
    const std::string tried = "cannot look into " + escaped(image);
    if (access(unpacker, X_OK) != 0)
        return base::Error{base::ExitCode::unavailable, tried, std::string(unpacker) + " is missing",
                           "install initramfs-tools-core"};
    const std::string target = memory + "/image";
    if (mkdir(target.c_str(), 0700) != 0) return base::system_error(tried, errno);
    const UniqueFd said(memfd_create("said", MFD_CLOEXEC));
    base::Command command;
    command.program = unpacker;
    command.arguments = {unpacker, "--", image, target};
    command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TMPDIR=" + memory};
    command.standard_error = said.get();
    command.directory = "/";
    command.die_with_parent = true;
    const auto ended = base::run_and_wait(command, unpacking_limit);
    if (!ended) return ended.error();
    // The archives that the boot loader's microcode is in come first.
    for (const char* part : {"/main", "", "/early", "/early2"})
        if (access((target + part + "/init").c_str(), F_OK) == 0 ||
            access((target + part + "/scripts").c_str(), F_OK) == 0)
            return target + part;
    std::string why = first_line_from(said.get());
    if (why.empty()) why = "there is no init program in it";
    return base::Error{base::ExitCode::no_input, tried, why, "name the image with --initrd=FILE"};
}

ImageContent read_content(int root, bool as_plugin) {
    ImageContent content;
    content.as_plugin = as_plugin;
    content.files.client = text_inside(root, client_file);
    content.files.crypttab = text_inside(root, "/cryptroot/crypttab");
    content.files.settings.push_back(text_inside(root, "/conf/initramfs.conf"));
    for (const std::string& path : list_inside(root, "/conf/conf.d"))
        content.files.settings.push_back(text_inside(root, path));
    content.files.config = text_inside(root, options::default_config_file);
    content.has_network_hooks =
        std::ranges::any_of(list_inside(root, "/lib/mandos/network-hooks.d"),
                            [root](const auto& path) { return is_runnable_inside(root, path); });
    return content;
}

}  // namespace

std::optional<ImageContent> check_unpacked_image(const std::string& root, const options::Options& options,
                                                 const openpgp::KeyFiles& keys, CheckList& list) {
    const UniqueFd directory(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
        list.wrong("client", base::system_error("cannot open " + escaped(root), errno));
        return {};
    }
    const Client client = read_client(directory.get());
    if (!check_client(client, list)) {
        for (const char* step : {"programs", "image keys", "boot"}) list.untried(step, "bootkey is not to run");
        return {};
    }
    check_programs(directory.get(), client, list);
    check_keys_inside(directory.get(), options, keys, list);
    return read_content(directory.get(), client.plugin);
}

std::optional<ImageContent> check_image(const std::string& path, const options::Options& options,
                                        const openpgp::KeyFiles& keys, CheckList& list) {
    const auto give_up = [&list](const base::Error& error) {
        list.wrong("image", error);
        for (const char* step : {"client", "programs", "image keys", "boot"})
            list.untried(step, "it needs a look into the image");
        return std::nullopt;
    };
    const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
    struct stat status {};
    if (!real || stat(real.get(), &status) != 0)
        return give_up(base::system_error("cannot open the image " + escaped(path), errno, "name it with --initrd=FILE",
                                          base::ExitCode::no_input));
    const auto memory = PrivateMemory::mount_beside(real.get());
    if (!memory) return give_up(memory.error());
    const auto root = unpack(real.get(), (*memory)->path());
    if (!root) return give_up(root.error());
    check_mode(path, status, list);
    return check_unpacked_image(*root, options, keys, list);
}

}  // namespace bootkey::modes
