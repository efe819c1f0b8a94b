// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/environment.hpp"

#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

// The sanitizers may not have begun yet.
#define BOOTKEY_BEFORE_LIBRARIES __attribute__((no_sanitize("address", "undefined")))

namespace bootkey::base {
namespace {

// What modes::keyring_environment() and timeline::text_style() look at, and what leads to code.
constexpr const char* kept[] = {"HOME",     "GNUPGHOME",          "GPG_TTY",         "TERM",
                                "DISPLAY",  "XAUTHORITY",         "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR",
                                "LANG",     "XDG_SESSION_TYPE",   "LC_ALL",          "DBUS_SESSION_BUS_ADDRESS",
                                "LC_CTYPE", "PINENTRY_USER_DATA", "LC_MESSAGES",     "LANGUAGE",
                                "NO_COLOR", "LD_PRELOAD",         "LD_LIBRARY_PATH", "LD_AUDIT"};

// Beginnings of names: ld.so(8), and "Tunables" in glibc's manual, which MALLOC_* are older names of.
constexpr const char* of_loader[] = {"GLIBC_TUNABLES=", "MALLOC_", "LD_"};

// Where `text` goes on behind `beginning`; null if it begins otherwise.
BOOTKEY_BEFORE_LIBRARIES const char* behind(const char* text, const char* beginning) noexcept {
    for (; *beginning != '\0'; ++beginning, ++text)
        if (*text != *beginning) return nullptr;
    return text;
}

BOOTKEY_BEFORE_LIBRARIES bool is_kept(const char* variable) noexcept {
    for (const char* name : kept) {
        const char* rest = behind(variable, name);
        if (rest != nullptr && *rest == '=') return true;
    }
    return false;
}

BOOTKEY_BEFORE_LIBRARIES bool is_of_loader(const char* variable) noexcept {
    for (const char* beginning : of_loader)
        if (behind(variable, beginning) != nullptr) return true;
    return false;
}

bool are_the_same(const char* one, const char* other) {
    struct stat first {};
    struct stat second {};
    return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

// LD_PROFILE has started a timer whose signal would end the program that is executed: the timer is kept, its handler is
// not (execve(2)).
void stop_profiling() {
    const itimerval off{};
    setitimer(ITIMER_PROF, &off, nullptr);
}

}  // namespace

BOOTKEY_BEFORE_LIBRARIES bool reduce_environment(char** environment) noexcept {
    bool took_effect = false;
    char** end = environment;
    for (char** variable = environment; *variable != nullptr; ++variable) {
        if (is_kept(*variable))
            *end++ = *variable;
        else if (is_of_loader(*variable))
            took_effect = true;
    }
    *end = nullptr;
    return took_effect;
}

// By its path if that still leads to it: the kernel names the process after what it is executed by.
Error execute_again(char** arguments, char** environment) {
    constexpr const char* self = "/proc/self/exe";
    stop_profiling();
    char path[PATH_MAX]{};
    if (readlink(self, path, sizeof path - 1) > 0 && are_the_same(path, self)) execve(path, arguments, environment);
    execve(self, arguments, environment);
    return system_error("cannot begin again without what the environment says to the dynamic loader", errno,
                        "unset GLIBC_TUNABLES and all variables that begin with MALLOC_ or LD_");
}

}  // namespace bootkey::base
