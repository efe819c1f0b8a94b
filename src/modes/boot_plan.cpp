// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/boot_plan.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "bootkey/base/text.hpp"
#include "bootkey/options/config_file.hpp"

namespace bootkey::modes {
namespace {

using base::escaped;

constexpr std::string_view shell_blanks = " \t\n";
constexpr const char* on_command_line = " on the kernel command line";

std::vector<std::string_view> fields_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(shell_blanks), text.size()));
        if (text.empty()) return words;
        words.push_back(text.substr(0, text.find_first_of(shell_blanks)));
        text.remove_prefix(words.back().size());
    }
}

// What stands behind `prefix` in a word that begins with it.
std::optional<std::string_view> behind(std::string_view prefix, std::string_view word) {
    if (!word.starts_with(prefix)) return std::nullopt;
    return word.substr(prefix.size());
}

// ---- Files that a shell sources

struct ShellValue {
    std::string text;
    bool is_computed = false;  // by the shell, so that nobody else knows it
};

// `text` is what follows the equals sign.
ShellValue shell_value(std::string_view text) {
    ShellValue value;
    char quote = 0;
    for (const char character : text) {
        if (character == quote) {
            quote = 0;
        } else if (quote == 0 && (character == '"' || character == '\'')) {
            quote = character;
        } else if (quote == 0 && (shell_blanks.find(character) != std::string_view::npos || character == ';')) {
            break;
        } else {
            value.is_computed = value.is_computed || (quote != '\'' && (character == '$' || character == '`'));
            value.text += character;
        }
    }
    return value;
}

// The last assignment to a variable in these files.
ShellValue sourced(const std::vector<std::string>& files, std::string_view name) {
    ShellValue value;
    for (const std::string& file : files) {
        for (std::string_view line : base::split(file, '\n')) {
            line.remove_prefix(std::min(line.find_first_not_of(shell_blanks), line.size()));
            if (const auto exported = behind("export ", line)) line = base::trim(*exported);
            const auto assigned = behind(std::string(name) + '=', line);
            if (assigned) value = shell_value(*assigned);
        }
    }
    return value;
}

// ---- The kernel command line

struct CommandLine {
    bool off = false, on = false, debug = false;  // bootkey=
    std::string connect;
    bool mandos_off = false;
    std::string mandos_connect;
    ShellValue ip, boot;
    enum class Cryptopts { none, empty, device } cryptopts = Cryptopts::none;
};

// Whether it looks like ADDRESS:PORT.
bool is_server(std::string_view text) {
    const auto colon = text.rfind(':');
    const std::string_view port = colon == std::string_view::npos ? text : text.substr(colon + 1);
    std::string_view address = text.substr(0, colon);
    address = address.substr(0, address.find('%'));
    if (address.starts_with('[')) address.remove_prefix(1);
    if (address.ends_with(']')) address.remove_suffix(1);
    constexpr std::size_t longest_port = 5;
    return address.find_first_of(":.") != std::string_view::npos &&
           address.find_first_not_of("0123456789ABCDEFabcdef:.") == std::string_view::npos && !port.empty() &&
           port.find_first_not_of("0123456789") == std::string_view::npos && !port.starts_with('0') &&
           port.size() <= longest_port;
}

void read_setting(std::string_view family, std::string_view setting, CommandLine& line, BootPlan& plan) {
    const auto say = [&](const std::string& what) { plan.remarks.push_back(what); };
    const std::string shown = std::string(family) + "=" + escaped(setting) + on_command_line;
    const auto address = behind("connect:", setting);
    if (family == "bootkey") {
        if (setting == "off")
            line.off = true;
        else if (setting == "on")
            line.on = true;
        else if (setting == "debug")
            line.debug = true;
        else if (address && !address->empty())
            line.connect = *address;
        else
            say("unknown setting " + shown + " is not used");
    } else if (setting == "off") {
        line.mandos_off = true;
    } else if (address && !address->empty()) {
        if (is_server(*address))
            line.mandos_connect = *address;
        else
            say(shown + " is not used, since it is not an address and a port; try: mandos=connect:ADDRESS:PORT");
    } else if (!address && setting != "connect") {
        say("unknown setting " + shown + " is not used");
    }
}

