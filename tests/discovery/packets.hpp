// SPDX-License-Identifier: GPL-3.0-or-later
//
// DNS packets made by hand, byte by byte and without the library under test, well-formed or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bootkey::discovery::test {

using Bytes = std::string;  // any bytes

inline Bytes u16(unsigned value) {
    return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
inline Bytes u32(unsigned value) {
    return u16(value >> 16) + u16(value & 0xffff);
}
/// One label.
inline Bytes label(std::string_view text) {
    return Bytes(1, static_cast<char>(text.size())) + Bytes(text);
}
/// A whole name from labels divided by dots.
inline Bytes name(std::string_view text) {
    Bytes wire;
    while (!text.empty()) {
        const auto dot = text.find('.');
        wire += label(text.substr(0, dot));
        text = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
    }
    return wire + Bytes(1, '\0');
}
inline Bytes pointer_to(unsigned offset) {
    return u16(0xc000U | offset);
}

inline constexpr unsigned type_a = 1, type_cname = 5, type_ptr = 12, type_txt = 16, type_aaaa = 28, type_srv = 33;
inline constexpr unsigned class_in = 1, class_flush = 0x8001;

/// A resource record; `owner` and `data` in wire form.
inline Bytes record(const Bytes& owner, unsigned type, const Bytes& data, unsigned rr_class = class_in,
                    unsigned ttl = 10) {
    return owner + u16(type) + u16(rr_class) + u32(ttl) + u16(static_cast<unsigned>(data.size())) + data;
}
inline Bytes srv(unsigned port, const Bytes& target) {
    return u16(0) + u16(0) + u16(port) + target;
}
inline Bytes v4(int a, int b, int c, int d) {
    return {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c), static_cast<char>(d)};
}
/// fe80::N
inline Bytes v6(unsigned n) {
    return "\xfe\x80" + Bytes(12, '\0') + u16(n);
}

inline constexpr unsigned response_flags = 0x8400;  // a response, authoritative

/// An answer with these records, all in one section: answers or additional ones.
inline Bytes answer(const std::vector<Bytes>& answers, const std::vector<Bytes>& additional = {}, unsigned id = 0x1234,
                    unsigned flags = response_flags) {
    Bytes message = u16(id) + u16(flags) + u16(0) + u16(static_cast<unsigned>(answers.size())) + u16(0) +
                    u16(static_cast<unsigned>(additional.size()));
    for (const auto& each : answers) message += each;
    for (const auto& each : additional) message += each;
    return message;
}

inline std::vector<std::byte> to_bytes(const Bytes& text) {
    const auto* start = reinterpret_cast<const std::byte*>(text.data());
    return {start, start + text.size()};
}

/// Everything there is to say of the service "Mandos" on host server.local, port 4711.
inline Bytes full_answer(unsigned id = 0x1234, unsigned port = 4711) {
    const Bytes instance = name("Mandos._mandos._tcp.local");
    return answer({record(name("_mandos._tcp.local"), type_ptr, instance)},
                  {record(instance, type_srv, srv(port, name("server.local"))),
                   record(instance, type_txt, label("version=1")), record(name("server.local"), type_aaaa, v6(2))},
                  id);
}

}  // namespace bootkey::discovery::test
