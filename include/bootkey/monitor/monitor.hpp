// SPDX-License-Identifier: GPL-3.0-or-later
//
// One run of unlocking, from checked options to the exit: refuses what cannot work before anything is touched, starts the
// unlocker, holds standard output, obeys signals, and puts the machine back on every way out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/console/password_sink.hpp"
#include "bootkey/monitor/key_material.hpp"
#include "bootkey/network/local_administration.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/unlock/unlocker.hpp"

namespace bootkey::monitor {

/// How a run ended.
struct Outcome {
    base::ExitCode code = base::ExitCode::ok;
    int signal = 0;  ///< not 0: the program should die by this signal, everything being put back
};

class Monitor {
public:
    /// `options` and `log` must outlive the object. Takes `output`, where the password goes, over.
    Monitor(const options::Options& options, const base::Log& log, base::UniqueFd output);
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    /// Unlocks, and returns when the machine is put back. Every error has been logged by then.
    [[nodiscard]] Outcome run();

private:
    [[nodiscard]] base::Result<void> start_run();
    [[nodiscard]] base::Result<void> start_unlocking();
    void watch_signals();
    void on_password(base::Secret password, const std::string& server);
    void on_failed(const base::Error& error);
    void restart();
    void end(Outcome outcome);
    void put_back(std::function<void()> then);

    const options::Options& options_;
    const base::Log& log_;
    base::UniqueFd output_;
    std::unique_ptr<base::EventLoop> loop_;
    std::vector<std::unique_ptr<base::SignalWatch>> signals_;
    std::unique_ptr<base::Timer> step_;   // leaves the callback that asked for the end before objects are destroyed
    std::unique_ptr<base::Timer> limit_;  // on putting back
    std::optional<KeyMaterial> keys_;
    std::unique_ptr<network::LocalAdministration> administration_;
    std::unique_ptr<unlock::Unlocker> unlocker_;
    std::unique_ptr<console::PasswordSink> sink_;
    std::optional<Outcome> outcome_;  // once the end has begun
    bool writing_ = false;            // the password is on its way out
};

}  // namespace bootkey::monitor
