// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>

#include "command.hpp"
#include "commands.hpp"

namespace bootkey::management {
namespace {

constexpr std::array table{
    Command{
        .name = "auth-retry",
        .steers = true,
        .usage = "[none|nointeract|interact]",
        .help =
            "What follows a wrong password: its source is given up, the same is tried again, a person is asked anew",
        .run = run_auth_retry},
    Command{.name = "bytecount",
            .least = 1,
            .usage = "N",
            .help = "Tell the bytes received and sent every N seconds; 0: no longer",
            .run = run_bytecount},
    Command{.name = "echo",
            .least = 1,
            .takes_more = true,
            .usage = "[on|off] [N|all]",
            .help = "Like log, for echo parameters",
            .run = run_echo},
    Command{.name = "exit", .help = "Close this connection", .run = run_exit},
    Command{.name = "forget-passwords",
            .steers = true,
            .help = "Forget passwords entered so far",
            .run = run_forget_passwords},
    Command{.name = "help", .help = "Show this", .run = run_help},
    Command{.name = "hold",
            .steers = true,
            .usage = "[on|off|release]",
            .help = "Show or set the flag that makes the start and restarts wait, or end the waiting",
            .run = run_hold},
    Command{.name = "kill",
            .least = 1,
            .steers = true,
            .usage = "NAME|ADDRESS:PORT",
            .help = "Drop the connections to a server and try it again later",
            .run = run_kill},
    Command{.name = "load-stats", .help = "Show how many connections there are, and all bytes", .run = run_load_stats},
    Command{.name = "log",
            .least = 1,
            .takes_more = true,
            .usage = "[on|off] [N|all]",
            .help = "Show new messages as they come, or not, and the last N or all that are kept",
            .run = run_log},
    Command{.name = "mute",
            .steers = true,
            .usage = "[N]",
            .help = "Show or set how many messages of one category may follow each other; 0: any number",
            .run = run_mute},
    Command{.name = "needok",
            .least = 2,
            .steers = true,
            .usage = "NAME ok|cancel",
            .help = "Answer the NEED-OK request NAME",
            .run = run_needok},
    Command{.name = "needstr",
            .least = 2,
            .is_secret = true,
            .steers = true,
            .usage = "NAME TEXT",
            .help = "Answer the NEED-STR request NAME",
            .run = run_needstr},
    Command{.name = "net", .help = "Show interfaces, addresses and routes", .run = run_net},
    Command{.name = "password",
            .least = 2,
            .is_secret = true,
            .steers = true,
            .usage = "TYPE PASSWORD",
            .help = "Enter the password that is asked for as TYPE",
            .run = run_password},
    Command{.name = "pid", .help = "Show the process ID", .run = run_pid},
    Command{.name = "quit", .help = "Close this connection", .run = run_exit},
    Command{.name = "signal",
            .least = 1,
            .steers = true,
            .usage = "SIGHUP|SIGTERM|SIGUSR1|SIGUSR2",
            .help = "Restart; put everything back and exit; try all servers now; log the status",
            .run = run_signal},
    Command{.name = "state",
            .usage = "[on|off] [N|all]",
            .help = "Like log, for states; alone: the current state",
            .run = run_state},
    Command{.name = "status",
            .usage = "[1|2|3]",
            .help = "Show statistics (1), or the servers in fields separated by commas (2) or TABs (3)",
            .run = run_status},
    Command{.name = "username",
            .least = 2,
            .is_secret = true,
            .steers = true,
            .usage = "TYPE NAME",
            .help = "Enter the user name that is asked for as TYPE",
            .run = run_username},
    Command{.name = "verb",
            .steers = true,
            .usage = "[N]",
            .help = "Show or set how much is logged, 0 to 15",
            .run = run_verb},
    Command{.name = "version",
            .usage = "[N]",
            .help = "Show the versions of program and protocol, or tell the client's",
            .run = run_version},
};

}  // namespace

std::span<const Command> commands() {
    return table;
}

const Command* find_command(std::string_view name) {
    const auto* const found =
        std::find_if(table.begin(), table.end(), [&](const Command& each) { return each.name == name; });
    return found == table.end() ? nullptr : found;
}

}  // namespace bootkey::management
