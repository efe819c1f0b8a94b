// SPDX-License-Identifier: GPL-3.0-or-later
//
// News of one file, which need not exist, nor its directory: inotify(7) on the directory, or else on the nearest
// directory above it that exists. No polling.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::console {

class FileWatch {
public:
    enum class News {
        opened,   ///< it was made, or somebody has opened it or is just about to get it open
        changed,  ///< anything else: closed by who wrote to it, removed, its directory made or removed
    };

    /// Watches `path`, which is absolute. `told` is called from the loop. Errors (os_error): the kernel has no room for
    /// a watch.
    [[nodiscard]] static base::Result<std::unique_ptr<FileWatch>> create(base::Loop& loop, const std::string& path,
                                                                         std::function<void(News)> told);
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

private:
    FileWatch(std::string path, base::UniqueFd inotify, std::function<void(News)> told)
        : path_(std::move(path)), inotify_(std::move(inotify)), told_(std::move(told)) {}
    [[nodiscard]] bool watch_nearest();
    void read_events();

    std::string path_;
    base::UniqueFd inotify_;
    std::function<void(News)> told_;
    int descriptor_ = -1;        // of the watch
    std::string awaited_;        // the name in the watched directory that matters
    bool at_directory_ = false;  // it is the file's own
    std::unique_ptr<base::Watch> watch_;
};

}  // namespace bootkey::console
