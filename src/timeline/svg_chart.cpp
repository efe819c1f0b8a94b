// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/svg_chart.hpp"

#include <algorithm>
#include <vector>

#include "bootkey/base/text.hpp"

namespace bootkey::timeline {
namespace {

using base::format;

// Pixels.
constexpr double picture_width = 1040, margin = 24;
constexpr double label_width = 210;
constexpr double bars_left = margin + label_width, bars_right = picture_width - margin - 10;
constexpr double row_height = 46, bar_height = 20, thin_bar_height = 6;
constexpr double text_line = 20;
constexpr double legend_entry = 190, legend_square = 14;
constexpr double least_bar = 2;  // what is too short to be seen is drawn as if it were that long
constexpr std::size_t longest_label = 26, longest_note = 120, longest_line = 130;  // characters

// The colours are those of Okabe and Ito (2008), which people with any colour vision can tell apart, on light and dark
// ground. No custom properties: not every program that shows pictures knows them.
constexpr const char* style = R"(
  text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #1c2126; }
  .ground { fill: #ffffff; }
  .headline { font-size: 19px; font-weight: 600; }
  .faint { fill: #5d6770; font-size: 12px; }
  .winner { font-weight: 600; fill: #0b6e4f; }
  .grid { stroke: #d9dee3; stroke-width: 1; }
  .password { stroke: #0b6e4f; stroke-width: 2; stroke-dasharray: 5 3; }
  .way { fill: none; stroke: #0b6e4f; stroke-width: 2; stroke-linejoin: round; opacity: 0.75; }
  .won { stroke: #0b6e4f; stroke-width: 2; }
  .cross { stroke: #c0392b; stroke-width: 2.5; stroke-linecap: round; }
  .hook { fill: #cc79a7; }
  .link { fill: #e69f00; }
  .address { fill: #f0e442; }
  .usable { fill: #e69f00; opacity: 0.45; }
  .connecting { fill: #56b4e9; }
  .handshake { fill: #0072b2; }
  .waiting { fill: #8c96a0; }
  .receiving { fill: #d55e00; }
  .decrypting { fill: #009e73; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e8ecef; }
    .ground { fill: #14181c; }
    .faint { fill: #9aa5ae; }
    .winner { fill: #4cd6a4; }
    .grid { stroke: #2f373e; }
    .password, .way, .won { stroke: #4cd6a4; }
    .cross { stroke: #ff7b6b; }
  }
)";

const char* css_class(Stage stage) {
    switch (stage) {
        case Stage::hook:
            return "hook";
        case Stage::link:
            return "link";
        case Stage::address:
            return "address";
        case Stage::usable:
            return "usable";
        case Stage::connecting:
            return "connecting";
        case Stage::handshake:
            return "handshake";
        case Stage::waiting:
            return "waiting";
        case Stage::receiving:
            return "receiving";
        case Stage::decrypting:
            return "decrypting";
    }
    return "";
}

// Whole characters only, and dots in the place of the rest.
std::string shortened(std::string_view text, std::size_t most) {
    std::size_t end = 0;
    for (std::size_t characters = 0; end < text.size(); ++end)
        if ((text[end] & '\xc0') != '\x80' && ++characters > most) return std::string(text.substr(0, end)) + "…";
    return std::string(text);
}

// In lines of at most `most` characters, broken at blanks.
std::vector<std::string> lines_of(std::string_view text, std::size_t most) {
    std::vector<std::string> lines(1);
    for (const std::string_view word : base::split(text, ' ')) {
        if (!lines.back().empty() && lines.back().size() + 1 + word.size() > most) lines.emplace_back();
        lines.back() += (lines.back().empty() ? "" : " ") + std::string(word);
    }
    return lines;
}

class SvgChart {
public:
    explicit SvgChart(const Chart& chart) : chart_(chart) {}

    std::string picture() && {
        add_head();
        rows_top_ = y_ + 26;
        const double rows_bottom = rows_top_ + row_height * static_cast<double>(chart_.rows.size());
        add_axis(rows_bottom);
        for (std::size_t i = 0; i < chart_.rows.size(); ++i)
            add_row(chart_.rows[i], rows_top_ + row_height * static_cast<double>(i));
        add_way();
        add_password_mark(rows_bottom);
        y_ = rows_bottom + 34;
        add_legend();
        add_steps();
        return file();
    }

private:
    static double x(double milliseconds, double length) {
        return bars_left + (bars_right - bars_left) * milliseconds / length;
    }
    [[nodiscard]] double x(double milliseconds) const { return x(milliseconds, chart_.length); }
    static double middle(double row_top) { return row_top + row_height / 2 - 5; }

    void add_text(double at_x, double at_y, const char* css, const std::string& text, const char* anchor = "start") {
        body_ += format("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", at_x, at_y, css, anchor) +
                 xml_escaped(text) + "</text>\n";
    }

    void add_lines(const std::string& text, const char* css) {
        for (const std::string& line : lines_of(text, longest_line)) {
            add_text(margin, y_, css, shortened(line, longest_line));
            y_ += text_line;
        }
    }

    void add_head() {
        y_ = margin + 16;
        for (const std::string& line : lines_of(chart_.headline, 95)) {
            add_text(margin, y_, "headline", shortened(line, 95));
            y_ += 26;
        }
        std::string remarks;
        for (const std::string& remark : chart_.remarks) remarks += (remarks.empty() ? "" : " · ") + remark;
        add_lines(remarks, "faint");
    }

    void add_axis(double bottom) {
        for (const double mark : marks(chart_.length, 9)) {
            body_ += format("<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x(mark),
                            rows_top_ - 8, x(mark), bottom);
            add_text(x(mark), rows_top_ - 14, "faint", mark_text(mark), "middle");
        }
    }

    void add_row(const Row& row, double top) {
        add_text(margin, middle(top) + 4, row.winning ? "winner" : "label",
                 (row.winning ? "► " : "") + shortened(row.label, longest_label));
        for (const Bar& bar : row.bars) add_bar(bar, top);
        if (!row.note.empty()) add_text(bars_left, top + row_height - 5, "faint", shortened(row.note, longest_note));
    }

    void add_bar(const Bar& bar, double top) {
        const double height = bar.stage == Stage::usable ? thin_bar_height : bar_height;
        const double from = std::min(x(bar.from), bars_right - least_bar);
        const double length = std::max(x(bar.to) - from, least_bar);
        body_ += format("<rect class=\"%s%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"><title>",
                        css_class(bar.stage), bar.winning && bar.stage != Stage::usable ? " won" : "", from,
                        middle(top) - height / 2, length, height) +
                 xml_escaped(std::string(name(bar.stage)) + ": " + duration_text(bar.to - bar.from) + ", from " +
                             duration_text(bar.from) + " to " + duration_text(bar.to)) +
                 "</title></rect>\n";
        if (bar.failed_at_end) add_cross(from + length, middle(top));
    }

    void add_cross(double at_x, double at_y) {
        constexpr double arm = 5;
        body_ += format("<path class=\"cross\" d=\"M%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1f\"/>\n", at_x - arm,
                        at_y - arm, at_x + arm, at_y + arm, at_x - arm, at_y + arm, at_x + arm, at_y - arm);
    }

    // From the winning interface, the moment it is of use, down to where the winning attempt begins.
    void add_way() {
        double from_x = 0, from_y = 0;
        bool begun = false;
        for (std::size_t i = 0; i < chart_.rows.size(); ++i) {
            if (!chart_.rows[i].winning) continue;
            const double at_y = middle(rows_top_ + row_height * static_cast<double>(i));
            const auto& bars = chart_.rows[i].bars;
            const auto way = std::ranges::find_if(
                bars, [&](const Bar& bar) { return bar.winning && (begun || bar.stage == Stage::usable); });
            if (way == bars.end()) continue;
            const double at_x = x(way->from);
            if (begun)
                body_ += format("<path class=\"way\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1f\"/>\n", from_x, from_y, at_x,
                                from_y, at_x, at_y - bar_height / 2);
            begun = true;
            from_x = at_x;
            from_y = at_y;
        }
    }

    void add_password_mark(double bottom) {
        if (!chart_.password_at) return;
        const double at = x(*chart_.password_at);
        body_ += format("<line class=\"password\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", at,
                        rows_top_ - 8, at, bottom);
        add_text(at, bottom + 16, "winner", "password", "end");
    }

    void add_legend() {
        double at = margin;
        const auto add = [&](const std::string& drawn, const char* words) {
            if (at + legend_entry > picture_width) {
                at = margin;
                y_ += text_line + 2;
            }
            body_ += drawn;
            add_text(at + legend_square + 8, y_ + legend_square - 2, "legend", words);
            at += legend_entry;
        };
        const auto square = [&](const char* css, double height) {
            return format("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"/>\n", css,
                          at + legend_entry > picture_width ? margin : at,
                          (at + legend_entry > picture_width ? y_ + text_line + 2 : y_) + (legend_square - height) / 2,
                          legend_square, height);
        };
        for (const Stage stage : every_stage)
            add(square(css_class(stage), stage == Stage::usable ? thin_bar_height : legend_square), name(stage));
        add(square("ground won", legend_square - 2), "the way to the password");
        y_ += legend_square + 28;
    }

    void add_steps() {
        if (chart_.steps.empty()) return;
        std::string way = "The way to the password: ";
        for (const Step& step : chart_.steps)
            way += (&step == &chart_.steps.front() ? "" : ", ") + step.name + ' ' + duration_text(step.milliseconds);
        add_lines(way + ".", "label");
    }

    std::string file() const {
        const double height = y_ + margin - 10;
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
               format(
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
                   "role=\"img\">\n",
                   picture_width, height, picture_width, height) +
               "<title>" + xml_escaped(chart_.headline) + "</title>\n<style>" + style + "</style>\n" +
               format("<rect class=\"ground\" width=\"%.0f\" height=\"%.0f\"/>\n", picture_width, height) + body_ +
               "</svg>\n";
    }

    const Chart& chart_;
    std::string body_;
    double y_ = 0;  // where the next thing goes
    double rows_top_ = 0;
};

}  // namespace

std::string svg_chart(const Chart& chart) {
    return SvgChart(chart).picture();
}

std::string xml_escaped(std::string_view text) {
    std::string fit;
    // Control characters and malformed UTF-8, of which XML takes none, become visible; so do the noncharacters that it
    // refuses.
    for (const char character : base::printable(text, text.size())) {
        switch (character) {
            case '&':
                fit += "&amp;";
                break;
            case '<':
                fit += "&lt;";
                break;
            case '>':
                fit += "&gt;";
                break;
            case '"':
                fit += "&quot;";
                break;
            case '\'':
                fit += "&#39;";
                break;
            default:
                fit += character;
        }
    }
    for (const std::string_view forbidden : {"\xef\xbf\xbe", "\xef\xbf\xbf"})
        for (auto at = fit.find(forbidden); at != std::string::npos; at = fit.find(forbidden, at))
            fit.replace(at, forbidden.size(), 1, '?');
    return fit;
}

}  // namespace bootkey::timeline
