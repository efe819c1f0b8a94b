// SPDX-License-Identifier: GPL-3.0-or-later
//
// The machine's OpenPGP secret key, binary: whether it decrypts unattended. Accepted: if a passphrase is needed.
#include "bootkey/openpgp/decryption_key.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const std::string name = openpgp::user_id(input);
    require(name.size() <= input.size(), "a user ID is in the file");
    const auto message = openpgp::test_message(input);
    const auto access = openpgp::decryption_access(input, "a file");
    if (!access) require_readable(access.error().message());
    const bool is_protected = access && *access == openpgp::Access::passphrase;
    if (is_protected && openpgp::count_session_keys(message) <= openpgp::max_session_keys_for_us)
        require(openpgp::check_answer_shape(message).ok(), "a test message has the shape of an answer");
    const auto ids = openpgp::decryption_key_ids(input);
    require(!ids || ids->size() <= input.size(), "no key is made up");
    return is_protected;
}
