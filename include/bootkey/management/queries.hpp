// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is asked of the person behind the management interface, and which part of the answer is still missing. Pure. A
// user name that has come waits here for its password, in a Secret.
#pragma once

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
    Kind kind;
    std::string name;     ///< 'Disk', 'Private Key', 'Auth', 'token-insertion-request', …
    std::string message;  ///< what a person is told; for confirmation and text only
};

}  // namespace bootkey::management
