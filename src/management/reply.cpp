// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/reply.hpp"

#include <utility>

namespace bootkey::management {

void Reply::success(std::string_view text) {
    line("SUCCESS: " + std::string(text));
}

void Reply::error(std::string_view text) {
    line("ERROR: " + std::string(text));
}

void Reply::line(std::string_view text) {
    if (parts_.empty() || !std::holds_alternative<std::string>(parts_.back())) parts_.emplace_back(std::string());
    (std::get<std::string>(parts_.back()) += text) += "\r\n";
}

void Reply::lines(Source source) {
    parts_.emplace_back(std::move(source));
}

void Reply::move_to(std::string& out, std::size_t enough) {
    while (!parts_.empty() && out.size() < enough) {
        if (const auto* text = std::get_if<std::string>(&parts_.front())) {
            out += *text;
            parts_.pop_front();
        } else if (const auto next = std::get<Source>(parts_.front())()) {
            (out += *next) += "\r\n";
        } else {
            parts_.pop_front();
        }
    }
}

}  // namespace bootkey::management
