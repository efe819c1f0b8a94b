// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/askpass_offers.hpp"

#include <algorithm>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::console {

std::string name_of_device(const std::string& device) {
    return device.empty() ? "a device without name" : "device " + base::escaped(device);
}

void AskpassOffers::answered(AnswerNumber answer, PasswordNumber password) {
    const auto known = std::ranges::find(kept_, password, &Kept::password);
    if (known != kept_.end() && known->answers.size() < most_answers)
        known->answers.push_back(answer);
    else if (known != kept_.end())
        actions_.push_back(Refuse{answer, "its password has come often enough"});
    else if (kept_.size() < most_kept)
        kept_.push_back({password, {answer}});
    else
        actions_.push_back(Refuse{answer, "too many other passwords wait to be tried"});
}

void AskpassOffers::waits(const Prompt& prompt) {
    Device& device = devices_[prompt.device];
    if (const auto last = std::exchange(device.last, {})) device.refused.insert(*last);
    waiting_[prompt.process] = {prompt};
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
    for (const auto& [process, waiting] : waiting_) refuse_all(waiting);
    if (!offer_ && waiting_.size() == 1) {
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
            actions_.push_back(Refuse{answer, "its password did not open " + name_of_device(waiting.prompt.device)});
        return true;
    });
}

// The first that came. What another device has taken comes before what it has not been offered yet.
const AskpassOffers::Kept* AskpassOffers::choose(const Device& device) const {
    const auto next =
        std::ranges::find_if(kept_, [&](const Kept& kept) { return !device.offered.contains(kept.password); });
    return next == kept_.end() ? nullptr : &*next;
}

}  // namespace bootkey::console
