// SPDX-License-Identifier: GPL-3.0-or-later
//
// DNS messages on libresolv: ns_initparse(3) and ns_parserr walk the packet, ns_name_unpack follows compression.
#include "bootkey/discovery/dns_message.hpp"

#include <arpa/nameser.h>
#include <resolv.h>

#include <array>
#include <climits>

namespace bootkey::discovery {
namespace {

// The top bit of the class is not part of it in multicast DNS: "cache flush" (RFC 6762 section 10.2).
constexpr unsigned class_mask = 0x7fff;
constexpr unsigned response_bit = 0x8000;
constexpr unsigned opcode_and_rcode = 0x780f;

char lower_case(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

const unsigned char* unsigned_bytes(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

void append_number(std::vector<std::byte>& message, unsigned number) {
    message.push_back(static_cast<std::byte>(number >> 8 & 0xff));
    message.push_back(static_cast<std::byte>(number & 0xff));
}

/// Prepares the walk through an answer; false if it is none, or if its records do not fill it exactly.
bool open_answer(std::span<const std::byte> message, ns_msg& handle) {
    if (message.size() < NS_HFIXEDSZ || message.size() > NS_MAXMSG) return false;
    const unsigned char* start = unsigned_bytes(message);
    const unsigned flags = ns_get16(start + 2);
    // Answers with another opcode or an error are ignored in silence (RFC 6762 sections 18.3 and 18.11).
    if ((flags & response_bit) == 0 || (flags & opcode_and_rcode) != 0) return false;
    return ns_initparse(start, static_cast<int>(message.size()), &handle) == 0;
}

/// One record's data within its message.
struct RecordData {
    std::span<const std::byte> message;
    std::size_t position;
    std::size_t size;

    [[nodiscard]] std::span<const std::byte> bytes() const { return message.subspan(position, size); }
    /// The name that fills the data from `offset` to its end, not a byte more or less.
    [[nodiscard]] std::optional<DnsName> name_at(std::size_t offset) const {
        if (offset >= size) return std::nullopt;
        std::size_t length = 0;
        auto name = DnsName::from_wire(message, position + offset, length);
        if (!name || offset + length != size) return std::nullopt;
        return name;
    }
};

/// Adds the record to `answer`; false if its data is malformed.
bool add_record(DnsAnswer& answer, DnsName owner, unsigned type, const RecordData& data) {
    switch (type) {
        case ns_t_ptr: {
            auto target = data.name_at(0);
            if (!target) return false;
            answer.pointers.push_back({std::move(owner), std::move(*target)});
            return true;
        }
        case ns_t_srv: {  // RFC 2782: priority, weight, port, target
            auto target = data.name_at(6);
            if (!target) return false;
            const auto port = static_cast<std::uint16_t>(ns_get16(unsigned_bytes(data.bytes().subspan(4))));
            // Port 0 or the root as target: the service is decidedly not there.
            if (port != 0 && !target->is_root())
                answer.locations.push_back({std::move(owner), std::move(*target), port});
            return true;
        }
        case ns_t_txt: {
            auto strings = parse_txt(data.bytes());
            if (!strings) return false;
            answer.texts.push_back({std::move(owner), std::move(*strings)});
            return true;
        }
        case ns_t_a:
        case ns_t_aaaa: {
            const auto address = base::IpAddress::from_bytes(data.bytes());
            if (!address || address->is_v6() != (type == ns_t_aaaa)) return false;
            answer.addresses.push_back({std::move(owner), *address});
            return true;
        }
        default:
            return true;
    }
}

}  // namespace

DnsName::DnsName(std::string wire) : wire_(std::move(wire)), folded_(wire_) {
    // Bytes with lengths are at most 63 and so never look like a letter.
    for (char& letter : folded_) letter = lower_case(letter);
}

std::optional<DnsName> DnsName::from_text(const std::string& text) {
    // ns_name_pton reads up to the terminating NUL.
    if (text.empty() || text.find('\0') != std::string::npos) return std::nullopt;
    std::array<unsigned char, NS_MAXCDNAME> wire{};
    if (ns_name_pton(text.c_str(), wire.data(), wire.size()) < 0) return std::nullopt;
    std::size_t size = 0;
    while (wire.at(size) != 0) size += 1U + wire.at(size);
    return DnsName(std::string(reinterpret_cast<const char*>(wire.data()), size + 1));
}

std::optional<DnsName> DnsName::from_wire(std::span<const std::byte> message, std::size_t position,
                                          std::size_t& length) {
    if (position >= message.size()) return std::nullopt;
    std::array<unsigned char, NS_MAXCDNAME> wire{};
    const unsigned char* start = unsigned_bytes(message);
    const int taken = ns_name_unpack(start, start + message.size(), start + position, wire.data(), wire.size());
    if (taken <= 0) return std::nullopt;
    length = static_cast<std::size_t>(taken);
    std::size_t size = 0;
    while (wire.at(size) != 0) {
        // Extended label types (RFC 6891 section 5) are none of ours; their byte is not a length.
        if (wire.at(size) > NS_MAXLABEL || size + 1U + wire.at(size) >= wire.size()) return std::nullopt;
        size += 1U + wire.at(size);
    }
    return DnsName(std::string(reinterpret_cast<const char*>(wire.data()), size + 1));
}

std::string DnsName::text() const {
    std::string text;
    for (std::size_t start = 0; wire_[start] != 0; start += 1U + static_cast<unsigned char>(wire_[start])) {
        if (start != 0) text += '.';
        for (const char byte : wire_.substr(start + 1, static_cast<unsigned char>(wire_[start]))) {
            if (byte == '.' || byte == '\\') text += '\\';
            text += byte;
        }
    }
    return text;
}

std::optional<std::string> DnsName::label_below(const DnsName& parent) const {
    const std::size_t label = static_cast<unsigned char>(wire_[0]);
    if (label == 0 || folded_.compare(1 + label, std::string::npos, parent.folded_) != 0) return std::nullopt;
    return wire_.substr(1, label);
}

std::vector<std::byte> make_query(std::uint16_t id, std::span<const DnsQuestion> questions) {
    std::vector<std::byte> message;
    append_number(message, id);
    append_number(message, 0);  // a standard query; no flag means anything in multicast DNS (RFC 6762 section 18)
    append_number(message, static_cast<unsigned>(questions.size()));
    for (int section = 0; section < 3; ++section) append_number(message, 0);
    for (const DnsQuestion& question : questions) {
        const auto name = std::as_bytes(std::span(question.name.wire()));
        message.insert(message.end(), name.begin(), name.end());
        append_number(message, question.type);
        append_number(message, ns_c_in);
    }
    return message;
}

std::optional<DnsAnswer> parse_answer(std::span<const std::byte> message) {
    ns_msg handle;
    if (!open_answer(message, handle)) return std::nullopt;
    const unsigned char* start = unsigned_bytes(message);
    DnsAnswer answer;
    answer.id = ns_msg_id(handle);
    for (const ns_sect section : {ns_s_an, ns_s_ar}) {
        const int count = ns_msg_count(handle, section);
        for (int index = 0; index < count; ++index) {
            ns_rr record;
            if (ns_parserr(&handle, section, index, &record) != 0) return std::nullopt;
            if ((record.rr_class & class_mask) != ns_c_in || record.ttl == 0) continue;
            auto owner = DnsName::from_text(record.name[0] != '\0' ? record.name : ".");
            if (!owner) return std::nullopt;
            const RecordData data{message, static_cast<std::size_t>(record.rdata - start), record.rdlength};
            if (!add_record(answer, std::move(*owner), record.type, data)) return std::nullopt;
        }
    }
    return answer;
}

bool is_plain_answer(std::span<const std::byte> message) {
    ns_msg handle;
    if (!open_answer(message, handle)) return false;
    for (const ns_sect section : {ns_s_an, ns_s_ns, ns_s_ar}) {
        const int count = ns_msg_count(handle, section);
        for (int index = 0; index < count; ++index) {
            ns_rr record;
            if (ns_parserr(&handle, section, index, &record) != 0) return false;
            if (record.type == ns_t_cname || record.type == ns_t_dname) return false;
        }
    }
    return true;
}

std::optional<std::vector<std::string>> parse_txt(std::span<const std::byte> data) {
    std::vector<std::string> strings;
    while (!data.empty()) {
        const auto size = std::to_integer<std::size_t>(data[0]);
        if (size >= data.size()) return std::nullopt;
        if (size > 0) strings.emplace_back(reinterpret_cast<const char*>(data.data()) + 1, size);
        data = data.subspan(1 + size);
    }
    return strings;
}

}  // namespace bootkey::discovery
