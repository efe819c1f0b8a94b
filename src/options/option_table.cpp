// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/option_table.hpp"

#include <algorithm>
#include <array>

#include "bootkey/base/text.hpp"
#include "bootkey/options/option_values.hpp"

namespace bootkey::options {
namespace {

constexpr Modes unlock_and_check = modes_of(Mode::unlock) | modes_of(Mode::check);
constexpr Modes wherever_keys_are_used = unlock_and_check | modes_of(Mode::enroll);
constexpr const char* key_directory = "/conf/conf.d/mandos";  // mandos-client's, in the initial RAM disk

const std::array table{
    // Password servers
    Option{.name = "connect",
           .letter = 'c',
           .argument = "ADDRESS:PORT",
           .group = Group::servers,
           .help = "Ask only the password server at this IP address, without looking for others by Zeroconf",
           .modes = unlock_and_check,
           .rival = "server",
           .mandos_client = true,
           .told_to_hooks = true,
           .apply = set_connect},
    Option{.name = "server",
           .argument = "ADDRESS:PORT",
           .group = Group::servers,
           .help = "Ask the password server at this IP address at once, and look for others beside; may be repeated",
           .modes = unlock_and_check,
           .rival = "connect",
           .apply = add_server},
    Option{.name = "retry",
           .argument = "SECONDS",
           .group = Group::servers,
           .help = "Wait this long before trying the same server again, 0.1 at least",
           .default_text = "10",
           .mandos_client = true,
           .apply = set_retry},

    // Network
    Option{.name = "interface",
           .letter = 'i',
           .argument = "NAME[,NAME...]",
           .group = Group::network,
           .help =
               "Bring up and use these interfaces; a name may be a pattern (en*) or an exclusion (!wlan*). Names after "
               "'none' are used only if they are up; 'none' alone uses what is up. May be repeated; empty: the default",
           .default_text = "every interface that fits",
           .modes = unlock_and_check,
           .mandos_client = true,
           .told_to_hooks = true,
           .apply = add_interfaces},
    Option{.name = "delay",
           .argument = "SECONDS",
           .group = Group::network,
           .help = "Wait at most this long for hooks and interfaces to be ready before saying so and going on",
           .default_text = "2.5",
           .mandos_client = true,
           .told_to_hooks = true,
           .apply = set_delay},
    Option{.name = "network-hook-dir",
           .argument = "DIR",
           .group = Group::network,
           .help = "Run the network hooks in this directory",
           .default_text = "/lib/mandos/network-hooks.d",
           .modes = unlock_and_check,
           .mandos_client = true,
           .trusted_value = "/lib/mandos/network-hooks.d",
           .apply = set_text<&Options::network_hook_dir>},
    Option{.name = "network-hook-timeout",
           .argument = "SECONDS",
           .group = Group::network,
           .help = "End a network hook that runs longer than this, 0.1 at least",
           .default_text = "60",
           .apply = set_network_hook_timeout},

    // Keys
    Option{.name = "pubkey",
           .letter = 'p',
           .argument = "FILE",
           .group = Group::keys,
           .help = "The machine's OpenPGP public key, armoured or binary",
           .default_text = "pubkey.txt in the key directory",
           .modes = wherever_keys_are_used,
           .mandos_client = true,
           .trusted_directory = key_directory,
           .apply = set_text<&Options::pubkey>},
    Option{.name = "seckey",
           .letter = 's',
           .argument = "FILE",
           .group = Group::keys,
           .help = "The machine's OpenPGP secret key, armoured or binary",
           .default_text = "seckey.txt in the key directory",
           .modes = wherever_keys_are_used,
           .mandos_client = true,
           .trusted_directory = key_directory,
           .apply = set_text<&Options::seckey>},
    Option{.name = "tls-pubkey",
           .letter = 'T',
           .argument = "FILE",
           .group = Group::keys,
           .help = "The machine's TLS public key, PEM; needs --tls-privkey",
           .default_text = "tls-pubkey.pem beside the secret key, else the OpenPGP key",
           .modes = wherever_keys_are_used,
           .mandos_client = true,
           .trusted_directory = key_directory,
           .apply = set_text<&Options::tls_pubkey>},
    Option{.name = "tls-privkey",
           .letter = 't',
           .argument = "FILE",
           .group = Group::keys,
           .help = "The machine's TLS private key, PEM; needs --tls-pubkey",
           .default_text = "tls-privkey.pem beside the secret key, else the OpenPGP key",
           .modes = wherever_keys_are_used,
           .mandos_client = true,
           .trusted_directory = key_directory,
           .apply = set_text<&Options::tls_privkey>},
    Option{.name = "require-signature",
           .argument = "FILE",
           .group = Group::keys,
           .help = "Take only answers that one of the OpenPGP public keys in this file has signed, armoured or binary",
           .modes = wherever_keys_are_used,
           .apply = set_text<&Options::require_signature>},

    // TLS
    Option{.name = "priority",
           .argument = "STRING",
           .group = Group::tls,
           .help = "What TLS may negotiate, as a GnuTLS priority string",
           .default_text = default_priority,
           .modes = unlock_and_check,
           .mandos_client = true,
           .apply = set_text<&Options::priority>},
    Option{.name = "dh-bits",
           .argument = "BITS",
           .group = Group::tls,
           .help = "Size of the finite-field Diffie-Hellman prime, 1024 to 8192, where the priority allows that "
                   "exchange; 0: automatic",
           .default_text = "by the priority's security profile",
           .modes = unlock_and_check,
           .mandos_client = true,
           .apply = set_dh_bits},
    Option{.name = "dh-params",
           .argument = "FILE",
           .group = Group::tls,
           .help = "Finite-field Diffie-Hellman parameters, PKCS#3 in PEM; wins over --dh-bits",
           .modes = unlock_and_check,
           .mandos_client = true,
           .trusted_directory = key_directory,
           .apply = set_text<&Options::dh_params>},

    // Handing the password over
    Option{
        .name = "askpass-fifo",
        .argument = "PATH",
        .argument_optional = true,
        .group = Group::handover,
        .help =
            "Run until SIGTERM and answer every askpass of cryptsetup that waits at this FIFO, instead of writing to "
            "standard output",
        .default_text = default_askpass_fifo,
        .rival = "prompt",
        .apply = set_askpass_fifo},
    Option{.name = "prompt",
           .argument = "TEXT",
           .argument_optional = true,
           .group = Group::handover,
           .help = "Ask a person, too, by cryptsetup's askpass with this text; the first answer counts",
           .default_text = "Please unlock disk:",
           .rival = "askpass-fifo",
           .apply = set_prompt},
    Option{.name = "mapping",
           .argument = "NAME",
           .group = Group::handover,
           .help = "With --prompt, what is being unlocked, as in crypttab: wrong passwords are remembered by it",
           .apply = set_mapping},
    Option{.name = "tried",
           .argument = "COUNT[/TRIES]",
           .group = Group::handover,
           .help = "With --prompt, how many tries have failed, and of how many; 0 tries are no limit",
           .default_text = "0/3",
           .apply = set_tried},

    // The management interface
    Option{.name = "management",
           .argument = "ADDRESS",
           .group = Group::management,
           .help = "Offer OpenVPN's management interface at IP:PORT, or at the Unix socket unix:PATH",
           .apply = set_management},
    Option{.name = "management-password-file",
           .argument = "FILE",
           .group = Group::management,
           .help =
               "Let only those in who know the first line of this file; always needed on an address that others reach. "
               "With --control: the password, instead of asking for it on the terminal",
           .modes = modes_of(Mode::unlock) | modes_of(Mode::control),
           .apply = set_management_password_file},
    Option{.name = "management-hold",
           .group = Group::management,
           .help = "Touch nothing before a client says 'hold release'",
           .apply = set_management_flag<&Management::hold>},
    Option{.name = "management-query-passwords",
           .group = Group::management,
           .help = "Let clients type the password, and what keys and network hooks ask for",
           .apply = set_management_flag<&Management::query_passwords>},
    Option{.name = "management-query",
           .argument = "LIST",
           .group = Group::management,
           .help = "The same, but ask clients only for these: disk, key, auth, with commas between",
           .default_text = "disk,key,auth",
           .apply = set_management_query},
    Option{.name = "management-confirm",
           .group = Group::management,
           .help = "Hand a server's password over only when a client agrees",
           .apply = set_management_flag<&Management::confirm>},
    Option{.name = "management-client",
           .group = Group::management,
           .help = "Connect to the address instead of listening there",
           .apply = set_management_flag<&Management::client>},
    Option{.name = "management-signal",
           .group = Group::management,
           .help = "Try all servers again when the last client leaves, as upon SIGUSR1",
           .apply = set_management_flag<&Management::signal>},
    Option{.name = "management-log-cache",
           .argument = "N",
           .group = Group::management,
           .help = "Keep so many lines of log for clients, 1 to 10000, in at most 1.2 KiB of memory each",
           .default_text = "250",
           .apply = set_management_log_cache},
    Option{.name = "echo",
           .argument = "TEXT",
           .group = Group::management,
           .help = "Give this text to clients that ask for it; may be repeated, the last 100 count",
           .apply = add_echo},
    Option{.name = "echo-from-servers",
           .group = Group::management,
           .help = "Give clients the texts that servers announce by TXT records echo=TEXT, too",
           .apply = set_management_flag<&Management::echo_from_servers>},

    // Making keys
    Option{.name = "generate-keys",
           .argument = "DIR",
           .argument_optional = true,
           .group = Group::generate_keys,
           .help = "Make the machine's OpenPGP keys in this directory and exit",
           .default_text = "/etc/keys/bootkey",
           .kind = Kind::mode,
           .modes = modes_of(Mode::generate_keys),
           .apply = set_generate_keys},
    Option{.name = "key-type",
           .argument = "ed25519|rsa4096",
           .group = Group::generate_keys,
           .help = "Make keys of this kind",
           .default_text = "ed25519",
           .modes = modes_of(Mode::generate_keys),
           .apply = set_key_type},
    Option{.name = "tls-key",
           .group = Group::generate_keys,
           .help = "Make a pair of TLS key files, too",
           .modes = modes_of(Mode::generate_keys),
           .apply = set_flag<&Options::tls_key>},
    Option{
        .name = "passphrase",
        .group = Group::generate_keys,
        .help = "Ask for a passphrase that protects the secret key; unlocking then needs a person and a TLS key file",
        .modes = modes_of(Mode::generate_keys),
        .apply = set_flag<&Options::passphrase>},
    Option{.name = "force",
           .group = Group::generate_keys,
           .help = "Replace keys that exist",
           .modes = modes_of(Mode::generate_keys),
           .apply = set_flag<&Options::force>},

    // Enrolling
    Option{.name = "enroll",
           .argument = "script",
           .argument_optional = true,
           .group = Group::enroll,
           .help = "Print this machine's section for the server's clients.conf and exit; with 'script', a shell script "
                   "that adds it, to be run on the server",
           .kind = Kind::mode,
           .modes = modes_of(Mode::enroll),
           .apply = set_enroll},
    Option{.name = "name",
           .argument = "NAME",
           .group = Group::enroll,
           .help = "Name of the section",
           .default_text = "the host's name",
           .modes = modes_of(Mode::enroll),
           .apply = set_name},
    Option{.name = "host",
           .argument = "HOST",
           .group = Group::enroll,
           .help = "Host name or address at which the server checks that the machine is up",
           .default_text = "the section's name",
           .modes = modes_of(Mode::enroll),
           .apply = set_host},
    Option{.name = "timeout",
           .argument = "DURATION",
           .group = Group::enroll,
           .help = "How long after its last successful check the server disables this machine: 2h, 1d, 1w",
           .default_text = "the server's, 5m if it says nothing else",
           .modes = modes_of(Mode::enroll),
           .apply = set_timeout},
    Option{.name = "password-file",
           .argument = "FILE",
           .group = Group::enroll,
           .help = "Take the password from this file, every byte of it",
           .default_text = "ask on the terminal",
           .modes = modes_of(Mode::enroll),
           .apply = set_text<&Options::password_file>},
    Option{.name = "sign-with",
           .argument = "KEY",
           .group = Group::enroll,
           .help = "Sign the password with this secret key of your GnuPG keyring: a fingerprint, key ID or user ID",
           .modes = modes_of(Mode::enroll),
           .apply = set_text<&Options::sign_with>},

    // Checking
    Option{.name = "check",
           .group = Group::check,
           .help = "See on the running system whether a reboot would unlock it, tell step by step, and exit",
           .kind = Kind::mode,
           .modes = modes_of(Mode::check),
           .apply = set_check},
    Option{.name = "device",
           .argument = "DEVICE",
           .group = Group::check,
           .help = "See also whether the password opens this encrypted device",
           .modes = modes_of(Mode::check),
           .apply = set_text<&Options::device>},
    Option{.name = "initrd",
           .argument = "FILE",
           .group = Group::check,
           .help = "Look into this initial RAM disk image",
           .default_text = "that of the running kernel in /boot",
           .modes = modes_of(Mode::check),
           .apply = set_text<&Options::initrd>},
    Option{.name = "check-config",
           .group = Group::check,
           .help = "See whether the configuration file would be accepted in unlocking, and exit",
           .kind = Kind::mode,
           .modes = modes_of(Mode::check_config),
           .apply = set_check_config},

    // Reporting
    Option{.name = "report",
           .group = Group::report,
           .help = "Show what took how long when this machine was unlocked the last time, and exit",
           .kind = Kind::mode,
           .modes = modes_of(Mode::report),
           .apply = set_report},
    Option{.name = "svg",
           .argument = "FILE",
           .group = Group::report,
           .help = "Draw it as a picture into this file",
           .default_text = "bars of text on standard output",
           .modes = modes_of(Mode::report),
           .apply = set_text<&Options::svg>},
    // Talking to a bootkey that unlocks
    Option{.name = "control",
           .argument = "ADDRESS",
           .argument_optional = true,
           .group = Group::control,
           .help =
               "Send the words that follow to the management interface at unix:PATH or ADDRESS:PORT as one command, "
               "print the reply and exit; without words, take commands until the end of input",
           .default_text = default_management_address,
           .kind = Kind::mode,
           .modes = modes_of(Mode::control),
           .apply = set_control},
    Option{.name = "follow",
           .group = Group::control,
           .help = "Show what goes on there, states, servers and log, until it ends",
           .modes = modes_of(Mode::control),
           .apply = set_flag<&Options::follow>},

    // Putting back
    Option{.name = "restore",
           .group = Group::restore,
           .help = "Put back what a bootkey that was killed has changed on this machine and exit",
           .kind = Kind::mode,
           .modes = modes_of(Mode::restore),
           .apply = set_restore},

    // General
    Option{.name = "config",
           .argument = "FILE",
           .help = "Read more options from this file; empty: from none",
           .default_text = "/etc/bootkey/bootkey.conf, if it exists",
           .kind = Kind::configuration_file,
           .modes = every_mode},
    Option{.name = "verb",
           .argument = "N",
           .help = "How much to tell on standard error, 0 to 15",
           .default_text = "1",
           .modes = every_mode,
           .apply = set_verb},
    Option{.name = "debug",
           .help = "Tell everything but secrets, Avahi's and GnuTLS's debug output too",
           .modes = every_mode,
           .mandos_client = true,
           .apply = set_flag<&Options::debug>},
    Option{.name = "no-sandbox",
           .help = "Do not confine the processes that read from the network and decrypt; for debugging only",
           .modes = unlock_and_check,
           .apply = set_flag<&Options::no_sandbox>},
    Option{.name = "help",
           .letter = '?',
           .help = "Print this text and exit",
           .kind = Kind::help,
           .modes = every_mode,
           .mandos_client = true},
    Option{.name = "usage",
           .help = "Print a short usage message and exit",
           .kind = Kind::usage,
           .modes = every_mode,
           .mandos_client = true},
    Option{.name = "version",
           .letter = 'V',
           .help = "Print the version and exit",
           .kind = Kind::version,
           .modes = every_mode,
           .mandos_client = true},
};

}  // namespace

std::span<const Option> option_table() {
    return table;
}

const char* heading(Group group) {
    switch (group) {
        case Group::servers:
            return "Password servers:";
        case Group::network:
            return "Network:";
        case Group::keys:
            return "Keys:";
        case Group::tls:
            return "TLS:";
        case Group::handover:
            return "Handing the password over:";
        case Group::management:
            return "The management interface:";
        case Group::generate_keys:
            return "Making keys instead of unlocking:";
        case Group::enroll:
            return "Enrolling with a password server instead of unlocking:";
        case Group::check:
            return "Checking instead of unlocking:";
        case Group::report:
            return "Reporting instead of unlocking:";
        case Group::control:
            return "Talking to a bootkey that unlocks, instead of unlocking:";
        case Group::restore:
            return "Putting back instead of unlocking:";
        case Group::general:
            return "General:";
    }
    return "";
}

const Option* find_option(std::string_view name) {
    const auto found = std::ranges::find(table, name, &Option::name);
    return found == table.end() ? nullptr : &*found;
}

std::string Assignment::text() const {
    std::string text = origin + "option --" + option->name;
    if (value) text += "=" + base::escaped(*value);
    return text;
}

}  // namespace bootkey::options
