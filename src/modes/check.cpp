// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/check.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bootkey/base/child_process.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/trusted_path.hpp"
#include "bootkey/modes/check_boot.hpp"
#include "bootkey/modes/check_image.hpp"
#include "bootkey/modes/check_list.hpp"
#include "bootkey/modes/check_unlock.hpp"
#include "bootkey/network/network_hooks.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/key_pair.hpp"
#include "bootkey/openpgp/tls_key_id.hpp"
#include "bootkey/options/used_files.hpp"

namespace bootkey::modes {
namespace {

using base::escaped;
using base::ExitCode;
using base::UniqueFd;

constexpr base::Duration rehearsal_limit = std::chrono::seconds(10);
constexpr base::Duration cryptsetup_limit = std::chrono::minutes(2);  // a key slot may be made to take long
constexpr const char* cryptsetup = "/usr/sbin/cryptsetup";
// Where hooks come from when an image is made.
constexpr std::array hook_sources{"/etc/bootkey/network-hooks.d", "/etc/mandos/network-hooks.d"};

// ---- Keys

// Who can read a secret key can ask for the password. False if that is wrong.
bool check_secret(const std::string& path, CheckList& list) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
        list.wrong("key modes",
                   base::system_error("cannot see who may read " + escaped(path), errno, "", ExitCode::no_input));
        return false;
    }
    const bool is_owned = status.st_uid == 0 || !base::exposure_of(path).to_writing;  // by Mandos's user
    if (is_owned && (status.st_mode & 077) == 0) return true;
    list.wrong("key modes", escaped(path) + " is for others than root to read", "chown root and chmod go= it",
               ExitCode::no_input);
    return false;
}

// Whether the files are there to go on with.
bool check_keys(const options::Options& options, openpgp::KeyFiles& keys, CheckList& list) {
    const std::vector<std::string> directories(std::begin(openpgp::key_directories),
                                               std::end(openpgp::key_directories));
    const auto found =
        openpgp::find_key_files({options.pubkey, options.seckey, options.tls_pubkey, options.tls_privkey}, directories);
    if (!found) {
        list.wrong("keys", found.error());
        return false;
    }
    keys = *found;
    list.good("keys",
              escaped(keys.pubkey) + ", " + escaped(keys.seckey) +
                  (keys.tls_privkey.empty() ? ", and no TLS key files"
                                            : ", " + escaped(keys.tls_pubkey) + ", " + escaped(keys.tls_privkey)));
    if (check_secret(keys.seckey, list) && (keys.tls_privkey.empty() || check_secret(keys.tls_privkey, list)))
        list.good("key modes", "for root alone to read");
    const auto pair = openpgp::check_key_pair(keys.pubkey, keys.seckey);
    if (pair)
        list.good("key pair", "public and secret key belong together");
    else
        list.wrong("key pair", pair.error());
    const auto key_id = openpgp::tls_key_id(keys);
    if (key_id)
        list.good("TLS key", "key ID " + *key_id);
    else
        list.wrong("TLS key", key_id.error());
    return pair.ok() && key_id.ok();
}

// ---- Files that others may change

// At boot they are used all the same, but here somebody can mend it. False if there is one.
bool check_exposure(const options::Options& options, const openpgp::KeyFiles& keys, CheckList& list) {
    std::vector<options::UsedFile> files = options::named_files(options);
    for (options::UsedFile& file : openpgp::used_files(keys)) {
        file.content = options::Content::plain;  // the step "key modes" says who may read them
        files.push_back(std::move(file));
    }
    bool good = true;
    for (const options::UsedFile& file : files) {
        const auto exposure = base::exposure_of(file.path);
        if (exposure.to_writing) list.wrong("files", *exposure.to_writing);
        good = good && !exposure.to_writing;
        if (exposure.to_reading && file.content == options::Content::secret) list.warn("files", *exposure.to_reading);
    }
    if (good) list.good("files", "keys and settings are for root alone to change");
    return good;
}

// ---- Network hooks

// Those that others may change are not taken into an image.
void check_hooks(const base::Log& log, CheckList& list) {
    std::string found;
    bool good = true;
    const auto is_safe = [&](const std::string& path) {
        const auto exposure = base::exposure_of(path);
        if (exposure.to_writing) list.wrong("hooks", *exposure.to_writing);
        good = good && !exposure.to_writing;
        return !exposure.to_writing;
    };
    for (const std::string source : hook_sources) {
        if (!is_safe(source)) continue;
        for (const std::string& name : network::find_hooks(source, false, log))
            if (is_safe(base::format("%s/%s", source.c_str(), name.c_str())))
                found += (found.empty() ? "" : ", ") + name;
    }
    if (good) list.good("hooks", found.empty() ? "none" : found);
}

// ---- The password, and what it opens

