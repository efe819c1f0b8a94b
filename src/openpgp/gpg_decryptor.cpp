// SPDX-License-Identifier: GPL-3.0-or-later
//
// Decryptor on GPGME and gpg. Two gpg processes at most at a time, the agent and one that imports or decrypts; only the
// decryption is on the way between a server's answer and the password.
#include <chrono>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/decryption_key.hpp"
#include "bootkey/openpgp/decryptor.hpp"
#include "bootkey/openpgp/gpg_agent.hpp"
#include "bootkey/openpgp/gpg_context.hpp"
#include "bootkey/openpgp/gpg_home.hpp"
#include "bootkey/openpgp/gpgme_data.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/key_unlocking.hpp"
#include "bootkey/openpgp/packets.hpp"
#include "bootkey/openpgp/signature_check.hpp"
#include "bootkey/openpgp/signer_keys.hpp"

namespace bootkey::openpgp {
namespace {

using base::Error;
using base::ExitCode;
using base::Secret;

// A decryption takes 20 ms (RSA-4096) on a present-day machine, a second on the slowest boards.
constexpr base::Duration time_limit = std::chrono::seconds(30);

constexpr std::size_t longest_answer = 64 * 1024;  // bytes of plaintext

Error bad_answer(std::string why,
                 std::string advice = "check the secret in this machine's section of the server's clients.conf") {
    return {ExitCode::unavailable, "cannot decrypt the server's answer", std::move(why), std::move(advice)};
}

// Whether the message hides to whom it is encrypted; gpg can only try its key then.
bool has_hidden_recipient(gpgme_decrypt_result_t result) {
    if (result == nullptr) return false;
    for (gpgme_recipient_t recipient = result->recipients; recipient != nullptr; recipient = recipient->next)
        if (recipient->keyid != nullptr &&
            std::string_view(recipient->keyid).find_first_not_of('0') == std::string_view::npos)
            return true;
    return false;
}

// Why gpg did not decrypt; `result` is what GPGME knows of the message.
Error decryption_error(gpgme_error_t error, gpgme_decrypt_result_t result) {
    switch (gpgme_err_code(error)) {
        case GPG_ERR_CHECKSUM:  // gpg 2.4, which has tried its key; gpg 2.2 says that there is no secret key
            if (!has_hidden_recipient(result)) return bad_answer(gpgme_text(error));
            [[fallthrough]];
        case GPG_ERR_NO_SECKEY:
            return bad_answer("it is encrypted to another key");
        case GPG_ERR_NO_DATA:
        case GPG_ERR_BAD_DATA:
            return bad_answer("it is not a whole OpenPGP message");
        case GPG_ERR_TIMEOUT:
            return bad_answer("gpg did not end in time", "check the load of this machine");
        case GPG_ERR_CANCELED:
            return {ExitCode::temporary, "cannot decrypt the server's answer yet", "others wait", ""};
        default:
            return bad_answer(gpgme_text(error));
    }
}

bool is_cut_off(gpgme_error_t error) {
    return gpgme_err_code(error) == GPG_ERR_TIMEOUT || gpgme_err_code(error) == GPG_ERR_CANCELED;
}

// Twice, and so it may be the answer that brings it about.
Error helpers_were_killed() {
    return {ExitCode::unavailable, "cannot decrypt the server's answer",
            "gpg or gpg-agent was killed while it worked on it, twice", "check that there is memory for them"};
}

base::Result<Secret> copy_of(const Secret& secret) {
    auto copy = Secret::with_capacity(secret.size());
    if (copy && !copy->append(secret.bytes()))
        return Error{ExitCode::os_error, "cannot copy a passphrase", "it does not fit", ""};
    return copy;
}

Error bad_signature(std::string why) {
    return {ExitCode::unavailable, "cannot accept the server's answer", std::move(why),
            "enrol this machine again, with --sign-with and a key that --require-signature has"};
}

// Why gpg did not import keys, whatever they are; `tried` says what was to be done.
std::optional<Error> import_error(const std::string& tried, gpgme_error_t error) {
    switch (gpgme_err_code(error)) {
        case GPG_ERR_NO_ERROR:
            return std::nullopt;
        case GPG_ERR_TIMEOUT:
            return Error{ExitCode::unavailable, tried, "gpg did not end in time", ""};
        case GPG_ERR_UNSUPPORTED_PROTOCOL:  // GPGME's words for a program that it cannot start or whose version it
        case GPG_ERR_INV_ENGINE:            // cannot tell
            return Error{ExitCode::unavailable, tried, "/usr/bin/gpg is missing or does not run",
                         "install the package gpg; in the initial RAM disk: run update-initramfs -u"};
        default:
            break;
    }
    if (gpgme_err_code_to_errno(gpgme_err_code(error)) != 0)  // the system's fault (memory, descriptors), not the key's
        return Error{ExitCode::os_error, tried, gpgme_text(error), ""};
    return Error{ExitCode::no_input, tried, gpgme_text(error), "check the file with gpg --show-keys"};
}

// gpg that could not be executed, or was killed, takes nothing in, and GPGME calls that no error.
std::optional<Error> silence(const std::string& tried, gpgme_import_result_t result) {
    if (result != nullptr && result->considered > 0) return std::nullopt;
    return Error{ExitCode::unavailable, tried, "gpg ended without saying what it did",
                 "check that /usr/bin/gpg runs and that there is memory for it"};
}

// gpg's own conditions, after the message's outer shape was found good and gpg has ended with success. The home holds
// one key, ours: a session key that gpg could use was encrypted to it, by its key id or anonymously.
std::optional<Error> objection(gpgme_decrypt_result_t result) {
    if (result == nullptr) return bad_answer("gpg does not say how it was encrypted");
    if (result->unsupported_algorithm != nullptr) return bad_answer("it uses an algorithm that gpg does not know");
    if (result->legacy_cipher_nomdc) return bad_answer("its encryption has no integrity protection (MDC)");
    for (gpgme_recipient_t recipient = result->recipients; recipient != nullptr; recipient = recipient->next)
        if (recipient->status == 0) return std::nullopt;
    return bad_answer("it is encrypted to another key");
}

class GpgDecryptor final : public Decryptor {
public:
    GpgDecryptor(base::Loop& loop, const base::Log& log, DecryptionKeys keys, std::string home, GpgAgent agent,
                 std::unique_ptr<GpgContext> context, Listener listener)
        : loop_(loop),
          log_(log),
          keys_(std::move(keys)),
          home_(std::move(home)),
          listener_(std::move(listener)),
          work_(loop.timer([this] { work(); })),
          patience_(loop.timer([this] {
              overdue_ = true;
              if (hurried_) context_->interrupt();
          })),
          agent_(std::move(agent)),
          context_(std::move(context)) {
        if (keys_.protection) unlocking_.emplace(*context_, std::move(keys_.protection->test_message));
        if (keys_.signers.empty()) {
            import_key();
        } else {
            signature_check_.emplace(base::escaped(keys_.signers_path)).listen_to(context_->handle());
            import_signers();
        }
    }

