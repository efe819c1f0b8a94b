// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/text_chart.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "bootkey/base/text.hpp"

namespace bootkey::timeline {
namespace {

struct Glyph {
    const char* utf8;  // in the fonts of the kernel's console, too: those of code page 437
    char ascii;
    const char* colour;  // SGR parameters (ECMA-48), which show on dark and on light ground
};

Glyph glyph(Stage stage) {
    switch (stage) {
        case Stage::hook:
            return {"≡", 'h', "35"};
        case Stage::link:
            return {"░", 'l', "33"};
        case Stage::address:
            return {"▒", 'a', "33"};
        case Stage::usable:
            return {"─", '-', "33"};
        case Stage::connecting:
            return {"▄", 'c', "36"};
        case Stage::handshake:
            return {"▌", 't', "34"};
        case Stage::waiting:
            return {"·", 'w', "36"};
        case Stage::receiving:
            return {"▓", 'r', "32"};
        case Stage::decrypting:
            return {"█", 'd', "32"};
    }
    return {"?", '?', "0"};
}

// Columns that text takes, each character counted as one: names of servers are short, and those that are wide shift one
// line.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return (byte & '\xc0') != '\x80'; }));
}

// The first `most` columns of `text`.
std::string_view cut(std::string_view text, std::size_t most) {
    std::size_t end = 0;
    for (std::size_t columns = 0; end < text.size(); ++end)
        if ((text[end] & '\xc0') != '\x80' && ++columns > most) break;
    return text.substr(0, end);
}

class TextChart {
public:
    TextChart(const Chart& chart, const TextStyle& style)
        : chart_(chart), style_(style), columns_(std::clamp<std::size_t>(style.columns, 40, 200)) {
        std::size_t longest = 0;
        for (const Row& row : chart.rows) longest = std::max(longest, width(row.label));
        label_ = std::min(longest, columns_ / 4) + 3;  // a mark, and blanks around the label
        bars_ = columns_ - label_ - 1;
    }

    std::string text() && {
        wrap(chart_.headline, "");
        for (const std::string& remark : chart_.remarks) wrap(remark, "  ");
        text_ += '\n';
        add_axis();
        for (const Row& row : chart_.rows) add_row(row);
        add_password_mark();
        add_legend();
        add_steps();
        add_notes();
        return std::move(text_);
    }

private:
    const char* pick(const char* utf8, const char* ascii) const { return style_.utf8 ? utf8 : ascii; }

    std::string coloured(std::string_view text, const char* colour) const {
        if (!style_.colour) return std::string(text);
        return std::string("\x1b[") + colour + 'm' + std::string(text) + "\x1b[0m";
    }

    // ASCII where there is nothing else: names may hold any character.
    std::string shown(std::string_view text) const {
        std::string fit(text);
        if (style_.utf8) return fit;
        for (char& byte : fit)
            if ((byte & '\x80') != 0) byte = '?';
        return fit;
    }

    void line(std::string_view text) {
        text_ += text.substr(0, text.find_last_not_of(' ') + 1);
        text_ += '\n';
    }

    // In lines of the terminal's width, broken at blanks where there are any; the second line and on are indented by
    // two more.
    void wrap(const std::string& words, const std::string& indent) {
        std::string rest = shown(words);
        std::string begin = indent;
        while (begin.size() + width(rest) > columns_) {
            const std::string_view fits = cut(rest, columns_ - begin.size());
            const auto blank = fits.rfind(' ');
            const std::size_t end = blank == std::string_view::npos || blank == 0 ? fits.size() : blank;
            line(begin + rest.substr(0, end));
            rest.erase(0, blank == end ? end + 1 : end);
            begin = indent + "  ";
        }
        line(begin + rest);
    }

    std::size_t column(double milliseconds) const {
        const auto place = std::floor(milliseconds / chart_.length * static_cast<double>(bars_));
        return std::min(static_cast<std::size_t>(place), bars_ - 1);
    }

    void add_axis() {
        std::string numbers(label_, ' ');
        std::vector<const char*> rule(bars_, pick("─", "-"));
        for (const double mark : marks(chart_.length, std::max<std::size_t>(2, bars_ / 11))) {
            const std::size_t at = column(mark);
            const std::string number = mark_text(mark);
            if (label_ + at + number.size() > columns_) continue;
            numbers.resize(label_ + at, ' ');
            numbers += number;
            rule[at] = pick("┼", "+");
        }
        line(numbers);
        std::string drawn(label_, ' ');
        for (const char* cell : rule) drawn += cell;
        line(drawn);
    }

    void add_row(const Row& row) {
        std::string label = shown(row.label);
        if (width(label) > label_ - 3) label = std::string(cut(label, label_ - 4)) + pick("…", ">");
        std::string drawn = row.winning ? pick("► ", "> ") : "  ";
        drawn += row.winning ? coloured(label, "1") : label;
        drawn.append(label_ - 2 - width(label), ' ');
        line(drawn + cells(row));
    }