CommandLine read_command_line(const BootFiles& files, BootPlan& plan) {
    CommandLine line;
    line.ip = sourced(files.settings, "IP");
    line.boot = sourced(files.settings, "BOOT");
    bool from_network = false;
    for (const std::string_view word : fields_of(files.command_line)) {
        for (const std::string_view family : {"bootkey", "mandos"})
            if (const auto settings = behind(std::string(family) + "=", word))
                for (const std::string_view setting : base::split(*settings, ','))
                    read_setting(family, setting, line, plan);
        if (const auto ip = behind("ip=", word)) line.ip = {std::string(*ip)};
        if (const auto boot = behind("boot=", word)) line.boot = {std::string(*boot)};
        from_network = from_network || word == "root=/dev/nfs";
        if (const auto cryptopts = behind("cryptopts=", word)) {
            if (!cryptopts->empty())
                line.cryptopts = CommandLine::Cryptopts::device;
            else if (line.cryptopts == CommandLine::Cryptopts::none)
                line.cryptopts = CommandLine::Cryptopts::empty;
        }
    }
    if (from_network && line.boot.text.empty()) line.boot.text = "nfs";
    return line;
}

// ---- Disks

struct Disk {
    std::string name, key;
    std::string keyscript{};  // empty: none
};

std::vector<Disk> read_crypttab(const std::string& text) {
    std::vector<Disk> disks;
    for (const std::string_view line : base::split(text, '\n')) {
        const auto fields = fields_of(line);
        if (fields.empty() || fields[0].starts_with('#')) continue;
        Disk disk{escaped(fields[0]), fields.size() > 2 ? std::string(fields[2]) : ""};
        if (fields.size() > 3)
            for (const std::string_view option : base::split(fields[3], ','))
                if (const auto keyscript = behind("keyscript=", option)) disk.keyscript = *keyscript;
        disks.push_back(std::move(disk));
    }
    return disks;
}

// Whether a keyscript is known to have askpass ask for the disk's own password.
bool asks_for_disk(std::string_view keyscript) {
    const auto path = behind("/usr", keyscript).value_or(keyscript);
    return path == "/lib/cryptsetup/askpass" || path == "/lib/cryptsetup/scripts/decrypt_keyctl" ||
           path == "decrypt_keyctl";
}

// bootkey's own, or with the plugin plugin-runner's.
bool is_own_keyscript(std::string_view keyscript, bool as_plugin) {
    const auto path = behind("/usr", keyscript).value_or(keyscript);
    return path == (as_plugin ? "/lib/mandos/plugin-runner" : "/lib/bootkey/keyscript");
}

struct Disks {
    std::vector<std::string> at_prompt, by_keyscript;  // for which bootkey has a password
    std::string others;                                // with reasons
};

Disks sort_disks(const std::vector<Disk>& disks, bool as_plugin, bool prompts_are_answered) {
    Disks sorted;
    const auto add_other = [&](const std::string& other) {
        sorted.others += (sorted.others.empty() ? "" : ", ") + other;
    };
    for (const Disk& disk : disks) {
        if (is_own_keyscript(disk.keyscript, as_plugin))
            sorted.by_keyscript.push_back(disk.name);
        else if (disk.keyscript.empty() && disk.key != "none")
            add_other(disk.name + " has the key file " + escaped(disk.key));
        else if (!disk.keyscript.empty() && !asks_for_disk(disk.keyscript))
            add_other(disk.name + " has keyscript=" + escaped(disk.keyscript) + ", which asks in its own way");
        else if (prompts_are_answered)
            sorted.at_prompt.push_back(disk.name);
        else
            add_other(disk.name);
    }
    return sorted;
}

void choose_disks(const BootFiles& files, const CommandLine& line, bool as_plugin, BootPlan& plan) {
    // init-premount/bootkey ends at once there, but not the keyscript.
    const bool from_network = !as_plugin && line.boot.text == "nfs";
    const bool is_replaced = line.cryptopts == CommandLine::Cryptopts::device;
    if (is_replaced && !from_network) {
        plan.devices = {"the disk of cryptopts=" + std::string(on_command_line)};
        return;
    }
    const bool is_empty = line.cryptopts == CommandLine::Cryptopts::empty;
    const auto entries = is_replaced || is_empty ? std::vector<Disk>{} : read_crypttab(files.crypttab);
    Disks disks = sort_disks(entries, as_plugin, !from_network);
    plan.devices = std::move(disks.by_keyscript);
    plan.devices.insert(plan.devices.end(), disks.at_prompt.begin(), disks.at_prompt.end());
    if (!plan.devices.empty()) {
        if (!disks.others.empty())
            plan.remarks.push_back(
                "not every disk gets its password from bootkey, and what becomes of these cannot be known here: " +
                disks.others);
        return;
    }
    plan.advice =
        "name the disk in /etc/crypttab, with the key \"none\" and the option initramfs, and make the image "
        "anew with update-initramfs -u";
    if (from_network) {
        plan.obstacle = "the root file system comes from the network";
        plan.advice = "take BOOT=nfs, boot=nfs or root=/dev/nfs away if that is not so";
    } else if (is_empty) {
        plan.obstacle = "no disk is to be unlocked: cryptopts= is empty" + std::string(on_command_line);
        plan.advice = "take cryptopts= away there";
    } else if (disks.others.empty()) {
        plan.obstacle = "no disk is named in the image's /cryptroot/crypttab";
    } else {
        plan.obstacle = "no disk in the image's /cryptroot/crypttab asks for its own password: " + disks.others;
    }
}

