// SPDX-License-Identifier: GPL-3.0-or-later
//
// What each command does. The texts of its replies are OpenVPN 2.6.14's, as measured.
#pragma once

#include "command.hpp"

namespace bootkey::management {

// Histories and their real-time notifications
void run_echo(Turn& turn);
void run_log(Turn& turn);
void run_state(Turn& turn);

// The program
void run_forget_passwords(Turn& turn);
void run_auth_retry(Turn& turn);
void run_hold(Turn& turn);
void run_kill(Turn& turn);
void run_mute(Turn& turn);
void run_signal(Turn& turn);
void run_verb(Turn& turn);

// Answers to queries
void run_needok(Turn& turn);
void run_needstr(Turn& turn);
void run_password(Turn& turn);
void run_username(Turn& turn);

// Values
void run_bytecount(Turn& turn);
void run_help(Turn& turn);
void run_load_stats(Turn& turn);
void run_net(Turn& turn);
void run_pid(Turn& turn);
void run_status(Turn& turn);
void run_version(Turn& turn);

void run_exit(Turn& turn);

}  // namespace bootkey::management
