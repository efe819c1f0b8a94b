// SPDX-License-Identifier: GPL-3.0-or-later
//
// The format is that of Python's configparser with its "basic" interpolation, where '%' is written twice. The server
// expands the check command a second time when it runs it, and quotes what it puts in: %%(host)s arrives at the shell
// as one word.
#include "bootkey/openpgp/enrolment.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "bootkey/base/address.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::openpgp {
namespace {

constexpr std::size_t longest_name = 253;      // bytes, as host names (RFC 1035 section 2.3.4)
constexpr std::size_t longest_ssh_key = 4096;  // characters; RSA with 16384 bits takes 2780
constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t base64_line = 76;  // characters (RFC 2045 section 6.8)

constexpr std::array<std::array<std::string_view, 2>, 5> ssh_algorithms = {{
    {"ssh-ed25519", "ed25519"},
    {"ecdsa-sha2-nistp256", "ecdsa"},
    {"ecdsa-sha2-nistp384", "ecdsa"},
    {"ecdsa-sha2-nistp521", "ecdsa"},
    {"ssh-rsa", "rsa"},
}};

// Neither configparser nor a shell gives any of these a meaning.
bool is_name_character(char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '.' || character == '-' || character == '_';
}

// RFC 6761 section 6.3, Debian's /etc/hosts, and addresses of every machine's own.
bool means_the_server(std::string_view host) {
    std::string name(host);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name.ends_with('.')) name.pop_back();
    for (const std::string_view own :
         {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "loopback"})
        if (name == own) return true;
    if (name.ends_with(".localhost")) return true;
    const auto address = base::IpAddress::parse(name);
    return address && (address->is_loopback() || address->is_unspecified());
}

std::string base64(std::string_view bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t at) {
            return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0u;
        };
        const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        text += base64_alphabet[group >> 18];
        text += base64_alphabet[group >> 12 & 63];
        text += i + 1 < bytes.size() ? base64_alphabet[group >> 6 & 63] : '=';
        text += i + 2 < bytes.size() ? base64_alphabet[group & 63] : '=';
    }
    return text;
}

// The host's name in ssh-keyscan's output is left out of the comparison: it comes in lower case, whatever it was asked
// for.
std::string checker(const SshHostKey& key) {
    return "checker = ssh-keyscan -t " + key.scan_type + " -- %%(host)s 2>/dev/null | cut -d ' ' -f 2,3 | grep -qxF '" +
           key.algorithm + " " + key.key + "'\n";
}

// The server's file is replaced in one step, by one with the same owner and mode. Blanks and case do not count in a key
// ID and a fingerprint, which may go on in the next line: so both are looked for in all of the file's text, comments
// left out.
constexpr std::string_view script_body = R"SCRIPT(
clients_conf=${CLIENTS_CONF:-/etc/mandos/clients.conf}

refuse() {
    printf 'Cannot enrol %s: %s\n' "$name" "$*" >&2
    exit 1
}

# The lines that count in the file, without blanks at their ends.
lines() {
    sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^[#;]/d' "$file"
}

has_section() {
    lines | awk -v "header=[$1]" 'index($0, header) == 1 { found = 1 } END { exit !found }'
}

has_digits() {
    lines | tr -d '[:space:]' | tr '[:lower:]' '[:upper:]' | grep -qF "$1"
}

add_section() {
    new=$(mktemp "$file.XXXXXX") || return 1
    trap 'rm -f "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    cp -p "$file" "$new" || return 1
    if [ -n "$(tail -c 1 "$new")" ]; then
        echo >>"$new" || return 1
    fi
    { echo && section; } >>"$new" || return 1
    sync "$new" && mv -f "$new" "$file" && sync "${file%/*}"
}

# getent(1) asks as ssh-keyscan does, and takes an address for itself.
knows_host() {
    ! command -v getent >/dev/null || getent ahosts "$host" >/dev/null
}

# The name of this server, or an address of its own.
means_this_server() {
    if [ "$host" = "$(hostname 2>/dev/null)" ] || [ "$host" = "$(hostname -f 2>/dev/null)" ]; then
        return 0
    fi
    command -v getent >/dev/null && getent ahosts "$host" | grep -q -e '^127\.' -e '^::1[[:space:]]'
}

# Python 3.14 begins the server's processes in another way than before, in which they cannot be begun: such a server takes
# connections and answers nobody.
cannot_serve() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 14))' 2>/dev/null || return 1
    program=$(command -v mandos) && ! grep -q -e set_start_method -e get_context "$program"
}

