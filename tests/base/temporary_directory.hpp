// SPDX-License-Identifier: GPL-3.0-or-later
//
// A directory for one test case, removed with all that is in it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bootkey::base::testing {

class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "bootkey-test.XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = pattern;
    }
    ~TemporaryDirectory() {
        // Repeated, since a program that is just ending (gpg-agent) may take a file of its own away under us, which is
        // an error.
        std::error_code error;
        for (int i = 0; i < 100; ++i) {
            std::filesystem::remove_all(path_, error);
            if (!std::filesystem::exists(path_)) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    /// The names in it, sorted.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) found.push_back(entry.path().filename());
        std::sort(found.begin(), found.end());
        return found;
    }

private:
    std::string path_;
};

}  // namespace bootkey::base::testing