    void decrypt(std::vector<std::byte> message, base::Duration patience, Done done) override {
        jobs_.push_back({std::move(message), patience, std::move(done)});
        work_->arm(base::Duration::zero());  // callbacks come from the loop, never from here
    }

    void hurry() override {
        hurried_ = true;
        if (overdue_) context_->interrupt();
    }

    void unlock(Secret passphrase) override {
        if (!unlocking_ || state_ == State::ready) return;
        passphrase_ = std::move(passphrase);
        work_->arm(base::Duration::zero());
    }

private:
    struct Job {
        std::vector<std::byte> message;
        base::Duration patience{};
        Done done;
        bool is_repeated = false;  // gpg or its agent was killed the first time
    };
    enum class State { preparing, locked, ready, failed };

    void import_signers();
    void signers_imported(gpgme_error_t error);
    void import_key();
    void key_imported(gpgme_error_t error);
    void fail(Error error);
    void work();
    void work_on_next_job();
    void try_passphrase();
    void passphrase_tried(const base::Result<bool>& unlocked);
    void look_at_lock();
    void lock(bool again);
    void start(Job job);
    void decrypted(gpgme_error_t error);
    base::Result<Secret> answer(gpgme_error_t error);
    void finish(const Done& done, base::Result<Secret> result);
    base::Result<void> revive_agent();
    base::Result<void> renew_agent();
    void unlock_again();

