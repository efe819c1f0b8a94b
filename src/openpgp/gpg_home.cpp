// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/gpg_home.hpp"

#include <string_view>

#include "bootkey/base/file.hpp"

namespace bootkey::openpgp {
namespace {

constexpr std::string_view decryption_settings =
    R"(# Nobody is there to answer, and nothing but the one secret key counts.
batch
no-tty
no-greeting
pinentry-mode error
no-autostart
trust-model always
no-auto-check-trustdb
# Before the clock is set (1970) the key and its signatures are from the future; without this option gpg imports no such key.
ignore-time-conflict
# No network.
disable-dirmngr
no-auto-key-retrieve
no-auto-key-locate
# The home is removed soon: locks and a random seed file would be of use to nobody.
lock-never
no-random-seed-file
no-symkey-cache
# No max-output: gpg then cuts the plaintext off and calls that a success. Who receives it refuses what is too long.
)";

}  // namespace

base::Result<void> write_decryption_settings(const std::string& home) {
    return base::write_file(home + "/gpg.conf", base::bytes_of(decryption_settings), 0600, false);
}

}  // namespace bootkey::openpgp
