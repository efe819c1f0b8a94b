// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/report.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "bootkey/base/file.hpp"
#include "bootkey/timeline/svg_chart.hpp"
#include "bootkey/timeline/timeline_chart.hpp"
#include "bootkey/timeline/timeline_file.hpp"

namespace bootkey::timeline {
namespace {

base::Result<Timeline> read_timeline() {
    const std::string path = timeline_path;
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT)
        return base::Error{base::ExitCode::no_input, "cannot show the last unlock", path + " does not exist",
                           "a bootkey that unlocks as root writes it when it ends; it is gone with the next boot"};
    const auto text = base::read_file(path, longest_timeline, base::ExitCode::no_input);
    if (!text) return text.error();
    return from_json(*text);
}

}  // namespace

base::Result<void> report(const options::Options& options, TextStyle style) {
    const auto timeline = read_timeline();
    if (!timeline) return timeline.error();
    const Chart chart = chart_of(*timeline);
    if (!options.svg.empty()) return base::write_file(options.svg, base::bytes_of(svg_chart(chart)), 0644, true);
    winsize size{};
    const bool terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    style.colour = style.colour && terminal;
    if (terminal && size.ws_col > 0) style.columns = size.ws_col;
    const int failure = base::write_all(STDOUT_FILENO, base::bytes_of(text_chart(chart, style)));
    if (failure == 0) return {};
    return base::system_error("cannot write to standard output", failure, "", base::ExitCode::io_error);
}

}  // namespace bootkey::timeline
