// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/used_files.hpp"

#include "bootkey/base/file.hpp"
#include "bootkey/base/trusted_path.hpp"

namespace bootkey::options {

Exposed treatment_of_exposed(const Options& options) {
    const bool by_hand = options.mode == Mode::enroll || options.mode == Mode::control || options.mode == Mode::check ||
                         (options.mode == Mode::unlock && options.askpass_fifo.empty() && !options.prompt);
    const bool refused = by_hand && !options.set_user_id && !base::is_in_memory("/");
    return refused ? Exposed::refused : Exposed::warned_of;
}

std::vector<UsedFile> named_files(const Options& options) {
    const bool unlocks = options.mode == Mode::unlock || options.mode == Mode::check;
    const bool enrols = options.mode == Mode::enroll;
    std::vector<UsedFile> files;
    const auto add = [&files](bool is_read, const std::string& path, Content content) {
        if (is_read && !path.empty()) files.push_back({path, content});
    };
    add(true, options.config_file, Content::plain);
    add(unlocks || options.mode == Mode::control, options.management.password_file, Content::secret);
    add(enrols, options.password_file, Content::secret);
    add(unlocks || enrols, options.require_signature, Content::plain);
    add(unlocks, options.dh_params, Content::plain);
    add(options.mode == Mode::unlock, options.network_hook_dir, Content::plain);
    return files;
}

base::Result<void> check_files(std::span<const UsedFile> files, Exposed treatment, const base::Log& log) {
    for (const UsedFile& file : files) {
        auto exposure = base::exposure_of(file.path);
        if (exposure.to_writing) {
            if (treatment == Exposed::refused) return *std::move(exposure.to_writing);
            log.warning(exposure.to_writing->message());
        }
        if (exposure.to_reading && file.content == Content::secret) log.warning(exposure.to_reading->message());
    }
    return {};
}

}  // namespace bootkey::options
