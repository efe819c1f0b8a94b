// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is asked of the person behind the management interface, and which part of the answer is still missing. Pure. The
// half of an answer that has come waits here for the other, in a Secret.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/secret.hpp"

namespace bootkey::management {

/// A question; it is known by its kind and name.
struct Query {
    enum class Kind {
        password,      ///< >PASSWORD:Need 'NAME' password
        credentials,   ///< >PASSWORD:Need 'NAME' username/password
        confirmation,  ///< >NEED-OK:Need 'NAME' confirmation MSG:MESSAGE
        text,          ///< >NEED-STR:Need 'NAME' input MSG:MESSAGE
    };
    Kind kind = Kind::password;
    std::string name;          ///< 'Disk', 'Private Key', 'Auth', 'release-password'
    std::string message = {};  ///< what a person is told; for confirmation and text only
};

/// The line that asks it, without its end.
[[nodiscard]] std::string request(const Query& query);
/// The line that says that the question is answered or void, for those who did not answer it, without its end.
[[nodiscard]] std::string withdrawal(Query::Kind kind, std::string_view name);
/// The line that says that the password given for the question of this name was wrong, without its end.
[[nodiscard]] std::string verification_failure(std::string_view name);

/// What a client hands in with one command.
enum class Part { username, password, confirmation, text };

class Queries {
public:
    /// A question with all that was asked for. `username` is empty for kinds that have none.
    struct Answer {
        Query query;
        base::Secret username;
        base::Secret value;
    };
    /// What enter() made of it: whether the part was wanted, what the client is told, and the answer if it is whole
    /// now.
    struct Verdict {
        bool wanted = false;
        std::string text;
        std::optional<Answer> answer;
    };

    /// Asks, or asks anew what is pending already.
    void ask(Query query);
    /// Returns whether it was pending.
    bool withdraw(Query::Kind kind, std::string_view name);
    [[nodiscard]] bool is_pending(Query::Kind kind, std::string_view name) const;
    /// The questions that lack something, oldest first.
    [[nodiscard]] std::vector<Query> pending() const;
    /// Whether a part of this sort is asked for under this name: enter() would take it.
    [[nodiscard]] bool wants(Part part, std::string_view name) const;
    /// A client hands a part of the answer to the question `name` in.
    [[nodiscard]] Verdict enter(Part part, std::string_view name, base::Secret value);
    /// Wipes halves of answers, which are asked for still.
    void forget();

private:
    struct Pending {
        Query query;
        std::optional<base::Secret> username;
        std::optional<base::Secret> value;
    };
    [[nodiscard]] static bool lacks(const Pending& pending, Part part);
    std::vector<Pending> pending_;
};

}  // namespace bootkey::management
