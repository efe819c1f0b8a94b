// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/timeline_keeper.hpp"

#include <algorithm>

#include "bootkey/base/text.hpp"

namespace bootkey::timeline {
namespace {

// Each byte may become four ("\x1b"), and an end in dots.
constexpr std::size_t longest_kept_text = 256;
static_assert(4 * longest_kept_text + 3 <= longest_record_text);

void make_fit(std::string& text) {
    text = base::printable(text, longest_kept_text);
}

// Puts moments, in the order in which they must have come, between `least` and `most`.
void bound(std::initializer_list<Moment*> moments, base::Time least, base::Time most) {
    most = std::max(least, most);
    for (Moment* moment : moments) {
        if (!*moment) continue;
        *moment = std::clamp(**moment, least, most);
        least = **moment;
    }
}

// Room for one more in `records`: where there are `most`, the first one from the middle on that may go does. Whether
// one went.
template <typename Record, typename MayGo>
bool make_room(std::vector<Record>& records, std::size_t most, MayGo may_go) {
    if (records.size() < most) return false;
    const auto middle = records.begin() + static_cast<std::ptrdiff_t>(most / 2);
    const auto victim = std::find_if(middle, records.end(), may_go);
    records.erase(victim == records.end() ? middle : victim);
    return true;
}

template <typename Record>
bool always(const Record&) {
    return true;
}

}  // namespace

TimelineKeeper::TimelineKeeper(base::Time begun) : worker_since_(begun) {
    timeline_.version = BOOTKEY_VERSION;
    timeline_.begun = begun;
}

void TimelineKeeper::add(InterfaceRecord record, base::Time now) {
    make_fit(record.name);
    bound({&record.asked_up, &record.running, &record.usable, &record.gone}, timeline_.begun, now);
    auto& known = timeline_.interfaces;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const InterfaceRecord& other) { return other.index == record.index; });
    if (found != known.end()) {
        // A new worker does not know what the one before it saw: the first time counts.
        for (const auto moment : {&InterfaceRecord::asked_up, &InterfaceRecord::running, &InterfaceRecord::usable})
            if ((*found).*moment) record.*moment = (*found).*moment;
        *found = std::move(record);
        return;
    }
    timeline_.left_out += make_room(known, most_interfaces, always<InterfaceRecord>);
    known.push_back(std::move(record));
}

void TimelineKeeper::add(AttemptRecord record, base::Time now) {
    make_fit(record.server);
    make_fit(record.failure);
    bound({&record.connecting, &record.handshake, &record.waiting, &record.receiving, &record.ended}, worker_since_,
          now);
    AttemptRecord& place = attempt(key(record.id));
    if (place.decrypting) return;  // its answer is here: there is no more to be told of it
    record.decrypting.reset();
    record.judged.reset();
    record.rejection.clear();
    place = std::move(record);
}

AttemptRecord& TimelineKeeper::attempt(const AttemptKey& key) {
    const auto found = std::ranges::find(attempts_, key, &Attempt::key);
    if (found != attempts_.end()) return found->record;
    timeline_.left_out += make_room(attempts_, most_attempts, [](const Attempt& other) {
        const bool being_decrypted = other.record.decrypting && !other.record.judged;
        return !being_decrypted && !other.record.won();
    });
    AttemptRecord& made = attempts_.emplace_back().record;
    attempts_.back().key = key;
    made.id = key.attempt;
    return made;
}

void TimelineKeeper::add(HookRecord record) {
    make_fit(record.name);
    make_fit(record.failure);
    timeline_.left_out += make_room(timeline_.hooks, most_hooks, always<HookRecord>);
    timeline_.hooks.push_back(std::move(record));
}

void TimelineKeeper::worker_started(base::Time now) {
    ++worker_;
    worker_since_ = now;
}

void TimelineKeeper::worker_ended(base::Time now) {
    for (auto& [key, record] : attempts_) {
        if (record.ended) continue;
        record.ended = now;
        record.failure = "the worker ended";
    }
}

void TimelineKeeper::restarted(const std::string& process, base::Time now) {
    timeline_.left_out += make_room(timeline_.restarts, most_restarts, always<RestartRecord>);
    timeline_.restarts.push_back({process, now});
}

// The answer may be the first that is heard of the attempt, where news of it were left out.
void TimelineKeeper::decrypting(const AttemptKey& key, const std::string& server, base::Time now) {
    AttemptRecord& record = attempt(key);
    if (record.server.empty()) {
        record.server = server;
        make_fit(record.server);
    }
    if (!record.ended) record.ended = now;
    record.failure.clear();
    record.decrypting = now;
}

void TimelineKeeper::decrypted(const AttemptKey& key, base::Time now) {
    AttemptRecord& record = attempt(key);
    record.judged = now;
    record.rejection = "it was not needed";
}

void TimelineKeeper::delivered(const AttemptKey& key) {
    attempt(key).rejection.clear();
}

void TimelineKeeper::rejected(const AttemptKey& key, const std::string& why, base::Time now) {
    AttemptRecord& record = attempt(key);
    if (!record.judged) record.judged = now;
    record.rejection = why.empty() ? "it is not the password" : why;
    make_fit(record.rejection);
}

void TimelineKeeper::failed(const std::string& why) {
    if (!timeline_.failure.empty()) return;
    timeline_.failure = why;
    make_fit(timeline_.failure);
}

Timeline TimelineKeeper::finished(int status, int signal, base::Time now) const {
    Timeline timeline = timeline_;
    for (const Attempt& attempt : attempts_) timeline.attempts.push_back(attempt.record);
    timeline.ended = now;
    timeline.status = status;
    timeline.signal = signal;
    return timeline;
}

}  // namespace bootkey::timeline
