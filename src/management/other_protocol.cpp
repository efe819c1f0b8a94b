// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/other_protocol.hpp"

#include <algorithm>
#include <array>

namespace bootkey::management {
namespace {

struct Beginning {
    std::string_view text;
    std::string_view protocol;
};

constexpr std::array beginnings{
    Beginning{"\x16\x03", "TLS"},   Beginning{"SSH-", "SSH"},        Beginning{"HTTP/", "HTTP"},
    Beginning{"GET ", "HTTP"},      Beginning{"HEAD ", "HTTP"},      Beginning{"POST ", "HTTP"},
    Beginning{"PUT ", "HTTP"},      Beginning{"DELETE ", "HTTP"},    Beginning{"CONNECT ", "HTTP"},
    Beginning{"OPTIONS ", "HTTP"},  Beginning{"TRACE ", "HTTP"},     Beginning{"PATCH ", "HTTP"},
    Beginning{"PRI ", "HTTP"},      Beginning{"QUERY ", "HTTP"},     Beginning{"SEARCH ", "HTTP"},
    Beginning{"PROPFIND ", "HTTP"}, Beginning{"PROPPATCH ", "HTTP"}, Beginning{"MKCOL ", "HTTP"},
    Beginning{"COPY ", "HTTP"},     Beginning{"MOVE ", "HTTP"},      Beginning{"LOCK ", "HTTP"},
    Beginning{"UNLOCK ", "HTTP"},   Beginning{"REPORT ", "HTTP"},
};
static_assert(beginnings.size() < 32);

constexpr bool is_upper(char character) {
    return character >= 'A' && character <= 'Z';
}

constexpr char upper(char character) {
    return character >= 'a' && character <= 'z' ? static_cast<char>(character - 'a' + 'A') : character;
}

constexpr bool is_white(char character) {
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

}  // namespace

OtherProtocol::OtherProtocol() : possible_((std::uint32_t{1} << beginnings.size()) - 1) {
}

std::optional<std::string_view> OtherProtocol::take(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
        if (possible_ == 0) return std::nullopt;
        const char character = upper(static_cast<char>(byte));
        if (position_ == 0 && is_white(character)) continue;
        for (std::size_t i = 0; i < beginnings.size(); ++i) {
            const std::uint32_t bit = std::uint32_t{1} << i;
            if ((possible_ & bit) == 0) continue;
            const std::string_view text = beginnings.at(i).text;
            if (text[position_] != character)
                possible_ &= ~bit;
            else if (position_ + 1 == text.size())
                return beginnings.at(i).protocol;
        }
        ++position_;
    }
    return std::nullopt;
}

bool OtherProtocol::is_http_request(std::string_view line) {
    const auto first = line.find(' '), last = line.rfind(' ');
    return first != line.npos && first > 0 && first < last && line.substr(last + 1).starts_with("HTTP/") &&
           std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(first),
                       [](char character) { return is_upper(character) || character == '-' || character == '_'; });
}

}  // namespace bootkey::management
