// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/hook_dialogue.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::network {
namespace {

constexpr std::string_view asking_word = "auth ";

bool is_line(const base::Secret& text) {
    const auto ends_it = [](std::byte byte) { return byte == std::byte{'\n'} || byte == std::byte{0}; };
    return text.size() <= HookDialogue::longest_line && std::ranges::none_of(text.bytes(), ends_it);
}

}  // namespace

bool can_be_told(const Credentials& credentials) {
    const auto nobody = base::bytes_of(nobody_line.substr(0, nobody_line.size() - 1));
    return is_line(credentials.user) && is_line(credentials.password) &&
           !std::ranges::equal(credentials.user.bytes(), nobody);
}

base::Result<base::Secret> lines_of(const Credentials& credentials) {
    auto lines = base::Secret::with_capacity(credentials.user.size() + credentials.password.size() + 2);
    if (!lines) return lines;
    for (const base::Secret* part : {&credentials.user, &credentials.password}) {
        static_cast<void>(lines->append(part->bytes()));
        static_cast<void>(lines->append(base::bytes_of("\n")));
    }
    return lines;
}

std::vector<HookDialogue::Event> HookDialogue::hear(std::string_view bytes) {
    std::vector<Event> events;
    for (const char c : bytes) {
        if (state_ == State::over) break;
        if (c == '\n')
            events.push_back(hear_line(std::exchange(line_, {})));
        else if (line_.size() == longest_line)
            events.push_back(err("its line is too long"));
        else
            line_ += c;
    }
    return events;
}

HookDialogue::Event HookDialogue::hear_line(std::string_view line) {
    if (state_ == State::asking) return err("it does not wait for the answer");
    if (line.starts_with(asking_word)) return ask(line.substr(asking_word.size()));
    if (line == "ok") return judge(true);
    if (line == "failed") return judge(false);
    return err(
        "it says what is neither \"auth REALM\" nor \"ok\" nor \"failed\"");  // but what it got, maybe: not to be shown
}

HookDialogue::Event HookDialogue::ask(std::string_view realm) {
    if (realm.empty() || realm.size() > longest_realm || !base::is_printable_utf8(realm))
        return err("it does not name what it asks for in 1 to 64 printable bytes");
    if (++questions_ > most_questions) return err("it has asked too often");
    state_ = State::asking;
    realm_ = realm;
    return Asks{realm_, realm_ == bad_realm_};
}

HookDialogue::Event HookDialogue::judge(bool good) {
    if (state_ != State::told) return err("it judges what it has not been told");
    state_ = State::quiet;
    bad_realm_ = good ? std::string() : realm_;
    return Judges{good};
}

HookDialogue::Event HookDialogue::err(std::string why) {
    state_ = State::over;
    return Errs{std::move(why)};
}

void HookDialogue::answered(bool with_credentials) {
    if (state_ == State::asking) state_ = with_credentials ? State::told : State::quiet;
}

}  // namespace bootkey::network
