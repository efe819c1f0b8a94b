// SPDX-License-Identifier: GPL-3.0-or-later
//
// Collects what becomes the timeline of a run, within bounds: an attacker may make the worker tell anything and as much
// as it likes, and a run may wait for its server for months. So texts are made fit to be shown, times are put where
// they can have been, and where there is no room for a record, one from the middle makes way: how it began and how it
// ended is what a person wants to know. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bootkey/base/time.hpp"
#include "bootkey/servers/progress.hpp"
#include "bootkey/timeline/timeline.hpp"

namespace bootkey::timeline {

/// An attempt of one of the workers that follow one another, each of which counts its attempts from 1.
struct AttemptKey {
    unsigned worker = 0;
    servers::AttemptId attempt = 0;
    friend auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
};

class TimelineKeeper {
public:
    explicit TimelineKeeper(base::Time begun);

    /// What the worker of now tells, at `now`.
    void add(InterfaceRecord record, base::Time now);
    void add(AttemptRecord record, base::Time now);
    void add(HookRecord record);
    /// There is a new worker: what it tells has happened since.
    void worker_started(base::Time now);
    /// The worker has ended, and with it the attempts that were under way.
    void worker_ended(base::Time now);
    /// A process ("worker", "decryptor"), or all of it ("bootkey"), is started again.
    void restarted(const std::string& process, base::Time now);

    /// The key of an attempt of the worker of now.
    [[nodiscard]] AttemptKey key(servers::AttemptId attempt) const { return {worker_, attempt}; }
    [[nodiscard]] bool is_of_worker_of_now(const AttemptKey& key) const { return key.worker == worker_; }
    /// What `server` has answered is being decrypted.
    void decrypting(const AttemptKey& key, const std::string& server, base::Time now);
    /// It has become a password, which may still be of no use.
    void decrypted(const AttemptKey& key, base::Time now);
    /// That password has gone where it was wanted.
    void delivered(const AttemptKey& key);
    /// The answer is not the password, because of `why`.
    void rejected(const AttemptKey& key, const std::string& why, base::Time now);
    /// A password was written, whoever it came from.
    void written(base::Time now) { timeline_.written = now; }
    /// Why the run ends without success; the first reason counts.
    void failed(const std::string& why);

    /// Something was not even looked at.
    void left_out() { ++timeline_.left_out; }

    /// All of it. `status`, `signal`: how the run ended.
    [[nodiscard]] Timeline finished(int status, int signal, base::Time now) const;

private:
    struct Attempt {
        AttemptKey key;
        AttemptRecord record;
    };
    [[nodiscard]] AttemptRecord& attempt(const AttemptKey& key);

    Timeline timeline_;              // but for the attempts
    std::vector<Attempt> attempts_;  // in the order in which they were heard of
    unsigned worker_ = 0;
    base::Time worker_since_;
};

}  // namespace bootkey::timeline
