// SPDX-License-Identifier: GPL-3.0-or-later
//
// The privileged process of an unlock, from checked options to the exit: refuses what cannot work before anything is
// touched, starts the worker and the decryptor, does for the worker what only root can do, holds the way out for the
// password, obeys signals, and puts the machine back on every way out. Of what the network writes it reads nothing but
// what clients of the management interface say, if there is one; the rest is handed on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/changes/local_administration.hpp"
#include "bootkey/discovery/discovery.hpp"
#include "bootkey/monitor/allowance.hpp"
#include "bootkey/monitor/answer_queue.hpp"
#include "bootkey/monitor/guarded_administration.hpp"
#include "bootkey/monitor/management_desk.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/monitor/recipient.hpp"
#include "bootkey/monitor/remote_log.hpp"
#include "bootkey/monitor/supervised_process.hpp"
#include "bootkey/monitor/worker.hpp"
#include "bootkey/network/netlink_request.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/timeline/timeline_keeper.hpp"

namespace bootkey::monitor {

/// How a run ended.
struct Outcome {
    base::ExitCode code = base::ExitCode::ok;
    int signal = 0;  ///< not 0: the program should die by this signal, everything being put back
};

/// What the other two processes do, each given its end of the channel to the monitor; see worker.hpp.
struct Bodies {
    std::function<decltype(run_worker)> worker = run_worker;
    std::function<decltype(run_decryptor)> decryptor = run_decryptor;
};

/// What a run is for.
struct Purpose {
    bool is_rehearsal = false;                 ///< it leaves no timeline, and offers no management interface
    std::optional<base::Duration> limit = {};  ///< when it is given up (unavailable); never, if there is none
};

class Monitor {
public:
    /// `options` and `log`, whose level clients of the management interface may change, must outlive the object. Takes
    /// `output`, where the password goes unless askpass gets it, over.
    Monitor(const options::Options& options, base::Log& log, base::UniqueFd output, Bodies bodies = {},
            Purpose purpose = {});
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    /// Unlocks, and returns when the machine is put back. Every error has been logged by then.
    [[nodiscard]] Outcome run();
    /// What happened when; after run().
    [[nodiscard]] const timeline::Timeline& timeline() const { return timeline_; }

private:
    [[nodiscard]] Outcome run_to_the_end();
    void leave_timeline() const;
    [[nodiscard]] base::Result<void> start_run();
    void make_recipient();
    [[nodiscard]] base::Result<void> open_management();
    [[nodiscard]] base::Result<void> begin_or_hold();
    void begin();
    void limit_purpose(base::Duration limit);
    [[nodiscard]] base::Result<void> start_unlocking();
    [[nodiscard]] base::Result<void> start_worker();
    [[nodiscard]] base::Result<void> start_decryptor();
    [[nodiscard]] base::Result<void> make_home();
    void watch_signals();
    void on_signal(int number);
    void set_verb(int level);
    void tell_verb();

    [[nodiscard]] bool on_worker_message(const base::Secret& bytes);
    [[nodiscard]] bool hear(FromWorker& said);
    void note(InterfaceNews& news);
    void note(AttemptNews& news);
    void note(const AddressUsable& news);
    void note(const Idle& news);
    void note(const Echo& news);
    void obey(FromWorker& request);  // takes out of it what is to be kept
    void refuse(const FromWorker& request);
    void be_patient_again();
    [[nodiscard]] bool on_worker_lost();
    [[nodiscard]] bool on_decryptor_message(const base::Secret& bytes);
    [[nodiscard]] bool on_decryptor_lost();
    void tell_worker(const ToWorker& message);
    void on(const StartHooks& request);
    void on(const AddHostRoute& request);
    void on(const KeysGood& news);
    void on(const NeedPassphrase& question);
    void on(Answer answer) { answers_.add(std::move(answer), loop_->now()); }
    void on(Password password);
    void on(const Interrupted& news);
    void on(const NotDecrypted& verdict) { answers_.not_decrypted(verdict.error.message(), loop_->now()); }
    void begin_when_ready();

    void on_process_failed(SupervisedProcess& process, const base::Error& error);
    void hand_over(AnswerNumber answer, base::Secret password, const std::string& server);
    void give(AnswerNumber answer, base::Secret password, const std::string& server);
    void take_from_person(base::Secret password);
    void on_accepted();
    void on_refused(AnswerNumber answer, const std::string& why);
    void on_rejected(const timeline::AttemptKey& attempt, const std::string& why);
    void on_delivered(std::optional<AnswerNumber> answer);
    void on_over(const base::Result<void>& how);
    [[nodiscard]] bool on_deserted();
    void on_failed(const base::Error& error);
    void fail(const base::Error& error);
    void restart(int signal);
    void end(Outcome outcome, const std::string& reason);
    void put_back(std::function<void()> then);
    void is_put_back();
    void leave_when_done();
    void forget_network();
    void end_processes(std::function<void()> then);

    const options::Options& options_;
    base::Log& log_;
    base::UniqueFd output_;
    Bodies bodies_;
    Purpose purpose_;
    timeline::TimelineKeeper keeper_;
    timeline::Timeline timeline_;  // once the run is over
    std::unique_ptr<base::EventLoop> loop_;
    std::unique_ptr<ManagementDesk> desk_;  // none where there is no management interface; hooks ask it to their end
    std::optional<RemoteLog> worker_log_, decryptor_log_;
    Allowance requests_;  // of the worker, and
    Allowance news_;      // what it only tells
    Allowance all_;       // of its messages of whatever kind
    Allowance questions_, all_of_decryptor_;
    std::vector<std::unique_ptr<base::SignalWatch>> signals_;
    std::unique_ptr<base::Timer> step_;   // leaves the callback that asked for the end before objects are destroyed
    std::unique_ptr<base::Timer> limit_;  // on putting back
    std::unique_ptr<base::Timer> purpose_limit_;
    openpgp::KeyFiles keys_;
    std::unique_ptr<changes::LocalAdministration> administration_;
    std::optional<network::NetlinkRequests> links_;
    std::optional<GuardedAdministration> guard_;
    discovery::Browsing browsing_ = discovery::Browsing::on;
    std::string home_;           // the decryptor's
    bool keys_good_ = false;     // as the decryptor says, and
    bool worker_began_ = false;  // it may have read packets
    bool worker_ready_ = false;  // the worker asks for network hooks: nothing on the machine is touched before both
    std::unique_ptr<SupervisedProcess> worker_;
    std::unique_ptr<SupervisedProcess> decryptor_;
    AnswerQueue answers_;
    std::unique_ptr<Recipient> recipient_;
    std::set<AnswerNumber> typed_;        // by a person behind the management interface
    bool accepted_ = false;               // the password is on its way out: no other is wanted
    std::optional<base::Error> failure_;  // the servers cannot be asked, but a person is
    std::optional<Outcome> outcome_;      // once the end has begun, of which there are two parts:
    bool put_back_ = false;
    bool recipient_stopped_ = false;
};

}  // namespace bootkey::monitor
