// SPDX-License-Identifier: GPL-3.0-or-later
#include "seeds.hpp"

#include <set>
#include <string>

#include "fuzz.hpp"

using namespace bootkey;

namespace {

constexpr std::size_t longest_file = 1024 * 1024;

}  // namespace

bool fuzz::run_file(const std::filesystem::path& path) {
    std::fprintf(stderr, "%s\n", path.c_str());
    const auto content = base::read_file(path, longest_file);
    if (!content) {
        std::fprintf(stderr, "%s\n", content.error().message().c_str());
        std::exit(static_cast<int>(base::ExitCode::no_input));
    }
    return fuzz::run(base::bytes_of(*content));
}

int fuzz::run_seeds(const std::filesystem::path& directory) {
    std::set<std::filesystem::path> seeds;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) seeds.insert(entry.path());
    int wrong = 0;
    int accepted = 0;
    for (const auto& seed : seeds) {
        const bool to_be_refused = seed.filename().string().starts_with("refused");
        const bool was_accepted = run_file(seed);
        accepted += was_accepted ? 1 : 0;
        if (was_accepted != to_be_refused) continue;
        std::fprintf(stderr, "%s was %s\n", seed.c_str(), was_accepted ? "accepted" : "refused");
        ++wrong;
    }
    std::printf("%zu seeds, %d accepted, %d otherwise than their names say\n", seeds.size(), accepted, wrong);
    return wrong == 0 && accepted > 0 ? 0 : 1;
}