void check_device(const std::string& device, const UniqueFd& password, CheckList& list) {
    const std::string tried = "cannot try the password on " + escaped(device);
    const UniqueFd said(memfd_create("said", MFD_CLOEXEC));
    base::Command command;
    command.program = cryptsetup;
    command.arguments = {cryptsetup, "open", "--test-passphrase", "--key-file=-", "--", device};
    command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    command.standard_input = password.get();
    command.standard_error = said.get();
    command.own_process_group = true;
    command.die_with_parent = true;
    const auto ended = base::run_and_wait(command, cryptsetup_limit);
    if (!ended)
        return list.wrong("device", tried + ": " + ended.error().message(),
                          "see that the package cryptsetup-bin is installed");
    if (ended->success()) return list.good("device", "the password opens " + escaped(device));
    constexpr int no_permission = 2;  // cryptsetup(8), RETURN CODES: bad passphrase
    if (!ended->signalled && ended->value == no_permission)
        return list.wrong("device", "the password opens no key slot of " + escaped(device),
                          "enrol again with the right one");
    std::array<char, 512> text{};
    const ssize_t size = std::max<ssize_t>(pread(said.get(), text.data(), text.size(), 0), 0);
    const std::string_view words = base::trim({text.data(), static_cast<std::size_t>(size)});
    list.wrong("device", tried + ": " + (words.empty() ? ended->text() : escaped(words)),
               "name the encrypted device itself, as in /etc/crypttab");
}

// As at boot, but that nothing on the machine is changed: what is up is used, and no hook is run.
options::Options rehearsed(const options::Options& options) {
    options::Options changed = options;
    changed.interfaces.insert(changed.interfaces.begin(), "none");
    changed.network_hook_dir = "/nonexistent";
    return changed;
}

/// Steps that ask a server; returns the signal that ended it, or 0.
int check_way(const options::Options& options, base::Log& log, const Rehearse& rehearse, CheckList& list) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        list.wrong("interface", base::system_error("cannot make a pipe for the password", errno));
        return 0;
    }
    UniqueFd password(ends[0]), output(ends[1]);
    const timeline::Timeline timeline = rehearse(rehearsed(options), log, std::move(output), rehearsal_limit);
    if (timeline.signal != 0) return timeline.signal;
    check_unlock(timeline, rehearsal_limit, list);
    if (options.device.empty()) return 0;
    if (timeline.written)
        check_device(options.device, password, list);
    else
        list.untried("device", "there is no password");
    return 0;
}

std::string kernel_command_line() {
    constexpr std::size_t longest = 64 * 1024;
    auto text = base::read_file("/proc/cmdline", longest);
    return text ? *std::move(text) : std::string();
}

// A person has perhaps changed the file since, and expects the boot to go by it.
void warn_of_other_config(const options::Options& options, const ImageContent& content, CheckList& list) {
    constexpr std::size_t longest = 64 * 1024;
    const auto text = options.config_file.empty() ? base::Result<std::string>(std::string())
                                                  : base::read_file(options.config_file, longest);
    if (content.as_plugin || !text || *text == content.files.config) return;
    list.warn(
        "boot",
        "bootkey.conf in the image is not the one of this system, and the boot goes by the one in the image until "
        "it is made anew with update-initramfs -u");
}

bool has_interface(const std::string& name) {
    return if_nametoindex(name.c_str()) != 0;
}

std::string image_of_this_kernel() {
    utsname names{};
    return uname(&names) == 0 ? std::string("/boot/initrd.img-") + names.release : "/boot/initrd.img";
}

}  // namespace

CheckOutcome check(const options::Options& options, base::Log& log, const Rehearse& rehearse,
                   const ReadAnew& read_anew) {
    bool printed = true;
    CheckList list([&printed](const std::string& line) {
        printed = base::write_all(STDOUT_FILENO, base::bytes_of(line)) == 0 && printed;
    });
    if (geteuid() != 0) {
        log.fatal(base::Error{ExitCode::no_permission, "cannot check", "only root can read the keys and the image",
                              "run it as root"}
                      .message());
        return {ExitCode::no_permission};
    }
    openpgp::KeyFiles keys;
    const bool usable = check_keys(options, keys, list);
    std::optional<ImageContent> content;
    if (keys.seckey.empty())
        list.untried("image", "there are no keys to compare with");
    else
        content = check_image(options.initrd.empty() ? image_of_this_kernel() : options.initrd, options, keys, list);
    base::Result<options::Options> at_boot = options;
    if (content) {
        warn_of_other_config(options, *content, list);
        at_boot = check_boot(*content, kernel_command_line(), has_interface, read_anew, list);
    }
    check_hooks(log, list);
    const bool safe = check_exposure(options, keys, list);
    if (!usable) {
        list.untried("server", "there are no keys to ask with");
    } else if (!safe) {
        list.untried("server", "others than root may change what it would be asked with");
    } else if (!at_boot) {
        list.untried("server", "the boot would not come to it");
    } else if (const int signal = check_way(*at_boot, log, rehearse, list); signal != 0) {
        return {ExitCode::ok, signal};
    }
    const ExitCode verdict = list.conclude();
    return {printed ? verdict : ExitCode::io_error};
}

}  // namespace bootkey::modes
