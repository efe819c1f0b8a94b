// SPDX-License-Identifier: GPL-3.0-or-later
//
// OpenPGP packets put together byte by byte (RFC 4880), for keys that gpg would not make.
#pragma once

#include <string>

namespace bootkey::openpgp::testing {

/// Old format, with a length of four bytes.
inline std::string packet(int tag, const std::string& body) {
    const auto size = static_cast<unsigned>(body.size());
    std::string result;
    for (const unsigned byte :
         {0x80U | static_cast<unsigned>(tag) << 2 | 2, size >> 24, size >> 16 & 0xFF, size >> 8 & 0xFF, size & 0xFF})
        result += static_cast<char>(byte);
    return result + body;
}

/// A 16-bit number, as lengths and sums have.
inline std::string two(unsigned number) {
    return {static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
}

inline std::string integer(const std::string& number) {
    return two(static_cast<unsigned>(number.size() * 8)) + number;
}

}  // namespace bootkey::openpgp::testing