    base::Loop& loop_;
    const base::Log& log_;
    DecryptionKeys keys_;  // their bytes until they are imported
    std::string home_;
    Listener listener_;
    State state_ = State::preparing;
    std::optional<Error> failure_;
    std::deque<Job> jobs_;
    Job current_;
    std::optional<SecretOutput> output_;
    DataHandle input_data_;
    DataHandle output_data_;
    std::unique_ptr<base::Timer> work_;
    std::unique_ptr<base::Timer> patience_;  // with what is being decrypted
    bool hurried_ = false;                   // something else waits for it
    bool overdue_ = false;
    bool was_unlocked_ = false;
    GpgAgent agent_;
    std::optional<SignatureCheck> signature_check_;  // none: signatures do not matter
    std::optional<KeyUnlocking> unlocking_;          // none: the key needs no passphrase
    std::optional<Secret> passphrase_;               // given, and not tried yet
    Secret right_passphrase_;                        // for another agent, should this one end
    std::unique_ptr<GpgContext> context_;            // last: ended first, while what it reads and fills is still there
};

// The signers' keys go first, so that what gpg has taken is these alone: the machine's own key is none of them, unless
// it is in their file.
void GpgDecryptor::import_signers() {
    input_data_ = input_from(keys_.signers.bytes(), true);
    context_->run([this](gpgme_ctx_t context) { return gpgme_op_import_start(context, input_data_.get()); }, time_limit,
                  [this](gpgme_error_t error) { signers_imported(error); });
}

void GpgDecryptor::signers_imported(gpgme_error_t error) {
    input_data_.reset();
    keys_.signers = Secret();
    const std::string tried = "cannot import the public keys from " + base::escaped(keys_.signers_path);
    if (auto why = import_error(tried, error)) return fail(std::move(*why));
    const gpgme_import_result_t result = gpgme_op_import_result(context_->handle());
    if (auto why = silence(tried, result)) return fail(std::move(*why));
    const std::size_t taken = signature_check_->accept(result);
    if (taken == 0)
        return fail({ExitCode::no_input, tried, "gpg cannot use any of them", "check the file with gpg --show-keys"});
    log_.info(3, base::format("openpgp: answers must be signed by one of %zu keys", taken));
    import_key();
}

void GpgDecryptor::import_key() {
    input_data_ = input_from(keys_.seckey.bytes(), true);
    context_->run([this](gpgme_ctx_t context) { return gpgme_op_import_start(context, input_data_.get()); }, time_limit,
                  [this](gpgme_error_t error) { key_imported(error); });
}

void GpgDecryptor::key_imported(gpgme_error_t error) {
    input_data_.reset();
    keys_.seckey = Secret();
    const gpgme_import_result_t result = gpgme_op_import_result(context_->handle());
    const std::string tried = "cannot import the OpenPGP key from " + base::escaped(keys_.seckey_path);
    if (auto why = import_error(tried, error)) return fail(std::move(*why));
    if (auto why = silence(tried, result)) return fail(std::move(*why));
    if (result->secret_read == 0)
        return fail(
            {ExitCode::no_input, tried, "there is no secret key in it", "export it with gpg --export-secret-keys"});
    const bool imported = result->secret_imported + result->secret_unchanged > 0;
    if (!imported && !agent_.running())
        return fail({ExitCode::unavailable, tried, "gpg-agent has ended", "check that there is memory for it"});
    if (!imported)
        return fail({ExitCode::no_input, tried, "gpg cannot use the key", "check the file with gpg --show-keys"});
    log_.info(3, "openpgp: the secret key is ready");
    state_ = unlocking_ ? State::locked : State::ready;
    work();
}

void GpgDecryptor::fail(Error error) {
    state_ = State::failed;
    failure_ = error;
    if (!jobs_.empty()) work_->arm(base::Duration::zero());
    // Last, and from a copy: it may destroy this object.
    if (const auto tell = std::exchange(listener_.failed, nullptr)) tell(std::move(error));
}

void GpgDecryptor::work() {
    if (state_ == State::preparing || context_->busy()) return;
    if (state_ == State::locked)
        try_passphrase();
    else if (!jobs_.empty())
        work_on_next_job();
}

void GpgDecryptor::try_passphrase() {
    if (!passphrase_) return;
    Secret passphrase = *std::exchange(passphrase_, std::nullopt);
    if (!KeyUnlocking::is_possible(passphrase)) return lock(true);
    if (auto alive = revive_agent(); !alive) return fail(std::move(alive).error());
    if (auto copy = copy_of(passphrase)) right_passphrase_ = std::move(*copy);  // if it is
    unlocking_->unlock(std::move(passphrase),
                       [this](const base::Result<bool>& unlocked) { passphrase_tried(unlocked); });
}

void GpgDecryptor::passphrase_tried(const base::Result<bool>& unlocked) {
    if (!unlocked) return fail(unlocked.error());
    if (!*unlocked) return lock(true);
    log_.info(std::exchange(was_unlocked_, true) ? 3 : 1, "the OpenPGP key is unlocked");
    state_ = State::ready;
    work();
}

// gpg has asked for a passphrase, though the agent should have it. That may have been for another key than the one that
// is needed: whoever knows the machine's public keys can bring that about, and a person must not be asked for it.
void GpgDecryptor::look_at_lock() {
    unlocking_->check([this](const base::Result<bool>& unlocked) {
        if (!unlocked) return fail(unlocked.error());
        if (!*unlocked) return lock(false);
        work();
    });
}

void GpgDecryptor::lock(bool again) {
    state_ = State::locked;
    right_passphrase_ = Secret();
    log_.warning(again ? "that is not the passphrase of the OpenPGP key"
                       : "gpg-agent does not have the passphrase of the OpenPGP key any more");
    if (passphrase_) return work_->arm(base::Duration::zero());  // another one has come meanwhile
    const auto tell = listener_.needs_passphrase;                // a copy: it may destroy this object
    tell(again);
}

void GpgDecryptor::work_on_next_job() {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    work_->arm(base::Duration::zero());  // for the next one
    if (state_ == State::failed) return finish(job.done, *failure_);
    if (auto good = check_answer_shape(job.message, keys_.key_ids); !good)
        return finish(job.done, std::move(good).error());
    const bool agent_was_there = agent_.running();
    if (auto alive = revive_agent(); !alive) return finish(job.done, std::move(alive).error());
    if (agent_was_there || !unlocking_) return start(std::move(job));
    jobs_.push_front(std::move(job));
    unlock_again();
}

// Its owner may ask for this object's end.
void GpgDecryptor::finish(const Done& done, base::Result<Secret> result) {
    hurried_ = overdue_ = false;
    done(std::move(result));
}

// The agent may have been killed by something else than us (out of memory). The key is in the home, so a new one has
// it.
base::Result<void> GpgDecryptor::revive_agent() {
    if (agent_.running()) return {};
    log_.warning("openpgp: gpg-agent has ended unexpectedly; starting it again");
    return renew_agent();
}

// Another agent takes the place of this one, which ends.
base::Result<void> GpgDecryptor::renew_agent() {
    auto agent = GpgAgent::start(loop_, home_, unlocking_ ? Passphrases::once : Passphrases::none);
    if (!agent) return std::move(agent).error();
    agent_ = std::move(*agent);
    return {};
}

// An agent that has just been started knows no passphrase.
void GpgDecryptor::unlock_again() {
    if (right_passphrase_.empty()) return lock(false);
    auto copy = copy_of(right_passphrase_);
    if (!copy) return lock(false);
    state_ = State::locked;
    if (!passphrase_) passphrase_ = std::move(*copy);
    work_->arm(base::Duration::zero());
}

void GpgDecryptor::start(Job job) {
    auto plaintext = Secret::with_capacity(longest_answer);
    if (!plaintext) return finish(job.done, std::move(plaintext).error());
    patience_->arm(job.patience);
    current_ = std::move(job);
    output_.emplace(std::move(*plaintext));
    input_data_ = input_from(current_.message, false);
    output_data_ = output_->data();
    if (signature_check_) signature_check_->begin();
    if (unlocking_) unlocking_->forget();
    const auto operation = signature_check_ ? &gpgme_op_decrypt_verify_start : &gpgme_op_decrypt_start;
    context_->run(
        [this, operation](gpgme_ctx_t context) { return operation(context, input_data_.get(), output_data_.get()); },
        time_limit, [this](gpgme_error_t error) { decrypted(error); });
}

void GpgDecryptor::decrypted(gpgme_error_t error) {
    patience_->disarm();
    base::Result<Secret> result = answer(error);
    input_data_.reset();
    output_data_.reset();
    output_.reset();
    Job job = std::exchange(current_, Job{});
    // An agent that has something to say to a gpg which was killed dies of that (SIGPIPE, gpg-agent 2.2.40), but later:
    // during the next job. So it ends with gpg.
    const bool was_cut_off = is_cut_off(error);
    const bool helper_was_killed = !was_cut_off && !result && (context_->gpg_was_killed() || agent_.has_ended());
    if (was_cut_off || helper_was_killed) {
        if (helper_was_killed) log_.warning("openpgp: gpg or gpg-agent was killed while it was decrypting");
        if (auto renewed = renew_agent(); !renewed) return finish(job.done, std::move(renewed).error());
        if (unlocking_) unlock_again();
    }
    work_->arm(base::Duration::zero());
    if (helper_was_killed && !std::exchange(job.is_repeated, true)) return jobs_.push_front(std::move(job));
    if (helper_was_killed) result = helpers_were_killed();
    if (!was_cut_off && !helper_was_killed && unlocking_ && unlocking_->was_asked()) look_at_lock();
    finish(job.done, std::move(result));  // last: it may destroy this object
}

base::Result<Secret> GpgDecryptor::answer(gpgme_error_t error) {
    if (output_->overflowed()) return bad_answer("the password in it is longer than 64 KiB");
    if (signature_check_) {
        const gpgme_verify_result_t verified = gpgme_op_verify_result(context_->handle());
        // To gpg, what is badly signed is not decrypted. Without signatures an error has another reason.
        if (error == 0 || (verified != nullptr && verified->signatures != nullptr))
            if (auto why = signature_check_->objection(verified)) return bad_signature(std::move(*why));
    }
    if (error != 0 && unlocking_ && unlocking_->was_asked())
        return bad_answer("gpg asks for a passphrase that it does not get for a server's answer");
    if (error != 0) return decryption_error(error, gpgme_op_decrypt_result(context_->handle()));
    if (auto why = objection(gpgme_op_decrypt_result(context_->handle()))) return std::move(*why);
    Secret password = output_->take();
    if (password.empty()) return bad_answer("the password in it is empty");
    return password;
}

std::string name_of(Bytes key, const std::string& path) {
    std::string name = user_id(key);
    return name.empty() ? path : name;
}

}  // namespace

base::Result<DecryptionKeys> read_decryption_keys(const std::string& seckey_path, const std::string& signers_path) {
    auto seckey = base::read_secret_file(seckey_path, longest_key_file);
    if (!seckey) return std::move(seckey).error();
    const auto packets = without_armour(seckey->bytes(), seckey_path);
    if (!packets) return packets.error();
    // gpg would not find the key behind one.
    if (const auto bytes = base::without_byte_order_mark(seckey->bytes()); bytes.size() != seckey->size()) {
        auto rest = base::Secret::with_capacity(bytes.size());
        if (!rest) return std::move(rest).error();
        static_cast<void>(rest->append(bytes));  // as large as it is
        seckey = std::move(rest);
    }
    const auto access = decryption_access(packets->bytes(), seckey_path);
    if (!access) return access.error();
    auto signers = signers_path.empty() ? base::Result<Secret>(Secret()) : read_signer_keys(signers_path);
    if (!signers) return std::move(signers).error();
    std::optional<ProtectedKey> protection;
    if (*access == Access::passphrase)
        protection = ProtectedKey{name_of(packets->bytes(), seckey_path), test_message(packets->bytes())};
    return DecryptionKeys{.seckey = std::move(*seckey),
                          .seckey_path = seckey_path,
                          .key_ids = decryption_key_ids(packets->bytes()),
                          .protection = std::move(protection),
                          .signers = std::move(*signers),
                          .signers_path = signers_path};
}

Error no_passphrase(const std::string& seckey_path) {
    return {ExitCode::no_input, "cannot use the OpenPGP key in " + base::escaped(seckey_path),
            "it is protected by a passphrase, which nobody is there to enter",
            "let a person answer, by --management-query-passwords, or use a key without a passphrase"};
}

base::Result<std::unique_ptr<Decryptor>> Decryptor::create(base::Loop& loop, const base::Log& log, DecryptionKeys keys,
                                                           const std::string& home, Listener listener) {
    if (auto written = write_decryption_settings(home); !written) return std::move(written).error();
    // First the agent, which comes up while GPGME looks at gpg.
    auto agent = GpgAgent::start(loop, home, keys.protection ? Passphrases::once : Passphrases::none);
    if (!agent) return std::move(agent).error();
    auto context = GpgContext::create(loop, home);
    if (!context) return std::move(context).error();
    return std::unique_ptr<Decryptor>(new GpgDecryptor(loop, log, std::move(keys), home, std::move(*agent),
                                                       std::move(*context), std::move(listener)));
}

}  // namespace bootkey::openpgp
