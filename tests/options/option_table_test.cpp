// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/option_table.hpp"

#include <chrono>
#include <set>

#include "catch.hpp"
#include "options/parse_words.hpp"

using namespace bootkey::options;
using namespace bootkey::options::tests;
using bootkey::base::ExitCode;
using bootkey::base::from_seconds;

TEST_CASE("the option table is well formed") {
    std::set<std::string> names;
    std::set<char> letters;
    int last_group = 0;
    for (const Option& option : option_table()) {
        CAPTURE(option.name);
        CHECK(names.insert(option.name).second);
        if (option.letter != '\0') CHECK(letters.insert(option.letter).second);
        CHECK(static_cast<int>(option.group) >= last_group);  // --help has one heading a group
        last_group = static_cast<int>(option.group);
        CHECK_FALSE(std::string(option.help).empty());
        CHECK_FALSE(std::string(heading(option.group)).empty());
        CHECK((option.apply != nullptr) == (option.kind == Kind::setting || option.kind == Kind::mode));
        CHECK((!option.argument_optional || option.argument != nullptr));
        CHECK(option.modes != 0);
        CHECK(find_option(option.name) == &option);
        if (option.rival) {
            const Option* const rival = find_option(option.rival);
            REQUIRE(rival);
            CHECK(std::string(rival->rival) == option.name);
        }
    }
    CHECK(find_option("no-such-option") == nullptr);
    CHECK(find_option("") == nullptr);
    CHECK(find_option("connec") == nullptr);
}

TEST_CASE("mandos-client's options are all there, with its letters") {
    const auto row = GENERATE(values<std::pair<const char*, char>>({{"connect", 'c'},
                                                                    {"interface", 'i'},
                                                                    {"pubkey", 'p'},
                                                                    {"seckey", 's'},
                                                                    {"tls-pubkey", 'T'},
                                                                    {"tls-privkey", 't'},
                                                                    {"priority", 0},
                                                                    {"dh-bits", 0},
                                                                    {"dh-params", 0},
                                                                    {"delay", 0},
                                                                    {"retry", 0},
                                                                    {"network-hook-dir", 0},
                                                                    {"debug", 0},
                                                                    {"help", '?'},
                                                                    {"usage", 0},
                                                                    {"version", 'V'}}));
    CAPTURE(row.first);
    const Option* const option = find_option(row.first);
    REQUIRE(option);
    CHECK(option->letter == row.second);
    CHECK(option->mandos_client);
}

TEST_CASE("the defaults that are told are those that hold") {
    const Options defaults;
    // What the table tells, given as a value, changes nothing.
    for (const char* name : {"delay", "retry", "network-hook-dir", "network-hook-timeout", "verb", "key-type"}) {
        CAPTURE(name);
        const Option* const option = find_option(name);
        REQUIRE(option);
        Options options;
        options.delay = options.retry = options.network_hook_timeout = from_seconds(12345);
        options.network_hook_dir = "/elsewhere";
        options.verb = 13;
        options.key_type = KeyType::rsa4096;
        const Options before = options;
        REQUIRE(option->apply(options, option->default_text));
        const bool changed = options.delay != before.delay || options.retry != before.retry ||
                             options.network_hook_timeout != before.network_hook_timeout ||
                             options.verb != before.verb || options.network_hook_dir != before.network_hook_dir ||
                             options.key_type != before.key_type;
        CHECK(changed);
        CHECK((options.delay == before.delay || options.delay == defaults.delay));
        CHECK((options.retry == before.retry || options.retry == defaults.retry));
        CHECK((options.network_hook_timeout == before.network_hook_timeout ||
               options.network_hook_timeout == defaults.network_hook_timeout));
        CHECK((options.verb == before.verb || options.verb == defaults.verb));
        CHECK((options.network_hook_dir == before.network_hook_dir ||
               options.network_hook_dir == defaults.network_hook_dir));
        CHECK((options.key_type == before.key_type || options.key_type == defaults.key_type));
    }
    CHECK(defaults.delay_text == find_option("delay")->default_text);
    CHECK(std::string(default_priority) == find_option("priority")->default_text);
    CHECK(contains(find_option("config")->default_text, default_config_file));
}

TEST_CASE("durations are numbers with a unit, and 0 bits are as good as none") {
    CHECK(accepted({"--enroll", "--timeout=90m"}).timeout == std::chrono::minutes(90));
    CHECK(accepted({"--enroll", "--timeout=2h"}).timeout == std::chrono::hours(2));
    CHECK(accepted({"--enroll", "--timeout=1d"}).timeout == std::chrono::hours(24));
    CHECK(accepted({"--enroll", "--timeout=1w"}).timeout == std::chrono::hours(7 * 24));
    CHECK_FALSE(accepted({"--enroll"}).timeout);
    CHECK_FALSE(accepted({"--dh-bits=2048", "--dh-bits=0"}).dh_bits);
}

