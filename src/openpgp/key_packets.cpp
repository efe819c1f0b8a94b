// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_packets.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "bootkey/base/text.hpp"
#include "secret_packet.hpp"

namespace bootkey::openpgp {
namespace {

constexpr const char* use_tls_pair =
    "use a TLS key pair beside it: --tls-privkey and --tls-pubkey, made by bootkey --generate-keys --tls-key";

base::Error unusable_secret_key(const std::string& name, std::string why) {
    return {base::ExitCode::no_input, "cannot use the OpenPGP key in " + base::escaped(name) + " for TLS",
            std::move(why), use_tls_pair};
}

// 1.3.6.1.4.1.11591.15.1, the curve Ed25519 in GnuPG's EdDSA keys.
constexpr std::array<std::uint8_t, 9> ed25519_oid = {0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01};

constexpr std::size_t ed25519_size = 32;

bool is_rsa(Algorithm algorithm) {
    return algorithm == Algorithm::rsa || algorithm == Algorithm::rsa_sign;
}

// The secret numbers are followed by their sum (section 5.5.3), which tells damage.
bool sum_matches(Bytes secret_numbers, std::uint16_t claimed) {
    unsigned sum = 0;
    for (const std::byte byte : secret_numbers) sum += std::to_integer<unsigned>(byte);
    return (sum & 0xFFFF) == claimed;
}

base::Result<KeyNumbers> read_numbers(Bytes body, const std::string& name) {
    FieldReader fields(body);
    const bool version_4 = fields.byte() == 4;
    fields.four();  // time of creation
    const auto algorithm = static_cast<Algorithm>(fields.byte());
    if (!version_4) return unusable_secret_key(name, "its packet version is not 4");
    RsaNumbers rsa;
    Ed25519Numbers ed25519;
    if (is_rsa(algorithm)) {
        rsa.n = fields.integer();
        rsa.e = fields.integer();
    } else {
        fields.bytes(fields.byte());  // the curve, which is_supported() has compared
        const Bytes point = fields.integer();
        // 0x40: the point is in its native form (draft-koch-eddsa-for-openpgp).
        if (point.size() != ed25519_size + 1 || point.front() != std::byte{0x40})
            return unusable_secret_key(name, "its public Ed25519 point is malformed");
        ed25519.point = point.subspan(1);
    }
    switch (read_protection(fields)) {
        case Protection::none:
            break;
        case Protection::passphrase:
            return unusable_secret_key(name, "it is protected by a passphrase");
        case Protection::smart_card:
            return unusable_secret_key(name, "its secret part is not in the file but on a smart card or elsewhere");
    }
    const Bytes before = fields.rest();
    if (is_rsa(algorithm)) {
        for (Bytes* number : {&rsa.d, &rsa.p, &rsa.q, &rsa.u}) *number = fields.integer();
    } else {
        ed25519.seed = fields.integer();
    }
    const Bytes secret_numbers = before.first(before.size() - fields.rest().size());
    const std::uint16_t sum = fields.two();
    if (fields.overrun() || ed25519.seed.size() > ed25519_size)
        return unusable_secret_key(name, "it is cut off or malformed");
    if (!sum_matches(secret_numbers, sum)) return unusable_secret_key(name, "it is damaged (wrong checksum)");
    if (!is_rsa(algorithm)) return KeyNumbers(ed25519);
    if (rsa.n.empty() || rsa.e.empty() || rsa.d.empty() || rsa.p.empty() || rsa.q.empty() || rsa.u.empty())
        return unusable_secret_key(name, "one of its RSA numbers is zero");
    return KeyNumbers(rsa);
}

bool is_supported(Bytes body) {
    FieldReader fields(body);
    fields.bytes(5);  // version and time of creation
    const auto algorithm = static_cast<Algorithm>(fields.byte());
    if (is_rsa(algorithm)) return true;
    if (algorithm != Algorithm::eddsa) return false;
    const Bytes curve = fields.bytes(fields.byte());
    return std::ranges::equal(curve, ed25519_oid, {},
                              [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
}

// One subpacket (section 5.2.3.1), its type first; nothing at the end or where its length makes no sense.
std::optional<Bytes> next_subpacket(FieldReader& fields) {
    if (fields.rest().empty()) return std::nullopt;
    std::size_t size = fields.byte();
    if (size == 255) {
        size = fields.four();
    } else if (size >= 192) {
        size = ((size - 192) << 8) + fields.byte() + 192;
    }
    const Bytes subpacket = fields.bytes(size);
    if (subpacket.empty()) return std::nullopt;
    return subpacket;
}

// Whether a signature packet binds a subkey (type 0x18) and gives it the right to authenticate (section 5.2.3.21). Only
// hashed subpackets count. The signature itself is not verified: the file is the machine's own secret.
bool binds_for_authentication(Bytes body) {
    FieldReader fields(body);
    const bool version_4 = fields.byte() == 4;
    const bool subkey_binding = fields.byte() == 0x18;
    fields.two();  // algorithms
    FieldReader hashed(fields.bytes(fields.two()));
    if (!version_4 || !subkey_binding) return false;
    constexpr unsigned key_flags = 27;
    while (const auto subpacket = next_subpacket(hashed)) {
        const unsigned type = std::to_integer<unsigned>(subpacket->front()) & 0x7F;  // without the critical bit
        if (type == key_flags && subpacket->size() > 1) return ((*subpacket)[1] & std::byte{0x20}) != std::byte{0};
    }
    return false;
}

}  // namespace

base::Result<KeyNumbers> authentication_key(Bytes packets, const std::string& name) {
    std::optional<Bytes> primary;
    std::optional<Bytes> subkey;  // the one that signatures now are about
    PacketReader reader(packets);
    while (const auto packet = reader.next()) {
        if (packet->tag == Tag::secret_key) {
            if (primary) break;  // another key follows
            primary = packet->body;
        } else if (packet->tag == Tag::public_key || packet->tag == Tag::public_subkey) {
            return unusable_secret_key(name, "it is a public key");
        } else if (packet->tag == Tag::secret_subkey) {
            subkey = packet->body;
        } else if (packet->tag == Tag::signature && primary && subkey && binds_for_authentication(packet->body) &&
                   is_supported(*subkey)) {
            return read_numbers(*subkey, name);
        }
    }
    if (reader.malformed()) return unusable_secret_key(name, "it is not OpenPGP data, or cut off");
    if (!primary) return unusable_secret_key(name, "there is no secret key in it");
    if (!is_supported(*primary)) return unusable_secret_key(name, "its algorithm is neither RSA nor Ed25519");
    return read_numbers(*primary, name);
}

}  // namespace bootkey::openpgp