    // A cell shows what filled most of it; but what is short gets a cell where nothing else is, and an end in failure
    // one of its own.
    std::string cells(const Row& row) const {
        struct Cell {
            const Bar* bar = nullptr;
            double share = 0;
            bool failed = false;
        };
        std::vector<Cell> cells(bars_);
        const double size = chart_.length / static_cast<double>(bars_);
        for (const Bar& bar : row.bars) {
            for (std::size_t at = column(bar.from); at <= column(bar.to); ++at) {
                const double begin = static_cast<double>(at) * size;
                const double share = std::min(bar.to, begin + size) - std::max(bar.from, begin);
                Cell& cell = cells[at];
                const bool in_front = cell.bar != nullptr && bar.winning && !cell.bar->winning;
                if (cell.bar == nullptr || in_front || share > cell.share) cell = {&bar, share, cell.failed};
            }
            if (bar.failed_at_end) cells[column(bar.to)].failed = true;
        }
        std::string drawn;
        for (const Cell& cell : cells) {
            if (cell.bar == nullptr)
                drawn += ' ';
            else if (cell.failed && !cell.bar->winning)
                drawn += coloured(pick("×", "x"), "31");
            else
                drawn += symbol(cell.bar->stage);
        }
        return drawn;
    }

    std::string symbol(Stage stage) const {
        const Glyph drawn = glyph(stage);
        return coloured(style_.utf8 ? std::string(drawn.utf8) : std::string(1, drawn.ascii), drawn.colour);
    }

    void add_password_mark() {
        if (!chart_.password_at) return;
        const std::size_t at = label_ + column(*chart_.password_at);
        constexpr std::string_view word = "password ";
        std::string mark(at < word.size() ? 0 : at - word.size(), ' ');
        line(mark + coloured(std::string(word) + pick("▲", "^"), "1"));
    }

    void add_legend() {
        std::string legend;
        std::size_t columns = 2;
        text_ += '\n';
        const auto add = [&](const std::string& drawn, const std::string& words) {
            if (columns + words.size() + 5 > columns_) {
                line("  " + legend);
                legend.clear();
                columns = 2;
            }
            legend += drawn + ' ' + words + "   ";
            columns += words.size() + 5;
        };
        for (const Stage stage : every_stage) {
            const auto used = [&](const Row& row) {
                return std::ranges::find(row.bars, stage, &Bar::stage) != row.bars.end();
            };
            if (std::ranges::any_of(chart_.rows, used)) add(symbol(stage), name(stage));
        }
        const auto failed = [](const Row& row) {
            return std::ranges::find(row.bars, true, &Bar::failed_at_end) != row.bars.end();
        };
        if (std::ranges::any_of(chart_.rows, failed)) add(coloured(pick("×", "x"), "31"), "failed");
        if (std::ranges::find(chart_.rows, true, &Row::winning) != chart_.rows.end())
            add(pick("►", ">"), "the way to the password");
        if (!legend.empty()) line("  " + legend);
    }

    void add_steps() {
        if (chart_.steps.empty()) return;
        std::string way = "The way to the password: ";
        for (const Step& step : chart_.steps)
            way += (&step == &chart_.steps.front() ? "" : ", ") + step.name + ' ' + duration_text(step.milliseconds);
        text_ += '\n';
        wrap(way + '.', "");
    }

    void add_notes() {
        text_ += '\n';
        for (const Row& row : chart_.rows)
            if (!row.note.empty()) wrap(row.label + ": " + row.note, "");
    }

    const Chart& chart_;
    TextStyle style_;
    std::size_t columns_;
    std::size_t label_;  // columns before the bars
    std::size_t bars_;   // columns of the bars
    std::string text_;
};

}  // namespace

std::string text_chart(const Chart& chart, const TextStyle& style) {
    return TextChart(chart, style).text();
}

TextStyle text_style(const char* const* environment) {
    const auto value = [environment](std::string_view name) {
        for (const char* const* variable = environment; *variable != nullptr; ++variable) {
            const std::string_view text(*variable);
            if (text.starts_with(name)) return text.substr(name.size());
        }
        return std::string_view();
    };
    std::string_view locale;
    for (const std::string_view name : {"LC_ALL=", "LC_CTYPE=", "LANG="})
        if (locale.empty()) locale = value(name);
    std::string codeset;  // "C.UTF-8", "de_DE.utf8@euro"
    for (const char letter : locale)
        if (letter != '-') codeset += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
    const std::string_view terminal = value("TERM=");
    const bool screen = !terminal.empty() && terminal != "dumb";
    return {.utf8 = codeset.find("utf8") != std::string::npos,
            .colour = screen && value("NO_COLOR=").empty(),
            .screen = screen};
}

}  // namespace bootkey::timeline
