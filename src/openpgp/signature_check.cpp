// SPDX-License-Identifier: GPL-3.0-or-later
//
// GPGME tells which key has signed, but not whose subkey it is. gpg does, in the status line VALIDSIG (GnuPG,
// doc/DETAILS), so these lines are listened to; asking for the key would mean one more run of gpg.
#include "bootkey/openpgp/signature_check.hpp"

#include <string_view>
#include <utility>
#include <vector>

#include "bootkey/base/text.hpp"

namespace bootkey::openpgp {

void SignatureCheck::listen_to(gpgme_ctx_t context) {
    gpgme_set_ctx_flag(context, "full-status", "1");  // known since GPGME 1.7
    gpgme_set_status_cb(context, &SignatureCheck::on_status, this);
}

std::size_t SignatureCheck::accept(gpgme_import_result_t imported) {
    for (auto key = imported != nullptr ? imported->imports : nullptr; key != nullptr; key = key->next)
        if (key->result == 0 && key->fpr != nullptr) accepted_.insert(key->fpr);
    return accepted_.size();
}

gpgme_error_t SignatureCheck::on_status(void* self, const char* keyword, const char* arguments) noexcept {
    if (std::string_view(keyword) != "VALIDSIG") return 0;
    try {
        constexpr std::size_t primary = 9;  // the last of ten words; gpg before 2.0 and S/MIME leave it out
        const auto words = base::split(arguments, ' ');
        if (words.size() <= primary) return 0;
        static_cast<SignatureCheck*>(self)->primary_of_.emplace(words[0], words[primary]);
    } catch (...) {  // no memory; must not cross GPGME's frames
        return gpgme_error(GPG_ERR_ENOMEM);
    }
    return 0;
}

std::optional<std::string> SignatureCheck::objection(gpgme_verify_result_t result) const {
    constexpr std::size_t most = 3;  // a hostile message may have hundreds of signatures
    std::vector<std::string> objections;
    for (auto signature = result != nullptr ? result->signatures : nullptr; signature != nullptr;
         signature = signature->next) {
        auto found = objection_to(*signature);
        if (!found) return std::nullopt;
        if (objections.size() < most) objections.push_back(std::move(*found));
    }
    if (objections.empty()) return "it is not signed";
    std::string text;
    for (const std::string& objection : objections) text += (text.empty() ? "" : ", and ") + objection;
    return text;
}

std::optional<std::string> SignatureCheck::objection_to(const _gpgme_signature& signature) const {
    const std::string fingerprint = signature.fpr != nullptr ? signature.fpr : "";
    const auto known = primary_of_.find(fingerprint);
    std::string key = fingerprint.empty() ? "an unknown key" : "the key " + base::escaped(fingerprint);
    if (known != primary_of_.end() && known->second != fingerprint)
        key = "the subkey " + base::escaped(fingerprint) + " of the key " + base::escaped(known->second);
    switch (gpgme_err_code(signature.status)) {
        case GPG_ERR_NO_ERROR:
            break;
        case GPG_ERR_NO_PUBKEY:
            return "it is signed by " + key + ", which is not in " + file_;
        case GPG_ERR_KEY_EXPIRED:
            return key + ", which has signed it, has expired";
        case GPG_ERR_CERT_REVOKED:
            return key + ", which has signed it, has been revoked";
        case GPG_ERR_SIG_EXPIRED:
            return "its signature by " + key + " has expired";
        case GPG_ERR_BAD_SIGNATURE:
            return "its signature by " + key + " is wrong: it was changed afterwards";
        default:
            return "its signature by " + key + " cannot be verified (" + gpgme_text(signature.status) + ")";
    }
    if (known == primary_of_.end() || !accepted_.contains(known->second))
        return "it is signed by " + key + ", which is not in " + file_;
    constexpr unsigned spoils = GPGME_SIGSUM_RED | GPGME_SIGSUM_KEY_REVOKED | GPGME_SIGSUM_KEY_EXPIRED |
                                GPGME_SIGSUM_SIG_EXPIRED | GPGME_SIGSUM_KEY_MISSING | GPGME_SIGSUM_BAD_POLICY |
                                GPGME_SIGSUM_SYS_ERROR;
    if ((signature.summary & spoils) != 0 || signature.wrong_key_usage != 0)
        return "gpg finds fault with its signature by " + key;
    return std::nullopt;
}

}  // namespace bootkey::openpgp
