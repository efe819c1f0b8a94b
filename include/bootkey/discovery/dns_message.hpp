// SPDX-License-Identifier: GPL-3.0-or-later
//
// DNS messages as DNS-SD over multicast DNS uses them (RFC 1035, 6762, 6763): questions are made, and answers are taken
// apart into the four kinds of records that describe a service. The walking of packets is libresolv's
// (ns_initparse(3)). Pure: bytes in, values out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/address.hpp"

namespace bootkey::discovery {

/// The service type that Mandos servers announce.
inline constexpr std::string_view mandos_service_type = "_mandos._tcp.local";

/// A domain name, compared without regard to the case of ASCII letters (RFC 6762 section 16).
class DnsName {
public:
    /// The root.
    DnsName() : DnsName(std::string(1, '\0')) {}
    /// From text with the escapes of master files ("\.", "\\", "\DDD"); nothing if it is malformed or too long.
    [[nodiscard]] static std::optional<DnsName> from_text(const std::string& text);
    /// From its form on the wire at `position` in `message`, which may use compression. `length` becomes the number of
    /// bytes it takes there.
    [[nodiscard]] static std::optional<DnsName> from_wire(std::span<const std::byte> message, std::size_t position,
                                                          std::size_t& length);

    /// Uncompressed: each label after a byte with its length, the root's 0 at the end; at most 255 bytes.
    [[nodiscard]] const std::string& wire() const { return wire_; }
    /// Labels joined by dots; dots and backslashes within labels escaped, all other bytes as they are.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool is_root() const { return wire_.size() == 1; }
    /// This name's first label if all the rest is `parent`.
    [[nodiscard]] std::optional<std::string> label_below(const DnsName& parent) const;

    friend bool operator==(const DnsName& a, const DnsName& b) { return a.folded_ == b.folded_; }
    friend bool operator<(const DnsName& a, const DnsName& b) { return a.folded_ < b.folded_; }

private:
    explicit DnsName(std::string wire);
    std::string wire_;
    std::string folded_;  // wire_ in lower case, to compare by
};

struct DnsQuestion {
    DnsName name;
    std::uint16_t type = 0;  ///< ns_t_ptr and so on (<arpa/nameser.h>)
    friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
};

/// The records of an answer that matter here, from its answer and additional sections. Goodbyes (TTL 0) are left out.
struct DnsAnswer {
    struct Pointer {
        DnsName owner, target;
    };
    struct Location {  // SRV
        DnsName owner, target;
        std::uint16_t port = 0;
    };
    struct Text {
        DnsName owner;
        std::vector<std::string> strings;
    };
    struct Address {
        DnsName owner;
        base::IpAddress address;
    };
    std::uint16_t id = 0;
    std::vector<Pointer> pointers;
    std::vector<Location> locations;
    std::vector<Text> texts;
    std::vector<Address> addresses;
};

/// A query with these questions of class IN.
[[nodiscard]] std::vector<std::byte> make_query(std::uint16_t id, std::span<const DnsQuestion> questions);
/// The content of `message`, if it is a well-formed answer without error code; records of other types and classes are
/// skipped. Any bytes may be given.
[[nodiscard]] std::optional<DnsAnswer> parse_answer(std::span<const std::byte> message);
/// Whether `message` is a well-formed answer without aliases. Multicast DNS has no use for CNAME and DNAME records, and
/// following them is where avahi-core can be made to abort (CVE-2025-68468, CVE-2025-68471, CVE-2026-24401).
[[nodiscard]] bool is_plain_answer(std::span<const std::byte> message);
/// The strings of a TXT record's data (RFC 6763 section 6.1), without empty ones; nothing if it is malformed.
[[nodiscard]] std::optional<std::vector<std::string>> parse_txt(std::span<const std::byte> data);

}  // namespace bootkey::discovery
