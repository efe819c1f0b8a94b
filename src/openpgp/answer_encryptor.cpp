// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/answer_encryptor.hpp"

#include "bootkey/base/file.hpp"
#include "bootkey/base/held_signals.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/gpg_session.hpp"
#include "bootkey/openpgp/gpgme_data.hpp"
#include "bootkey/openpgp/key_files.hpp"

namespace bootkey::openpgp {
namespace {

constexpr std::size_t encryption_overhead = 16 * 1024;  // bytes that encryption adds at most

base::Error unusable_public_key(const std::string& path, std::string why) {
    return {base::ExitCode::no_input, "cannot encrypt to the OpenPGP key " + base::escaped(path), std::move(why),
            "name the public key that --generate-keys has made"};
}

// Imports the one key in `text`; its fingerprint.
base::Result<std::string> import_key(GpgSession& gpg, const std::string& path, const std::string& text) {
    const DataHandle input = input_from(base::bytes_of(text), false);
    auto done = gpg.perform("cannot read the OpenPGP key " + base::escaped(path),
                            [&](gpgme_ctx_t context) { return gpgme_op_import_start(context, input.get()); });
    const gpgme_import_result_t result = done ? gpgme_op_import_result(gpg.handle()) : nullptr;
    if (result == nullptr) return unusable_public_key(path, done ? "gpg did not import it" : done.error().why);
    if (result->considered != 1 || result->imports == nullptr || result->imports->fpr == nullptr)
        return unusable_public_key(
            path, base::format("it holds %d OpenPGP keys that can be used instead of one", result->imported));
    return std::string(result->imports->fpr);
}

}  // namespace

base::Result<EncryptedAnswer> encrypt_answer(const std::string& pubkey_path, const base::Secret& content,
                                             Content kind) {
    const auto text = base::read_file(pubkey_path, longest_key_file, base::ExitCode::no_input);
    if (!text) return text.error();
    const base::HeldSignals signals;  // goes last: by then the temporary home is gone
    const auto gpg = GpgSession::open(signals, GpgSession::Agent::none);
    if (!gpg) return gpg.error();
    const auto fingerprint = import_key(**gpg, pubkey_path, std::string(base::without_byte_order_mark(*text)));
    if (!fingerprint) return fingerprint.error();
    auto capacity = base::Secret::with_capacity(content.size() + encryption_overhead);
    if (!capacity) return std::move(capacity).error();
    SecretOutput output(std::move(*capacity));
    const DataHandle plaintext = input_from(content.bytes(), true);
    const DataHandle message = output.data();
    gpgme_set_armor((*gpg)->handle(), 0);
    const auto done = (*gpg)->perform("cannot encrypt the password", [&](gpgme_ctx_t context) {
        gpgme_key_t key = nullptr;
        if (const gpgme_error_t error = gpgme_get_key(context, fingerprint->c_str(), &key, 0); error != 0) return error;
        const KeyHandle owned(key);
        gpgme_key_t recipients[] = {key, nullptr};
        // Nobody has certified the key to gpg: it is ours. The password is shorter than what compression saves.
        constexpr unsigned always =
            GPGME_ENCRYPT_ALWAYS_TRUST | GPGME_ENCRYPT_NO_ENCRYPT_TO | GPGME_ENCRYPT_NO_COMPRESS;
        const auto flags =
            static_cast<gpgme_encrypt_flags_t>(kind == Content::message ? always | GPGME_ENCRYPT_WRAP : always);
        return gpgme_op_encrypt_start(context, recipients, flags, plaintext.get(), message.get());
    });
    if (!done) return unusable_public_key(pubkey_path, done.error().why);
    const base::Secret made = output.take();
    if (made.empty()) return unusable_public_key(pubkey_path, "gpg gave no message");
    return EncryptedAnswer{*fingerprint, {reinterpret_cast<const char*>(made.bytes().data()), made.size()}};
}

}  // namespace bootkey::openpgp
