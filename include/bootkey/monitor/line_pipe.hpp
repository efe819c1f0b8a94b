// SPDX-License-Identifier: GPL-3.0-or-later
//
// What another process writes to a descriptor (its standard error), line by line. The pipe's other end can be written
// to only: who has a terminal there could read what a person types. Owns the reading end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::monitor {

class LinePipe {
public:
    /// A new pipe's reading end as an object and its writing end, close-on-exec. `line` is told from the loop of each
    /// line, without its end; it may not destroy the object. A line that is too long is told in pieces.
    [[nodiscard]] static base::Result<std::pair<std::unique_ptr<LinePipe>, base::UniqueFd>> make(
        base::Loop& loop, std::function<void(std::string_view line)> line);
    LinePipe(const LinePipe&) = delete;
    LinePipe& operator=(const LinePipe&) = delete;

    /// Tells what has arrived, now, the last line also without its end: from whoever is known to be gone.
    void drain();

private:
    LinePipe(base::Loop& loop, base::UniqueFd end, std::function<void(std::string_view line)> line);
    bool read_some();

    base::UniqueFd end_;
    std::function<void(std::string_view line)> line_;
    std::string rest_;
    std::unique_ptr<base::Watch> watch_;
};

}  // namespace bootkey::monitor
