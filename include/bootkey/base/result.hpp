// SPDX-License-Identifier: GPL-3.0-or-later
//
// Errors as values. An Error says what was tried and on what, why it failed and what a person can do
// about it; its code is also the exit status the program ends with if nobody recovers (sysexits.h).
// A Result<T> holds either a T or an Error and is never silently dropped.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace bootkey::base {

/// Exit statuses, with the numbers of sysexits.h.
enum class ExitCode : int {
    ok = 0,
    usage = 64,            ///< EX_USAGE: wrong option or value
    command_refused = 65,  ///< EX_DATAERR: a management interface answers a command with ERROR
    no_input = 66,         ///< EX_NOINPUT: a key file is missing or unusable
    unavailable = 69,      ///< EX_UNAVAILABLE: a service, server or library is not available
    os_error = 71,         ///< EX_OSERR: the operating system refused something it should not refuse
    cannot_create = 73,    ///< EX_CANTCREAT: a file could not be created
    io_error = 74,         ///< EX_IOERR: the output could not be written, or not whole
    temporary = 75,        ///< EX_TEMPFAIL: the reader of the output went away
    no_permission = 77,    ///< EX_NOPERM: a needed action is not permitted
};

/// What failed. Every text is for a person; none may hold a secret.
struct Error {
    ExitCode code = ExitCode::os_error;
    std::string tried;   ///< the action and its object: "cannot open key file /x/seckey.txt"
    std::string why;     ///< the reason: "Permission denied"
    std::string advice;  ///< what to do about it, or empty: "run bootkey as root"

    /// "tried: why; advice", in one line.
    [[nodiscard]] std::string message() const;
};

/// An Error for a system call that failed with `errno_value`; the reason is strerror's text. Want of memory or file
/// descriptors is the operating system's failure, whatever they were wanted for, and not one of `code`.
[[nodiscard]] Error system_error(std::string tried, int errno_value, std::string advice = {},
                                 ExitCode code = ExitCode::os_error);

/// A value or an Error. `Result<void>` is success or an Error.
template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    /// The value. Only if ok(); otherwise throws std::bad_variant_access.
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    T* operator->() { return &std::get<0>(state_); }
    const T* operator->() const { return &std::get<0>(state_); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::get<0>(std::move(state_)); }

    /// The error. Only if not ok().
    [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
    [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
    [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }

private:
    std::variant<std::monostate, Error> state_;
};

}  // namespace bootkey::base
