// SPDX-License-Identifier: GPL-3.0-or-later
#include "dh_parameters.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::servers {
namespace {

struct NamedGroup {
    unsigned bits;
    const char* name;  // in priority strings
    const gnutls_datum_t* prime;
    const gnutls_datum_t* q;
    const gnutls_datum_t* generator;
};

// RFC 7919 appendix A, smallest first.
const std::array<NamedGroup, 5> groups = {{
    {2048, "GROUP-FFDHE2048", &gnutls_ffdhe_2048_group_prime, &gnutls_ffdhe_2048_group_q,
     &gnutls_ffdhe_2048_group_generator},
    {3072, "GROUP-FFDHE3072", &gnutls_ffdhe_3072_group_prime, &gnutls_ffdhe_3072_group_q,
     &gnutls_ffdhe_3072_group_generator},
    {4096, "GROUP-FFDHE4096", &gnutls_ffdhe_4096_group_prime, &gnutls_ffdhe_4096_group_q,
     &gnutls_ffdhe_4096_group_generator},
    {6144, "GROUP-FFDHE6144", &gnutls_ffdhe_6144_group_prime, &gnutls_ffdhe_6144_group_q,
     &gnutls_ffdhe_6144_group_generator},
    {8192, "GROUP-FFDHE8192", &gnutls_ffdhe_8192_group_prime, &gnutls_ffdhe_8192_group_q,
     &gnutls_ffdhe_8192_group_generator},
}};

const NamedGroup& group_of(unsigned least_bits) {
    const auto found =
        std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.bits >= least_bits; });
    return found != groups.end() ? *found : groups.back();
}

bool allows_finite_field_exchange(gnutls_priority_t priority) {
    const unsigned* list = nullptr;
    const int count = gnutls_priority_kx_list(priority, &list);
    if (count <= 0) return false;
    const std::span kinds(list, static_cast<std::size_t>(count));
    return std::any_of(kinds.begin(), kinds.end(), [](unsigned kind) {
        return kind == GNUTLS_KX_DHE_RSA || kind == GNUTLS_KX_DHE_DSS || kind == GNUTLS_KX_DHE_PSK ||
               kind == GNUTLS_KX_ANON_DH;
    });
}

// The size that GnuTLS's own profile of the priority string stands for; without one that of 128 bits of security.
unsigned bits_of_profile(std::string_view priority) {
    constexpr std::array<std::pair<std::string_view, gnutls_sec_param_t>, 7> profiles = {{
        {"%PROFILE_VERY_WEAK", GNUTLS_SEC_PARAM_VERY_WEAK},
        {"%PROFILE_LOW", GNUTLS_SEC_PARAM_LOW},
        {"%PROFILE_LEGACY", GNUTLS_SEC_PARAM_LEGACY},
        {"%PROFILE_MEDIUM", GNUTLS_SEC_PARAM_MEDIUM},
        {"%PROFILE_HIGH", GNUTLS_SEC_PARAM_HIGH},
        {"%PROFILE_ULTRA", GNUTLS_SEC_PARAM_ULTRA},
        {"%PROFILE_FUTURE", GNUTLS_SEC_PARAM_FUTURE},
    }};
    auto level = GNUTLS_SEC_PARAM_HIGH;
    for (const auto& [text, value] : profiles) {
        if (priority.find(text) != std::string_view::npos) level = value;
    }
    return gnutls_sec_param_to_pk_bits(GNUTLS_PK_DH, level);
}

DhHandle new_parameters() {
    gnutls_dh_params_t parameters = nullptr;
    return DhHandle(gnutls_dh_params_init(&parameters) == GNUTLS_E_SUCCESS ? parameters : nullptr);
}

DhHandle from_group(const NamedGroup& group) {
    DhHandle parameters = new_parameters();
    if (!parameters ||
        gnutls_dh_params_import_raw3(parameters.get(), group.prime, group.q, group.generator) != GNUTLS_E_SUCCESS)
        return nullptr;
    return parameters;
}

