// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/password_outcome.hpp"

#include "bootkey/base/text.hpp"

namespace bootkey::control {
namespace {

constexpr std::size_t longest_reason = 256;  // bytes

}  // namespace

std::optional<PasswordOutcome::Verdict> PasswordOutcome::take(std::string_view line) {
    constexpr std::string_view state = ">STATE:", fatal = ">FATAL:", failed = ">PASSWORD:Verification Failed: '";
    if (line.starts_with(fatal)) {
        why_ = base::printable(line.substr(fatal.size()), longest_reason);
        return ended();
    }
    if (line.starts_with(failed)) {
        const auto rest = line.substr(failed.size());
        if (!given_ || rest.substr(0, rest.find('\'')) != type_) return std::nullopt;
        return Verdict::wrong;
    }
    if (!line.starts_with(state)) return std::nullopt;
    const auto fields = base::split(line.substr(state.size()), ',');
    if (fields.size() < 3) return std::nullopt;
    if (fields[1] == "CONNECTED") handed_over_ = true;
    if (fields[1] == "RECONNECTING") handed_over_ = false;  // it was refused
    if (fields[1] != "EXITING") return std::nullopt;
    if (why_.empty()) why_ = base::printable(fields[2], longest_reason);
    return ended();
}

}  // namespace bootkey::control
