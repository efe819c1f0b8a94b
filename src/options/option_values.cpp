// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/option_values.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "bootkey/base/text.hpp"
#include "bootkey/options/management_address.hpp"
#include "bootkey/options/server_address.hpp"

namespace bootkey::options {
namespace {

constexpr double least_period = 0.1;     // seconds: below this, repeating something is a busy loop
constexpr double longest_time = 86'400;  // seconds: a day; more is a slip of the finger

// Seconds from `least` to longest_time.
base::Result<base::Duration> seconds(std::string_view text, double least) {
    const auto number = base::parse_seconds(text, longest_time);
    if (!number || *number < least)
        return refused(base::format("not a number of seconds from %g to %.0f", least, longest_time),
                       "give one, as in 10 or 2.5");
    return base::from_seconds(*number);
}

base::Result<void> set_seconds(base::Duration& field, std::string_view text, double least) {
    const auto duration = seconds(text, least);
    if (!duration) return duration.error();
    field = *duration;
    return {};
}

base::Result<ServerAddress> server_address(std::string_view text) {
    auto address = parse_server_address(text);
    if (!address) return refused(address.error().why, address.error().advice);
    return address;
}

// One element of --interface's list: a name, a pattern of fnmatch(3), either behind a '!', or "none".
base::Result<void> check_interface(std::string_view element) {
    constexpr std::size_t longest_pattern = 64;  // bytes: brackets make a pattern longer than the names it matches
    const bool exclusion = element.starts_with('!');
    const std::string_view name = element.substr(exclusion ? 1 : 0);
    const bool pattern = name.find_first_of("*?[") != std::string_view::npos;
    if (name == "lo" && !exclusion)
        return refused("no password server is reached through the loopback interface", "name another interface");
    // Apart from their length, patterns are made of what names are made of.
    bool valid = !name.empty() && name.size() <= longest_pattern;
    for (std::size_t i = 0; valid && i < name.size(); ++i) valid = is_interface_name(std::string("x") + name[i]);
    if (!valid || !(pattern || is_interface_name(name)))
        return refused(
            "'" + base::escaped(element) + "' cannot be the name of an interface",
            "give names of at most 15 bytes, patterns like en* or exclusions like !wlan*, with commas between");
    return {};
}

bool is_name_character(char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '.' || character == '-' || character == '_';
}

}  // namespace

base::Error refused(std::string why, std::string advice) {
    return {base::ExitCode::usage, {}, std::move(why), std::move(advice)};
}

base::Result<void> set_connect(Options& options, Value value) {
    auto address = server_address(*value);
    if (!address) return address.error();
    options.connect = *std::move(address);
    return {};
}

base::Result<void> add_server(Options& options, Value value) {
    auto address = server_address(*value);
    if (!address) return address.error();
    options.servers.push_back(*std::move(address));
    return {};
}

base::Result<void> add_interfaces(Options& options, Value value) {
    bool any = false;
    for (const std::string_view element : base::split(*value, ',')) {
        if (element.empty()) continue;  // mandos-client takes no notice of these either
        any = true;
        if (auto checked = check_interface(element); !checked) return checked;
    }
    if (any) options.interfaces.emplace_back(*value);
    return {};
}

base::Result<void> set_delay(Options& options, Value value) {
    options.delay_text = *value;
    return set_seconds(options.delay, *value, 0);
}

base::Result<void> set_retry(Options& options, Value value) {
    return set_seconds(options.retry, *value, least_period);
}

base::Result<void> set_network_hook_timeout(Options& options, Value value) {
    return set_seconds(options.network_hook_timeout, *value, least_period);
}

base::Result<void> set_dh_bits(Options& options, Value value) {
    if (*value == "0") {  // automatic, as mandos-client has it
        options.dh_bits.reset();
        return {};
    }
    // Smaller primes have been broken (Logjam, 2015); the largest group of RFC 7919 has 8192 bits.
    const auto bits = base::parse_number(*value, 1024, 8192);
    if (!bits)
        return refused("not a number of bits from 1024 to 8192",
                       "give one, as in 3072, or 0 for what the priority asks for");
    options.dh_bits = static_cast<unsigned>(*bits);
    return {};
}

base::Result<void> set_askpass_fifo(Options& options, Value value) {
    const std::string_view path = value.value_or(default_askpass_fifo);
    if (!path.starts_with('/') || path.ends_with('/'))
        return refused("not the absolute path of a FIFO", "give one that begins with '/'");
    options.askpass_fifo = path;
    return {};
}

base::Result<void> set_prompt(Options& options, Value value) {
    // askpass writes it to the terminal as it is.
    const std::string_view text = value.value_or(default_prompt);
    if (text.empty() || !base::is_printable_utf8(text))
        return refused("not a line of text", "give one without control characters");
    options.prompt = text;
    return {};
}

base::Result<void> set_mapping(Options& options, Value value) {
    constexpr std::size_t longest = 127;  // bytes (DM_NAME_LEN in linux/dm-ioctl.h, less the NUL)
    if (value->empty() || value->size() > longest || value->find('/') != value->npos)
        return refused("not a name of a mapped device", "give it as in the first field of crypttab");
    options.mapping = *value;
    return {};
}

base::Result<void> set_tried(Options& options, Value value) {
    constexpr unsigned most = 1'000'000;
    const auto parts = base::split(*value, '/');
    const auto tried = base::parse_number(parts[0], 0, most);
    const auto tries =
        parts.size() == 2 ? base::parse_number(parts[1], 0, most) : std::optional<std::uint64_t>(options.tries);
    if (!tried || !tries || parts.size() > 2)
        return refused("not a number of tries", "give how many have failed, and of how many, as in 1/3");
    options.tried = static_cast<unsigned>(*tried);
    options.tries = static_cast<unsigned>(*tries);
    return {};
}

base::Result<void> set_management(Options& options, Value value) {
    auto address = parse_management_address(*value);
    if (!address) return refused(address.error().why, address.error().advice);
    options.management.address = *std::move(address);
    return {};
}

base::Result<void> set_management_password_file(Options& options, Value value) {
    if (value->empty()) return refused("the value is empty", "give one or leave the option out");
    options.management.password_file = *value;
    return {};
}

// The whole list is understood before any of it counts.
base::Result<void> set_management_query(Options& options, Value value) {
    Management chosen = options.management;
    chosen.query_disk = chosen.query_key = chosen.query_auth = false;
    for (const std::string_view sort : base::split(*value, ',')) {
        bool* const wanted = sort == "disk"   ? &chosen.query_disk
                             : sort == "key"  ? &chosen.query_key
                             : sort == "auth" ? &chosen.query_auth
                                              : nullptr;
        if (wanted == nullptr)
            return refused("'" + base::escaped(sort) + "' is nothing that clients can be asked for",
                           "give one or more of disk, key and auth with commas between, as in key,auth");
        *wanted = true;
    }
    chosen.query_passwords = true;
    options.management = std::move(chosen);
    return {};
}

base::Result<void> set_management_log_cache(Options& options, Value value) {
    const auto lines = base::parse_number(*value, 1, 10'000);
    if (!lines) return refused("not a number of lines from 1 to 10000");
    options.management.log_cache = static_cast<std::size_t>(*lines);
    return {};
}

base::Result<void> add_echo(Options& options, Value value) {
    constexpr std::size_t longest = 256;  // bytes
    if (value->size() > longest || !base::is_printable_utf8(*value))
        return refused(base::format("not a line of text of %zu bytes at most", longest),
                       "give one without control characters");
    auto& echo = options.management.echo;
    if (echo.size() == Management::most_echoes) echo.erase(echo.begin());
    echo.emplace_back(*value);
    return {};
}

base::Result<void> set_verb(Options& options, Value value) {
    const auto verb = base::parse_number(*value, 0, 15);
    if (!verb) return refused("not a number from 0 to 15");
    options.verb = static_cast<int>(*verb);
    return {};
}

base::Result<void> set_generate_keys(Options& options, Value value) {
    options.mode = Mode::generate_keys;
    return value ? set_text<&Options::key_directory>(options, value) : base::Result<void>();
}

base::Result<void> set_key_type(Options& options, Value value) {
    if (*value != "ed25519" && *value != "rsa4096") return refused("not a kind of key", "give ed25519 or rsa4096");
    options.key_type = *value == "ed25519" ? KeyType::ed25519 : KeyType::rsa4096;
    return {};
}

base::Result<void> set_enroll(Options& options, Value value) {
    options.mode = Mode::enroll;
    options.enroll_script = value.has_value();
    if (value && *value != "script") return refused("not a form of output", "give --enroll or --enroll=script");
    return {};
}

base::Result<void> set_name(Options& options, Value value) {
    constexpr std::size_t longest = 253;  // bytes, as host names (RFC 1035 section 2.3.4)
    // The name becomes a section of clients.conf, where DEFAULT would stand for all the others.
    if (value->empty() || value->size() > longest || *value == "DEFAULT" ||
        !std::ranges::all_of(*value, is_name_character))
        return refused("not a name for a section of clients.conf", "use letters, digits, '.', '-' and '_'");
    options.name = *value;
    return {};
}

base::Result<void> set_host(Options& options, Value value) {
    // It becomes an argument of the server's check command, so it must not look like an option.
    const auto fits = [](char character) { return is_name_character(character) || character == ':'; };
    if (value->empty() || value->size() > 253 || value->starts_with('-') || !std::ranges::all_of(*value, fits))
        return refused("neither a host name nor an IP address", "give one without brackets and port");
    options.host = *value;
    return {};
}

base::Result<void> set_timeout(Options& options, Value value) {
    const auto wrong = [] {
        return refused("not a duration from 1 minute to 10 years",
                       "give a number with m, h, d or w behind, as in 2h or 1d");
    };
    struct Unit {
        char letter;
        std::uint64_t minutes;
    };
    constexpr std::array units{Unit{'m', 1}, Unit{'h', 60}, Unit{'d', 24 * 60}, Unit{'w', 7 * 24 * 60}};
    constexpr std::uint64_t max_minutes = 10ULL * 366 * 24 * 60;
    if (value->empty()) return wrong();
    const auto unit = std::ranges::find(units, value->back(), &Unit::letter);
    const auto number = base::parse_number(value->substr(0, value->size() - 1), 1, max_minutes);
    if (unit == units.end() || !number || *number * unit->minutes > max_minutes) return wrong();
    options.timeout = std::chrono::minutes(*number * unit->minutes);
    return {};
}

base::Result<void> set_check(Options& options, Value) {
    options.mode = Mode::check;
    return {};
}

base::Result<void> set_check_config(Options& options, Value) {
    options.mode = Mode::check_config;
    return {};
}

base::Result<void> set_report(Options& options, Value) {
    options.mode = Mode::report;
    return {};
}

base::Result<void> set_control(Options& options, Value value) {
    options.mode = Mode::control;
    auto address = parse_management_address(value.value_or(default_management_address));
    if (!address) return refused(address.error().why, address.error().advice);
    options.control = *std::move(address);
    return {};
}

base::Result<void> set_restore(Options& options, Value) {
    options.mode = Mode::restore;
    return {};
}

}  // namespace bootkey::options