base::Result<DhHandle> from_file(const std::string& path) {
    constexpr std::size_t most = 64 * 1024;
    const auto text = base::read_file(path, most);
    if (!text) return text.error();
    DhHandle parameters = new_parameters();
    const auto pem = datum(text->data(), text->size());
    const int error =
        parameters ? gnutls_dh_params_import_pkcs3(parameters.get(), &pem, GNUTLS_X509_FMT_PEM) : GNUTLS_E_MEMORY_ERROR;
    if (error == GNUTLS_E_SUCCESS) return parameters;
    return base::Error{base::ExitCode::no_input, "cannot use the Diffie-Hellman parameters in " + base::escaped(path),
                       gnutls_strerror(error), "the file must hold PEM PKCS#3 parameters (\"BEGIN DH PARAMETERS\")"};
}

// The size of the prime, 0 if it cannot be told.
unsigned bits_of(gnutls_dh_params_t parameters) {
    gnutls_datum_t prime{};
    gnutls_datum_t generator{};
    if (gnutls_dh_params_export_raw(parameters, &prime, &generator, nullptr) != GNUTLS_E_SUCCESS) return 0;
    const std::span bytes(prime.data, prime.size);
    const auto first = std::find_if(bytes.begin(), bytes.end(), [](unsigned char byte) { return byte != 0; });
    unsigned bits = static_cast<unsigned>(bytes.end() - first) * 8;
    for (unsigned char top = first != bytes.end() ? *first : 0xff; (top & 0x80) == 0;
         top = static_cast<unsigned char>(top << 1))
        --bits;
    gnutls_free(prime.data);
    gnutls_free(generator.data);
    return bits;
}

// FFDHE8192 takes 0.2 s of arithmetic on a fast machine, FFDHE3072 a twelfth of that. Everything else waits meanwhile,
// and a hostile peer could ask for it in every handshake; so the large groups are for those who want them expressly.
constexpr unsigned large = 3072;  // bits, at most, unless they are wanted

// For the priority string: takes out the groups below `least` bits, and the large ones above that, unless the string
// names groups itself or more bits are asked for.
std::string without_groups_beside(unsigned least, const TlsSettings& settings) {
    const bool named = settings.priority.find("GROUP-FFDHE") != std::string::npos;
    const unsigned asked = named ? groups.back().bits : settings.dh_bits.value_or(0);
    const unsigned most = std::max(large, group_of(std::max(least, asked)).bits);
    std::string suffix;
    for (const auto& group : groups) {
        if (group.bits < least || group.bits > most) suffix += std::string(":-") + group.name;
    }
    return suffix;
}

}  // namespace

DhParameters choose_dh(const TlsSettings& settings, gnutls_priority_t priority, const base::Log& log) {
    DhParameters chosen;
    chosen.priority_suffix = without_groups_beside(0, settings);
    if (!allows_finite_field_exchange(priority)) return chosen;
    if (!settings.dh_params.empty()) {
        auto read = from_file(settings.dh_params);
        if (read) {
            chosen.parameters = std::move(*read);
            chosen.priority_suffix =
                without_groups_beside(std::min(bits_of(chosen.parameters.get()), groups.back().bits), settings);
            return chosen;
        }
        log.warning(read.error().message() + "; a group of RFC 7919 is used instead");
    }
    if (settings.dh_bits && *settings.dh_bits > groups.back().bits)
        log.warning(base::format("--dh-bits=%u is more than any known group has: %u bits are used", *settings.dh_bits,
                                 groups.back().bits));
    const auto& group = group_of(settings.dh_bits.value_or(bits_of_profile(settings.priority)));
    chosen.parameters = from_group(group);
    if (settings.dh_bits) chosen.priority_suffix = without_groups_beside(group.bits, settings);
    return chosen;
}

}  // namespace bootkey::servers
