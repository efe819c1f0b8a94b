// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/queries.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "bootkey/management/fields.hpp"

namespace bootkey::management {
namespace {

// OpenVPN's words for the parts, in the order of the enumeration.
constexpr std::array<const char*, 4> words{"username", "password", "needok-confirmation", "needstr-string"};

const char* word(Part part) {
    return words.at(static_cast<std::size_t>(part));
}

std::string quoted(std::string_view name) {
    return "'" + field(name, '\'') + "'";
}

auto called(Query::Kind kind, std::string_view name) {
    return [kind, name](const auto& pending) { return pending.query.kind == kind && pending.query.name == name; };
}

}  // namespace

std::string request(const Query& query) {
    const std::string name = quoted(query.name);
    switch (query.kind) {
        case Query::Kind::password:
            return ">PASSWORD:Need " + name + " password";
        case Query::Kind::credentials:
            return ">PASSWORD:Need " + name + " username/password";
        case Query::Kind::confirmation:
            return ">NEED-OK:Need " + name + " confirmation MSG:" + rest_of_line(query.message);
        case Query::Kind::text:
            return ">NEED-STR:Need " + name + " input MSG:" + rest_of_line(query.message);
    }
    return {};
}

std::string withdrawal(Query::Kind kind, std::string_view name) {
    constexpr std::array<const char*, 4> asked{"password", "username/password", "confirmation", "input"};
    return ">INFO:" + quoted(name) + " " + asked.at(static_cast<std::size_t>(kind)) + " is no longer needed";
}

std::string verification_failure(std::string_view name) {
    return ">PASSWORD:Verification Failed: " + quoted(name);
}

bool Queries::lacks(const Pending& pending, Part part) {
    const auto kind = pending.query.kind;
    if (part == Part::username) return kind == Query::Kind::credentials && !pending.username;
    if (part == Part::confirmation) return kind == Query::Kind::confirmation;
    if (part == Part::text) return kind == Query::Kind::text;
    return (kind == Query::Kind::password || kind == Query::Kind::credentials) && !pending.value;
}

void Queries::ask(Query query) {
    const auto same = std::find_if(pending_.begin(), pending_.end(), called(query.kind, query.name));
    if (same != pending_.end())
        *same = Pending{std::move(query), {}, {}};
    else
        pending_.push_back({std::move(query), {}, {}});
}

bool Queries::withdraw(Query::Kind kind, std::string_view name) {
    return std::erase_if(pending_, called(kind, name)) > 0;
}

bool Queries::is_pending(Query::Kind kind, std::string_view name) const {
    return std::any_of(pending_.begin(), pending_.end(), called(kind, name));
}

std::vector<Query> Queries::pending() const {
    std::vector<Query> queries;
    for (const auto& each : pending_) queries.push_back(each.query);
    return queries;
}

bool Queries::wants(Part part, std::string_view name) const {
    return std::any_of(pending_.begin(), pending_.end(),
                       [&](const Pending& each) { return each.query.name == name && lacks(each, part); });
}

Queries::Verdict Queries::enter(Part part, std::string_view name, base::Secret value) {
    const auto wanted = [part](const Pending& each) { return lacks(each, part); };
    const auto first = std::find_if(pending_.begin(), pending_.end(), wanted);
    if (first == pending_.end())
        return {false, std::string("no ") + word(part) + " is currently needed at this time", {}};
    const auto meant = std::find_if(first, pending_.end(),
                                    [&](const Pending& each) { return wanted(each) && each.query.name == name; });
    if (meant == pending_.end())
        return {false,
                word(part) + (" of type '" + shown_word(name)) + "' entered, but we need one of type " +
                    quoted(first->query.name),
                {}};

    Verdict verdict{true, "'" + shown_word(name) + "' " + word(part) + " entered, but not yet verified", {}};
    (part == Part::username ? meant->username : meant->value) = std::move(value);
    const bool whole = meant->value && (meant->username || meant->query.kind != Query::Kind::credentials);
    if (!whole) return verdict;
    verdict.answer =
        Answer{std::move(meant->query), std::move(meant->username).value_or(base::Secret()), std::move(*meant->value)};
    pending_.erase(meant);
    return verdict;
}

void Queries::forget() {
    for (auto& each : pending_) {
        each.username.reset();
        each.value.reset();
    }
}

}  // namespace bootkey::management
