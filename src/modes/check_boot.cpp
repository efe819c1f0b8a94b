// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/check_boot.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "bootkey/base/text.hpp"
#include "bootkey/network/interface_choice.hpp"
#include "bootkey/options/command_line.hpp"
#include "bootkey/options/config_file.hpp"

namespace bootkey::modes {
namespace {

using base::Error;
using base::escaped;
using base::Result;

constexpr const char* config_inside = "the image's /etc/bootkey/bootkey.conf";
constexpr const char* mend_config = "mend /etc/bootkey/bootkey.conf, and make the image anew with update-initramfs -u";

std::string in_one_line(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all;
}

// Whether bootkey starts with what the boot scripts give it (initramfs-tools/scripts/init-premount/bootkey).
Result<options::Options> start(const options::ConfigText& config, const BootPlan& plan) {
    const auto parsed = [&config](std::vector<std::string> words) -> Result<options::Options> {
        std::vector<char*> argv;
        argv.reserve(words.size() + 1);
        for (std::string& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        auto outcome = options::parse(static_cast<int>(words.size()), argv.data(), config);
        if (!outcome) return std::move(outcome).error();
        return std::get<options::Options>(*std::move(outcome));
    };
    std::vector<std::string> words{"bootkey", "--askpass-fifo"};
    if (!plan.connect.empty()) words.push_back("--connect=" + plan.connect);
    if (!plan.interface.empty()) words.push_back("--interface=" + plan.interface);
    const auto settings = options::parse_config(config.text, config.name);
    if (settings && std::ranges::none_of(
                        *settings, [](const auto& one) { return one.option->name == std::string_view("management"); }))
        words.push_back(std::string("--management=") + options::default_management_address);
    return parsed(std::move(words));
}

// The names of interfaces of which the boot needs one; none if it takes what fits a pattern, or whatever is there.
std::vector<std::string> needed_interfaces(const options::Options& options) {
    const network::InterfaceChoice choice(options.interfaces, false);
    const bool has_patterns = std::ranges::any_of(
        options.interfaces, [](const std::string& names) { return names.find_first_of("*?[!") != std::string::npos; });
    return has_patterns ? std::vector<std::string>{} : choice.plain_names();
}

}  // namespace

Result<options::Options> check_boot(const ImageContent& content, const std::string& command_line,
                                    const std::function<bool(const std::string&)>& has_interface,
                                    const ReadAnew& read_anew, CheckList& list) {
    BootFiles files = content.files;
    files.command_line = command_line;
    const BootPlan plan = plan_boot(files, content.as_plugin);
    for (const std::string& remark : plan.remarks) list.warn("boot", remark);

    const options::ConfigText config{config_inside, content.as_plugin ? "" : files.config};
    const auto at_boot = start(config, plan);
    if (!at_boot) {
        list.wrong("boot", "bootkey would end at once at boot: " + at_boot.error().message(), mend_config);
        return at_boot.error();
    }
    auto options = read_anew(config);
    if (!options) {
        list.wrong("boot", options.error());
        return std::move(options).error();
    }
    // What a person gives to --check comes first.
    const auto given = read_anew({config_inside, ""});
    if (!given) {
        list.wrong("boot", given.error());
        return given.error();
    }
    if (!given->connect) options->connect = at_boot->connect;
    if (given->interfaces.empty()) options->interfaces = at_boot->interfaces;

    const std::vector<std::string> needed = needed_interfaces(*at_boot);
    const bool missing = !needed.empty() && std::ranges::none_of(needed, has_interface);
    const std::string source = plan.interface.empty() ? "" : " (" + plan.interface_source + ")";
    const std::string only = "bootkey uses only interface " + escaped(in_one_line(needed)) + source;
    if (!plan.is_started()) {
        list.wrong("boot", "bootkey will not be started: " + plan.obstacle, plan.advice);
    } else if (missing && !content.has_network_hooks) {
        const Error error{base::ExitCode::unavailable, "cannot get a password at boot",
                          only + ", which this machine does not have",
                          "name one that it has, and make the image anew with update-initramfs -u"};
        list.wrong("boot", error);
        return error;
    } else {
        if (missing)
            list.warn(
                "boot",
                only + ", which is not there now; whether the network hooks make it at boot cannot be known here");
        list.good("boot", "bootkey will be started for " + in_one_line(plan.devices));
    }
    return options;
}

}  // namespace bootkey::modes
