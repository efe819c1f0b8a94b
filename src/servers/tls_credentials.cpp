// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/tls_credentials.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "bootkey/base/text.hpp"
#include "dh_parameters.hpp"
#include "gnutls_handles.hpp"

namespace bootkey::servers {
namespace {

using base::Error;
using base::ExitCode;

Error unusable(const std::string& name, int error, std::string advice) {
    return {ExitCode::no_input, "cannot use the TLS key " + name, gnutls_strerror(error), std::move(advice)};
}

gnutls_x509_crt_fmt_t form_of(std::string_view key) {
    return key.find("-----BEGIN ") != std::string_view::npos ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER;
}

base::Result<PriorityHandle> parse_priority(const std::string& text) {
    gnutls_priority_t priority = nullptr;
    const char* where = text.c_str();
    const int error = gnutls_priority_init2(&priority, text.c_str(), &where, 0);
    if (error == GNUTLS_E_SUCCESS) return PriorityHandle(priority);
    const std::string place =
        where != nullptr && *where != '\0' ? "from \"" + base::escaped(where) + "\" on" : "as a whole";
    return Error{ExitCode::usage, "--priority=" + base::escaped(text) + " makes no sense " + place,
                 gnutls_strerror(error), "see \"Priority Strings\" in GnuTLS's manual"};
}

base::Result<PrivateKeyHandle> import_private_key(const TlsIdentity& identity) {
    gnutls_privkey_t made = nullptr;
    if (const int error = gnutls_privkey_init(&made); error != GNUTLS_E_SUCCESS)
        return unusable(identity.name, error, {});
    PrivateKeyHandle key(made);
    const auto bytes = identity.private_key.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto content = datum(bytes.data(), bytes.size());
    const int error = gnutls_privkey_import_x509_raw(key.get(), &content, form_of(text), nullptr, 0);
    if (error == GNUTLS_E_DECRYPTION_FAILED)
        return unusable(identity.name, error,
                        "it is protected by a passphrase, which nobody is there to type: use a key without one");
    if (error != GNUTLS_E_SUCCESS)
        return unusable(identity.name, error, "it must be a private key in PEM or DER without passphrase");
    return key;
}

base::Result<PublicKeyHandle> new_public_key(const TlsIdentity& identity) {
    gnutls_pubkey_t made = nullptr;
    if (const int error = gnutls_pubkey_init(&made); error != GNUTLS_E_SUCCESS)
        return unusable(identity.name, error, {});
    return PublicKeyHandle(made);
}

base::Result<PublicKeyHandle> public_half(const TlsIdentity& identity, gnutls_privkey_t private_key) {
    auto key = new_public_key(identity);
    if (!key) return key;
    const int error = gnutls_pubkey_import_privkey(key->get(), private_key, 0, 0);
    if (error != GNUTLS_E_SUCCESS) return unusable(identity.name, error, "its public half cannot be made from it");
    return key;
}

// The name under which Mandos servers know the machine.
std::string key_id_of(gnutls_pubkey_t key) {
    std::array<unsigned char, 32> digest{};
    std::size_t size = digest.size();
    if (gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, digest.data(), &size) != GNUTLS_E_SUCCESS) return {};
    return base::hex(digest.data(), size);
}

// GnuTLS would compare the halves by a signature (9 ms with RSA-4096); comparing the public keys says the same at once.
base::Result<void> check_pair(const TlsIdentity& identity, const std::string& key_id) {
    if (identity.public_key.empty()) return {};
    auto given = new_public_key(identity);
    if (!given) return given.error();
    const auto content = datum(identity.public_key.data(), identity.public_key.size());
    const int error = gnutls_pubkey_import(given->get(), &content, form_of(identity.public_key));
    if (error != GNUTLS_E_SUCCESS)
        return unusable(identity.public_name.empty() ? identity.name : identity.public_name, error,
                        "the public half must be a public key (SubjectPublicKeyInfo) in PEM or DER");
    if (key_id_of(given->get()) == key_id) return {};
    const std::string pair =
        identity.public_name.empty() ? identity.name : identity.name + " with " + identity.public_name;
    return Error{ExitCode::no_input, "cannot use the TLS key " + pair,
                 "the public and the private key do not belong together",
                 "make a new pair, or put the right file in its place"};
}

base::Result<CredentialsHandle> make_credentials(const TlsIdentity& identity, PrivateKeyHandle private_key,
                                                 PublicKeyHandle public_key) {
    gnutls_certificate_credentials_t made = nullptr;
    if (const int error = gnutls_certificate_allocate_credentials(&made); error != GNUTLS_E_SUCCESS)
        return unusable(identity.name, error, {});
    CredentialsHandle credentials(made);
    gnutls_certificate_set_flags(credentials.get(), GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
    gnutls_pcert_st raw_key{};
    int error = gnutls_pcert_import_rawpk(&raw_key, public_key.get(), 0);
    if (error != GNUTLS_E_SUCCESS) return unusable(identity.name, error, {});
    error = gnutls_certificate_set_key(credentials.get(), nullptr, 0, &raw_key, 1, private_key.get());
    if (error != GNUTLS_E_SUCCESS) {
        raw_key.pubkey = nullptr;  // still ours
        gnutls_pcert_deinit(&raw_key);
        return unusable(identity.name, error, {});
    }
    (void)private_key.release();  // the credentials own both keys now
    (void)public_key.release();
    return credentials;
}

// gnutls_certificate_set_dh_params() would only take the size of the prime from the parameters (GnuTLS 3.6 and later)
// and refuse peers whose named groups are smaller; asked through this function GnuTLS uses the parameters themselves,
// for peers without named groups.
int give_dh_parameters(gnutls_session_t session, gnutls_params_type_t kind, gnutls_params_st* given) noexcept {
    const auto* impl = static_cast<const TlsCredentials::Impl*>(gnutls_session_get_ptr(session));
    if (kind != GNUTLS_PARAMS_DH || impl == nullptr || !impl->dh) return GNUTLS_E_INVALID_REQUEST;
    given->type = GNUTLS_PARAMS_DH;
    given->params.dh = impl->dh.get();
    given->deinit = 0;  // stays ours
    return GNUTLS_E_SUCCESS;
}

bool offers_raw_key(gnutls_priority_t priority) {
    const unsigned* list = nullptr;
    const int count = gnutls_priority_certificate_type_list2(priority, &list, GNUTLS_CTYPE_SERVER);
    if (count <= 0) return false;
    const std::span kinds(list, static_cast<std::size_t>(count));
    return std::find(kinds.begin(), kinds.end(), GNUTLS_CRT_RAWPK) != kinds.end();
}

// Forced by GnuTLS: its log function is one for the whole process and takes no argument of ours.
std::function<void(const std::string&)>& debug_sink() {
    static std::function<void(const std::string&)> sink;
    return sink;
}

void log_line(int, const char* text) noexcept {
    const auto& sink = debug_sink();
    if (sink) sink("gnutls: " + base::escaped(base::trim(text), 1000));
}

}  // namespace

TlsCredentials::TlsCredentials(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
}
TlsCredentials::TlsCredentials(TlsCredentials&&) noexcept = default;
TlsCredentials& TlsCredentials::operator=(TlsCredentials&&) noexcept = default;
TlsCredentials::~TlsCredentials() = default;

base::Result<TlsCredentials> TlsCredentials::load(TlsIdentity identity, const TlsSettings& settings,
                                                  const base::Log& log) {
    auto impl = std::make_unique<Impl>();
    auto priority = parse_priority(settings.priority);
    if (!priority) return std::move(priority).error();
    if (!offers_raw_key(priority->get()))
        log.warning("--priority=" + base::escaped(settings.priority) +
                    " lacks CTYPE-RAWPK: no server can be told which machine this is");

    auto private_key = import_private_key(identity);
    if (!private_key) return std::move(private_key).error();
    auto public_key = public_half(identity, private_key->get());
    if (!public_key) return std::move(public_key).error();
    impl->key_id = key_id_of(public_key->get());
    if (auto pair = check_pair(identity, impl->key_id); !pair) return pair.error();
    auto credentials = make_credentials(identity, std::move(*private_key), std::move(*public_key));
    if (!credentials) return std::move(credentials).error();
    impl->credentials = std::move(*credentials);
    impl->priority = std::move(*priority);

    auto dh = choose_dh(settings, impl->priority.get(), log);
    impl->dh = std::move(dh.parameters);
    if (impl->dh) gnutls_certificate_set_params_function(impl->credentials.get(), &give_dh_parameters);
    if (!dh.priority_suffix.empty()) {
        if (auto narrower = parse_priority(settings.priority + dh.priority_suffix))
            impl->priority = std::move(*narrower);
    }
    return TlsCredentials(std::move(impl));
}

std::string TlsCredentials::key_id() const {
    return impl_->key_id;
}

base::Result<void> check_priority(const std::string& priority) {
    const auto parsed = parse_priority(priority);
    if (!parsed) return parsed.error();
    return {};
}

void set_tls_debug(int level, std::function<void(const std::string&)> sink) {
    constexpr int most = 8;  // from 9 on GnuTLS prints the keys of the session
    debug_sink() = std::move(sink);
    gnutls_global_set_log_function(&log_line);
    gnutls_global_set_log_level(std::min(level, most));
}

}  // namespace bootkey::servers
