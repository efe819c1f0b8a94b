// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/enroll.hpp"

#include <unistd.h>

#include <cerrno>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/modes/ask_twice.hpp"
#include "bootkey/modes/host_name.hpp"
#include "bootkey/modes/ssh_host_key.hpp"
#include "bootkey/openpgp/answer_encryptor.hpp"
#include "bootkey/openpgp/enrolment.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/key_pair.hpp"
#include "bootkey/openpgp/tls_key_id.hpp"

namespace bootkey::modes {
namespace {

constexpr std::size_t longest_password = 64 * 1024;  // bytes: what the unlocking side takes

base::Result<base::Secret> get_password(const std::string& file) {
    if (file.empty()) return ask_twice("Password of the disk");
    auto password = base::read_secret_file(file, longest_password);
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

base::Result<void> print(const std::string& text) {
    const int failure = base::write_all(STDOUT_FILENO, base::bytes_of(text));
    if (failure == 0) return {};
    return base::system_error("cannot write to standard output", failure, "not all was written: use none of it",
                              base::ExitCode::io_error);
}

}  // namespace

base::Result<void> enroll(const options::Options& options, const base::Log& log) {
    openpgp::Enrolment enrolment;
    enrolment.name = options.name.empty() ? host_name() : options.name;
    enrolment.host = options.host.empty() ? enrolment.name : options.host;
    if (auto checked = openpgp::check_names(enrolment.name, enrolment.host); !checked) return checked;
    const auto files = find_keys(options);
    if (!files) return files.error();
    if (auto pair = openpgp::check_key_pair(files->pubkey, files->seckey); !pair) return pair;
    auto key_id = openpgp::tls_key_id(*files);
    if (!key_id) return std::move(key_id).error();
    enrolment.key_id = *key_id;
    const auto password = get_password(options.password_file);
    if (!password) return password.error();
    auto answer = openpgp::encrypt_answer(files->pubkey, *password);
    if (!answer) return std::move(answer).error();
    enrolment.fingerprint = std::move(answer->fingerprint);
    enrolment.message = std::move(answer->message);
    enrolment.ssh_host_key = find_ssh_host_key("/etc/ssh");
    if (!enrolment.ssh_host_key)
        log.warning(
            "no SSH host key in /etc/ssh: the server will check by ping whether this machine is up, and anybody who "
            "takes its address can answer that; install openssh-server and enrol again");
    return print(options.enroll_script ? openpgp::enrolment_script(enrolment)
                                       : openpgp::clients_conf_section(enrolment));
}

}  // namespace bootkey::modes
