// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/gpg_context.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "bootkey/base/secret.hpp"

namespace bootkey::openpgp {
namespace {

// What gpg gets as its environment while an object of this lives: PATH and these variables. GPGME passes on the
// process's, which may be that of a hostile caller (PATH, by which GPGME searches, LD_PRELOAD), and has no other way to
// name the home that does not run gpg once more.
class GpgEnvironment {
public:
    explicit GpgEnvironment(std::vector<std::string> variables) : texts_(std::move(variables)), before_(environ) {
        texts_.emplace_back("PATH=/usr/bin:/bin");
        for (std::string& text : texts_) variables_.push_back(text.data());
        variables_.push_back(nullptr);
        environ = variables_.data();
    }
    ~GpgEnvironment() { environ = before_; }
    GpgEnvironment(const GpgEnvironment&) = delete;
    GpgEnvironment& operator=(const GpgEnvironment&) = delete;

private:
    std::vector<std::string> texts_;
    std::vector<char*> variables_;
    char** before_;
};

base::Error no_gpg(std::string why) {
    return {base::ExitCode::unavailable, "cannot use /usr/bin/gpg", std::move(why),
            "install the package gpg; in the initial RAM disk: run update-initramfs -u"};
}

}  // namespace

base::Result<std::unique_ptr<GpgContext>> GpgContext::create(base::Loop& loop, const std::string& home) {
    // HOME, lest gpg search the user database for it: that loads whatever modules the system has for users (LDAP,
    // systemd), which a confined process must not run.
    return create_for(loop, {"GNUPGHOME=" + home, "HOME=" + home});
}

base::Result<std::unique_ptr<GpgContext>> GpgContext::create_for(base::Loop& loop, std::vector<std::string> variables) {
    const GpgEnvironment environment(variables);
    // gpgconf would be run several times to find out what is known: paths and options.
    gpgme_set_global_flag("disable-gpgconf", "1");
    if (gpgme_check_version("1.18.0") == nullptr) return no_gpg("the GPGME library is older than 1.18");
    gpgme_ctx_t made = nullptr;
    if (const gpgme_error_t error = gpgme_new(&made); error != 0) return no_gpg(gpgme_text(error));
    ContextHandle context(made);
    const gpgme_engine_info_t engine = gpgme_ctx_get_engine_info(made);
    if (engine == nullptr || engine->file_name == nullptr || engine->version == nullptr)
        return no_gpg("it is not there or does not run");
    return std::unique_ptr<GpgContext>(new GpgContext(loop, std::move(context), std::move(variables)));
}

GpgContext::GpgContext(base::Loop& loop, ContextHandle context, std::vector<std::string> variables)
    : loop_(loop),
      variables_(std::move(variables)),
      context_(std::move(context)),
      limit_(loop.timer([this] { cut_off(GPG_ERR_TIMEOUT); })),
      finished_(loop.timer([this] { finish(); })) {
    gpgme_io_cbs callbacks{&add_interest, this, &remove_interest, &on_event, this};
    gpgme_set_io_cbs(context_.get(), &callbacks);
}

GpgContext::~GpgContext() {
    if (busy()) cancel();
    context_.reset();  // takes its interests back while they are still there
}

void GpgContext::run(const Start& start, base::Duration limit, Done done) {
    done_ = std::move(done);
    started_ = false;
    cut_off_ = GPG_ERR_NO_ERROR;
    gpg_was_killed_ = false;
    std::erase_if(processes_, [](const auto& process) { return !process->running(); });
    gpgme_error_t error = 0;
    {
        const GpgEnvironment environment(variables_);
        const Adoption adoption;
        error = start(context_.get());
        for (auto& process : adoption.adopted(loop_)) processes_.push_back(std::move(process));
    }
    if (error != 0) return finish_with(error);
    limit_->arm(limit);
}

// In a context of its own: with callbacks for descriptors, GPGME gives keys to nobody but the event callback.
gpgme_error_t GpgContext::find_key(const std::string& pattern, bool secret, KeyHandle& key) const {
    const GpgEnvironment environment(variables_);
    gpgme_ctx_t made = nullptr;
    if (const gpgme_error_t error = gpgme_new(&made); error != 0) return error;
    const ContextHandle context(made);
    if (const gpgme_error_t error = gpgme_op_keylist_start(made, pattern.c_str(), secret ? 1 : 0); error != 0)
        return error;
    gpgme_key_t found = nullptr;
    if (const gpgme_error_t error = gpgme_op_keylist_next(made, &found); error != 0) return error;
    key.reset(found);
    gpgme_key_t another = nullptr;
    if (gpgme_op_keylist_next(made, &another) != 0) return 0;
    gpgme_key_unref(another);
    return gpgme_error(GPG_ERR_AMBIGUOUS_NAME);
}

gpgme_error_t GpgContext::add_interest(void* self, int fd, int direction, gpgme_io_cb_t callback, void* callback_data,
                                       void** tag) noexcept {
    auto* context = static_cast<GpgContext*>(self);
    Interest* interest = nullptr;
    try {
        context->interests_.push_back({context, fd, direction != 0, callback, callback_data, nullptr});
        interest = &context->interests_.back();
        if (context->started_) context->begin_watching(*interest);
    } catch (...) {  // no memory; must not cross GPGME's frames
        if (interest != nullptr) remove_interest(interest);
        return gpgme_error(GPG_ERR_ENOMEM);
    }
    *tag = interest;
    return 0;
}

void GpgContext::begin_watching(Interest& interest) {
    const base::Readiness wanted{.readable = interest.read, .writable = !interest.read};
    // The callback may take the interest back; it is not touched afterwards. GPGME reads into a buffer on the stack,
    // and prepares all that it reads and writes for its trace, also where there is none: what stays there may be a
    // password or a key.
    interest.watch =
        loop_.watch(interest.fd, wanted,
                    [callback = interest.callback, data = interest.callback_data, fd = interest.fd](base::Readiness) {
                        callback(data, fd);
                        base::wipe_stack_below();
                    });
}

void GpgContext::remove_interest(void* tag) noexcept {
    auto* interest = static_cast<Interest*>(tag);
    interest->owner->interests_.remove_if([interest](const Interest& other) { return &other == interest; });
}

void GpgContext::on_event(void* self, gpgme_event_io_t type, void* data) noexcept {
    auto* context = static_cast<GpgContext*>(self);
    if (type == GPGME_EVENT_START) {
        context->started_ = true;
        try {
            for (Interest& interest : context->interests_)
                if (!interest.watch) context->begin_watching(interest);
        } catch (...) {  // no memory: nothing will happen, and the time limit ends the operation
        }
    } else if (type == GPGME_EVENT_DONE) {
        const auto* end = static_cast<const gpgme_io_event_done_data*>(data);
        context->finish_with(end->err != 0 ? end->err : end->op_err);
    }
}

void GpgContext::finish_with(gpgme_error_t error) {
    outcome_ = cut_off_ != GPG_ERR_NO_ERROR ? gpgme_error(cut_off_) : error;
    limit_->disarm();
    finished_->arm(base::Duration::zero());
}

void GpgContext::cancel() {
    gpgme_cancel(context_.get());
    processes_.clear();  // kills
}

void GpgContext::cut_off(gpg_err_code_t outcome) {
    cut_off_ = outcome;
    cancel();
}

void GpgContext::interrupt() {
    if (busy() && cut_off_ == GPG_ERR_NO_ERROR) cut_off(GPG_ERR_CANCELED);
}

void GpgContext::finish() {
    if (outcome_ != 0) {  // cancelled or failed: gpg may still be busy with what nobody waits for
        gpg_was_killed_ = cut_off_ == GPG_ERR_NO_ERROR && gpg_was_killed();
        processes_.clear();
    }
    std::exchange(done_, nullptr)(outcome_);
}

// Not looked at where all went well: it may have to wait for gpg's end.
bool GpgContext::gpg_was_killed() {
    return gpg_was_killed_ ||
           std::ranges::any_of(processes_, [](const auto& process) { return process->was_killed(); });
}

}  // namespace bootkey::openpgp
