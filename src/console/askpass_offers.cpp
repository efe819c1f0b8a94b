// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/askpass_offers.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::console {

std::string name_of_device(const std::string& device) {
    return device.empty() ? "a device without name" : "device " + base::escaped(device);
}

void AskpassOffers::answered(AnswerNumber answer, PasswordNumber password, const Sender& sender) {
    auto known = std::ranges::find(kept_, password, &Kept::password);
    if (known != kept_.end() && known->answers.size() >= most_answers)
        return refuse(answer, "its password has come often enough");
    if (known == kept_.end()) {
        if (kept_.size() >= most_kept && !make_room_for(sender))
            return refuse(answer, "too many other passwords wait to be tried");
        known = kept_.insert(kept_.end(), Kept{.password = password, .answers = {}, .hosts = {}});
    }
    known->answers.push_back(answer);
    known->is_preferred |= sender.is_preferred;
    if (std::ranges::find(known->hosts, sender.host) == known->hosts.end()) known->hosts.push_back(sender.host);
}

// One host's many passwords do not keep another's out: of the host that has most, the last one goes that nobody prefers
// and that no device has, or is about to get.
bool AskpassOffers::make_room_for(const Sender& sender) {
    std::map<std::string, std::size_t> counts;
    for (const Kept& kept : kept_) ++counts[kept.hosts.front()];
    const auto most = std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
    if (most->second < 2 && !sender.is_preferred) return false;
    if (most->first == sender.host) return false;
    const auto is_in_use = [&](PasswordNumber password) {
        return (offer_ && offer_->password == password) ||
               std::ranges::any_of(devices_, [&](const auto& device) { return device.second.last == password; });
    };
    const auto may_go = [&](const Kept& kept) {
        return kept.hosts.front() == most->first && !kept.is_preferred && !is_in_use(kept.password);
    };
    const auto victim = std::find_if(kept_.rbegin(), kept_.rend(), may_go);
    if (victim == kept_.rend()) return false;
    for (const AnswerNumber answer : victim->answers) refuse(answer, "its host has sent too many other passwords");
    kept_.erase(std::next(victim).base());
    return true;
}

void AskpassOffers::waits(const Prompt& prompt) {
    if (!prompt.foreign_keyscript.empty()) {
        waiting_[prompt.process] = {prompt};
        return;
    }
    Device& device = devices_[prompt.device];
    if (device.last) refuse_last(device);
    waiting_[prompt.process] = {prompt};
    if (begins_round(prompt)) {
        refuse_all(waiting_[prompt.process]);
        device.offered.clear();
        device.refused.clear();
    }
}

// With one try only, every prompt begins a round, and a person would never be asked in vain.
bool AskpassOffers::begins_round(const Prompt& prompt) {
    return !prompt.device.empty() && prompt.tried == 0 && prompt.tries != 1;
}

void AskpassOffers::refuse(AnswerNumber answer, std::string why) {
    actions_.emplace_back(std::in_place_type<Refuse>, answer, std::move(why));
}

// The device asks again, so that was the wrong one.
void AskpassOffers::refuse_last(Device& device) {
    const PasswordNumber wrong = *std::exchange(device.last, {});
    device.refused.insert(wrong);
    const auto kept = std::ranges::find(kept_, wrong, &Kept::password);
    if (kept == kept_.end()) return;
    for (const std::string& host : kept->hosts)
        if (!host.empty()) ++device.refusals[host];  // a person may mistype as often as they like
}

void AskpassOffers::gone(ProcessNumber process) {
    waiting_.erase(process);
}

void AskpassOffers::taken() {
    if (!offer_) return;
    Device& device = devices_[offer_->device];
    device.offered.insert(offer_->password);
    device.last = offer_->password;
    not_taken();
}

void AskpassOffers::not_taken() {
    if (!offer_) return;
    if (const auto waiting = waiting_.find(offer_->process); waiting != waiting_.end()) waiting->second.served = true;
    offer_.reset();
}

bool AskpassOffers::keeps(PasswordNumber password) const {
    return std::ranges::find(kept_, password, &Kept::password) != kept_.end();
}

std::vector<AskpassAction> AskpassOffers::decide() {
    for (const auto& [process, waiting] : waiting_)
        if (waiting.prompt.foreign_keyscript.empty()) refuse_all(waiting);
    if (!offer_ && waiting_.size() == 1 && waiting_.begin()->second.prompt.foreign_keyscript.empty()) {
        const auto& [process, waiting] = *waiting_.begin();
        const Kept* next = choose(devices_[waiting.prompt.device]);
        if (next != nullptr && !waiting.served && !waiting.prompt.is_last_try()) {
            offer_ = Offer{process, next->password, waiting.prompt.device};
            actions_.push_back(*offer_);
        }
    }
    return std::exchange(actions_, {});
}

// What the device that asks now has refused is fetched anew, since it may be mended at the server meanwhile.
void AskpassOffers::refuse_all(const Waiting& waiting) {
    const auto& refused = devices_[waiting.prompt.device].refused;
    std::erase_if(kept_, [&](const Kept& kept) {
        if (!refused.contains(kept.password) || (offer_ && offer_->password == kept.password)) return false;
        for (const AnswerNumber answer : kept.answers)
            refuse(answer, "its password did not open " + name_of_device(waiting.prompt.device));
        return true;
    });
}

// Of the hosts that sent it the one of which the device has refused least. A password that one sound server sends, too,
// is not held against that.
unsigned AskpassOffers::refusals_of(const Kept& kept, const Device& device) {
    unsigned least = std::numeric_limits<unsigned>::max();
    for (const std::string& host : kept.hosts) {
        const auto found = device.refusals.find(host);
        least = std::min(least, found == device.refusals.end() ? 0 : found->second);
    }
    return least;
}

// Among equals the first that came. What another device has taken comes before what it has not been offered yet.
const AskpassOffers::Kept* AskpassOffers::choose(const Device& device) const {
    const Kept* best = nullptr;
    const auto rank = [&](const Kept& kept) { return std::pair(refusals_of(kept, device), !kept.is_preferred); };
    for (const Kept& kept : kept_)
        if (!device.offered.contains(kept.password) && (best == nullptr || rank(kept) < rank(*best))) best = &kept;
    return best;
}

}  // namespace bootkey::console
