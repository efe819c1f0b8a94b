// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/decryption_key.hpp"

#include <gnutls/crypto.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "bootkey/base/text.hpp"
#include "secret_packet.hpp"

namespace bootkey::openpgp {
namespace {

/// A key that decrypts: what of its public numbers could stand in a message to it, and how its secret ones are kept.
struct DecryptionKey {
    Algorithm algorithm{};
    Bytes first, second;  ///< integers; the second is empty except for Elgamal
    Bytes public_part;    ///< of the packet's body: what is in front of the secret numbers
    Protection protection{};
};

// Nothing for keys that do not decrypt, or are cut off.
std::optional<DecryptionKey> read_decryption_key(Bytes body) {
    FieldReader fields(body);
    fields.bytes(5);  // version and time of creation
    DecryptionKey key{.algorithm = static_cast<Algorithm>(fields.byte()), .first = {}, .second = {}, .public_part = {}};
    switch (key.algorithm) {
        case Algorithm::rsa:
        case Algorithm::rsa_encrypt:
            fields.integer();              // modulus
            key.first = fields.integer();  // exponent
            break;
        case Algorithm::elgamal:
            fields.integer();  // prime
            key.first = fields.integer();
            key.second = fields.integer();
            break;
        case Algorithm::ecdh:
            fields.bytes(fields.byte());   // curve
            key.first = fields.integer();  // point
            fields.bytes(fields.byte());   // parameters of key derivation
            break;
        default:
            return std::nullopt;
    }
    key.public_part = body.first(body.size() - fields.rest().size());
    key.protection = read_protection(fields);
    if (fields.overrun()) return std::nullopt;
    return key;
}

template <typename Visit>
void for_each_decryption_key(Bytes packets, const Visit& visit) {
    PacketReader reader(packets);
    while (const auto packet = reader.next()) {
        if (packet->tag != Tag::secret_key && packet->tag != Tag::secret_subkey) continue;
        if (const auto key = read_decryption_key(packet->body)) visit(*key);
    }
}

bool only_signs(Algorithm algorithm) {
    constexpr auto dsa = static_cast<Algorithm>(17), ecdsa = static_cast<Algorithm>(19);
    return algorithm == Algorithm::rsa_sign || algorithm == Algorithm::eddsa || algorithm == dsa || algorithm == ecdsa;
}

// Section 12.2: the last bytes of the fingerprint, which is the SHA-1 of the public key packet.
std::optional<KeyId> key_id(Bytes public_part) {
    constexpr std::size_t max_size = 0xFFFF;
    if (public_part.size() > max_size) return std::nullopt;
    std::vector<std::byte> packet = {std::byte{0x99}, static_cast<std::byte>(public_part.size() >> 8),
                                     static_cast<std::byte>(public_part.size() & 0xFF)};
    packet.insert(packet.end(), public_part.begin(), public_part.end());
    constexpr std::size_t sha1_size = 20;
    std::array<std::byte, sha1_size> fingerprint{};
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, packet.data(), packet.size(), fingerprint.data()) < 0) return std::nullopt;
    KeyId id{};
    std::copy(fingerprint.end() - static_cast<std::ptrdiff_t>(id.size()), fingerprint.end(), id.begin());
    return id;
}

class PacketWriter {
public:
    void byte(unsigned value) { bytes_.push_back(static_cast<std::byte>(value)); }
    void bytes(Bytes content) { bytes_.insert(bytes_.end(), content.begin(), content.end()); }
    void zeros(std::size_t count) { bytes_.insert(bytes_.end(), count, std::byte{0}); }
    /// `number` is big-endian, without leading zeros (section 3.2).
    void integer(Bytes number) {
        const std::size_t bits =
            number.empty()
                ? 0
                : number.size() * 8 -
                      static_cast<std::size_t>(std::countl_zero(std::to_integer<std::uint8_t>(number.front())));
        byte(static_cast<unsigned>(bits >> 8));
        byte(static_cast<unsigned>(bits & 0xFF));
        bytes(number);
    }
    /// In the new format, with a length of four bytes (section 4.2.2.3).
    void packet(Tag tag, Bytes body) {
        byte(0xC0U | static_cast<unsigned>(tag));
        byte(0xFF);
        for (const unsigned shift : {24U, 16U, 8U, 0U}) byte(static_cast<unsigned>(body.size() >> shift & 0xFF));
        bytes(body);
    }
    std::vector<std::byte> take() { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

// Sections 5.1 (RFC 4880) and 8 (RFC 6637). The key's own numbers are as good as any others, and certain to be
// possible.
std::vector<std::byte> session_key(const DecryptionKey& key) {
    PacketWriter body;
    body.byte(3);   // version
    body.zeros(8);  // any key
    body.byte(static_cast<unsigned>(key.algorithm));
    body.integer(key.first);
    if (key.algorithm == Algorithm::elgamal) body.integer(key.second);
    if (key.algorithm == Algorithm::ecdh) {
        constexpr std::size_t wrapped_key = 48;  // AES key wrap of an AES-256 key, its algorithm, sum and padding
        body.byte(wrapped_key);
        body.zeros(wrapped_key);
    }
    return body.take();
}

}  // namespace

base::Result<Access> decryption_access(Bytes packets, const std::string& name) {
    bool open = false, passphrase = false, elsewhere = false;
    for_each_decryption_key(packets, [&](const DecryptionKey& key) {
        open |= key.protection == Protection::none;
        passphrase |= key.protection == Protection::passphrase;
        elsewhere |= key.protection == Protection::smart_card;
    });
    if (!open && passphrase) return Access::passphrase;
    if (open || !elsewhere) return Access::open;
    return base::Error{base::ExitCode::no_input, "cannot use the OpenPGP key in " + base::escaped(name),
                       "its secret part is not in the file but on a smart card or elsewhere",
                       "use a key whose secret part is in the file"};
}

std::optional<std::vector<KeyId>> decryption_key_ids(Bytes packets) {
    std::vector<KeyId> ids;
    PacketReader reader(packets);
    while (const auto packet = reader.next()) {
        if (packet->tag != Tag::secret_key && packet->tag != Tag::secret_subkey) continue;
        FieldReader fields(packet->body);
        const unsigned version = fields.byte();
        fields.four();  // time of creation
        if (version == 4 && only_signs(static_cast<Algorithm>(fields.byte()))) continue;
        const auto key = version == 4 ? read_decryption_key(packet->body) : std::nullopt;
        const auto id = key ? key_id(key->public_part) : std::nullopt;
        if (!id) return std::nullopt;
        ids.push_back(*id);
    }
    if (reader.malformed() || ids.empty()) return std::nullopt;
    return ids;
}

std::string user_id(Bytes packets) {
    PacketReader reader(packets);
    while (const auto packet = reader.next())
        if (packet->tag == Tag::user_id)
            return {reinterpret_cast<const char*>(packet->body.data()), packet->body.size()};
    return {};
}

std::vector<std::byte> test_message(Bytes packets) {
    PacketWriter message;
    for_each_decryption_key(packets, [&](const DecryptionKey& key) {
        if (key.protection == Protection::passphrase) message.packet(Tag::session_key, session_key(key));
    });
    PacketWriter body;
    body.byte(1);  // version
    constexpr std::size_t ciphertext = 40;
    body.zeros(ciphertext);
    message.packet(Tag::protected_data, body.take());
    return message.take();
}

}  // namespace bootkey::openpgp
