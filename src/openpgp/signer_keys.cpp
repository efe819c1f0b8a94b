// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/signer_keys.hpp"

#include <string_view>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/packets.hpp"

namespace bootkey::openpgp {
namespace {

base::Error unusable_signer_keys(
    const std::string& path, std::string why,
    std::string advice = "export the keys with gpg --export, or leave --require-signature out") {
    return {base::ExitCode::no_input, "cannot use the public keys in " + base::escaped(path), std::move(why),
            std::move(advice)};
}

// Where the blocks of ASCII armour begin in `data`; of what has none, all is one block.
std::vector<Bytes> blocks_of(Bytes data) {
    const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
    const bool binary = !data.empty() && (data.front() & std::byte{0x80}) != std::byte{0};  // RFC 4880, section 4.2
    constexpr std::string_view head = "-----BEGIN PGP ";
    std::vector<Bytes> blocks;
    for (std::size_t at = binary ? text.npos : text.find(head); at != text.npos; at = text.find(head, at + 1))
        if (at == 0 || text[at - 1] == '\n') blocks.push_back(data.subspan(at));
    if (blocks.empty()) blocks.push_back(data);
    return blocks;
}

// Whether a sequence of packets is made of public keys.
base::Result<void> check_keys(Bytes packets, const std::string& path) {
    bool any = false;
    PacketReader reader(packets);
    while (const auto packet = reader.next()) {
        if (packet->tag == Tag::secret_key || packet->tag == Tag::secret_subkey)
            return unusable_signer_keys(
                path, "there is a secret key among them",
                "put the public key there alone (gpg --export), and keep the secret one out of this machine");
        if (!any && packet->tag != Tag::public_key)
            return unusable_signer_keys(path, "it holds something else than OpenPGP keys");
        any = true;
    }
    if (reader.malformed()) return unusable_signer_keys(path, "it is not OpenPGP data, or cut off");
    if (!any) return unusable_signer_keys(path, "there is no key in it");
    return {};
}

}  // namespace

base::Result<base::Secret> read_signer_keys(const std::string& path) {
    const auto data = base::read_secret_file(path, longest_key_file);
    if (!data) return data.error();
    if (data->empty()) return unusable_signer_keys(path, "the file is empty");
    auto keys = base::Secret::with_capacity(data->size());
    if (!keys) return keys;
    for (const Bytes block : blocks_of(data->bytes())) {
        const auto packets = without_armour(block, path);
        if (!packets) return unusable_signer_keys(path, packets.error().why);
        if (auto checked = check_keys(packets->bytes(), path); !checked) return std::move(checked).error();
        if (!keys->append(packets->bytes())) return unusable_signer_keys(path, "they do not fit into memory");
    }
    return keys;
}

}  // namespace bootkey::openpgp
