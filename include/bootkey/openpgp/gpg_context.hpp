// SPDX-License-Identifier: GPL-3.0-or-later
//
// GPGME on the loop: one context for one GnuPG home, ours or a person's, in which one operation at a time runs without
// blocking, with a time limit, and after which no gpg process is left. Private to the room.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/openpgp/gpg_process.hpp"
#include "bootkey/openpgp/gpgme_handles.hpp"

namespace bootkey::openpgp {

class GpgContext {
public:
    /// Starts an operation: calls one of GPGME's gpgme_op_…_start functions and returns its result.
    using Start = std::function<gpgme_error_t(gpgme_ctx_t)>;
    /// Told how it ended: 0, GPGME's error, GPG_ERR_TIMEOUT or, after interrupt(), GPG_ERR_CANCELED.
    using Done = std::function<void(gpgme_error_t)>;

    /// Initializes GPGME and checks the engine, /usr/bin/gpg (runs it once: 1 to 3 ms). Error: unavailable.
    [[nodiscard]] static base::Result<std::unique_ptr<GpgContext>> create(base::Loop& loop, const std::string& home);
    /// The same where a person's environment says: `variables`, each as "NAME=value", are all that gpg gets but PATH.
    [[nodiscard]] static base::Result<std::unique_ptr<GpgContext>> create_for(base::Loop& loop,
                                                                              std::vector<std::string> variables);
    /// Cancels what runs, without a call of its Done; gpg is gone when this returns.
    ~GpgContext();
    GpgContext(const GpgContext&) = delete;
    GpgContext& operator=(const GpgContext&) = delete;

    /// Runs one operation; only while not busy(). `done` is called once from the loop, when the context is free again,
    /// and may destroy it. Data objects given to GPGME must live until then.
    void run(const Start& start, base::Duration limit, Done done);
    /// Looks a key up, secret or public, by fingerprint, key ID or user ID; blocks some milliseconds. GPGME's errors:
    /// GPG_ERR_EOF (none) and GPG_ERR_AMBIGUOUS_NAME (several) among them.
    [[nodiscard]] gpgme_error_t find_key(const std::string& pattern, bool secret, KeyHandle& key) const;
    [[nodiscard]] bool busy() const { return done_ != nullptr; }
    /// Ends the operation that runs; nothing if none does.
    void interrupt();
    /// Whether a signal that was not ours has ended gpg in the last operation; to be asked in its Done.
    [[nodiscard]] bool gpg_was_killed();
    [[nodiscard]] gpgme_ctx_t handle() const { return context_.get(); }

private:
    // A descriptor that GPGME wants to be told about.
    struct Interest {
        GpgContext* owner;
        int fd;
        bool read;  // else written
        gpgme_io_cb_t callback;
        void* callback_data;
        std::unique_ptr<base::Watch> watch;
    };

    GpgContext(base::Loop& loop, ContextHandle context, std::vector<std::string> variables);
    static gpgme_error_t add_interest(void* self, int fd, int direction, gpgme_io_cb_t callback, void* callback_data,
                                      void** tag) noexcept;
    static void remove_interest(void* tag) noexcept;
    static void on_event(void* self, gpgme_event_io_t type, void* data) noexcept;
    void begin_watching(Interest& interest);
    void finish_with(gpgme_error_t error);
    void cancel();
    void cut_off(gpg_err_code_t outcome);
    void finish();

    base::Loop& loop_;
    std::vector<std::string> variables_;
    ContextHandle context_;
    std::list<Interest> interests_;
    bool started_ = false;                       // GPGME has said that its descriptors may be watched
    gpg_err_code_t cut_off_ = GPG_ERR_NO_ERROR;  // why we have ended it
    bool gpg_was_killed_ = false;
    gpgme_error_t outcome_ = 0;
    Done done_;
    std::unique_ptr<base::Timer> limit_;
    std::unique_ptr<base::Timer> finished_;  // armed with zero: Done is called outside GPGME's frames
    std::vector<std::unique_ptr<GpgProcess>> processes_;
};

}  // namespace bootkey::openpgp
