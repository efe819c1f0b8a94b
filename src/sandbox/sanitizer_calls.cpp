// SPDX-License-Identifier: GPL-3.0-or-later
//
// For builds with the address and undefined-behaviour sanitizers, never for one that is installed.
#include "bootkey/sandbox/system_calls.hpp"

namespace bootkey::sandbox {

CallTable sanitizer_calls() {
    return {
        allow("prctl"),
    };
}

}  // namespace bootkey::sandbox
