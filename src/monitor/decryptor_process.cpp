// SPDX-License-Identifier: GPL-3.0-or-later
#include <chrono>
#include <memory>
#include <utility>

#include "bootkey/monitor/worker.hpp"
#include "bootkey/openpgp/decryptor.hpp"
#include "unprivileged_process.hpp"

namespace bootkey::monitor {
namespace {

class DecryptorProcess {
public:
    DecryptorProcess(base::UniqueFd channel, const options::Options& options)
        : options_(options),
          process_("bootkey-decrypt", std::move(channel), options, [this](const base::Secret& bytes) {
              auto message = decode<ToDecryptor>(bytes.bytes());
              if (message) std::visit([this](auto& said) { on(std::move(said)); }, *message);
              return message.has_value();
          }) {}

    int run(const openpgp::KeyFiles& keys, const std::string& home, pid_t monitor) {
        if (auto started = start(keys, home, monitor); !started) say(Failed{std::move(started).error()});
        return process_.run();
    }

private:
    base::Result<void> start(const openpgp::KeyFiles& files, const std::string& home, pid_t monitor) {
        auto keys = openpgp::read_decryption_keys(files.seckey, options_.require_signature);
        if (!keys) return std::move(keys).error();
        if (keys->protection) {  // early: a person takes longer than anything else
            seckey_ = keys->seckey_path;
            key_name_ = keys->protection->name;
            say(NeedPassphrase{false, key_name_});
        }
        say(KeysGood{});
        auto confined = process_.confine(sandbox::Role::decryptor, home, monitor);
        if (!confined) return confined;
        auto decryptor =
            openpgp::Decryptor::create(process_.loop(), process_.log(), std::move(*keys), home,
                                       {.failed = [this](base::Error error) { say(Failed{std::move(error)}); },
                                        .needs_passphrase =
                                            [this](bool again) {
                                                say(NeedPassphrase{again, key_name_});
                                            }});
        if (!decryptor) return std::move(decryptor).error();
        decryptor_ = std::move(*decryptor);
        return {};
    }

    void on(Decrypt request) {
        if (!decryptor_) return;
        decryptor_->decrypt(std::move(request.message), std::chrono::milliseconds(request.patience),
                            [this](base::Result<base::Secret> password) { answer(std::move(password)); });
    }

    void answer(base::Result<base::Secret> password) {
        if (password)
            say(Password{std::move(*password)});
        else if (password.error().code == base::ExitCode::temporary)
            say(Interrupted{});
        else
            say(NotDecrypted{std::move(password).error()});
    }

    void on(const Hurry&) {
        if (decryptor_) decryptor_->hurry();
    }

    void on(Passphrase given) {
        if (!decryptor_ || seckey_.empty()) return;
        if (given.passphrase)
            decryptor_->unlock(std::move(*given.passphrase));
        else
            say(Failed{openpgp::no_passphrase(seckey_)});
    }

    void on(const Ping&) { say(Pong{}); }
    void on(const SetVerb& order) { process_.set_verb(order.level); }

    void say(FromDecryptor message) { process_.monitor().send(message); }

    const options::Options& options_;
    UnprivilegedProcess<FromDecryptor> process_;
    std::string seckey_, key_name_;  // of a protected key
    std::unique_ptr<openpgp::Decryptor> decryptor_;
};

}  // namespace

int run_decryptor(base::UniqueFd channel, const options::Options& options, const openpgp::KeyFiles& keys,
                  const std::string& home, pid_t monitor) {
    return DecryptorProcess(std::move(channel), options).run(keys, home, monitor);
}

}  // namespace bootkey::monitor
