// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/keys.hpp"

#include <fcntl.h>

#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/trusted_path.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/tls_key.hpp"
#include "bootkey/options/used_files.hpp"

namespace bootkey::monitor {
namespace {

constexpr std::size_t longest_key_file = 256 * 1024;  // bytes; an RSA-16384 key with subkeys and signatures fits well

base::Result<servers::TlsIdentity> identity_from_pem(const openpgp::KeyFiles& files) {
    auto private_key = base::read_secret_file(files.tls_privkey, longest_key_file);
    if (!private_key) return std::move(private_key).error();
    auto public_key = base::read_file(files.tls_pubkey, longest_key_file, base::ExitCode::no_input);
    if (!public_key) return std::move(public_key).error();
    return servers::TlsIdentity{std::move(*private_key), std::move(*public_key), files.tls_privkey, files.tls_pubkey};
}

base::Result<servers::TlsIdentity> identity_from_openpgp(const openpgp::KeyFiles& files) {
    auto seckey = base::read_secret_file(files.seckey, longest_key_file);
    if (!seckey) return std::move(seckey).error();
    auto key = openpgp::tls_key_from_openpgp(*seckey, files.seckey);
    if (!key) return std::move(key).error();
    return servers::TlsIdentity{std::move(key->private_key), std::move(key->public_key), files.seckey, {}};
}

// The key directories that count. Whoever starts us set-user-ID gets only the one that is in the initial RAM disk.
std::vector<std::string> key_directories(const options::Options& options) {
    const auto all = std::span(openpgp::key_directories);
    const auto some = options.set_user_id ? all.first(1) : all;
    return {some.begin(), some.end()};
}

// Whoever starts us set-user-ID must not choose what is behind the names of key files, wherever they are.
base::Result<void> check_ways(const openpgp::KeyFiles& files, const options::Options& options) {
    if (!options.set_user_id) return {};
    for (const std::string* path :
         {&files.pubkey, &files.seckey, &files.tls_pubkey, &files.tls_privkey, &options.dh_params}) {
        if (path->empty()) continue;
        if (auto trusted = base::check_trusted_path(*path, base::Links::refused); !trusted) return trusted;
    }
    return {};
}

base::Result<void> check_readable(const std::string& path) {
    const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file) return {};
    return base::system_error("cannot open key file " + base::escaped(path), errno,
                              "check the path and its permissions", base::ExitCode::no_input);
}

}  // namespace

base::Result<openpgp::KeyFiles> find_keys(const options::Options& options) {
    auto files = openpgp::find_key_files({options.pubkey, options.seckey, options.tls_pubkey, options.tls_privkey},
                                         key_directories(options));
    if (!files) return files;
    if (auto trusted = check_ways(*files, options); !trusted) return std::move(trusted).error();
    for (const std::string& path : {files->pubkey, files->seckey, files->tls_pubkey, files->tls_privkey})
        if (!path.empty())
            if (auto readable = check_readable(path); !readable) return std::move(readable).error();
    return files;
}

base::Result<void> check_exposure(const openpgp::KeyFiles& files, const options::Options& options,
                                  const base::Log& log) {
    auto used = openpgp::used_files(files);
    if (options.set_user_id) {
        const auto named = options::named_files(options);
        used.insert(used.end(), named.begin(), named.end());
    }
    return options::check_files(used, options::treatment_of_exposed(options), log);
}

base::Result<servers::TlsCredentials> load_credentials(const openpgp::KeyFiles& files, const options::Options& options,
                                                       const base::Log& log) {
    const std::string priority = options.priority.empty() ? options::default_priority : options.priority;
    if (auto checked = servers::check_priority(priority); !checked) return std::move(checked).error();
    auto identity = files.tls_privkey.empty() ? identity_from_openpgp(files) : identity_from_pem(files);
    if (!identity) return std::move(identity).error();
    return servers::TlsCredentials::load(
        std::move(*identity), {.priority = priority, .dh_bits = options.dh_bits, .dh_params = options.dh_params}, log);
}

}  // namespace bootkey::monitor
