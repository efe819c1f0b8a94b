// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/check_unlock.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "bootkey/base/text.hpp"

namespace bootkey::modes {
namespace {

using base::format;
using timeline::AttemptRecord;
using timeline::InterfaceRecord;
using timeline::Timeline;

std::string in_quotes(const std::string& name) {
    return "\"" + name + "\"";
}

std::string listed(const std::set<std::string>& names) {
    constexpr std::size_t most = 5;
    std::string text;
    std::size_t count = 0;
    for (const std::string& name : names) {
        if (count++ == most) return text + format(" and %zu more", names.size() - most);
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

struct Step {
    const char* name;
    bool reached;           // by any attempt, or whatever the step is about
    std::string found;      // then
    std::string otherwise;  // what is wrong
    std::string advice;
};

/// Why the last attempt failed of which `counts` is true.
template <typename Counts>
std::string last_failure(const Timeline& timeline, Counts counts) {
    std::string why = "nothing came of it in time";
    for (const AttemptRecord& attempt : timeline.attempts)
        if (!attempt.failure.empty() && counts(attempt))
            why = in_quotes(attempt.server) + " at " + attempt.endpoint.text() + ": " + attempt.failure;
    return why;
}

std::string last_rejection(const Timeline& timeline) {
    std::string why = "the answer was not decrypted in time";
    for (const AttemptRecord& attempt : timeline.attempts)
        if (!attempt.rejection.empty()) why = "the answer of " + in_quotes(attempt.server) + ": " + attempt.rejection;
    return why;
}

bool answered(const AttemptRecord& attempt) {
    return attempt.ended && attempt.failure.empty();
}

}  // namespace

void check_unlock(const Timeline& timeline, base::Duration limit, CheckList& list) {
    const auto& attempts = timeline.attempts;
    const auto any = [&](auto which) { return std::ranges::any_of(attempts, which); };
    std::set<std::string> interfaces, servers, silent;
    for (const InterfaceRecord& interface : timeline.interfaces)
        if (interface.usable) interfaces.insert(interface.name);
    for (const AttemptRecord& attempt : attempts) {
        servers.insert(in_quotes(attempt.server));
        if (attempt.waiting && !attempt.ended) silent.insert(in_quotes(attempt.server));
    }
    // A server that has refused the machine once is not silent because it is being tried again when the time is over.
    for (const AttemptRecord& attempt : attempts)
        if (attempt.waiting && !attempt.failure.empty()) silent.erase(in_quotes(attempt.server));
    const std::string within = format(" within %g s", base::to_seconds(limit));
    const AttemptRecord* winner = timeline.winner();
    const bool connected = any([](const AttemptRecord& one) { return one.handshake.has_value(); });
    const bool trusted = any([](const AttemptRecord& one) { return one.waiting.has_value(); });
    const bool known = any(answered);
    const std::array steps{
        Step{"interface", !interfaces.empty() || !attempts.empty(),
             interfaces.empty() ? "the kernel knows the way" : listed(interfaces),
             "no network interface is up and has an address, and --check brings none up", "bring one up first"},
        Step{"server", !servers.empty(), listed(servers), "no password server was found" + within,
             "see that it runs and announces itself in this network, or name it with --connect or --server"},
        Step{"TCP", connected, "connected", last_failure(timeline, [](const AttemptRecord&) { return true; }),
             "see that the server listens there and that no firewall is between"},
        Step{"TLS", trusted, "handshake done",
             last_failure(timeline, [](const AttemptRecord& one) { return one.handshake.has_value(); }),
             "see that server and machine have the same --priority"},
        silent.empty()
            ? Step{"known", known, "the server has a secret for this machine",
                   last_failure(timeline, [](const AttemptRecord& one) { return one.waiting.has_value(); }),
                   "enrol it with bootkey --enroll, and see that the server has it enabled and approved; if no machine "
                   "gets an "
                   "answer, see the server's log: under Python 3.14 older versions of it answer nobody"}
            : Step{"known", known, "the server has a secret for this machine",
                   listed(silent) + " did not answer" + within, "the server may wait for a person who approves"},
        Step{"decrypts", winner != nullptr,
             winner != nullptr ? "the answer of " + in_quotes(winner->server) + " is a password; it was dropped" : "",
             last_rejection(timeline), "enrol again with bootkey --enroll"},
    };
    // What ended the trial before its time has nothing to do with the step that it had come to.
    const bool cut_short = winner == nullptr && timeline.status != 0 && timeline.ended - timeline.begun < limit;
    bool stopped = false;
    for (const Step& step : steps) {
        if (stopped) {
            list.untried(step.name, "it needs the step before");
        } else if (step.reached) {
            list.good(step.name, step.found);
        } else {
            stopped = true;
            if (cut_short)
                list.wrong(step.name, timeline.failure, "", static_cast<base::ExitCode>(timeline.status));
            else
                list.wrong(step.name, step.otherwise, step.advice);
        }
    }
}

}  // namespace bootkey::modes
