// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is told to a Mandos server about this machine: a section of its clients.conf, and a shell script that adds it
// there. Pure: values in, text out.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "bootkey/base/result.hpp"

namespace bootkey::openpgp {

/// The machine's SSH host key, by which the server can tell whether the machine is up.
struct SshHostKey {
    std::string scan_type;  ///< for ssh-keyscan's option -t: "ed25519"
    std::string algorithm;  ///< in the key itself: "ssh-ed25519"
    std::string key;        ///< base64
};

struct Enrolment {
    std::string name;                        ///< of the section
    std::string host;                        ///< that the server checks
    std::string key_id;                      ///< SHA-256 of the TLS key's SubjectPublicKeyInfo, hexadecimal
    std::string fingerprint;                 ///< of the OpenPGP key, hexadecimal
    std::string message;                     ///< binary OpenPGP message: what the server answers with
    std::optional<SshHostKey> ssh_host_key;  ///< none: the server checks by its default, ping
    /// After which the server disables a machine that it cannot check any more; none: its own default.
    std::optional<std::chrono::minutes> timeout{};
};

/// Whether `name` can be a section of clients.conf and `host` an argument of the server's check command. Error (usage)
/// if not: in a configuration that the server reads as a whole, one bad section would stop it for everybody; and with a
/// `host` that means the server itself (localhost, loopback addresses), that would check itself for ever, and give the
/// password to a thief of the machine.
[[nodiscard]] base::Result<void> check_names(std::string_view name, std::string_view host);

/// Reads a file like /etc/ssh/ssh_host_ed25519_key.pub. Nothing if it is not one, or of an unknown kind.
[[nodiscard]] std::optional<SshHostKey> parse_ssh_host_key(std::string_view text);

/// A duration as the server reads it (RFC 3339, appendix A): "PT2H", "P1D".
[[nodiscard]] std::string duration_text(std::chrono::minutes duration);

/// And as a person reads it: "2 hours", "1 day".
[[nodiscard]] std::string duration_in_words(std::chrono::minutes duration);

/// The section, from "[NAME]" to the last line of the secret. The names have passed check_names().
[[nodiscard]] std::string clients_conf_section(const Enrolment& enrolment);

/// A POSIX sh script, to be run as root on the server, also from standard input. It adds the section and restarts the
/// server, or changes nothing if the section's name, the key ID or the fingerprint is there already. The environment
/// variable CLIENTS_CONF names another file than /etc/mandos/clients.conf.
[[nodiscard]] std::string enrolment_script(const Enrolment& enrolment);

}  // namespace bootkey::openpgp
