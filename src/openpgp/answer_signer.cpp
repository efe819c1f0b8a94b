// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/answer_signer.hpp"

#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "bootkey/base/held_signals.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/gpg_session.hpp"
#include "bootkey/openpgp/gpgme_data.hpp"
#include "bootkey/openpgp/packets.hpp"
#include "bootkey/openpgp/signature_check.hpp"
#include "bootkey/openpgp/signer_keys.hpp"

namespace bootkey::openpgp {
namespace {

constexpr std::size_t most_unpacked = 64 * 1024;  // bytes of password
constexpr std::size_t signing_overhead =
    64 * 1024;  // bytes that signing, with the signer's key inside, and armour add at most

base::Error cannot_sign(const std::string& key, std::string why, std::string advice) {
    return {base::ExitCode::no_input, "cannot sign with the OpenPGP key " + base::escaped(key), std::move(why),
            std::move(advice)};
}

// Tells pinentry its terminal as gpg(1) advises, if the person's shell does not: without it, and with standard output
// going into a pipe, no passphrase could be asked for.
std::vector<std::string> with_terminal(std::vector<std::string> environment) {
    const auto is_terminal = [](const std::string& variable) { return variable.starts_with("GPG_TTY="); };
    if (std::ranges::any_of(environment, is_terminal)) return environment;
    for (const int descriptor : {STDIN_FILENO, STDERR_FILENO}) {
        char name[256];
        if (ttyname_r(descriptor, name, sizeof name) != 0) continue;
        environment.push_back(std::string("GPG_TTY=") + name);
        break;
    }
    return environment;
}

// What the person's keyring is called: with sudo(8) it may be another person's than expected.
std::string keyring_of(const std::vector<std::string>& environment) {
    const auto value = [&](std::string_view name) -> std::string_view {
        for (const std::string_view variable : environment)
            if (variable.starts_with(name)) return variable.substr(name.size());
        return {};
    };
    if (const auto home = value("GNUPGHOME="); !home.empty()) return "the keyring in " + base::escaped(home);
    if (const auto home = value("HOME="); !home.empty()) return "the keyring in " + base::escaped(home) + "/.gnupg";
    return "your keyring";
}

std::string why_not_found(gpgme_error_t error, const std::vector<std::string>& environment) {
    switch (gpgme_err_code(error)) {
        case GPG_ERR_EOF:
            return "there is no such secret key in " + keyring_of(environment);
        case GPG_ERR_AMBIGUOUS_NAME:
            return "several secret keys fit in " + keyring_of(environment);
        default:
            return gpgme_text(error);
    }
}

const char* why_unable(const _gpgme_key& key) {
    if (key.revoked != 0) return "it has been revoked";
    if (key.expired != 0) return "it has expired";
    if (key.disabled != 0) return "it is disabled";
    if (key.invalid != 0 || key.can_sign == 0) return "it is not made for signing";
    return nullptr;
}

// The first of some times, 0 being never.
std::time_t first_of(std::initializer_list<std::time_t> times) {
    std::time_t first = 0;
    for (const std::time_t time : times)
        if (time > 0 && (first == 0 || time < first)) first = time;
    return first;
}

// When a signature by `key` stops to count.
std::time_t expiry(const _gpgme_key& key, const _gpgme_signature& signature) {
    const auto time = [](auto seconds) {  // signed in GPGME 1, unsigned in GPGME 2
        return static_cast<std::time_t>(seconds);
    };
    std::time_t subkey_expires = 0;
    for (auto subkey = key.subkeys; subkey != nullptr; subkey = subkey->next)
        if (std::string_view(subkey->fpr) == signature.fpr) subkey_expires = time(subkey->expires);
    return first_of({time(key.subkeys->expires), subkey_expires, time(signature.exp_timestamp)});
}

// Makes sure that the signature is good and that what was signed is the password and nothing else: a gpg.conf can
// change that (textmode). The result is when the signature stops to count.
base::Result<std::time_t> check_signed(GpgSession& gpg, const base::Secret& message, const base::Secret& password,
                                       const _gpgme_key& key) {
    auto capacity = base::Secret::with_capacity(password.size() + 1);
    if (!capacity) return std::move(capacity).error();
    SecretOutput output(std::move(*capacity));
    const DataHandle signature = input_from(message.bytes(), true);
    const DataHandle plaintext = output.data();
    const auto done = gpg.perform("cannot verify the signature", [&](gpgme_ctx_t context) {
        return gpgme_op_verify_start(context, signature.get(), nullptr, plaintext.get());
    });
    const gpgme_verify_result_t result = done ? gpgme_op_verify_result(gpg.handle()) : nullptr;
    const gpgme_signature_t made = result != nullptr ? result->signatures : nullptr;
    if (made == nullptr || gpgme_err_code(made->status) != GPG_ERR_NO_ERROR)
        return cannot_sign(key.fpr, done ? "gpg does not find its own signature good" : done.error().why,
                           "see what gpg --sign and gpg --verify say");
    if (!std::ranges::equal(output.take().bytes(), password.bytes()))
        return cannot_sign(key.fpr, "gpg has signed something else than the password",
                           "look for what changes texts in your gpg.conf (textmode)");
    return expiry(key, *made);
}

}  // namespace

base::Result<std::string> find_signer(const std::string& key, const std::vector<std::string>& environment) {
    const auto gpg = GpgSession::open_keyring(environment);
    if (!gpg) return gpg.error();
    KeyHandle found;
    if (const gpgme_error_t error = (*gpg)->find_key(key, true, found); error != 0)
        return cannot_sign(key, why_not_found(error, environment),
                           "name one by its fingerprint: see gpg --list-secret-keys");
    if (const char* const why = why_unable(*found)) return cannot_sign(found->fpr, why, "name another key");
    return std::string(found->fpr);
}

base::Result<SignedPassword> sign_password(const base::Secret& password, const std::string& fingerprint,
                                           const std::vector<std::string>& environment) {
    const auto gpg = GpgSession::open_keyring(with_terminal(environment));
    if (!gpg) return gpg.error();
    KeyHandle key;
    if (const gpgme_error_t error = (*gpg)->find_key(fingerprint, true, key); error != 0)
        return cannot_sign(fingerprint, why_not_found(error, environment), "see gpg --list-secret-keys");
    auto capacity = base::Secret::with_capacity(password.size() * 2 + signing_overhead);
    if (!capacity) return std::move(capacity).error();
    SecretOutput output(std::move(*capacity));
    const DataHandle plaintext = input_from(password.bytes(), true);
    const DataHandle message = output.data();
    const auto done = (*gpg)->perform("cannot sign the password", [&](gpgme_ctx_t context) {
        if (const gpgme_error_t error = gpgme_signers_add(context, key.get()); error != 0) return error;
        return gpgme_op_sign_start(context, plaintext.get(), message.get(), GPGME_SIG_MODE_NORMAL);
    });
    if (!done) return cannot_sign(fingerprint, done.error().why, "see what gpg --sign says");
    // A gpg.conf can also ask for armour.
    auto binary = without_armour(output.take().bytes(), "gpg's signature");
    if (!binary) return cannot_sign(fingerprint, binary.error().why, "see what gpg --sign says");
    const auto expires = check_signed(**gpg, *binary, password, *key);
    if (!expires) return expires.error();
    return SignedPassword{std::move(*binary), *expires};
}

base::Result<void> check_acceptance(const base::Secret& message, const std::string& signers_path) {
    const auto keys = read_signer_keys(signers_path);
    if (!keys) return keys.error();
    const base::HeldSignals signals;  // goes last: by then the temporary home is gone
    const std::string file = base::escaped(signers_path);
    SignatureCheck check(file);
    const auto gpg = GpgSession::open(signals, GpgSession::Agent::none);
    if (!gpg) return gpg.error();
    check.listen_to((*gpg)->handle());
    const DataHandle public_keys = input_from(keys->bytes(), false);
    auto done = (*gpg)->perform("cannot read the public keys in " + file,
                                [&](gpgme_ctx_t context) { return gpgme_op_import_start(context, public_keys.get()); });
    if (!done) return done;
    check.accept(gpgme_op_import_result((*gpg)->handle()));
    auto capacity = base::Secret::with_capacity(message.size() + most_unpacked);
    if (!capacity) return std::move(capacity).error();
    SecretOutput output(std::move(*capacity));
    const DataHandle signature = input_from(message.bytes(), true);
    const DataHandle plaintext = output.data();
    check.begin();
    done = (*gpg)->perform("cannot verify the signature", [&](gpgme_ctx_t context) {
        return gpgme_op_verify_start(context, signature.get(), nullptr, plaintext.get());
    });
    if (!done) return done;
    auto objection = check.objection(gpgme_op_verify_result((*gpg)->handle()));
    if (!objection) return {};
    return base::Error{base::ExitCode::no_input, "cannot use this answer: the machine would refuse it",
                       std::move(*objection), "put the public key, as it is now, into the file first"};
}

}  // namespace bootkey::openpgp
