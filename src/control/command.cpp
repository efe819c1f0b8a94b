// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/command.hpp"

#include <algorithm>
#include <array>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::control {
namespace {

constexpr std::string_view blanks = " \t";

base::Error refusal(std::string why, std::string advice = {}) {
    return {base::ExitCode::usage, "command not sent", std::move(why), std::move(advice)};
}

// What servers drop: C0 without TAB, and DEL.
bool is_control(char byte) {
    return (static_cast<unsigned char>(byte) < ' ' && byte != '\t') || byte == '\x7f';
}

// ---- Taking lines apart

// The first two words of a line and how many there are. More are not kept: one of them may be a secret.
struct Words {
    std::array<std::string, 2> first;
    std::size_t count = 0;
};

Words words_of(std::string_view line) {
    Words words;
    bool inside = false;
    char quote = '\0';
    for (std::size_t i = 0; i < line.size(); ++i) {
        char byte = line[i];
        if (!inside) {
            if (blanks.find(byte) != blanks.npos) continue;
            inside = true;
            ++words.count;
            quote = byte == '"' || byte == '\'' ? byte : '\0';
            if (quote != '\0') continue;
        }
        if (quote != '\0' ? byte == quote : blanks.find(byte) != blanks.npos) {
            inside = false;
            continue;
        }
        if (byte == '\\' && quote != '\'' && i + 1 < line.size()) byte = line[++i];
        if (words.count <= words.first.size()) words.first[words.count - 1] += byte;
    }
    return words;
}

// ---- Putting lines together

// Calls `put` with every byte of `word` as it stands between double quotes.
template <typename Put>
void escape(std::string_view word, Put put) {
    for (const char byte : word) {
        if (byte == '"' || byte == '\\') put('\\');
        put(byte);
    }
}

std::string in_double_quotes(std::string_view word) {
    std::string text = "\"";
    escape(word, [&](char byte) { text += byte; });
    return text + '"';
}

base::Result<std::string> joined(const std::vector<std::string>& words) {
    if (words.size() == 1) return words.front();
    std::string line;
    for (const std::string& word : words) {
        if (word.size() > longest_word)
            return refusal(base::format("a word of it is longer than %zu bytes", longest_word));
        if (!line.empty()) line += ' ';
        const bool plain = !word.empty() && word.find_first_of(" \t\"'\\#;") == word.npos;
        line += plain ? word : in_double_quotes(word);
    }
    return line;
}

std::string_view text_of(const base::Secret& secret) {
    return {reinterpret_cast<const char*>(secret.bytes().data()), secret.size()};
}

}  // namespace

base::Result<std::string> command_from(const std::vector<std::string>& words) {
    auto line = joined(words);
    if (!line) return line;
    if (std::ranges::any_of(*line, is_control)) return refusal("it holds control characters", "give one command");
    if (line->size() > longest_command) return refusal(base::format("it is longer than %zu bytes", longest_command));
    const std::string_view command = base::trim(*line);
    if (command.empty() || command.starts_with('#') || command.starts_with(';'))
        return refusal("there is no command in it", "see bootkey --control help");
    if (const Words parts = words_of(command); parts.first[0] == "password" && parts.count > 2)
        return refusal("everybody on this machine can read a password that is given as an argument",
                       "leave it out to be asked for it, or give it on standard input");
    return line;
}

std::optional<std::string> password_left_out(std::string_view line) {
    const Words words = words_of(base::trim(line));
    if (words.first[0] != "password" || words.count > 2) return std::nullopt;
    return words.first[1];
}

base::Result<base::Secret> password_command(std::string_view type, const base::Secret& password) {
    const std::string_view value = text_of(password);
    if (value.size() > longest_word)
        return refusal(
            base::format("the password is longer than the %zu bytes that a management interface takes", longest_word));
    if (std::ranges::any_of(value, is_control))
        return refusal("control characters in a password do not get through a management interface");
    const std::string begin = "password " + in_double_quotes(type) + " \"";
    auto line = base::Secret::with_capacity(begin.size() + 2 * value.size() + 2);
    if (!line) return line;
    bool fits = line->append(base::bytes_of(begin));
    escape(value, [&](char byte) { fits = line->append(base::bytes_of({&byte, 1})) && fits; });
    fits = line->append(base::bytes_of("\"\n")) && fits;
    if (!fits) return refusal("the password does not fit into a line");
    return line;
}

void LastReply::sent(std::string_view line) {
    if (words_of(line).first[0] == "pid") ++alike_;
}

bool LastReply::take(std::string_view reply) {
    if (!reply.starts_with("SUCCESS: pid=")) return false;
    if (alike_ == 0) return true;
    --alike_;
    return false;
}

std::optional<std::string> needed_password(std::string_view notification) {
    constexpr std::string_view begin = ">PASSWORD:Need '";
    constexpr std::string_view end = "' password";  // "' username/password" needs two answers
    if (!notification.starts_with(begin)) return std::nullopt;
    notification.remove_prefix(begin.size());
    const auto place = notification.find(end);
    if (place == notification.npos) return std::nullopt;
    return std::string(notification.substr(0, place));
}

}  // namespace bootkey::control
