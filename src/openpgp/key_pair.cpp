// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_pair.hpp"

#include <algorithm>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/packets.hpp"

namespace bootkey::openpgp {
namespace {

struct KeyFile {
    base::Secret packets;
    std::vector<Bytes> keys;  // bodies of the packets with keys in them, in `packets`
};

// The keys in the file `path` that have one of the two tags.
base::Result<KeyFile> read_keys(const std::string& path, Tag primary, Tag subkey) {
    const auto text = base::read_secret_file(path, longest_key_file);
    if (!text) return text.error();
    auto packets = without_armour(text->bytes(), path);
    if (!packets) return std::move(packets).error();
    KeyFile file{std::move(*packets), {}};
    PacketReader reader(file.packets.bytes());
    while (const auto packet = reader.next())
        if (packet->tag == primary || packet->tag == subkey) file.keys.push_back(packet->body);
    if (reader.malformed() || file.keys.empty())
        return base::Error{base::ExitCode::no_input, "cannot use the OpenPGP key " + base::escaped(path),
                           reader.malformed()           ? "it is damaged"
                           : primary == Tag::secret_key ? "there is no secret key in it"
                                                        : "there is no public key in it",
                           "name the files that --generate-keys has made"};
    return file;
}

}  // namespace

base::Result<void> check_key_pair(const std::string& pubkey_path, const std::string& seckey_path) {
    const auto public_half = read_keys(pubkey_path, Tag::public_key, Tag::public_subkey);
    if (!public_half) return public_half.error();
    const auto secret_half = read_keys(seckey_path, Tag::secret_key, Tag::secret_subkey);
    if (!secret_half) return secret_half.error();
    for (const Bytes key : public_half->keys) {
        // A secret key packet begins with all of the public key packet (RFC 4880 section 5.5.3).
        const bool found = std::ranges::any_of(secret_half->keys, [key](Bytes secret) {
            return secret.size() > key.size() && std::ranges::equal(secret.first(key.size()), key);
        });
        if (!found)
            return base::Error{
                base::ExitCode::no_input,
                "cannot use the OpenPGP keys " + base::escaped(pubkey_path) + " and " + base::escaped(seckey_path),
                "they do not belong together", "name the two halves of one key"};
    }
    return {};
}

}  // namespace bootkey::openpgp
