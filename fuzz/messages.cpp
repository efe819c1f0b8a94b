// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the processes of an unlock say to each other; the first byte chooses the set. Accepted: if it is a message of
// that set.
#include "bootkey/monitor/messages.hpp"

#include <algorithm>

#include "fuzz.hpp"

using namespace bootkey;
using namespace bootkey::monitor;

namespace {

template <typename Set>
bool read_and_write(std::span<const std::byte> bytes) {
    const auto message = decode<Set>(bytes);
    if (!message) return false;
    const auto written = encode(*message);
    if (bytes.size() > longest_message) return true;  // the channel brings none of that size
    fuzz::require(written.ok(), "what can be read can be written");
    fuzz::require(std::ranges::equal(written->bytes(), bytes), "a message has one form only");
    return true;
}

}  // namespace

bool fuzz::run(Input input) {
    if (input.empty()) return false;
    const auto bytes = input.subspan(1);
    switch (std::to_integer<unsigned>(input[0]) % 4) {
        case 0:
            return read_and_write<FromWorker>(bytes);
        case 1:
            return read_and_write<ToWorker>(bytes);
        case 2:
            return read_and_write<FromDecryptor>(bytes);
        default:
            return read_and_write<ToDecryptor>(bytes);
    }
}
