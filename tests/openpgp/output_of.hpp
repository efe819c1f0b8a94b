// SPDX-License-Identifier: GPL-3.0-or-later
//
// What other programs say, for comparison with what ours do.
#pragma once

#include <cstdio>
#include <string>

#include "catch.hpp"

namespace bootkey::openpgp::testing {

struct Output {
    int status;  ///< of the shell, as wait(2) gives it
    std::string text;
};

/// The standard output of the shell command `command`.
inline Output output_of(const std::string& command) {
    FILE* stream = popen(command.c_str(), "re");  // NOLINT(cert-env33-c): the commands are the tests' own
    REQUIRE(stream != nullptr);
    Output output{0, {}};
    char buffer[4096];
    for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, stream)) > 0;)
        output.text.append(buffer, count);
    output.status = pclose(stream);
    return output;
}

}  // namespace bootkey::openpgp::testing
