// SPDX-License-Identifier: GPL-3.0-or-later
//
// --report: shows what took how long in the last unlock.
#pragma once

#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/timeline/text_chart.hpp"

namespace bootkey::timeline {

/// Reads the timeline that the last unlock has left and shows it as text on standard output, or writes it as a picture
/// to the file
/// --svg names. `style`: what the environment says about the terminal; how wide it is, and whether there is one at all,
/// is found out here. Errors: no_input (there is no timeline, or it is not one), io_error (standard output),
/// cannot_create (the picture).
[[nodiscard]] base::Result<void> report(const options::Options& options, TextStyle style);

}  // namespace bootkey::timeline
