// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_files.hpp"

#include <sys/stat.h>

#include "bootkey/base/text.hpp"

namespace bootkey::openpgp {
namespace {

// Something of that name, be it readable or not: whoever reads it reports what is wrong with it.
bool exists(const std::string& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
}

base::Error no_pair(std::span<const std::string> directories) {
    std::string looked_in;
    for (const std::string& directory : directories)
        looked_in += (looked_in.empty() ? "" : ", ") + base::escaped(directory);
    return {base::ExitCode::no_input, "cannot find the machine's OpenPGP keys",
            "none of " + looked_in + " holds pubkey.txt and seckey.txt",
            "make keys with --generate-keys, or name them with --pubkey and --seckey"};
}

base::Error half_a_pair(const std::string& there, const std::string& missing) {
    return {base::ExitCode::no_input, "cannot use the TLS key file " + base::escaped(there),
            missing + ", and one is of no use without the other",
            "restore the missing file, or move this one away to use the OpenPGP key for TLS"};
}

// Adds the TLS pair beside the secret key, if there is one: a server that was told of it knows the machine by it,
// wherever the keys are kept.
base::Result<void> add_tls_pair(KeyFiles& found) {
    const std::string beside = found.seckey.substr(0, found.seckey.find_last_of('/') + 1);
    const std::string tls_pubkey = beside + "tls-pubkey.pem";
    const std::string tls_privkey = beside + "tls-privkey.pem";
    const bool has_pubkey = exists(tls_pubkey);
    const bool has_privkey = exists(tls_privkey);
    if (has_pubkey && !has_privkey) return half_a_pair(tls_pubkey, "there is no tls-privkey.pem beside it");
    if (has_privkey && !has_pubkey) return half_a_pair(tls_privkey, "there is no tls-pubkey.pem beside it");
    if (has_pubkey) {
        found.tls_pubkey = tls_pubkey;
        found.tls_privkey = tls_privkey;
    }
    return {};
}

}  // namespace

base::Result<KeyFiles> find_key_files(const KeyFiles& named, std::span<const std::string> directories) {
    KeyFiles found = named;
    for (const std::string& directory : directories) {
        if (!found.pubkey.empty() && !found.seckey.empty()) break;
        const std::string pubkey = directory + "/pubkey.txt";
        const std::string seckey = directory + "/seckey.txt";
        if (!exists(pubkey) || !exists(seckey)) continue;
        if (found.pubkey.empty()) found.pubkey = pubkey;
        if (found.seckey.empty()) found.seckey = seckey;
    }
    if (found.pubkey.empty() || found.seckey.empty()) return no_pair(directories);
    if (!named.tls_pubkey.empty() && named.tls_privkey.empty())
        return half_a_pair(named.tls_pubkey, "--tls-privkey is not given");
    if (!named.tls_privkey.empty() && named.tls_pubkey.empty())
        return half_a_pair(named.tls_privkey, "--tls-pubkey is not given");
    if (named.tls_pubkey.empty())
        if (const auto added = add_tls_pair(found); !added) return added.error();
    return found;
}

std::vector<options::UsedFile> used_files(const KeyFiles& keys) {
    using options::Content;
    std::vector<options::UsedFile> files{{keys.pubkey, Content::plain},
                                         {keys.seckey, Content::secret},
                                         {keys.tls_pubkey, Content::plain},
                                         {keys.tls_privkey, Content::secret}};
    std::erase_if(files, [](const options::UsedFile& file) { return file.path.empty(); });
    return files;
}

}  // namespace bootkey::openpgp
