// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether a message is signed by one of certain keys. gpg verifies; this says which of the signatures it reports
// counts. What gpg makes of a key's owner (trust) plays no part. Private to the room.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "bootkey/openpgp/gpgme_handles.hpp"

namespace bootkey::openpgp {

class SignatureCheck {
public:
    /// `file`: where the keys are from, for messages.
    explicit SignatureCheck(std::string file) : file_(std::move(file)) {}
    SignatureCheck(const SignatureCheck&) = delete;
    SignatureCheck& operator=(const SignatureCheck&) = delete;

    /// Hears what gpg reports on operations of `context`, which must run none any more when this object goes.
    void listen_to(gpgme_ctx_t context);
    /// From now on the signatures of these keys count, those of their subkeys included. Returns how many keys gpg has
    /// taken; null is none.
    std::size_t accept(gpgme_import_result_t imported);
    /// To be called before an operation that verifies.
    void begin() { primary_of_.clear(); }
    /// Why no signature counts that the last such operation has found, as the end of "cannot ...: "; nothing if one
    /// does. Null is no signature.
    [[nodiscard]] std::optional<std::string> objection(gpgme_verify_result_t result) const;

private:
    static gpgme_error_t on_status(void* self, const char* keyword, const char* arguments) noexcept;
    [[nodiscard]] std::optional<std::string> objection_to(const _gpgme_signature& signature) const;

    std::string file_;
    std::set<std::string> accepted_;                 // fingerprints of primary keys
    std::map<std::string, std::string> primary_of_;  // of keys that have signed: fingerprint to the primary key's
};

}  // namespace bootkey::openpgp
