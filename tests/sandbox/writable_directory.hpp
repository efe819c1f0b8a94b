// SPDX-License-Identifier: GPL-3.0-or-later
//
// A directory that a confined decryptor may write to, in one that it may not, with files for it to read.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/temporary_directory.hpp"
#include "bootkey/sandbox/confinement.hpp"
#include "catch.hpp"

namespace bootkey::sandbox::testing {

class WritableDirectory {
public:
    WritableDirectory() {
        std::filesystem::permissions(directory_ / "", std::filesystem::perms(0777));  // where Landlock is in the way
        make(path_);
    }

    [[nodiscard]] const std::string& path() const { return path_; }
    /// A path beside it.
    [[nodiscard]] std::string outside(const std::string& name) const { return directory_ / name; }
    /// Makes a directory in it.
    std::string make_directory(const std::string& name) const {
        make(path_ + "/" + name);
        return path_ + "/" + name;
    }
    /// Makes a file in it.
    std::string put(const std::string& name, const std::string& content) const {
        const std::string path = path_ + "/" + name;
        std::ofstream(path, std::ios::binary) << content;
        give(path);
        return path;
    }
    [[nodiscard]] Confinement confinement(bool filters = true) const {
        return {.role = Role::decryptor, .writable_directory = path_, .filters = filters};
    }

private:
    static void give(const std::string& path) {
        const Identity owner = identity_of(Role::decryptor);
        if (geteuid() == 0) REQUIRE(chown(path.c_str(), owner.user, owner.group) == 0);
    }
    static void make(const std::string& path) {
        REQUIRE(mkdir(path.c_str(), 0700) == 0);
        give(path);
    }

    base::testing::TemporaryDirectory directory_;
    std::string path_ = directory_ / "decryptor";
};

}  // namespace bootkey::sandbox::testing
