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
#include "bootkey/changes/privileged_executor.hpp"
#include "bootkey/discovery/discovery.hpp"
#include "bootkey/monitor/answer_queue.hpp"
#include "bootkey/monitor/management_desk.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/monitor/recipient.hpp"
#include "bootkey/monitor/remote_log.hpp"
#include "bootkey/monitor/request_policy.hpp"
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
    [[nodiscard]] bool on_worker_lost();
    void tell_worker(const ToWorker& message);
    // What is to be done about each message; from some is taken what is to be kept. False: it may not be said.
    [[nodiscard]] bool from_worker(LogLine& line);
    [[nodiscard]] bool from_worker(Pong& sign_of_life);
    [[nodiscard]] bool from_worker(Failed& failure);
    [[nodiscard]] bool from_worker(Ask& asked);
    [[nodiscard]] bool from_worker(Answer& answer);
    [[nodiscard]] bool from_worker(InterfaceNews& news);
    [[nodiscard]] bool from_worker(AttemptNews& news);
    [[nodiscard]] bool from_worker(AddressUsable& news);
    [[nodiscard]] bool from_worker(Idle& news);
    [[nodiscard]] bool from_worker(Echo& news);
    void refuse(const FromWorker& request);
    void perform(const Ask& asked);

    [[nodiscard]] bool on_decryptor_message(const base::Secret& bytes);
    [[nodiscard]] bool on_decryptor_lost();
    [[nodiscard]] bool from_decryptor(LogLine& line);
    [[nodiscard]] bool from_decryptor(Pong& sign_of_life);
    [[nodiscard]] bool from_decryptor(Failed& failure);
    [[nodiscard]] bool from_decryptor(KeysGood& news);
    [[nodiscard]] bool from_decryptor(NeedPassphrase& question);
    [[nodiscard]] bool from_decryptor(Password& password);
    [[nodiscard]] bool from_decryptor(Interrupted& news);
    [[nodiscard]] bool from_decryptor(NotDecrypted& verdict);
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
    RequestPolicy policy_;
    std::vector<std::unique_ptr<base::SignalWatch>> signals_;
    std::unique_ptr<base::Timer> step_;   // leaves the callback that asked for the end before objects are destroyed
    std::unique_ptr<base::Timer> limit_;  // on putting back
    std::unique_ptr<base::Timer> purpose_limit_;
    openpgp::KeyFiles keys_;
    std::unique_ptr<changes::PrivilegedExecutor> executor_;
    std::optional<network::NetlinkRequests> links_;
    discovery::Browsing browsing_ = discovery::Browsing::on;
    std::string home_;                // the decryptor's
    bool keys_good_ = false;          // as the decryptor says, and
    bool worker_began_ = false;       // it may have read packets
    std::optional<Ask> hooks_asked_;  // by the worker: nothing on the machine is touched before both
    unsigned worker_number_ = 0;      // a reply to one that is gone is not for the next
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
