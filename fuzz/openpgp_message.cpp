// SPDX-License-Identifier: GPL-3.0-or-later
//
// A server's answer, before gpg sees it. Accepted: what has the shape of an answer.
#include <string>

#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/packets.hpp"
#include "fuzz.hpp"

using namespace bootkey;

namespace {

bool has_answer_shape(std::string_view message) {
    const auto checked = openpgp::check_answer_shape(base::bytes_of(message));
    if (!checked) fuzz::require_readable(checked.error().message());
    return checked.ok();
}

}  // namespace

bool fuzz::run(Input input) {
    const std::byte* end_of_last = input.data();
    std::size_t count = 0;
    openpgp::PacketReader reader(input);
    while (const auto packet = reader.next()) {
        require(++count <= input.size(), "a packet has at least one byte");
        if (packet->body.empty()) continue;
        require(packet->body.data() >= end_of_last &&
                    packet->body.data() + packet->body.size() <= input.data() + input.size(),
                "packets lie within the data, one behind the other");
        end_of_last = packet->body.data() + packet->body.size();
    }
    require(!reader.next(), "behind the end nothing comes");

    const std::string message(text_of(input));
    const bool accepted = has_answer_shape(message);
    // A marker packet belongs before other packets, and not before a byte order mark, behind which only armour is good.
    const bool has_mark = base::without_byte_order_mark(message).size() != message.size();
    if (message.empty() || has_mark || (static_cast<unsigned char>(message[0]) & 0x80) == 0) {
        require(!has_mark || !accepted || message.find("-----BEGIN PGP ") != message.npos,
                "behind a byte order mark there is text");
        return accepted;  // armoured, or nothing
    }
    require(has_answer_shape("\xca\x03PGP" + message) == accepted, "a marker packet in front changes nothing");
    if (!accepted) return false;
    require(!reader.malformed() && count >= 2, "an answer has a session key and data");
    require(!has_answer_shape(message + '\0') && !has_answer_shape(message + message), "nothing may follow an answer");
    return true;
}