TEST_CASE("values that are refused: exit status 64, naming option and value") {
    struct Row {
        const char* mode;  // or nullptr for unlocking
        const char* name;
        std::string value;
    };
    const auto row = GENERATE(values<Row>({
        {nullptr, "askpass-fifo", "relative/path"},
        {nullptr, "askpass-fifo", "/lib/cryptsetup/"},
        {nullptr, "prompt", ""},
        {nullptr, "mapping", ""},
        {nullptr, "mapping", "mapper/root"},
        {nullptr, "mapping", std::string(128, 'x')},
        {nullptr, "tried", ""},
        {nullptr, "tried", "one"},
        {nullptr, "tried", "-1"},
        {nullptr, "tried", "1/"},
        {nullptr, "tried", "1/2/3"},
        {nullptr, "connect", ""},
        {nullptr, "connect", "localhost:1"},
        {nullptr, "connect", "192.0.2.1"},
        {nullptr, "connect", "192.0.2.1:0"},
        {nullptr, "connect", "192.0.2.1:65536"},
        {nullptr, "server", "password.example:4711"},
        {nullptr, "server", "[ff02::1]:4711"},
        {nullptr, "server", ""},
        {nullptr, "interface", "lo"},
        {nullptr, "interface", "eth0,lo"},
        {nullptr, "interface", "none,lo"},
        {nullptr, "interface", "!"},
        {nullptr, "interface", "eth0,!,eth1"},
        {nullptr, "interface", "eth/0"},
        {nullptr, "interface", "eth 0"},
        {nullptr, "interface", " eth0"},
        {nullptr, "interface", "eth0:1"},
        {nullptr, "interface", "sixteen-bytes-16"},
        {nullptr, "interface", "../../etc"},
        {nullptr, "interface", "en*/"},
        {nullptr, "interface", std::string(65, '*')},
        {nullptr, "interface", "."},
        {nullptr, "pubkey", ""},
        {nullptr, "seckey", ""},
        {nullptr, "tls-pubkey", ""},
        {nullptr, "tls-privkey", ""},
        {nullptr, "require-signature", ""},
        {nullptr, "priority", ""},
        {nullptr, "network-hook-dir", ""},
        {nullptr, "dh-params", ""},
        {nullptr, "dh-bits", ""},
        {nullptr, "dh-bits", "1023"},
        {nullptr, "dh-bits", "8193"},
        {nullptr, "dh-bits", "-2048"},
        {nullptr, "dh-bits", "2048.5"},
        {nullptr, "dh-bits", "18446744073709553664"},
        {nullptr, "delay", ""},
        {nullptr, "delay", "-1"},
        {nullptr, "delay", "+1"},
        {nullptr, "delay", "x"},
        {nullptr, "delay", "2,5"},
        {nullptr, "delay", "1e3"},
        {nullptr, "delay", "inf"},
        {nullptr, "delay", "nan"},
        {nullptr, "delay", "0x10"},
        {nullptr, "delay", "2.5s"},
        {nullptr, "delay", " 2"},
        {nullptr, "delay", "86400.1"},
        {nullptr, "delay", std::string(5000, '9')},
        {nullptr, "retry", "0"},
        {nullptr, "retry", "0.09"},
        {nullptr, "retry", "-10"},
        {nullptr, "retry", "ten"},
        {nullptr, "retry", "86401"},
        {nullptr, "network-hook-timeout", "0"},
        {nullptr, "network-hook-timeout", "soon"},
        {nullptr, "verb", "16"},
        {nullptr, "verb", "-1"},
        {nullptr, "verb", ""},
        {nullptr, "verb", "9.5"},
        {nullptr, "generate-keys", ""},
        {"--generate-keys", "key-type", "dsa"},
        {"--generate-keys", "key-type", ""},
        {"--generate-keys", "key-type", "ED25519"},
        {nullptr, "enroll", ""},
        {nullptr, "enroll", "scripts"},
        {"--enroll", "name", ""},
        {"--enroll", "name", "DEFAULT"},
        {"--enroll", "name", "a]\n[b"},
        {"--enroll", "name", "$(reboot)"},
        {"--enroll", "name", std::string(254, 'a')},
        {"--enroll", "host", ""},
        {"--enroll", "host", "-oProxyCommand"},
        {"--enroll", "host", "a b"},
        {"--enroll", "host", "%(secret)s"},
        {"--enroll", "timeout", ""},
        {"--enroll", "timeout", "0m"},
        {"--enroll", "timeout", "5"},
        {"--enroll", "timeout", "1y"},
        {"--enroll", "timeout", "-1d"},
        {"--enroll", "timeout", "1.5h"},
        {"--enroll", "timeout", "600w"},
        {"--enroll", "timeout", "99999999999999999999d"},
        {"--enroll", "password-file", ""},
        {"--enroll", "sign-with", ""},
    }));
    std::vector<std::string> words;
    if (row.mode) words.emplace_back(row.mode);
    words.push_back(std::string("--") + row.name + "=" + row.value);
    CAPTURE(words);
    const auto error = refused_words(words);
    CAPTURE(error.message());
    CHECK(error.code == ExitCode::usage);
    CHECK(contains(error.message(), std::string("--") + row.name + "=" +
                                        (row.value.size() < 20 && !contains(row.value, "\n") ? row.value : "")));
    CHECK(error.message().size() < 800);
    CHECK_FALSE(error.why.empty());

    // The same in a configuration file, with the line's number.
    if (row.mode || find_option(row.name)->kind != Kind::setting || row.value.starts_with(' ') ||
        contains(row.value, "\n"))
        return;
    const TemporaryFile file("# comment\n" + std::string(row.name) + "=" + row.value + "\n");
    const auto file_error = refused_words({}, false, file.path());
    CAPTURE(file_error.message());
    CHECK(file_error.code == ExitCode::usage);
    CHECK(contains(file_error.message(), file.path() + ":2: "));
    CHECK(contains(file_error.message(), row.name));
}

