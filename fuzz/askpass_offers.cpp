// SPDX-License-Identifier: GPL-3.0-or-later
//
// The environment of processes that wait for a password, and what they are offered after any sequence of news.
// Accepted: one was offered something.
#include <map>
#include <set>
#include <string>

#include "bootkey/console/askpass_offers.hpp"
#include "bootkey/console/waiting_askpass.hpp"
#include "fuzz.hpp"

using namespace bootkey;
using namespace bootkey::console;

bool fuzz::run(Input input) {
    Script script(input);
    AskpassOffers offers;
    std::map<ProcessNumber, Prompt> waiting;
    std::set<std::pair<std::string, PasswordNumber>> taken;
    std::set<AnswerNumber> refused;
    std::optional<Offer> offer;
    bool accepted = false;
    for (pid_t pid = 1; !script.ended(); ++pid) {
        const unsigned what = script.below(5);
        if (what == 0)
            offers.answered(static_cast<AnswerNumber>(pid), script.below(20),
                            {std::to_string(script.below(4)), script.below(2) == 0});
        if (what == 1) {
            const Prompt& prompt = waiting[pid] = prompt_of(pid, script.until("\n"));
            offers.waits(prompt);
            // In a new round of tries it may be offered again.
            if (prompt.tried == 0 && prompt.tries != 1)
                std::erase_if(taken, [&](const auto& one) { return one.first == prompt.device; });
        }
        if (what == 2 && !waiting.empty()) offers.gone(waiting.extract(waiting.begin()).key());
        if (what == 3 && offer) taken.emplace(offer->device, offer->password);
        if (what >= 3) what == 3 ? offers.taken() : offers.not_taken(), offer.reset();
        for (const AskpassAction& action : offers.decide()) {
            if (const auto* refusal = std::get_if<Refuse>(&action)) {
                require(refused.insert(refusal->answer).second, "an answer is refused once");
                continue;
            }
            require(!offer && waiting.size() == 1, "one process is offered one password at a time");
            offer = std::get<Offer>(action);
            const Prompt& prompt = waiting.begin()->second;
            require(prompt.process == offer->process && !prompt.is_last_try(), "the last try is the person's");
            require(taken.count({prompt.device, offer->password}) == 0,
                    "a device is offered a password once in a round of tries");
            accepted = true;
        }
    }
    return accepted;
}
