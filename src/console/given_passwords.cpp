// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/given_passwords.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/console/known_passwords.hpp"

namespace bootkey::console {
namespace {

using Bytes = std::span<const std::byte>;

const Bytes host_mark = base::bytes_of("sent by this host");  // sets a host apart from a password

constexpr std::size_t entry_size = 2 * digest_size;
constexpr std::size_t most_entries = 128;  // then the oldest is forgotten
constexpr std::size_t longest_file = digest_size + most_entries * entry_size;
constexpr mode_t directory_mode = S_ISVTX | 0711;  // as the journal's, which is there

bool equal(Bytes a, Bytes b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// Whether the file is as we write it; no error if there is none.
base::Result<bool> is_ours(const std::string& path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return false;
        return base::system_error("cannot read " + base::escaped(path), errno);
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    return S_ISREG(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0 &&
           size >= digest_size && size <= longest_file && (size - digest_size) % entry_size == 0;
}

// What the file holds, or a new key alone.
base::Result<base::Secret> read_or_begin(const std::string& path) {
    auto content = base::Secret::with_capacity(longest_file + entry_size);
    if (!content) return content;
    const auto ours = is_ours(path);
    if (!ours) return ours.error();
    auto start = *ours ? base::read_secret_file(path, longest_file, base::ExitCode::os_error) : make_digest_key();
    if (!start) return start;
    if (!content->append(start->bytes()))
        return base::Error{base::ExitCode::os_error, "cannot read " + base::escaped(path), "it grows", ""};
    return content;
}

}  // namespace

base::Result<GivenPasswords> GivenPasswords::open(std::string path, const std::string& device, bool forget) {
    auto content = read_or_begin(path);
    if (!content) return std::move(content).error();
    GivenPasswords given(std::move(path), device, std::move(*content));
    for (base::Secret* secret : {&given.key_, &given.name_}) {
        auto room = base::Secret::with_capacity(digest_size);
        if (!room) return std::move(room).error();
        *secret = std::move(*room);
    }
    if (!given.key_.append(given.content_.bytes().first(digest_size)))
        return base::Error{base::ExitCode::os_error, "cannot remember passwords", "the key does not fit", ""};
    const Bytes name[] = {base::bytes_of(device)};
    if (auto made = append_digest(given.name_, given.key_, name); !made) return std::move(made).error();
    if (forget)
        if (auto removed = given.remove_entries(); !removed) return std::move(removed).error();
    return given;
}

bool GivenPasswords::any() const {
    for (auto rest = content_.bytes().subspan(digest_size); rest.size() >= entry_size; rest = rest.subspan(entry_size))
        if (equal(rest.first(digest_size), name_.bytes())) return true;
    return false;
}

base::Result<bool> GivenPasswords::contains(const base::Secret& password) const {
    const Bytes what[] = {password.bytes()};
    return contains_entry(what);
}

base::Result<bool> GivenPasswords::contains_host(const std::string& host) const {
    const Bytes what[] = {base::bytes_of(host), host_mark};
    return contains_entry(what);
}

base::Result<bool> GivenPasswords::contains_entry(std::span<const Bytes> what) const {
    const auto wanted = entry(what);
    if (!wanted) return wanted.error();
    for (auto rest = content_.bytes().subspan(digest_size); rest.size() >= entry_size; rest = rest.subspan(entry_size))
        if (equal(rest.first(entry_size), wanted->bytes())) return true;
    return false;
}

base::Result<void> GivenPasswords::append(std::span<const Bytes> what) {
    const auto added = entry(what);
    if (!added) return added.error();
    if (content_.size() == longest_file) {
        auto rest = base::Secret::with_capacity(longest_file + entry_size);
        if (!rest) return std::move(rest).error();
        if (rest->append(key_.bytes()) && rest->append(content_.bytes().subspan(digest_size + entry_size)))
            content_ = std::move(*rest);
    }
    if (!content_.append(added->bytes()))
        return base::Error{base::ExitCode::os_error, "cannot remember a password", "there is no room for it", ""};
    return {};
}

base::Result<void> GivenPasswords::add(const base::Secret& password, const std::string& host) {
    const Bytes sent[] = {password.bytes()};
    if (auto added = append(sent); !added) return added;
    const Bytes sender[] = {base::bytes_of(host), host_mark};
    if (!host.empty())
        if (auto added = append(sender); !added) return added;
    const std::string directory = path_.substr(0, path_.rfind('/'));
    if (mkdir(directory.c_str(), directory_mode) != 0 && errno != EEXIST)
        return base::system_error("cannot make the directory " + base::escaped(directory), errno, {},
                                  base::ExitCode::cannot_create);
    return base::write_file(path_, content_.bytes(), S_IRUSR | S_IWUSR, true);
}

// Both digests of a password, or of a host, for this device.
base::Result<base::Secret> GivenPasswords::entry(std::span<const Bytes> what) const {
    auto made = base::Secret::with_capacity(entry_size);
    if (!made) return made;
    std::vector<Bytes> parts = {base::bytes_of(device_)};
    parts.insert(parts.end(), what.begin(), what.end());
    if (!made->append(name_.bytes()))
        return base::Error{base::ExitCode::os_error, "cannot remember a password", "no room", ""};
    if (auto both = append_digest(*made, key_, parts); !both) return std::move(both).error();
    return made;
}

base::Result<void> GivenPasswords::remove_entries() {
    auto kept = base::Secret::with_capacity(longest_file + entry_size);
    if (!kept) return std::move(kept).error();
    bool fits = kept->append(key_.bytes());
    for (auto rest = content_.bytes().subspan(digest_size); rest.size() >= entry_size; rest = rest.subspan(entry_size))
        if (!equal(rest.first(digest_size), name_.bytes())) fits = fits && kept->append(rest.first(entry_size));
    if (fits) content_ = std::move(*kept);
    return {};
}

base::Result<void> forget_given_passwords(const std::string& path) {
    if (unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
    return base::system_error("cannot remove " + base::escaped(path), errno, "remove it");
}

}  // namespace bootkey::console
