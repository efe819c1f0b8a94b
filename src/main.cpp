// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program: reads the options, hands over to what they ask for, and is the last stop for exceptions.
#include <sys/auxv.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "bootkey/base/environment.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/process_start.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/console/password_sink.hpp"
#include "bootkey/control/control.hpp"
#include "bootkey/modes/check.hpp"
#include "bootkey/modes/enroll.hpp"
#include "bootkey/modes/generate_keys.hpp"
#include "bootkey/modes/keyring_environment.hpp"
#include "bootkey/modes/restore.hpp"
#include "bootkey/monitor/monitor.hpp"
#include "bootkey/options/command_line.hpp"
#include "bootkey/options/used_files.hpp"
#include "bootkey/timeline/report.hpp"

namespace {

using namespace bootkey;

// Set before main(): the environment had variables in it that cannot be undone but by executing the program again.
bool loader_was_told = false;

void before_libraries(int, char**, char** environment) noexcept {
    loader_was_told = base::reduce_environment(environment);
}
// Constructors of libraries come later (the ELF specification, DT_PREINIT_ARRAY).
__attribute__((section(".preinit_array"), used)) void (*const preinit)(int, char**, char**) = &before_libraries;

monitor::Outcome finish(const base::Result<void>& result, const base::Log& log) {
    if (result) return {};
    log.fatal(result.error().message());
    return {result.error().code};
}

timeline::Timeline rehearse(const options::Options& options, base::Log& log, base::UniqueFd output,
                            base::Duration limit) {
    // What goes wrong is told in the steps of the check; the log is for who wants to see more.
    base::Log quiet(-1);
    monitor::Monitor monitor(options, options.verb > 1 ? log : quiet, std::move(output), {},
                             {.is_rehearsal = true, .limit = limit});
    static_cast<void>(monitor.run());
    return monitor.timeline();
}

monitor::Outcome check(const options::Options& options, base::Log& log, int argc, char** argv) {
    const auto read_anew = [argc, argv](const options::ConfigText& config) -> base::Result<options::Options> {
        auto parsed = options::parse(argc, argv, config);
        if (!parsed) return std::move(parsed).error();
        return std::get<options::Options>(*std::move(parsed));  // --help and the like have been answered
    };
    const modes::CheckOutcome checked = modes::check(options, log, rehearse, read_anew);
    return {checked.code, checked.signal};
}

monitor::Outcome print(const std::string& text) {
    const int failure = base::write_all(STDOUT_FILENO, base::bytes_of(text));
    return failure == 0 ? monitor::Outcome{} : monitor::Outcome{base::ExitCode::io_error};
}

monitor::Outcome control(const options::Options& options, bool has_screen, const base::Log& log) {
    const auto code = control::control(options, has_screen);
    return code ? monitor::Outcome{*code} : finish(code.error(), log);
}

monitor::Outcome run(int argc, char** argv) {
    base::Log log;
    log.add_sink(base::descriptor_sink(STDERR_FILENO, base::Clock::now(), log));
    // Started set-user-ID, these variables have had no effect (ld.so(8), "secure-execution mode").
    if (loader_was_told && getauxval(AT_SECURE) == 0) log.warning(base::execute_again(argv, environ).message());
    const auto keyring = modes::keyring_environment(environ);  // for signing, which is a person's affair
    const auto text_style = timeline::text_style(environ);
    const auto set_user_id = base::leave_caller_behind();
    if (!set_user_id) return finish(set_user_id.error(), log);
    const auto output_open = console::assure_standard_descriptors();
    if (!output_open) return finish(output_open.error(), log);
    auto parsed = options::parse(argc, argv, *set_user_id);
    if (!parsed) return finish(parsed.error(), log);
    if (const auto* information = std::get_if<options::Information>(&*parsed)) {
        return print(information->text);
    }
    const auto& options = std::get<options::Options>(*parsed);
    log.set_level(options.verb);
    // --check tells it in its own way, and --check-config is about what is in the file; set-user-ID, the ways to the
    // files have to be checked first.
    const bool tells_itself = options.mode == options::Mode::check || options.mode == options::Mode::check_config;
    if (!tells_itself && !options.set_user_id)
        if (auto checked =
                options::check_files(options::named_files(options), options::treatment_of_exposed(options), log);
            !checked)
            return finish(checked.error(), log);
    const base::Error closed{base::ExitCode::io_error, "cannot begin", "standard output is closed",
                             "connect it to what takes the password or the text"};
    switch (options.mode) {
        case options::Mode::generate_keys:
            return finish(modes::generate_keys(options, log), log);
        case options::Mode::check_config:
            return print(options.config_file.empty() ? "there is no configuration file\n"
                                                     : base::escaped(options.config_file, PATH_MAX) + ": good\n");
        case options::Mode::restore:
            return finish(modes::restore(log), log);
        case options::Mode::enroll:
            return finish(*output_open ? modes::enroll(options, keyring, log) : closed, log);
        case options::Mode::report:
            return finish(*output_open || !options.svg.empty() ? timeline::report(options, text_style) : closed, log);
        case options::Mode::check:
            return *output_open ? check(options, log, argc, argv) : finish(closed, log);
        case options::Mode::control:
            return *output_open ? control(options, text_style.screen, log) : finish(closed, log);
        case options::Mode::unlock:
            break;
    }
    if (!*output_open && options.askpass_fifo.empty()) return finish(closed, log);
    return monitor::Monitor(options, log, base::UniqueFd(STDOUT_FILENO)).run();
}

}  // namespace

int main(int argc, char** argv) {
    monitor::Outcome outcome{base::ExitCode::os_error};
    try {
        outcome = run(argc, argv);
    } catch (const std::exception& exception) {
        (void)std::fprintf(stderr, "bootkey: stopped by an internal error: %s; run bootkey --restore\n",
                           exception.what());
    }
    if (outcome.signal != 0) {
        (void)std::signal(outcome.signal, SIG_DFL);
        (void)std::raise(outcome.signal);
    }
    return static_cast<int>(outcome.code);
}
