// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/command_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <filesystem>

#include "bootkey/base/text.hpp"
#include "bootkey/options/argp_table.hpp"
#include "bootkey/options/config_file.hpp"
#include "bootkey/options/management_address.hpp"
#include "bootkey/options/option_table.hpp"

namespace bootkey::options {
namespace {

base::Error usage_error(std::string tried, std::string why, std::string advice) {
    return {base::ExitCode::usage, std::move(tried), std::move(why), std::move(advice)};
}

// ---- The words of the command line, by argp

// What argp's callback has found so far.
struct Words {
    Assignments assignments;
    std::vector<std::string> arguments;  ///< words that belong to no option
    const Option* question = nullptr;    ///< --help, --usage or --version: nothing behind it counts any more
    std::optional<base::Error> error;
    int next = 1;                  ///< the word that is read next, or in the middle of which argp is
    std::exception_ptr exception;  ///< must not pass through argp's frames
};

// Why argp does not understand `word`, which begins with a dash.
base::Error explain(std::string_view word) {
    const auto missing = [](const Option& option) {
        return usage_error(std::string("option --") + option.name,
                           std::string("its value ") + option.argument + " is missing",
                           std::string("give --") + option.name + "=" + option.argument);
    };
    const auto unknown = [](std::string_view option) {
        return usage_error("option " + base::escaped(option), "there is no such option", "see bootkey --help");
    };
    if (!word.starts_with("--")) {
        // A cluster of letters; the first that is unknown or lacks its value is the one.
        for (const char letter : word.substr(1)) {
            const Option* const option = ArgpTable::find(static_cast<unsigned char>(letter));
            if (!option) return unknown(std::string("-") + letter);
            if (option->argument) return missing(*option);
        }
        return unknown(word);
    }
    const auto equals = word.find('=');
    const std::string_view name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    std::vector<const Option*> meant;
    for (const Option& option : option_table()) {
        if (!name.empty() && std::string_view(option.name).starts_with(name)) meant.push_back(&option);
    }
    if (const Option* const exact = find_option(name)) meant = {exact};
    if (meant.empty()) return unknown(word.substr(0, equals));
    if (meant.size() > 1) {
        std::string candidates;
        for (const Option* option : meant) candidates += std::string(candidates.empty() ? "--" : ", --") + option->name;
        return usage_error("option --" + base::escaped(name), "it could mean " + candidates, "write more of it");
    }
    if (meant.front()->argument) return missing(*meant.front());
    return usage_error("option " + base::escaped(word), "this option takes no value",
                       std::string("give --") + meant.front()->name + " alone");
}

error_t note(Words& words, int key, const char* argument, const argp_state& state) {
    if (key == ARGP_KEY_ERROR && !words.error && !words.question && words.next < state.argc)
        words.error = explain(state.argv[words.next]);
    if (key == ARGP_KEY_ARG) {
        words.arguments.emplace_back(argument);
        words.next = state.next;
        return 0;
    }
    const Option* const option = ArgpTable::find(key);
    if (!option) return ARGP_ERR_UNKNOWN;
    words.next = state.next;
    if (option->kind == Kind::help || option->kind == Kind::usage || option->kind == Kind::version) {
        words.question = option;
        return ECANCELED;  // ends the parsing
    }
    words.assignments.push_back({option, argument ? std::optional<std::string>(argument) : std::nullopt, {}});
    return 0;
}

error_t on_word(int key, char* argument, argp_state* state) noexcept {
    Words& words = *static_cast<Words*>(state->input);
    try {
        return note(words, key, argument, *state);
    } catch (...) {
        words.exception = std::current_exception();
        return ENOMEM;
    }
}

base::Result<Words> read_words(const ArgpTable& table, int argc, char** argv) {
    Words words;
    argp parser{};
    parser.options = table.rows();
    parser.parser = on_word;
    // In order: then the environment's POSIXLY_CORRECT changes nothing, and the word in question is always words.next.
    const error_t status = ::argp_parse(&parser, argc, argv, ARGP_SILENT | ARGP_IN_ORDER, nullptr, &words);
    if (words.exception) std::rethrow_exception(words.exception);
    if (words.error) return *std::move(words.error);
    if (status != 0 && !words.question) return base::system_error("cannot read the command line", status);
    return words;
}

// ---- The configuration file

// What is read if no --config names a file: the file of that name, if it exists, or a text.
using DefaultConfig = std::variant<std::string, ConfigText>;

struct Config {
    std::string file;  // that was read; empty: none
    Assignments lines;
};

base::Result<Config> read_file(const std::string& path) {
    if (path.empty()) return Config{};
    auto lines = read_config(path);
    if (!lines) return std::move(lines).error();
    return Config{path, *std::move(lines)};
}

base::Result<Config> read_chosen(const Assignments& command_line, const DefaultConfig& by_default) {
    const auto named = std::ranges::find(command_line.rbegin(), command_line.rend(), Kind::configuration_file,
                                         [](const Assignment& assignment) { return assignment.option->kind; });
    if (named != command_line.rend()) return read_file(*named->value);
    if (const auto* text = std::get_if<ConfigText>(&by_default)) {
        auto lines = parse_config(text->text, text->name);
        if (!lines) return std::move(lines).error();
        return Config{"", *std::move(lines)};
    }
    const std::string& path = std::get<std::string>(by_default);
    // A file that exists and cannot be read is an error later on; only its absence is as good as an empty one.
    const bool absent = ::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
    return absent ? Config{} : read_file(path);
}

// The file's settings that the command line leaves in force: not those it gives itself, nor those it contradicts.
Assignments not_overridden(const Assignments& file, const Assignments& command_line) {
    Assignments rest;
    for (const Assignment& line : file) {
        const bool overridden = std::ranges::any_of(command_line, [&](const Assignment& word) {
            return word.option == line.option ||
                   (word.option->rival && word.option->rival == std::string_view(line.option->name));
        });
        if (!overridden) rest.push_back(line);
    }
    return rest;
}

// ---- Rules between options

// Hooks get it in their environment, run as root, and may be careless with it: no name can be an option or hold what a
// shell would expand. Patterns, which are kept from hooks, and IPv6 addresses are let through.
bool harmless_to_hooks(std::string_view value) {
    constexpr std::string_view marks = ".,:%_+=@-*?![]";
    const auto harmless = [&](char character) {
        const auto lower = static_cast<char>(character | 0x20);
        return (lower >= 'a' && lower <= 'z') || (character >= '0' && character <= '9') ||
               marks.find(character) != std::string_view::npos;
    };
    return std::ranges::all_of(value, harmless) && !value.starts_with('-') &&
           value.find(",-") == std::string_view::npos;
}

base::Result<void> check_set_user_id(const Assignments& command_line) {
    for (const Assignment& word : command_line) {
        const auto refuse = [&](std::string why, std::string advice) {
            return base::Error{base::ExitCode::no_permission, word.text(), std::move(why), std::move(advice)};
        };
        if (!word.option->mandos_client) return refuse("not accepted while bootkey runs set-user-ID", "run it as root");
        if (const char* only = word.option->trusted_value; only && *word.value != only)
            return refuse("while bootkey runs set-user-ID it can only be " + std::string(only), "run bootkey as root");
        if (word.option->told_to_hooks && !harmless_to_hooks(*word.value))
            return refuse("while bootkey runs set-user-ID network hooks are told no such value", "run bootkey as root");
        if (!word.option->trusted_directory) continue;
        const std::filesystem::path path = *word.value;
        const std::filesystem::path trusted = word.option->trusted_directory;
        const bool inside = std::ranges::mismatch(trusted, path).in1 == trusted.end();
        if (!inside || std::ranges::find(path, "..") != path.end())
            return refuse("while bootkey runs set-user-ID it must be inside " + trusted.string(),
                          "run bootkey as root");
    }
    return {};
}

// At most one mode, and on the command line only what belongs to it. (The file holds settings for all modes.)
base::Result<void> check_modes(const Assignments& command_line) {
    Modes modes = modes_of(Mode::unlock);
    const Option* chosen = nullptr;
    for (const Assignment& word : command_line) {
        if (word.option->kind != Kind::mode) continue;
        if (chosen && chosen != word.option)
            return usage_error(word.text(), std::string("it cannot be combined with --") + chosen->name,
                               "give one of the two");
        chosen = word.option;
        modes = chosen->modes;
    }
    for (const Assignment& word : command_line) {
        if ((word.option->modes & modes) != 0) continue;
        if (chosen)
            return usage_error(word.text(), std::string("it does not belong to --") + chosen->name, "leave it out");
        for (const Option& option : option_table()) {
            if (option.kind == Kind::mode && (option.modes & word.option->modes) != 0)
                return usage_error(word.text(), std::string("it needs --") + option.name,
                                   std::string("give --") + option.name + " too, or leave it out");
        }
    }
    return {};
}

// Words that belong to no option are a command for the management interface.
base::Result<void> check_arguments(const std::vector<std::string>& arguments, const Options& options) {
    if (arguments.empty()) return {};
    const std::string first = "argument '" + base::escaped(arguments.front()) + "'";
    if (options.mode != Mode::control)
        return usage_error(first, "bootkey takes options only",
                           "join an option and its optional value by '=', as in --generate-keys=DIR");
    if (options.follow) return usage_error(first, "--follow sends no commands of yours", "leave one of the two out");
    return {};
}

base::Result<void> check_rivals(const Assignments& assignments) {
    for (const Assignment& one : assignments) {
        for (const Assignment& other : assignments) {
            if (one.option->rival && one.option->rival == std::string_view(other.option->name))
                return usage_error(one.text(), "it contradicts " + other.text(), "leave one of the two out");
        }
    }
    return {};
}

// A pair of TLS keys is named whole or not at all: half of one makes a server not know the machine. Of --pubkey and
// --seckey one alone is no error, as with mandos-client: the other file is then looked for in the key directories.
base::Result<void> check_tls_pair(const Options& options) {
    const auto lonely = [](const char* given, const std::string& file, const char* missing) {
        return usage_error(std::string("option --") + given + "=" + base::escaped(file),
                           "it is one half of a pair of TLS keys", std::string("give --") + missing + "=FILE too");
    };
    if (!options.tls_pubkey.empty() && options.tls_privkey.empty())
        return lonely("tls-pubkey", options.tls_pubkey, "tls-privkey");
    if (options.tls_pubkey.empty() && !options.tls_privkey.empty())
        return lonely("tls-privkey", options.tls_privkey, "tls-pubkey");
    return {};
}

// What belongs to the management interface needs one; and what a client may do there is not for everybody on the
// network.
base::Result<void> check_management(const Assignments& assignments, const Management& management) {
    for (const Assignment& one : assignments)
        if (one.option->group == Group::management && !management.address)
            return usage_error(one.text(), "there is no management interface", "give --management=ADDRESS too");
    if (management.address && is_reached_by_others(*management.address) && management.password_file.empty() &&
        !management.client)
        return usage_error("option --management", "others than this machine reach that address",
                           "give --management-password-file=FILE too, or an address like 127.0.0.1:7505");
    return {};
}

// ---- Putting it together

base::Result<void> take_over(const Assignments& assignments, Options& options) {
    for (const Assignment& assignment : assignments) {
        if (!assignment.option->apply) continue;  // --config
        auto applied = assignment.option->apply(options, assignment.value);
        if (!applied) return usage_error(assignment.text(), applied.error().why, applied.error().advice);
    }
    return {};
}

base::Result<Information> answer(const Option& question, const ArgpTable& table, bool set_user_id) {
    if (set_user_id)
        return usage_error(std::string("option --") + question.name,
                           "not answered while bootkey runs set-user-ID, since the text could be taken for a password",
                           "run the installed program");
    switch (question.kind) {
        case Kind::help:
            return Information{table.help()};
        case Kind::usage:
            return Information{table.usage()};
        default:
            return Information{version_text()};
    }
}

// What the words and the configuration file make of the defaults.
base::Result<Options> settle(Words words, bool set_user_id, const DefaultConfig& default_config) {
    const Assignments& command_line = words.assignments;
    Config config;
    if (set_user_id) {
        if (auto checked = check_set_user_id(command_line); !checked) return std::move(checked).error();
    } else {
        auto read = read_chosen(command_line, default_config);
        if (!read) return std::move(read).error();
        config = *std::move(read);
        Options unused;  // lines that the command line overrides must make sense, too
        if (auto applied = take_over(config.lines, unused); !applied) return std::move(applied).error();
    }
    if (auto checked = check_modes(command_line); !checked) return std::move(checked).error();

    Assignments all = not_overridden(config.lines, command_line);
    all.insert(all.end(), command_line.begin(), command_line.end());
    if (auto checked = check_rivals(all); !checked) return std::move(checked).error();
    Options options;
    options.set_user_id = set_user_id;
    options.config_file = std::move(config.file);
    if (auto applied = take_over(all, options); !applied) return std::move(applied).error();
    if (auto checked = check_tls_pair(options); !checked) return std::move(checked).error();
    if (options.mode == Mode::unlock || options.mode == Mode::check_config)
        if (auto checked = check_management(all, options.management); !checked) return std::move(checked).error();
    if (auto checked = check_arguments(words.arguments, options); !checked) return std::move(checked).error();
    options.control_words = std::move(words.arguments);
    if (options.debug) options.verb = std::max(options.verb, 9);
    return options;
}

base::Result<ParseOutcome> parse_all(int argc, char** argv, bool set_user_id, const DefaultConfig& default_config) {
    const ArgpTable table;
    auto words = read_words(table, argc, argv);
    if (!words) return std::move(words).error();
    if (words->question) {
        auto information = answer(*words->question, table, set_user_id);
        if (!information) return std::move(information).error();
        return ParseOutcome(*std::move(information));
    }
    auto options = settle(*std::move(words), set_user_id, default_config);
    if (!options) return std::move(options).error();
    return ParseOutcome(*std::move(options));
}

}  // namespace

base::Result<ParseOutcome> parse(int argc, char** argv, bool set_user_id, const std::string& config_file) {
    return parse_all(argc, argv, set_user_id, config_file);
}

base::Result<ParseOutcome> parse(int argc, char** argv, const ConfigText& config) {
    return parse_all(argc, argv, false, config);
}

}  // namespace bootkey::options
