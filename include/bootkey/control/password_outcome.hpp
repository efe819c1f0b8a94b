// SPDX-License-Identifier: GPL-3.0-or-later
//
// What becomes of a password that was given to a management interface, from the notifications that follow. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bootkey::control {

class PasswordOutcome {
public:
    enum class Verdict {
        unlocked,  ///< a password was handed over, and the other program has ended
        wrong,     ///< the one that was given does not fit
        given_up,  ///< the other program has ended without one
    };

    /// `type`: of the password, such as "Disk"; empty: of none.
    explicit PasswordOutcome(std::string type) : type_(std::move(type)) {}

    /// The password was given and taken: what is said to be wrong from now on is that one.
    void given() { given_ = true; }
    /// Takes a line, of which only notifications tell anything. Returns what became of the password once that is sure.
    [[nodiscard]] std::optional<Verdict> take(std::string_view line);
    /// The same when the connection is closed.
    [[nodiscard]] Verdict ended() const { return handed_over_ ? Verdict::unlocked : Verdict::given_up; }
    /// Whether a password is on its way to the device, which may refuse it still.
    [[nodiscard]] bool handed_over() const { return handed_over_; }
    /// Why the other program ended, as it says, fit to be shown; empty: unknown.
    [[nodiscard]] const std::string& why() const { return why_; }

private:
    std::string type_;
    bool given_ = false;
    bool handed_over_ = false;
    std::string why_;
};

}  // namespace bootkey::control
