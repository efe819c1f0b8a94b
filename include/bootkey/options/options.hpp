// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the person who started the program wants, as one checked value. Filled by parse() in command_line.hpp
// from the option table, the configuration file and the defaults; everybody else only reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/time.hpp"

namespace bootkey::options {

/// What the program is asked to do.
enum class Mode { unlock, generate_keys, enroll, check, check_config, report, control, restore };

/// An ADDRESS:PORT as given; the interface of a link-local address is still a name.
struct ServerAddress {
    base::IpAddress address;
    std::uint16_t port = 0;
    std::string scope;  ///< the name after '%', or empty
    std::string text;   ///< exactly as given: CONNECT for the network hooks
};

enum class KeyType { ed25519, rsa4096 };

/// Where the management interface is.
struct ManagementAddress {
    std::string path;         ///< of a Unix socket; empty: `endpoint`
    base::Endpoint endpoint;  ///< an IP address and port
    std::string text;         ///< exactly as given
};

/// The management interface (--management and what belongs to it).
struct Management {
    static constexpr std::size_t most_echoes = 100;  ///< texts that are kept for clients: the last ones given

    std::optional<ManagementAddress> address;  ///< none: there is no management interface
    std::string password_file;                 ///< its first line is the password; empty: there is none
    bool client = false;                       ///< connect to the address instead of listening there
    bool hold = false;                         ///< touch nothing until a client says so
    bool query_passwords = false;              ///< ask clients for passwords, of these sorts:
    bool query_disk = true;                    ///< the disk's
    bool query_key = true;                     ///< the passphrase of the OpenPGP key
    bool query_auth = true;                    ///< what network hooks ask for
    bool confirm = false;                      ///< a server's password needs a client's consent
    bool signal = false;                       ///< SIGUSR1 when the last client leaves
    std::size_t log_cache = 250;               ///< lines of log that are kept
    std::vector<std::string> echo;             ///< --echo: texts for clients
    bool echo_from_servers = false;            ///< and those that servers announce

    [[nodiscard]] bool asks_disk() const { return query_passwords && query_disk; }
    [[nodiscard]] bool asks_key() const { return query_passwords && query_key; }
    [[nodiscard]] bool asks_auth() const { return query_passwords && query_auth; }
};

struct Options {
    Mode mode = Mode::unlock;
    bool set_user_id = false;  ///< started by somebody who is not root and need not become root by it
    std::string config_file;   ///< the configuration file that was read; empty: none

    // Unlocking
    std::optional<ServerAddress> connect;  ///< --connect: only this server, no Zeroconf
    std::vector<ServerAddress> servers;    ///< --server: tried beside Zeroconf
    std::vector<std::string> interfaces;   ///< --interface, in order, as given; empty: choose
    std::string pubkey, seckey;            ///< OpenPGP key files; empty: the first key directory that has them
    std::string tls_pubkey,
        tls_privkey;                  ///< TLS raw key, PEM; empty: beside the OpenPGP keys, else the OpenPGP key itself
    std::string require_signature;    ///< public keys of which one must have signed the answer; empty: none need
    std::string priority;             ///< GnuTLS priority string; empty: default_priority
    std::optional<unsigned> dh_bits;  ///< finite-field DH prime bits
    std::string dh_params;            ///< PKCS#3 PEM file
    base::Duration delay = base::from_seconds(2.5);
    std::string delay_text = "2.5";  ///< as given: DELAY for the network hooks
    base::Duration retry = base::from_seconds(10);
    std::string network_hook_dir = "/lib/mandos/network-hooks.d";
    base::Duration network_hook_timeout = base::from_seconds(60);
    std::string askpass_fifo;           ///< --askpass-fifo: hand the password over there; empty: to standard output
    std::optional<std::string> prompt;  ///< --prompt: ask a person, too, with this text
    std::string mapping;                ///< name of the device that is being unlocked, as in crypttab; empty: unknown
    unsigned tried = 0;                 ///< tries with this device that have failed
    unsigned tries = 3;                 ///< how many there are; 0: no limit
    Management management;
    int verb = 1;             ///< 0-15
    bool debug = false;       ///< verb ≥ 9, and the libraries' own debug output
    bool no_sandbox = false;  ///< no seccomp, no Landlock

    // Generating keys
    std::string key_directory;  ///< --generate-keys=DIR; empty: /etc/keys/bootkey
    KeyType key_type = KeyType::ed25519;
    bool tls_key = false;     ///< also write a TLS PEM pair
    bool passphrase = false;  ///< ask for a passphrase that protects the secret key
    bool force = false;       ///< overwrite existing keys

    // Enrolling
    bool enroll_script = false;                   ///< --enroll=script
    std::string name;                             ///< section name; empty: the host's name
    std::string host;                             ///< address the server checks; empty: the section name
    std::optional<std::chrono::minutes> timeout;  ///< for the server; none: its own default
    std::string password_file;                    ///< empty: ask on the terminal
    std::string sign_with;  ///< secret key in the person's GnuPG keyring; empty: the password is not signed

    // Checking and reporting
    std::string device;  ///< --device: the encrypted device that the password must open; empty: none is tried
    std::string initrd;  ///< --initrd; empty: that of the running kernel
    std::string svg;     ///< --svg: where the picture goes; empty: text on standard output

    // Talking to a bootkey that unlocks
    ManagementAddress control;               ///< --control: where it listens
    bool follow = false;                     ///< show what it does, until it ends
    std::vector<std::string> control_words;  ///< the command; empty: an interactive session
};

/// Where askpass of Debian's cryptsetup waits for a password.
inline constexpr const char* default_askpass_fifo = "/lib/cryptsetup/passfifo";
/// What a person is asked with --prompt.
inline constexpr const char* default_prompt = "Please unlock disk: ";

/// Where a bootkey that unlocks is found if nothing else is said.
inline constexpr const char* default_management_address = "unix:/run/bootkey/management";

/// The priority string of the wire protocol: TLS 1.3 only, raw public keys only.
inline constexpr const char* default_priority =
    "SECURE128:!CTYPE-X.509:+CTYPE-RAWPK:!RSA:!VERS-ALL:+VERS-TLS1.3:%PROFILE_ULTRA";

}  // namespace bootkey::options