restart_server() {
    if [ -d /run/systemd/system ]; then
        systemctl restart mandos.service
    elif command -v service >/dev/null; then
        service mandos restart
    else
        /etc/init.d/mandos restart
    fi
}

main() {
    if [ "$(id -u)" -ne 0 ] && [ -z "${CLIENTS_CONF:-}" ]; then
        refuse "only root can do that (ssh root@SERVER sh)"
    fi
    file=$(readlink -f "$clients_conf")
    if [ ! -f "$file" ]; then
        refuse "there is no $clients_conf; install the Mandos server first (package mandos)"
    fi
    # One at a time; the lock is on the directory, since the file is replaced.
    exec 9<"${file%/*}"
    if command -v flock >/dev/null && ! flock -w 60 9; then
        refuse "another enrolment has not ended for a minute"
    fi
    if means_this_server; then
        refuse "the host $host means this server, which would check itself and never notice that the machine is gone; enrol with --host=ADDRESS"
    fi
    if has_section "$name"; then
        refuse "$file has a section [$name] already; remove it, or choose another --name"
    fi
    if has_digits "$key_id"; then
        refuse "$file has the key ID $key_id already; remove its section first"
    fi
    if has_digits "$fingerprint"; then
        refuse "$file has the fingerprint $fingerprint already; remove its section first"
    fi
    add_section || refuse "$file cannot be written; it is as it was"
    # Without the lock, which a server that is started by init's script would hold as long as it runs.
    if ! restart_server </dev/null 9<&-; then
        printf 'Added %s to %s, but the Mandos server does not restart: see its log\n' "$name" "$file" >&2
        exit 1
    fi
    printf 'Added %s to %s and restarted the Mandos server\n' "$name" "$file"
    printf 'The server disables it when its checks have failed for %s\n' "${timeout:-5 minutes, if $file says nothing else}"
    if cannot_serve; then
        printf 'Warning: under Python 3.14 this Mandos server answers nobody: update the package mandos, or let %s begin with\n' "$program" >&2
        printf 'multiprocessing.set_start_method("fork"), after its imports\n' >&2
    fi
    if ! knows_host; then
        printf 'Warning: this server finds no address of the host %s, so it cannot check that the machine is up, and will\n' "$host" >&2
        printf 'disable it, after 5 minutes if not set otherwise: write its address as host of [%s] in %s,\n' "$name" "$file" >&2
        printf 'and restart the server; --host=ADDRESS would have done that\n' >&2
    fi
}

# At the end, so that nothing is done if not all of this has arrived.
main
)SCRIPT";

std::string upper_case(std::string text) {
    std::ranges::transform(text, text.begin(), [](char character) {
        return character >= 'a' && character <= 'z' ? static_cast<char>(character - 'a' + 'A') : character;
    });
    return text;
}

}  // namespace

