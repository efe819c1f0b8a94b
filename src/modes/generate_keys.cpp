// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/generate_keys.hpp"

#include "bootkey/base/text.hpp"
#include "bootkey/modes/ask_twice.hpp"
#include "bootkey/modes/host_name.hpp"
#include "bootkey/openpgp/key_generator.hpp"

namespace bootkey::modes {
namespace {

constexpr const char* default_directory = "/etc/keys/bootkey";

void report_keys(const openpgp::KeyRequest& request, const openpgp::MadeKeys& made, const base::Log& log) {
    const std::string directory = base::escaped(request.directory);
    log.info(1, "made keys in " + directory + ": " +
                    (request.tls_pair ? "pubkey.txt, seckey.txt, tls-pubkey.pem and tls-privkey.pem"
                                      : "pubkey.txt and seckey.txt"));
    log.info(1, "OpenPGP fingerprint: " + made.fingerprint);
    if (made.kept_tls_pair)
        log.warning(
            "kept the TLS key files that were there before: servers still know the machine by them, and get new ones "
            "by --tls-key");
    const std::string named = request.directory == default_directory
                                  ? ""
                                  : " --pubkey=" + directory + "/pubkey.txt --seckey=" + directory + "/seckey.txt";
    log.info(1, "next, make a password server know this machine: bootkey --enroll=script" + named +
                    " >enroll.sh, and then ssh root@SERVER sh <enroll.sh");
}

}  // namespace

base::Result<void> generate_keys(const options::Options& options, const base::Log& log) {
    openpgp::KeyRequest request;
    request.directory = options.key_directory.empty() ? default_directory : options.key_directory;
    request.kind =
        options.key_type == options::KeyType::rsa4096 ? openpgp::KeyKind::rsa4096 : openpgp::KeyKind::ed25519;
    request.tls_pair = options.tls_key;
    request.replace = options.force;
    request.user_id = host_name();
    if (options.passphrase) {
        if (!options.tls_key)
            return base::Error{base::ExitCode::usage, "option --passphrase",
                               "an OpenPGP key under a passphrase is of no use for TLS", "give --tls-key too"};
        auto passphrase = ask_twice("Passphrase for the key");
        if (!passphrase) return std::move(passphrase).error();
        request.passphrase = std::move(*passphrase);
    }
    if (request.kind == openpgp::KeyKind::rsa4096) log.info(1, "making RSA keys, which takes some seconds");
    const auto made = openpgp::generate_keys(request);
    if (!made) return made.error();
    report_keys(request, *made, log);
    return {};
}

}  // namespace bootkey::modes
