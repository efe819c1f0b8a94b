// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/request_policy.hpp"

#include <net/if.h>

#include <array>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {
namespace {

using base::Error;
using base::ExitCode;
using base::Result;

// ---- How often

// A machine may have hundreds of interfaces, which are asked for at once; later changes are few.
constexpr Allowance worker_requests(2048, 64);
// Hundreds of servers may be tried at once, each with some phases, and again after --retry; a record costs
// microseconds.
constexpr Allowance worker_news(4096, 256);
// Messages of whatever kind, lines for the log and signs of life among them: each takes the monitor 10 microseconds or
// so. With --debug hundreds of servers are worth 25,000 lines.
constexpr Allowance worker_messages(100'000, 10'000);
constexpr Allowance decryptor_messages(20'000, 1000);
// A person is not so fast.
constexpr Allowance passphrase_questions(16, 1);

// ---- Who may say what, and when

enum class When {
    always,
    until_the_end,  // then it is ignored
};
enum class Kind {
    plain,     // counts as a message only: what is beyond that ends the process
    news,      // what is beyond worker_news is left out
    request,   // what is beyond worker_requests is refused
    question,  // what is beyond passphrase_questions is ignored
};
struct Rule {
    std::size_t message;  // its place in the set
    When when;
    Kind kind;
};

template <typename Message, typename... Messages>
consteval std::size_t place_in(const std::variant<Messages...>*) {
    std::size_t place = 0;
    bool found = false;
    ((found = found || std::is_same_v<Message, Messages>, place += found ? 0 : 1), ...);
    return place;
}
template <typename Set, typename Message>
constexpr std::size_t place = place_in<Message>(static_cast<Set*>(nullptr));

/// Whether there is one rule for each member of the set, in its order.
template <typename Set, typename Rules>
consteval bool has_all(const Rules& rules) {
    for (std::size_t i = 0; i < rules.size(); ++i)
        if (rules[i].message != i) return false;
    return rules.size() == std::variant_size_v<Set>;
}

template <typename Message>
constexpr std::size_t worker_says = place<FromWorker, Message>;
template <typename Message>
constexpr std::size_t decryptor_says = place<FromDecryptor, Message>;

constexpr std::array of_worker = {
    Rule{worker_says<LogLine>, When::always, Kind::plain},  // RemoteLog bounds the bytes
    Rule{worker_says<Failed>, When::until_the_end, Kind::request},
    Rule{worker_says<Ask>, When::until_the_end, Kind::request},
    Rule{worker_says<Answer>, When::until_the_end, Kind::request},
    Rule{worker_says<InterfaceNews>, When::until_the_end, Kind::news},
    Rule{worker_says<AttemptNews>, When::until_the_end, Kind::news},
    Rule{worker_says<Pong>, When::always, Kind::plain},  // one that was not asked for ends the process
    Rule{worker_says<AddressUsable>, When::until_the_end, Kind::news},
    Rule{worker_says<Idle>, When::until_the_end, Kind::news},
    Rule{worker_says<Echo>, When::until_the_end, Kind::news},
};
static_assert(has_all<FromWorker>(of_worker));

constexpr std::array of_decryptor = {
    Rule{decryptor_says<LogLine>, When::always, Kind::plain},
    Rule{decryptor_says<Failed>, When::until_the_end, Kind::plain},
    Rule{decryptor_says<KeysGood>, When::until_the_end, Kind::plain},
    Rule{decryptor_says<Password>, When::until_the_end, Kind::plain},  // the answer queue takes one for each answer
    Rule{decryptor_says<NotDecrypted>, When::until_the_end, Kind::plain},
    Rule{decryptor_says<Pong>, When::always, Kind::plain},
    Rule{decryptor_says<NeedPassphrase>, When::until_the_end, Kind::question},
    Rule{decryptor_says<Interrupted>, When::until_the_end, Kind::plain},
};
static_assert(has_all<FromDecryptor>(of_decryptor));

// ---- What the worker may have done

enum class Interface {
    any,
    to_be_used,  // by the options
    to_be_up,    // the same, and to be brought up unless it is up, when it is only counted as used
};
enum class Destination {
    any,
    server,  // an address that a server beyond the link can have
};
struct RequestRule {
    std::size_t message;
    Interface interface;
    Destination destination;
    const char* action;  // as a message names it
};
template <typename Request>
constexpr std::size_t asks_to = place<changes::Request, Request>;

constexpr std::array of_requests = {
    RequestRule{asks_to<changes::StartHooks>, Interface::any, Destination::any, ""},  // they run once
    RequestRule{asks_to<changes::BringUp>, Interface::to_be_up, Destination::any, "bring up"},
    RequestRule{asks_to<changes::AddHostRoute>, Interface::to_be_used, Destination::server, "add a route over"},
    RequestRule{asks_to<changes::RemoveHostRoute>, Interface::any, Destination::any, ""},  // only what was added goes
    RequestRule{asks_to<changes::LowerConsoleLevel>, Interface::any, Destination::any, ""},
    RequestRule{asks_to<changes::RestoreConsoleLevel>, Interface::any, Destination::any, ""},
};
static_assert(has_all<changes::Request>(of_requests));

Error refusal(std::string tried, std::string why) {
    return {ExitCode::unavailable, std::move(tried), std::move(why), ""};
}

}  // namespace

RequestPolicy::RequestPolicy(network::InterfaceChoice choice, FindLink find_link, const base::Log& log)
    : choice_(std::move(choice)),
      find_link_(std::move(find_link)),
      log_(log),
      worker_messages_(worker_messages),
      worker_requests_(worker_requests),
      worker_news_(worker_news),
      decryptor_messages_(decryptor_messages),
      passphrase_questions_(passphrase_questions) {
}

Verdict RequestPolicy::admit(const FromWorker& message, base::Time now, bool is_over) {
    const Rule& rule = of_worker[message.index()];
    if (!worker_messages_.take(now)) return Verdict::end_process;
    if (is_over && rule.when == When::until_the_end) return Verdict::ignore;
    if (rule.kind == Kind::news && !worker_news_.take(now)) return Verdict::leave_out;
    if (rule.kind == Kind::request && !worker_requests_.take(now)) return Verdict::refuse;
    return Verdict::handle;
}

Verdict RequestPolicy::admit(const FromDecryptor& message, base::Time now, bool is_over) {
    const Rule& rule = of_decryptor[message.index()];
    if (!decryptor_messages_.take(now)) return Verdict::end_process;
    if (is_over && rule.when == When::until_the_end) return Verdict::ignore;
    if (rule.kind == Kind::question && !passphrase_questions_.take(now)) return Verdict::ignore;
    return Verdict::handle;
}

Result<void> RequestPolicy::judge(const changes::Request& request) {
    const RequestRule& rule = of_requests[request.index()];
    return std::visit(
        [&](const auto& asked) -> Result<void> {
            if constexpr (requires { asked.destination; })
                if (rule.destination == Destination::server)
                    if (auto good = judge_destination(asked.destination); !good) return good;
            if constexpr (requires { asked.interface; })
                if (rule.interface != Interface::any)
                    return judge_interface(rule.action, asked.interface, rule.interface == Interface::to_be_up);
            return {};
        },
        request);
}

Result<void> RequestPolicy::judge_interface(const char* action, std::uint32_t interface, bool to_bring_up) {
    std::string tried = base::format("refused to %s interface number %u", action, interface);
    const auto link = find_link_(interface);
    if (!link) return link.error();
    if (!*link) return refusal(std::move(tried), "there is none with that number");
    const network::Use use = choice_.use(**link);
    const bool up = ((*link)->flags & IFF_UP) != 0;
    if (use == network::Use::ignore || (to_bring_up && use != network::Use::bring_up && !up))
        return refused(std::move(tried), "it is not one of those to be used");
    return {};
}

Result<void> RequestPolicy::judge_destination(const base::IpAddress& destination) {
    if (!destination.is_loopback() && !destination.is_unspecified() && !destination.is_multicast() &&
        !destination.is_link_local())
        return {};
    return refused("refused to add a route to " + destination.text(), "no server can have that address");
}

// What a sound worker never asks for.
Error RequestPolicy::refused(std::string tried, std::string why) {
    ++refusals_;
    Error error = refusal(std::move(tried), std::move(why));
    log_.warning(error.message());
    return error;
}

void RequestPolicy::worker_started() {
    worker_messages_ = worker_messages;
    worker_requests_ = worker_requests;
    worker_news_ = worker_news;
    refusals_ = 0;
}

void RequestPolicy::decryptor_started() {
    decryptor_messages_ = decryptor_messages;
}

}  // namespace bootkey::monitor
