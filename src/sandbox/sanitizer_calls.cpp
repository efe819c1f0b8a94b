// SPDX-License-Identifier: GPL-3.0-or-later
//
// For builds with the address and undefined-behaviour sanitizers, never for one that is installed: what their run-time
// libraries need to report an error in a confined process. They cannot look for leaks there, since they do that from a
// second process by ptrace(2); so in confined processes they are told not to.
#include "bootkey/sandbox/system_calls.hpp"

namespace {

bool confined = false;

}  // namespace

// Asked by the leak sanitizer before it begins (sanitizer/lsan_interface.h).
extern "C" int __lsan_is_turned_off() {  // NOLINT(*-identifier*,cert-dcl*)
    return confined ? 1 : 0;
}

namespace bootkey::sandbox {

CallTable sanitizer_calls() {
    confined = true;
    return {
        allow("pipe"),  // whether an address is readable: by writing what is there into a pipe
    };
}

}  // namespace bootkey::sandbox
