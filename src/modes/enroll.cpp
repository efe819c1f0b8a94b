// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/enroll.hpp"

#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/modes/ask_twice.hpp"
#include "bootkey/modes/host_name.hpp"
#include "bootkey/modes/ssh_host_key.hpp"
#include "bootkey/openpgp/answer_encryptor.hpp"
#include "bootkey/openpgp/answer_signer.hpp"
#include "bootkey/openpgp/enrolment.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/key_pair.hpp"
#include "bootkey/openpgp/tls_key_id.hpp"
#include "bootkey/options/used_files.hpp"

namespace bootkey::modes {
namespace {

constexpr std::size_t longest_password = 64 * 1024;  // bytes: what the unlocking side takes

base::Result<base::Secret> get_password(const std::string& file, const base::Log& log) {
    if (file.empty()) return ask_twice("Password of the disk");
    auto password = base::read_secret_file(file, longest_password);
    if (password && !password->empty() && password->bytes().back() == std::byte{'\n'})
        log.warning(
            "the password in " + base::escaped(file) +
            " ends with a new line, which counts: cryptsetup takes none that a person types. If it should not be "
            "there, write the file with printf %s and enrol again");
    if (password && password->empty())
        return base::Error{base::ExitCode::usage, "cannot use the password in " + base::escaped(file),
                           "the file is empty", "name a file that holds the password, byte for byte"};
    return password;
}

base::Result<openpgp::KeyFiles> find_keys(const options::Options& options) {
    const std::vector<std::string> directories(std::begin(openpgp::key_directories),
                                               std::end(openpgp::key_directories));
    return openpgp::find_key_files({options.pubkey, options.seckey, options.tls_pubkey, options.tls_privkey},
                                   directories);
}

// What has to be known of a signature: how to make the machine refuse all other answers, and when it will refuse this
// one.
void tell_of_signature(const std::string& signer, std::time_t expires, const base::Log& log) {
    log.info(1, "signed by " + signer +
                    "; to take no other answers, write that public key into a file (gpg --armor --export-options "
                    "export-minimal --export " +
                    signer + ") and give it to this machine as --require-signature=FILE");
    tm date{};
    char text[] = "yyyy-mm-dd";
    if (expires == 0 || gmtime_r(&expires, &date) == nullptr || strftime(text, sizeof text, "%F", &date) == 0) return;
    log.warning(std::string("the signature counts until ") + text +
                " only, when it or its key expires: where signatures are demanded, enrol again before");
}

// The password, encrypted to the machine, and signed by `signer` before, unless that is empty.
base::Result<openpgp::EncryptedAnswer> make_answer(const std::string& pubkey, const base::Secret& password,
                                                   const std::string& signer, const std::vector<std::string>& keyring,
                                                   const options::Options& options, const base::Log& log) {
    if (signer.empty()) return openpgp::encrypt_answer(pubkey, password);
    const auto made = openpgp::sign_password(password, signer, keyring);
    if (!made) return made.error();
    if (!options.require_signature.empty())
        if (auto taken = openpgp::check_acceptance(made->message, options.require_signature); !taken)
            return std::move(taken).error();
    tell_of_signature(signer, made->expires, log);
    return openpgp::encrypt_answer(pubkey, made->message, openpgp::Content::message);
}

// The key to sign with; none if nothing is to be signed.
base::Result<std::string> find_signer(const options::Options& options, const std::vector<std::string>& keyring) {
    if (!options.sign_with.empty()) return openpgp::find_signer(options.sign_with, keyring);
    if (options.require_signature.empty()) return std::string();
    return base::Error{
        base::ExitCode::usage, "cannot enrol with a password that is not signed",
        "this machine would refuse it: --require-signature=" + base::escaped(options.require_signature) + " is set",
        "give --sign-with=KEY too"};
}

// A power cut of a rack whose server is elsewhere is longer than the server's default.
void tell_of_timeout(const openpgp::Enrolment& enrolment, const base::Log& log) {
    const std::string what =
        "the server will disable this machine, and give it no password until an administrator enables it "
        "(mandos-ctl --enable " +
        enrolment.name + "), when it has not been up for ";
    if (enrolment.timeout)
        log.info(1, what + openpgp::duration_in_words(*enrolment.timeout) + "; for so long a thief could use it, too");
    else
        log.info(1, what +
                        "5 minutes, if its configuration says nothing else: a longer time without power is enough. "
                        "--timeout=1d gives it a day, and a thief as well");
}

base::Result<void> print(const std::string& text) {
    const int failure = base::write_all(STDOUT_FILENO, base::bytes_of(text));
    if (failure == 0) return {};
    return base::system_error("cannot write to standard output", failure, "not all was written: use none of it",
                              base::ExitCode::io_error);
}

}  // namespace

base::Result<void> enroll(const options::Options& options, const std::vector<std::string>& keyring,
                          const base::Log& log) {
    openpgp::Enrolment enrolment;
    enrolment.name = options.name.empty() ? host_name() : options.name;
    enrolment.host = options.host.empty() ? enrolment.name : options.host;
    if (auto checked = openpgp::check_names(enrolment.name, enrolment.host); !checked) return checked;
    const auto files = find_keys(options);
    if (!files) return files.error();
    if (auto checked = options::check_files(openpgp::used_files(*files), options::treatment_of_exposed(options), log);
        !checked)
        return checked;
    if (auto pair = openpgp::check_key_pair(files->pubkey, files->seckey); !pair) return pair;
    auto key_id = openpgp::tls_key_id(*files);
    if (!key_id) return std::move(key_id).error();
    enrolment.key_id = *key_id;
    // Before the password is asked for: a key that is not there would be known too late.
    const auto signer = find_signer(options, keyring);
    if (!signer) return signer.error();
    const auto password = get_password(options.password_file, log);
    if (!password) return password.error();
    auto answer = make_answer(files->pubkey, *password, *signer, keyring, options, log);
    if (!answer) return std::move(answer).error();
    enrolment.fingerprint = std::move(answer->fingerprint);
    enrolment.message = std::move(answer->message);
    enrolment.ssh_host_key = find_ssh_host_key("/etc/ssh");
    if (!enrolment.ssh_host_key)
        log.warning(
            "no SSH host key in /etc/ssh: the server will check by ping whether this machine is up, and anybody who "
            "takes its address can answer that; install openssh-server and enrol again");
    enrolment.timeout = options.timeout;
    tell_of_timeout(enrolment, log);
    return print(options.enroll_script ? openpgp::enrolment_script(enrolment)
                                       : openpgp::clients_conf_section(enrolment));
}

}  // namespace bootkey::modes
