// SPDX-License-Identifier: GPL-3.0-or-later
//
// The command line, one word a line. Accepted: if it makes sense.
#include "bootkey/options/command_line.hpp"

#include <algorithm>

#include "fuzz.hpp"

using namespace bootkey;

namespace {

base::Result<options::ParseOutcome> parse(std::vector<std::string> words, bool set_user_id) {
    std::vector<char*> argv(words.size() + 1);  // a null pointer at the end
    std::ranges::transform(words, argv.begin(), [](std::string& word) { return word.data(); });
    return options::parse(static_cast<int>(words.size()), argv.data(), set_user_id, "/nonexistent/bootkey.conf");
}

}  // namespace

bool fuzz::run(Input input) {
    std::vector<std::string> words = {"bootkey"};
    bool may_be_doubled = true;
    for (Script script(input); !script.ended();) {
        const auto& word = words.emplace_back(std::string(script.until("\n")).c_str());  // no NUL within
        if (word.starts_with("--conf")) return false;     // it would open whatever file is named
        may_be_doubled = may_be_doubled && word != "--";  // words behind that are no options
    }
    const auto outcome = parse(words, false);
    const auto privileged = parse(words, true);
    require(outcome || !privileged, "in set-user-ID use nothing more is accepted");
    for (const auto* one : {&outcome, &privileged})
        if (!*one) require_readable(one->error().message());
    if (!outcome || std::holds_alternative<options::Information>(*outcome)) return outcome.ok();
    const auto& made = std::get<options::Options>(*outcome);
    require(made.verb >= 0 && made.verb <= 15 && made.retry >= 100ms && made.retry <= 24h, "values are limited");
    require(!made.connect || made.servers.empty(), "--connect is alone");
    require(made.tls_pubkey.empty() == made.tls_privkey.empty(), "TLS keys are a pair");
    auto twice = words;
    twice.insert(twice.end(), words.begin() + 1, words.end());
    require(!may_be_doubled || parse(twice, false), "an option may be repeated");
    return true;
}
