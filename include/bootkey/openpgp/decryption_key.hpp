// SPDX-License-Identifier: GPL-3.0-or-later
//
// The keys in an OpenPGP secret key that decrypt (RFC 4880, section 5.5): whether they can be used without a
// passphrase, and a message by which gpg can be made to use them. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/openpgp/packets.hpp"

namespace bootkey::openpgp {

/// What decrypting takes, beside the file.
enum class Access { open, passphrase };

/// Whether gpg can decrypt with this key while nobody is there: it can if one of those that decrypt is open. `packets`:
/// a binary transferable secret key, called `name` in errors (no_input): all that decrypt are elsewhere, on a smart
/// card mostly. What cannot be read here passes for open: gpg will judge it.
[[nodiscard]] base::Result<Access> decryption_access(Bytes packets, const std::string& name);

/// The key IDs of all keys that decrypt (RFC 4880, section 12.2), by which a message says whom it is for. Nothing if
/// they cannot all be told: a key has a version or an algorithm that is not known here.
[[nodiscard]] std::optional<std::vector<KeyId>> decryption_key_ids(Bytes packets);

/// The first user ID, as it is in the file, by which a person knows the key; empty if there is none.
[[nodiscard]] std::string user_id(Bytes packets);

/// A binary message that has the shape of one to each key that decrypts and is under a passphrase, without its key id.
/// Nobody can decrypt it, for the session keys in it are made up; but gpg finds that out only by using the keys.
[[nodiscard]] std::vector<std::byte> test_message(Bytes packets);

}  // namespace bootkey::openpgp
