// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/packets.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "bootkey/base/text.hpp"

namespace bootkey::openpgp {
namespace {

unsigned value_of(std::byte byte) {
    return std::to_integer<unsigned>(byte);
}

std::string_view text_of(Bytes data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

// RFC 4880, section 6.1: initial value 0xB704CE, polynomial 0x1864CFB.
std::uint32_t crc24(Bytes data) {
    std::uint32_t crc = 0xB704CE;
    for (const std::byte byte : data) {
        crc ^= value_of(byte) << 16;
        for (int bit = 0; bit < 8; ++bit) {
            crc <<= 1;
            if (crc & 0x1000000) crc ^= 0x1864CFB;
        }
    }
    return crc & 0xFFFFFF;
}

// The value of a base64 digit, -1 for anything else.
int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

// Decodes base64, skipping white space, up to its end: '=', '-' (the tail line) or the end of text. Returns whether all
// was base64 and fitted; `text` becomes what follows.
bool decode_base64(std::string_view& text, base::Secret& into) {
    std::uint32_t bits = 0;
    int have = 0;
    bool fits = true;
    while (!text.empty() && text.front() != '=' && text.front() != '-') {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        const int value = base64_value(c);
        if (value < 0) return false;
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        have += 6;
        if (have >= 8) {
            have -= 8;
            const auto byte = static_cast<std::byte>(bits >> have & 0xFF);
            fits = fits && into.append(Bytes(&byte, 1));
        }
    }
    return fits && have < 6;  // 6 bits left over are a lone digit
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return base::trim(line);
}

// What follows the base64 text: padding, perhaps a checksum line "=XXXX", and the tail line.
bool good_tail(std::string_view text, Bytes decoded) {
    while (!text.empty() && !text.starts_with("-----END PGP ")) {
        const std::string_view line = take_line(text);
        if (line.empty() || line == "=" || line == "==") continue;
        if (line.size() != 5) return false;
        std::uint32_t claimed = 0;
        for (const char c : line.substr(1)) {
            if (base64_value(c) < 0) return false;
            claimed = (claimed << 6) | static_cast<std::uint32_t>(base64_value(c));
        }
        if (line.front() != '=' || claimed != crc24(decoded)) return false;
    }
    return !text.empty();
}

base::Error unusable_answer(std::string why);

// The session key packets of one answer.
class SessionKeys {
public:
    /// One more; its version and algorithm are for gpg to judge.
    base::Result<void> count(Bytes body, const std::optional<std::vector<KeyId>>& key_ids) {
        FieldReader fields(body);
        fields.byte();  // version
        KeyId id{};
        const Bytes bytes = fields.bytes(id.size());
        fields.byte();  // algorithm
        if (fields.overrun()) return unusable_answer("it is not a whole OpenPGP message");
        std::ranges::copy(bytes, id.begin());
        if (id == KeyId{})
            ++anonymous_;
        else if (!key_ids || std::ranges::find(*key_ids, id) != key_ids->end())
            ++ours_;
        // Where nobody knows our key IDs, any of those that are allowed in all may be one.
        const std::size_t max_ours = key_ids ? max_session_keys_for_us : max_session_keys;
        if (++all_ > max_session_keys || anonymous_ > max_session_keys_for_us || ours_ > max_ours)
            return unusable_answer("it is encrypted to more keys than a server would name");
        return {};
    }
    [[nodiscard]] std::size_t all() const { return all_; }
    [[nodiscard]] bool for_us() const { return anonymous_ + ours_ > 0; }

private:
    std::size_t all_ = 0, anonymous_ = 0, ours_ = 0;
};

base::Error unusable_answer(std::string why) {
    return {base::ExitCode::unavailable, "cannot use the server's answer", std::move(why),
            "check the secret in this machine's section of the server's clients.conf"};
}

}  // namespace

Bytes FieldReader::bytes(std::size_t size) {
    if (size > rest_.size()) {
        overrun_ = true;
        rest_ = {};
        return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
}

std::uint32_t FieldReader::number(std::size_t size) {
    std::uint32_t value = 0;
    for (const std::byte byte : bytes(size)) value = value << 8 | value_of(byte);
    return value;
}

Bytes FieldReader::integer() {
    const std::size_t bits = two();
    Bytes value = bytes((bits + 7) / 8);
    while (!value.empty() && value.front() == std::byte{0}) value = value.subspan(1);
    return value;
}

std::optional<Packet> PacketReader::fail() {
    malformed_ = true;
    rest_ = {};
    return std::nullopt;
}

std::optional<Packet> PacketReader::take(Tag tag, std::size_t size) {
    if (size > rest_.size()) return fail();
    const Packet packet{tag, rest_.first(size)};
    rest_ = rest_.subspan(size);
    return packet;
}

std::optional<Packet> PacketReader::next() {
    if (rest_.empty()) return std::nullopt;
    const unsigned header = value_of(rest_.front());
    rest_ = rest_.subspan(1);
    if ((header & 0x80) == 0) return fail();
    return (header & 0x40) != 0 ? new_format(header) : old_format(header);
}

// Section 4.2.1.
std::optional<Packet> PacketReader::old_format(unsigned header) {
    const auto tag = static_cast<Tag>(header >> 2 & 0x0F);
    const unsigned length_type = header & 0x03;
    if (length_type == 3) return take(tag, rest_.size());  // of indeterminate length: to the end
    FieldReader length(rest_);
    const std::size_t size = length_type == 0 ? length.byte() : length_type == 1 ? length.two() : length.four();
    if (length.overrun()) return fail();
    rest_ = length.rest();
    return take(tag, size);
}

// Section 4.2.2.
std::optional<Packet> PacketReader::new_format(unsigned header) {
    const auto tag = static_cast<Tag>(header & 0x3F);
    FieldReader length(rest_);
    std::size_t size = length.byte();
    const bool in_pieces = size >= 224 && size < 255;
    if (in_pieces) {
        size = std::size_t{1} << (size & 0x1F);
    } else if (size >= 192) {
        size = size == 255 ? length.four() : ((size - 192) << 8) + length.byte() + 192;
    }
    if (length.overrun()) return fail();
    rest_ = length.rest();
    if (!in_pieces) return take(tag, size);
    if (!skip_pieces(size)) return fail();
    return Packet{tag, {}};
}

// Section 4.2.2.4: pieces with a power of two as size, up to one with an ordinary length.
bool PacketReader::skip_pieces(std::size_t first_size) {
    std::size_t size = first_size;
    for (bool last = false;;) {
        if (size > rest_.size()) return false;
        rest_ = rest_.subspan(size);
        if (last) return true;
        FieldReader length(rest_);
        size = length.byte();
        last = size < 224 || size == 255;
        if (!last) {
            size = std::size_t{1} << (size & 0x1F);
        } else if (size >= 192) {
            size = size == 255 ? length.four() : ((size - 192) << 8) + length.byte() + 192;
        }
        if (length.overrun()) return false;
        rest_ = length.rest();
    }
}

base::Result<base::Secret> without_armour(Bytes data, const std::string& name) {
    auto decoded = base::Secret::with_capacity(data.size() + 1);
    if (!decoded) return decoded;
    const auto malformed = [&](const char* why) {
        return base::Error{base::ExitCode::no_input, "cannot read OpenPGP data in " + base::escaped(name), why,
                           "make the file anew, with gpg --export-secret-keys --armor or bootkey --generate-keys"};
    };
    data = base::without_byte_order_mark(data);
    if (!data.empty() && (value_of(data.front()) & 0x80) != 0) {
        if (!decoded->append(data)) return malformed("it does not fit into memory");
        return decoded;
    }
    std::string_view text = text_of(data);
    const std::size_t begin = text.find("-----BEGIN PGP ");
    if (begin == std::string_view::npos || (begin > 0 && text[begin - 1] != '\n'))
        return malformed("it is neither binary OpenPGP data nor ASCII armour");
    text.remove_prefix(begin);
    take_line(text);
    // Armour headers ("Comment: ...") up to an empty line; base64 has no colon.
    for (std::string_view ahead = text; !ahead.empty();) {
        const std::string_view line = take_line(ahead);
        if (!line.empty() && line.find(": ") == std::string_view::npos) break;
        text = ahead;
        if (line.empty()) break;
    }
    if (!decode_base64(text, *decoded)) return malformed("its ASCII armour has characters that are not base64");
    if (!good_tail(text, decoded->bytes())) return malformed("its ASCII armour is cut off or damaged (wrong checksum)");
    return decoded;
}

namespace {

// The packets of an answer without its armour.
base::Result<base::Secret> packets_of_answer(Bytes message) {
    // A byte order mark belongs to text. Before binary data it is the header of an unknown packet, for gpg, too.
    const Bytes without_mark = base::without_byte_order_mark(message);
    const bool binary = !without_mark.empty() && (value_of(without_mark.front()) & 0x80) != 0;
    if (binary && without_mark.size() != message.size()) return unusable_answer("it is not an OpenPGP message");
    auto packets = without_armour(message, "the server's answer");
    if (!packets) return unusable_answer("it is not an OpenPGP message");
    return packets;
}

}  // namespace

base::Result<void> check_answer_shape(Bytes message, const std::optional<std::vector<KeyId>>& key_ids) {
    const auto binary = packets_of_answer(message);
    if (!binary) return binary.error();
    PacketReader reader(binary->bytes());
    SessionKeys session_keys;
    while (const auto packet = reader.next()) {
        switch (packet->tag) {
            case Tag::marker:
                break;
            case Tag::session_key:
                if (auto counted = session_keys.count(packet->body, key_ids); !counted) return counted;
                break;
            case Tag::passphrase_session_key:
                return unusable_answer("it is encrypted with a passphrase, not to this machine's key");
            case Tag::unprotected_data:
                return unusable_answer("its encryption has no integrity protection (MDC)");
            case Tag::protected_data:
                if (session_keys.all() == 0) return unusable_answer("it is not encrypted to a public key");
                if (!session_keys.for_us()) return unusable_answer("it is encrypted to another key");
                if (reader.next() || reader.malformed()) return unusable_answer("something follows the encrypted data");
                return {};
            default:
                return unusable_answer("it is not an encrypted OpenPGP message");
        }
    }
    return unusable_answer(reader.malformed() ? "it is not a whole OpenPGP message" : "it has no encrypted data");
}

std::size_t count_session_keys(Bytes message) {
    const auto binary = packets_of_answer(message);
    if (!binary) return 0;
    PacketReader reader(binary->bytes());
    std::size_t count = 0;
    for (auto packet = reader.next(); packet; packet = reader.next()) {
        if (packet->tag == Tag::session_key)
            ++count;
        else if (packet->tag != Tag::marker)
            break;
    }
    return count;
}

}  // namespace bootkey::openpgp
