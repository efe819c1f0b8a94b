// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/used_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "base/temporary_directory.hpp"
#include "bootkey/base/file.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::options;

namespace {

Options in_mode(Mode mode) {
    Options options;
    options.mode = mode;
    return options;
}

std::vector<std::string> names(const Options& options) {
    std::vector<std::string> paths;
    for (const UsedFile& file : named_files(options)) paths.push_back(file.path);
    return paths;
}

}  // namespace

TEST_CASE("files that others may change are refused where a person has started the program, and nowhere else") {
    if (base::is_in_memory("/")) {
        WARN("SKIPPED: the root directory is in memory, as in the initial RAM disk");
        return;
    }
    for (const Mode mode : {Mode::unlock, Mode::enroll, Mode::control, Mode::check}) {
        Options options = in_mode(mode);
        CHECK(treatment_of_exposed(options) == Exposed::refused);
        options.set_user_id = true;
        CHECK(treatment_of_exposed(options) == Exposed::warned_of);
    }
    for (const Mode mode : {Mode::generate_keys, Mode::report, Mode::restore})
        CHECK(treatment_of_exposed(in_mode(mode)) == Exposed::warned_of);
    Options at_boot;
    at_boot.askpass_fifo = default_askpass_fifo;
    CHECK(treatment_of_exposed(at_boot) == Exposed::warned_of);
    Options keyscript;
    keyscript.prompt = default_prompt;
    CHECK(treatment_of_exposed(keyscript) == Exposed::warned_of);
}

TEST_CASE("each mode looks at the files that it reads") {
    Options options;
    options.config_file = "/c";
    options.management.password_file = "/m";
    options.password_file = "/p";
    options.require_signature = "/s";
    options.dh_params = "/d";
    options.network_hook_dir = "/h";
    const auto in = [&](Mode mode) {
        options.mode = mode;
        return names(options);
    };
    using Names = std::vector<std::string>;
    CHECK(in(Mode::unlock) == Names{"/c", "/m", "/s", "/d", "/h"});
    CHECK(in(Mode::check) == Names{"/c", "/m", "/s", "/d"});
    CHECK(in(Mode::enroll) == Names{"/c", "/p", "/s"});
    CHECK(in(Mode::control) == Names{"/c", "/m"});
    CHECK(in(Mode::generate_keys) == Names{"/c"});
    CHECK(names(in_mode(Mode::enroll)).empty());
}

TEST_CASE("what others may change is refused or warned of, and a secret that they may read is warned of") {
    const base::testing::TemporaryDirectory directory;
    const std::string path = directory / "file";
    std::ofstream(path) << "content";
    chmod((directory / "").c_str(), 0755);
    std::vector<std::string> said;
    base::Log log;
    log.add_sink([&said](const base::LogEntry& entry) { said.push_back(entry.text); });
    const std::vector plain{UsedFile{path, Content::plain}};
    const std::vector secret{UsedFile{path, Content::secret}};

    chmod(path.c_str(), 0600);
    CHECK(check_files(secret, Exposed::refused, log));
    CHECK(check_files(std::vector{UsedFile{path + "-missing", Content::secret}}, Exposed::refused, log));
    CHECK(said.empty());
    chmod(path.c_str(), 0644);
    CHECK(check_files(plain, Exposed::refused, log));
    CHECK(said.empty());
    CHECK(check_files(secret, Exposed::refused, log));
    REQUIRE(said.size() == 1);
    CHECK_THAT(said.front(), Catch::Contains("chmod go= " + path));
    chmod(path.c_str(), 0602);
    const auto refused = check_files(plain, Exposed::refused, log);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::ExitCode::no_permission);
    CHECK(refused.error().advice == "chmod go-w " + path);
    CHECK(said.size() == 1);
    CHECK(check_files(plain, Exposed::warned_of, log));
    REQUIRE(said.size() == 2);
    CHECK_THAT(said.back(), Catch::Contains("chmod go-w " + path));
}
