// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the journal is kept: the file "journal" in a directory that all instances share. Whoever reads or writes it
// holds a lock (flock(2)) on the directory itself, so there is no lock file to be left behind. A directory that bootkey
// made has the sticky bit, from its first moment on: so that it is known, and removed, whatever moment an instance is
// killed at. Only the timeline of the last unlock, beside the journal, is there to stay, and the directory with it.
//
// A file system that is full or read-only keeps nobody from unlocking: then the journal is in the memory of this
// process, and the file is written again when that is possible. Only a kill in between leaves what nobody can undo.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/changes/journal.hpp"

namespace bootkey::changes {

/// The journal while it is locked; gives the lock back when destroyed. Keep it for as long as the change takes that is
/// being recorded, so that no other instance sees half of it, and no longer.
class LockedJournal {
public:
    Journal journal;
    /// Writes `journal` to the file in one step; where it is empty, the file goes, and the directory if bootkey made it
    /// and nothing else is in it. Where there is no room for the file, or it may not be written, `journal` is kept in
    /// memory, with a warning the first time. Fails with no_permission or cannot_create; then the file is as it was.
    [[nodiscard]] base::Result<void> store();
    /// Removes what an instance that was killed while it stored has left, if nothing is recorded: half a journal or
    /// timeline, and the directory if bootkey made it and nothing else is in it.
    void tidy();
    /// Writes `text` to the file timeline.json in one step, for everybody to read; it stays when all else is undone.
    /// Fails with cannot_create; then the file is as it was.
    [[nodiscard]] base::Result<void> leave_timeline(const std::string& text);

private:
    friend class JournalFile;
    struct Memory {
        std::optional<Journal> journal;  // that could not be stored; it counts, and not the file
        bool is_told = false;
    };
    LockedJournal(std::string path, base::UniqueFd directory, std::shared_ptr<Memory> memory, const base::Log& log)
        : path_(std::move(path)), directory_(std::move(directory)), memory_(std::move(memory)), log_(&log) {}
    void keep_in_memory(int errno_value);

    std::string path_;
    base::UniqueFd directory_;  // none where it cannot even be made
    std::shared_ptr<Memory> memory_;
    const base::Log* log_;
};

class JournalFile {
public:
    /// `directory`: usually /run/bootkey. Touches nothing yet.
    explicit JournalFile(std::string directory)
        : path_(std::move(directory)), memory_(std::make_shared<LockedJournal::Memory>()) {}

    /// Locks and reads the journal, waiting for at most a second for others. Nothing if there is no directory for it.
    /// A file that is not a journal of ours is taken for an empty one, with a warning.
    [[nodiscard]] base::Result<std::optional<LockedJournal>> open(const base::Log& log) const;
    /// The same, but makes the directory (mode 01711) if there is none.
    [[nodiscard]] base::Result<LockedJournal> open_or_make(const base::Log& log) const;

private:
    std::string path_;
    std::shared_ptr<LockedJournal::Memory> memory_;
};

}  // namespace bootkey::changes
