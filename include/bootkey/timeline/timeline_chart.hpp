// SPDX-License-Identifier: GPL-3.0-or-later
//
// A timeline as rows of bars on one axis, in the words that a person reads: what both the text and the picture of
// --report show. Pure. Texts are fit to be shown on a terminal; whoever writes another format escapes them for it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/timeline/timeline.hpp"

namespace bootkey::timeline {

/// What a bar stands for.
enum class Stage { hook, link, address, usable, connecting, handshake, waiting, receiving, decrypting };
inline constexpr std::array every_stage{Stage::hook,    Stage::link,       Stage::address,
                                        Stage::usable,  Stage::connecting, Stage::handshake,
                                        Stage::waiting, Stage::receiving,  Stage::decrypting};
/// As the legend calls it.
[[nodiscard]] const char* name(Stage stage);

struct Bar {
    Stage stage{};
    double from = 0;  ///< milliseconds after the program's start; from <= to
    double to = 0;
    bool winning = false;        ///< it is on the way that led to the password
    bool failed_at_end = false;  ///< it ended in a failure
};

struct Row {
    std::string label;
    std::vector<Bar> bars;  ///< a later one is in front of an earlier one
    bool winning = false;
    std::string note;  ///< what came of it; may be empty
};

/// One part of the way that led to the password, in order and without gaps.
struct Step {
    std::string name;
    double milliseconds = 0;
};

struct Chart {
    std::string headline;
    std::vector<std::string> remarks;
    double length = 0;                  ///< milliseconds that the axis shows; more than 0
    std::optional<double> password_at;  ///< where the password was out
    std::vector<Row> rows;
    std::vector<Step> steps;
};

[[nodiscard]] Chart chart_of(const Timeline& timeline);

/// Where the axis has its marks, from 0 on: not more of them than `most`, which is 2 at least.
[[nodiscard]] std::vector<double> marks(double length, std::size_t most);
/// "61.4 ms", "12.3 s", "5 min 3 s".
[[nodiscard]] std::string duration_text(double milliseconds);
/// The same for a mark of the axis: "50 ms", "1.5 s", "20 min".
[[nodiscard]] std::string mark_text(double milliseconds);

/// Rows of servers that are shown.
inline constexpr std::size_t most_server_rows = 24;

}  // namespace bootkey::timeline
