// SPDX-License-Identifier: GPL-3.0-or-later
//
// ASCII armour: what arrives, and what is armoured here. Accepted: binary data and whole armour.
#include <algorithm>
#include <string>

#include "bootkey/openpgp/packets.hpp"
#include "fuzz.hpp"

using namespace bootkey;

namespace {

// Base64 (RFC 4648) with a line end after every `width` digits.
std::string base64(std::string_view bytes, std::size_t width, const char* line_end) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 6) {
        const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
        text += digits[(at(bit / 8) << 8 | at(bit / 8 + 1)) >> (10 - bit % 8) & 63];
        if (bit / 6 % width == width - 1) text += line_end;
    }
    return text + std::string((3 - bytes.size() % 3) % 3, '=') + line_end;
}

}  // namespace

bool fuzz::run(Input input) {
    const auto decoded = openpgp::without_armour(input, "a file");
    if (decoded)
        require(decoded->size() <= input.size(), "armour does not make less of data");
    else
        require_readable(decoded.error().message());

    Script script(input);
    const char* line_end = script.below(2) == 0 ? "\n" : "\r\n";
    const auto width = 1U + script.byte();
    const std::string headers = script.below(2) == 0 ? "" : std::string("Comment: a key") + line_end;
    const std::string armoured = std::string("-----BEGIN PGP MESSAGE-----") + line_end + headers + line_end +
                                 base64(text_of(input), width, line_end) + "-----END PGP MESSAGE-----" + line_end;
    const auto again = openpgp::without_armour(base::bytes_of(armoured), "a file");
    require(again.ok() && std::ranges::equal(again->bytes(), input), "what is armoured is read back");
    return decoded.ok();
}
