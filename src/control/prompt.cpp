// SPDX-License-Identifier: GPL-3.0-or-later
#include "prompt.hpp"

#include <unistd.h>

#include <cerrno>

#include "bootkey/base/text.hpp"
#include "bootkey/control/columns.hpp"

namespace bootkey::control {

using Event = LineEditor::Event;

base::Result<ControlPrompt> ControlPrompt::create(const ControlOutput& output, std::size_t longest) {
    auto editor = LineEditor::create(longest);
    if (!editor) return std::move(editor).error();
    return ControlPrompt(output, *std::move(editor));
}

void ControlPrompt::ask(std::string label, bool is_hidden) {
    label_ = std::move(label);
    is_hidden_ = is_hidden;
    editor_.clear();
}

// That it takes, in as many rows as that needs.
std::size_t ControlPrompt::columns() const {
    return columns_of(label_) + (is_hidden_ ? 0 : columns_of(editor_.text()));
}

// Written from where it is typed to: there may be a password in it. A TAB is shown as one blank.
base::Result<void> ControlPrompt::echo(std::string_view text) const {
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find('\t'));
        if (auto written = output_->write(part); !written) return written;
        text.remove_prefix(part.size());
        if (text.empty()) return {};
        if (auto written = output_->write(" "); !written) return written;
        text.remove_prefix(1);
    }
    return {};
}

base::Result<void> ControlPrompt::show() {
    if (shown_) return {};
    shown_ = true;
    drawn_ = columns();
    if (auto written = output_->write(label_); !written) return written;
    return is_hidden_ ? base::Result<void>() : echo(editor_.text());
}

base::Result<void> ControlPrompt::hide() {
    if (!std::exchange(shown_, false)) return {};
    if (!output_->is_screen()) return output_->write("\n");
    constexpr std::size_t usual = 80;  // where nobody knows, as on a serial line
    const std::size_t width = output_->size().columns > 0 ? output_->size().columns : usual;
    const std::size_t rows = drawn_ == 0 ? 0 : (drawn_ - 1) / width;  // above the one where the cursor is
    // ECMA-48: CUU, ED
    return output_->write((rows > 0 ? base::format("\x1b[%zuA", rows) : std::string()) + "\r\x1b[J");
}

base::Result<void> ControlPrompt::leave(std::string_view mark) {
    if (!std::exchange(shown_, false)) return {};
    return output_->write(std::string(mark) + "\n");
}

// Shows what has become of the line.
base::Result<void> ControlPrompt::draw(Event event) {
    if (!shown_ || is_hidden_) return {};
    if (event == Event::added) {
        drawn_ = columns();
        return echo(editor_.text().substr(editor_.text().size() - 1));
    }
    if (output_->is_screen()) {
        if (auto hidden = hide(); !hidden) return hidden;
        return show();
    }
    std::string text;
    for (; drawn_ > columns(); --drawn_) text += "\b \b";
    return output_->write(text);
}

base::Result<Event> ControlPrompt::take_key() {
    const ssize_t count = read(STDIN_FILENO, editor_.place(), 1);
    if (count < 0 && errno == EINTR) return Event::nothing;
    if (count <= 0) return Event::ended;
    const Event event = editor_.take();
    if (event == Event::added || event == Event::removed)
        if (auto drawn = draw(event); !drawn) return std::move(drawn).error();
    return event;
}

}  // namespace bootkey::control
