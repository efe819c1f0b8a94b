// SPDX-License-Identifier: GPL-3.0-or-later
//
// The socket pair between us and a network hook, on which it asks for credentials. Owns our end. Private to the room.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/network/hook_dialogue.hpp"

namespace bootkey::network {

class HookConversation {
public:
    /// Called from the loop, and from drain(); each may call answer().
    struct Listener {
        std::function<void(const HookDialogue::Asks&)> asks;
        std::function<void(bool good)> judges;
        /// Nothing more will be said, and a question that is open is void; `why` is empty if the hook has closed its
        /// end.
        std::function<void(const std::string& why)> over;
    };

    /// A conversation and the hook's end of it. Error (os_error): no descriptors.
    [[nodiscard]] static base::Result<std::pair<std::unique_ptr<HookConversation>, base::UniqueFd>> begin(
        base::Loop& loop, Listener listener);
    HookConversation(const HookConversation&) = delete;
    HookConversation& operator=(const HookConversation&) = delete;

    /// Answers what it has asked; without credentials: nobody knows them. What cannot be told counts as bad, and is
    /// asked for again.
    void answer(const std::optional<Credentials>& credentials);

    /// Takes what the hook has said so far, now that it has ended.
    void drain();

private:
    HookConversation(base::Loop& loop, base::UniqueFd end, Listener listener);
    [[nodiscard]] bool read();
    void take(const HookDialogue::Event& event);
    void write(std::span<const std::byte> bytes);
    void end(const std::string& why);

    base::UniqueFd end_;
    Listener listener_;
    HookDialogue dialogue_;
    std::string realm_;  // asked about last
    std::unique_ptr<base::Watch> watch_;
    std::unique_ptr<base::Timer> asking_again_;
};

}  // namespace bootkey::network
