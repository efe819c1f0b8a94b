// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a network hook says on its descriptor 3, line by line, and what it is told there (bootkey-hooks(7)): it asks for
// a user name and a password, gets them, and says whether they were good. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::network {

struct Credentials {
    base::Secret user;
    base::Secret password;
};

/// Whether a hook can be told them: each a line of at most 256 bytes, and the user name not "gone", which means
/// something else.
[[nodiscard]] bool can_be_told(const Credentials& credentials);
/// The lines that tell them. Error (os_error): no memory.
[[nodiscard]] base::Result<base::Secret> lines_of(const Credentials& credentials);
/// What a hook is told if nobody gives them.
inline constexpr std::string_view nobody_line = "gone\n";

class HookDialogue {
public:
    /// It asks for credentials; it is to be told exactly once, and answered() called.
    struct Asks {
        std::string realm;   ///< what they are for: 1 to 64 printable bytes (UTF-8)
        bool again = false;  ///< those that it got for this realm last were no good
    };
    struct Judges {
        bool good = false;
    };
    /// It breaks the rules, and is not listened to any more.
    struct Errs {
        std::string why;
    };
    using Event = std::variant<Asks, Judges, Errs>;

    /// What comes of the bytes that it has written, which may be any part of a line or of several.
    [[nodiscard]] std::vector<Event> hear(std::string_view bytes);
    /// It has been told what it asked for, or that there is nobody who would say.
    void answered(bool with_credentials);

    static constexpr std::size_t longest_line = 256;  ///< without its end
    static constexpr std::size_t longest_realm = 64;
    static constexpr int most_questions = 100;  ///< so that a hook cannot ask for ever

private:
    [[nodiscard]] Event hear_line(std::string_view line);
    [[nodiscard]] Event ask(std::string_view realm);
    [[nodiscard]] Event judge(bool good);
    [[nodiscard]] Event err(std::string why);

    enum class State { quiet, asking, told, over };
    State state_ = State::quiet;
    std::string line_;  // what has come of it
    std::string realm_;
    std::string bad_realm_;  // the last that it said was bad
    int questions_ = 0;
};

}  // namespace bootkey::network