TEST_CASE("every option's value arrives where it belongs") {
    const Options options = accepted({"--interface=eth0,!wlan*",
                                      "--interface=none,en[0-9]",
                                      "-i",
                                      "br0",
                                      "--pubkey=/p",
                                      "-s",
                                      "/s",
                                      "-T/tp",
                                      "--tls-privkey",
                                      "/ts",
                                      "--require-signature=/signers",
                                      "--priority=NORMAL",
                                      "--dh-bits=2048",
                                      "--dh-params=/dh",
                                      "--delay=.25",
                                      "--retry=0.1",
                                      "--network-hook-dir=/hooks",
                                      "--network-hook-timeout=90",
                                      "--verb=4",
                                      "--no-sandbox",
                                      "--server=192.0.2.1:1",
                                      "--server",
                                      "[::1]:2"});
    CHECK(options.mode == Mode::unlock);
    CHECK_FALSE(options.connect);
    CHECK(options.interfaces == std::vector<std::string>{"eth0,!wlan*", "none,en[0-9]", "br0"});
    CHECK(options.pubkey == "/p");
    CHECK(options.seckey == "/s");
    CHECK(options.no_sandbox);
    CHECK(options.tls_pubkey == "/tp");
    CHECK(options.tls_privkey == "/ts");
    CHECK(options.require_signature == "/signers");
    CHECK(options.priority == "NORMAL");
    CHECK(options.dh_bits == 2048U);
    CHECK(options.dh_params == "/dh");
    CHECK(options.delay == from_seconds(0.25));
    CHECK(options.delay_text == ".25");
    CHECK(options.retry == from_seconds(0.1));
    CHECK(options.network_hook_dir == "/hooks");
    CHECK(options.network_hook_timeout == from_seconds(90));
    CHECK(options.verb == 4);
    CHECK_FALSE(options.debug);
    REQUIRE(options.servers.size() == 2);
    CHECK(options.servers[0].text == "192.0.2.1:1");
    CHECK(options.servers[1].text == "[::1]:2");

    const Options connect = accepted({"-c", "fe80::1%eth0:4711"});
    REQUIRE(connect.connect);
    CHECK(connect.connect->text == "fe80::1%eth0:4711");
    CHECK(connect.connect->scope == "eth0");
    CHECK(connect.connect->port == 4711);

    const Options prompt = accepted({"--prompt=Please: ", "--mapping=root", "--tried=1/5"});
    CHECK(prompt.prompt == "Please: ");
    CHECK(prompt.mapping == "root");
    CHECK(prompt.tried == 1);
    CHECK(prompt.tries == 5);
    CHECK(prompt.askpass_fifo.empty());
    CHECK(accepted({"--prompt"}).prompt == default_prompt);
    CHECK(accepted({"--tried=2"}).tries == 3);
    CHECK(accepted({"--tried=2/0"}).tries == 0);
    CHECK(accepted({"--askpass-fifo"}).askpass_fifo == default_askpass_fifo);
    CHECK(accepted({"--askpass-fifo=/run/fifo"}).askpass_fifo == "/run/fifo");
    CHECK_FALSE(accepted({}).prompt);

    const Options keys = accepted({"--generate-keys=/k", "--key-type=rsa4096", "--tls-key", "--passphrase", "--force"});
    CHECK(keys.mode == Mode::generate_keys);
    CHECK(keys.key_directory == "/k");
    CHECK(keys.key_type == KeyType::rsa4096);
    CHECK(keys.tls_key);
    CHECK(keys.passphrase);
    CHECK(keys.force);
    CHECK(accepted({"--generate-keys"}).key_directory.empty());

    const Options enroll = accepted({"--enroll", "--name=web-1.example", "--host=2001:db8::7", "--password-file=/pw",
                                     "--sign-with=admin@example.org"});
    CHECK(enroll.mode == Mode::enroll);
    CHECK_FALSE(enroll.enroll_script);
    CHECK(enroll.name == "web-1.example");
    CHECK(enroll.host == "2001:db8::7");
    CHECK(enroll.password_file == "/pw");
    CHECK(enroll.sign_with == "admin@example.org");
    CHECK(accepted({"--enroll", "--require-signature=/signers"}).require_signature == "/signers");
    CHECK(accepted({"--enroll=script"}).enroll_script);
    CHECK(accepted({"--restore"}).mode == Mode::restore);

    const Options check =
        accepted({"--check", "--device=/dev/sda2", "--initrd=/boot/initrd.img", "--connect=192.0.2.1:1", "--pubkey=/p",
                  "--seckey=/s", "--interface=eth0", "--priority=NORMAL", "--require-signature=/signers"});
    CHECK(check.mode == Mode::check);
    CHECK(check.device == "/dev/sda2");
    CHECK(check.initrd == "/boot/initrd.img");
    CHECK(check.connect);
    CHECK(check.pubkey == "/p");
    const Options report = accepted({"--report", "--svg=/picture.svg"});
    CHECK(report.mode == Mode::report);
    CHECK(report.svg == "/picture.svg");
    CHECK(accepted({"--report"}).svg.empty());
    const Options control = accepted({"--control", "log", "--management-password-file=/pw", "--", "on", "--all"});
    CHECK(control.mode == Mode::control);
    CHECK(control.control.path == "/run/bootkey/management");
    CHECK(control.control_words == std::vector<std::string>{"log", "on", "--all"});
    CHECK(control.management.password_file == "/pw");
    CHECK_FALSE(control.follow);
    CHECK(accepted({"status", "--control"}).control_words == std::vector<std::string>{"status"});
    CHECK(accepted({"--control", "--follow"}).follow);
    CHECK(accepted({"--control=unix:/run/other"}).control.path == "/run/other");
    const Options tcp = accepted({"--control=[::1]:7505"});
    CHECK(tcp.control.path.empty());
    CHECK(tcp.control.endpoint.text() == "[::1]:7505");
}

