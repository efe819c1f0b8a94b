// SPDX-License-Identifier: GPL-3.0-or-later
//
// The last line of a session on a terminal: what a person is typing, behind a prompt. It makes room for lines that
// come meanwhile, and stands below them again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "bootkey/base/result.hpp"
#include "bootkey/control/line_editor.hpp"
#include "dialog.hpp"

namespace bootkey::control {

class ControlPrompt {
public:
    /// For lines of at most `longest` bytes; `output` is a terminal and outlives it. Errors: os_error (no memory).
    [[nodiscard]] static base::Result<ControlPrompt> create(const ControlOutput& output, std::size_t longest);

    /// What stands before the line from now on, and whether the line is shown; it begins empty. Draws nothing.
    void ask(std::string label, bool is_hidden);
    /// Draws it where the cursor is, unless it is drawn. Errors: io_error, like all here.
    [[nodiscard]] base::Result<void> show();
    /// Takes it away, so that lines can be written in its place. Where nothing can be taken away it ends its line.
    [[nodiscard]] base::Result<void> hide();
    /// Ends its line, which stays to be read. It can be shown again.
    [[nodiscard]] base::Result<void> leave(std::string_view mark = "");
    [[nodiscard]] bool is_shown() const { return shown_; }

    /// Reads one byte of what is typed, shows what it did, and tells. ended, too, when the terminal is gone.
    [[nodiscard]] base::Result<LineEditor::Event> take_key();
    /// What has been typed.
    [[nodiscard]] const LineEditor& typed() const { return editor_; }
    /// Wipes it. Draws nothing.
    void clear() { editor_.clear(); }

private:
    ControlPrompt(const ControlOutput& output, LineEditor editor) : output_(&output), editor_(std::move(editor)) {}
    [[nodiscard]] base::Result<void> echo(std::string_view text) const;
    [[nodiscard]] base::Result<void> draw(LineEditor::Event event);
    [[nodiscard]] std::size_t columns() const;

    const ControlOutput* output_;
    LineEditor editor_;
    std::string label_;
    bool is_hidden_ = false;
    bool shown_ = false;
    std::size_t drawn_ = 0;  // columns, if it is shown
};

}  // namespace bootkey::control
