// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>

#include "command.hpp"
#include "commands.hpp"

namespace bootkey::management {
namespace {

constexpr std::array table{
    Command{.name = "auth-retry",
            .steers = true,
            .usage = "[none|nointeract|interact]",
            .help = "Show or set what a wrong password means",
            .run = run_auth_retry},
    Command{.name = "bytecount",
            .least = 1,
            .usage = "N",
            .help = "Tell bytes every N seconds; 0: stop",
            .run = run_bytecount},
    Command{.name = "echo",
            .least = 1,
            .takes_more = true,
            .usage = "[on|off] [N|all]",
            .help = "Like log, for echo parameters",
            .run = run_echo},
    Command{.name = "exit", .help = "Close this connection (also: quit)", .run = run_exit},
    Command{.name = "forget-passwords",
            .steers = true,
            .help = "Forget passwords entered so far",
            .run = run_forget_passwords},
    Command{.name = "help", .help = "Show this", .run = run_help},
    Command{.name = "hold",
            .steers = true,
            .usage = "[on|off|release]",
            .help = "Show or set the hold flag; end the hold",
            .run = run_hold},
    Command{.name = "kill",
            .least = 1,
            .steers = true,
            .usage = "NAME|ADDRESS:PORT",
            .help = "Drop a server, and try it again later",
            .run = run_kill},
    Command{.name = "load-stats", .help = "Show connections and bytes, in numbers", .run = run_load_stats},
    Command{.name = "log",
            .least = 1,
            .takes_more = true,
            .usage = "[on|off] [N|all]",
            .help = "Show messages as they come, or the last",
            .run = run_log},
    Command{.name = "mute",
            .steers = true,
            .usage = "[N]",
            .help = "Show or set the limit of alike messages",
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
            .help = "Enter the password asked for as TYPE",
            .run = run_password},
    Command{.name = "pid", .help = "Show the process ID", .run = run_pid},
    Command{.name = "quit", .help = "", .run = run_exit},
    Command{.name = "signal",
            .least = 1,
            .steers = true,
            .usage = "SIGHUP|SIGTERM|SIGUSR1|SIGUSR2",
            .help = "Restart; exit; try all now; log status",
            .run = run_signal},
    Command{.name = "state",
            .usage = "[on|off] [N|all]",
            .help = "Like log, for states; alone: the last",
            .run = run_state},
    Command{.name = "status", .usage = "[1|2|3]", .help = "Show statistics (1) or servers (2, 3)", .run = run_status},
    Command{.name = "username",
            .least = 2,
            .is_secret = true,
            .steers = true,
            .usage = "TYPE NAME",
            .help = "Enter the user name asked for as TYPE",
            .run = run_username},
    Command{.name = "verb",
            .steers = true,
            .usage = "[N]",
            .help = "Show or set how much is logged, 0 to 15",
            .run = run_verb},
    Command{.name = "version", .usage = "[N]", .help = "Show versions, or tell the client's", .run = run_version},
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
