// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/result.hpp"

#include <cerrno>
#include <cstring>

namespace bootkey::base {

std::string Error::message() const {
    std::string text = tried;
    if (!why.empty()) text += (text.empty() ? "" : ": ") + why;
    if (!advice.empty()) text += "; " + advice;
    return text;
}

Error system_error(std::string tried, int errno_value, std::string advice, ExitCode code) {
    const bool shortage =
        errno_value == ENOMEM || errno_value == ENOBUFS || errno_value == EMFILE || errno_value == ENFILE;
    if (shortage) code = ExitCode::os_error;
    char buffer[128];
    // The GNU strerror_r returns the text, which need not be in the buffer.
    return {code, std::move(tried), strerror_r(errno_value, buffer, sizeof buffer), std::move(advice)};
}

}  // namespace bootkey::base