TEST_CASE("limits that are still accepted") {
    CHECK(accepted({"--delay=0"}).delay == from_seconds(0));
    CHECK(accepted({"--delay=86400"}).delay == from_seconds(86400));
    CHECK(accepted({"--retry=86400"}).retry == from_seconds(86400));
    CHECK(accepted({"--network-hook-timeout=0.1"}).network_hook_timeout == from_seconds(0.1));
    CHECK(accepted({"--dh-bits=1024"}).dh_bits == 1024U);
    CHECK(accepted({"--dh-bits=8192"}).dh_bits == 8192U);
    CHECK(accepted({"--verb=0"}).verb == 0);
    CHECK(accepted({"--verb=15"}).verb == 15);
    CHECK(accepted({"--interface=fifteen-bytes-5"}).interfaces.size() == 1);
    CHECK(accepted({"--interface=!lo"}).interfaces == std::vector<std::string>{"!lo"});
    CHECK(accepted({"--interface=none"}).interfaces == std::vector<std::string>{"none"});
    CHECK(accepted({"--interface=[!a]*,e?p0"}).interfaces.size() == 1);
}

TEST_CASE("an empty --interface chooses") {
    CHECK(accepted({"--interface="}).interfaces.empty());
    CHECK(accepted({"--interface", ""}).interfaces.empty());
    CHECK(accepted({"--interface=,"}).interfaces.empty());
    CHECK(accepted({"--interface=", "--interface=eth0"}).interfaces == std::vector<std::string>{"eth0"});
}

TEST_CASE("the option --delay does not change --retry") {
    CHECK(accepted({"--delay=30"}).retry == from_seconds(10));
    CHECK(accepted({"--delay=30", "--retry=5"}).retry == from_seconds(5));
    CHECK(accepted({"--retry=5", "--delay=30"}).retry == from_seconds(5));
    CHECK(accepted({"--retry=5"}).delay == from_seconds(2.5));
}

TEST_CASE("the option --debug is verbosity 9 at least, in any order") {
    CHECK(accepted({"--debug"}).verb == 9);
    CHECK(accepted({"--debug"}).debug);
    CHECK(accepted({"--debug", "--verb=3"}).verb == 9);
    CHECK(accepted({"--verb=12", "--debug"}).verb == 12);
    CHECK_FALSE(accepted({"--verb=15"}).debug);
}