// ---- Who was chosen

bool is_chosen(const std::string& client) {
    bool chosen = false;
    for (const std::string_view line : base::split(client, '\n'))
        if (const auto value = behind("chosen=", line)) chosen = *value == "yes";
    return chosen;
}

// What is said of bootkey itself comes before mandos=off, which may stand there since somebody has switched
// mandos-client off for bootkey's sake.
void check_switches(const BootFiles& files, const CommandLine& line, bool as_plugin, BootPlan& plan) {
    const std::string mandos_off = "mandos=off is" + std::string(on_command_line);
    if (as_plugin) {
        if (!line.mandos_off) return;
        plan.obstacle = mandos_off + ", and Mandos's boot script goes by it";
        plan.advice = "take it away there";
    } else if (line.off) {
        plan.obstacle = "bootkey=off is" + std::string(on_command_line);
        plan.advice = "take it away there";
    } else if (!line.mandos_off) {
        return;
    } else if (line.on || line.debug || !line.connect.empty()) {
        plan.remarks.push_back(mandos_off + ", but bootkey= is there, too, and so bootkey runs");
    } else if (is_chosen(files.client)) {
        plan.remarks.push_back(mandos_off + ", but bootkey was chosen in the settings, and so it runs");
    } else {
        plan.obstacle = mandos_off;
        plan.advice = "add bootkey=on there";
    }
}

// ---- Server and interface

void choose_server(const CommandLine& line, bool as_plugin, bool names_server, BootPlan& plan) {
    if (as_plugin) {
        plan.connect = line.mandos_connect;
        return;
    }
    plan.connect = line.connect;
    if (line.mandos_connect.empty()) return;
    const std::string shown = "mandos=connect:" + escaped(line.mandos_connect) + on_command_line;
    if (!line.connect.empty()) {
        plan.remarks.push_back(shown + " is not used, since bootkey=connect: is there, too");
    } else if (names_server) {
        plan.remarks.push_back(shown + " is not used, since bootkey.conf names a server");
    } else {
        plan.connect = line.mandos_connect;
    }
}

void choose_interface(const BootFiles& files, const CommandLine& line, bool names_interface, BootPlan& plan) {
    constexpr std::size_t fields_before = 5;
    if (const auto fields = base::split(line.ip.text, ':'); fields.size() > fields_before) {
        plan.interface = fields[fields_before];
        plan.interface_source = "the device in ip= or IP=";
    }
    if (!plan.interface.empty() || names_interface) return;
    const ShellValue device = sourced(files.settings, "DEVICE");
    if (device.is_computed) {
        plan.remarks.push_back(
            "DEVICE in the image's initramfs.conf is made by a shell, and which interface it names cannot be known "
            "here");
        return;
    }
    plan.interface = device.text;
    plan.interface_source = "DEVICE in the image's initramfs.conf";
}

}  // namespace

BootPlan plan_boot(const BootFiles& files, bool as_plugin) {
    BootPlan plan;
    const CommandLine line = read_command_line(files, plan);
    choose_disks(files, line, as_plugin, plan);
    if (plan.is_started()) check_switches(files, line, as_plugin, plan);
    // Set-user-ID, as a plugin is started, bootkey reads no configuration file.
    const auto settings = options::parse_config(as_plugin ? std::string() : files.config, "/etc/bootkey/bootkey.conf");
    const auto is_configured = [&](std::string_view name) {
        return settings && std::ranges::any_of(*settings, [&](const auto& one) { return one.option->name == name; });
    };
    choose_server(line, as_plugin, is_configured("connect") || is_configured("server"), plan);
    choose_interface(files, line, is_configured("interface"), plan);
    if (as_plugin)
        plan.remarks.push_back("what plugin-runner.conf in the image gives to bootkey is not looked at here");
    return plan;
}

}  // namespace bootkey::modes