base::Result<void> check_names(std::string_view name, std::string_view host) {
    // DEFAULT would stand for all the other sections.
    if (name.empty() || name.size() > longest_name || name == "DEFAULT" ||
        !std::ranges::all_of(name, is_name_character))
        return base::Error{base::ExitCode::usage, "cannot enrol as \"" + base::escaped(name) + "\"",
                           "that cannot be a section of clients.conf",
                           "choose a --name of letters, digits, '.', '-' and '_'"};
    const auto fits = [](char character) { return is_name_character(character) || character == ':'; };
    if (host.empty() || host.size() > longest_name || host.starts_with('-') || !std::ranges::all_of(host, fits))
        return base::Error{base::ExitCode::usage, "cannot enrol with the host \"" + base::escaped(host) + "\"",
                           "that is neither a host name nor an IP address",
                           "choose a --host without brackets and port"};
    if (means_the_server(host))
        return base::Error{base::ExitCode::usage, "cannot enrol with the host \"" + base::escaped(host) + "\"",
                           "to the server that means itself, so it would never notice that this machine is gone",
                           "give --host=ADDRESS, or this machine a name"};
    return {};
}

std::string duration_in_words(std::chrono::minutes duration) {
    constexpr std::int64_t hour = 60, day = 24 * hour;
    const auto [number, unit] = duration.count() % day == 0    ? std::pair(duration.count() / day, "day")
                                : duration.count() % hour == 0 ? std::pair(duration.count() / hour, "hour")
                                                               : std::pair(duration.count(), "minute");
    return std::to_string(number) + " " + unit + (number == 1 ? "" : "s");
}

std::string duration_text(std::chrono::minutes duration) {
    constexpr auto day = std::chrono::minutes(24 * 60);
    const auto count = [](auto number) { return std::to_string(number); };
    if (duration % day == std::chrono::minutes(0)) return "P" + count(duration / day) + "D";
    if (duration.count() % 60 == 0) return "PT" + count(duration.count() / 60) + "H";
    return "PT" + count(duration.count()) + "M";
}

std::optional<SshHostKey> parse_ssh_host_key(std::string_view text) {
    const auto words = base::split(base::trim(text.substr(0, text.find('\n'))), ' ');
    if (words.size() < 2) return std::nullopt;
    const std::string_view key = words[1];
    const auto known = std::ranges::find(ssh_algorithms, words[0], [](const auto& row) { return row[0]; });
    const auto is_base64 = [](char character) {
        return base64_alphabet.find(character) != std::string_view::npos || character == '=';
    };
    // The key begins with the length of the algorithm's name, in four bytes (RFC 4253 section 6.6).
    if (known == ssh_algorithms.end() || key.size() > longest_ssh_key || !key.starts_with("AAAA") ||
        !std::ranges::all_of(key, is_base64))
        return std::nullopt;
    return SshHostKey{std::string((*known)[1]), std::string(words[0]), std::string(key)};
}

std::string clients_conf_section(const Enrolment& enrolment) {
    std::string section = "[" + enrolment.name + "]\nhost = " + enrolment.host + "\nkey_id = " + enrolment.key_id +
                          "\nfingerprint = " + enrolment.fingerprint + "\n";
    if (enrolment.timeout) section += "timeout = " + duration_text(*enrolment.timeout) + "\n";
    if (enrolment.ssh_host_key) section += checker(*enrolment.ssh_host_key);
    section += "secret =\n";
    const std::string secret = base64(enrolment.message);
    for (std::size_t i = 0; i < secret.size(); i += base64_line)
        section += "    " + secret.substr(i, base64_line) + "\n";
    return section;
}

std::string enrolment_script(const Enrolment& enrolment) {
    return "#!/bin/sh\n# Makes the Mandos server on this machine know " + enrolment.name +
           ". Made by bootkey --enroll=script.\nLC_ALL=C\nPATH=$PATH:/usr/sbin:/sbin\nexport LC_ALL PATH\n\nname='" +
           enrolment.name + "'\nhost='" + enrolment.host + "'\nkey_id='" + upper_case(enrolment.key_id) +
           "'\nfingerprint='" + upper_case(enrolment.fingerprint) + "'\ntimeout='" +
           (enrolment.timeout ? duration_in_words(*enrolment.timeout) : std::string()) +
           "'\n\nsection() {\n    cat <<'END_OF_SECTION'\n" + clients_conf_section(enrolment) + "END_OF_SECTION\n}\n" +
           std::string(script_body);
}

}  // namespace bootkey::openpgp
