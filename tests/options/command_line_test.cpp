// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/command_line.hpp"

#include "bootkey/options/option_table.hpp"
#include "catch.hpp"
#include "options/parse_words.hpp"

using namespace bootkey::options;
using namespace bootkey::options::tests;
using bootkey::base::ExitCode;

namespace {

std::string information(const std::vector<std::string>& words) {
    auto outcome = parse_words(words);
    REQUIRE(outcome);
    REQUIRE(std::holds_alternative<Information>(*outcome));
    return std::get<Information>(*outcome).text;
}

// A variable of the environment for one test.
class Environment {
public:
    Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
    ~Environment() { ::unsetenv(name_); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

private:
    const char* name_;
};

}  // namespace

TEST_CASE("no words at all: the defaults") {
    CHECK(accepted({}).mode == Mode::unlock);
    char* nothing[] = {nullptr};
    CHECK(parse(0, nothing, false, no_file));
}

TEST_CASE("words that argp or the rules refuse: exit status 64 and what the line names") {
    struct Row {
        std::vector<std::string> words;
        const char* named;
        const char* why;
    };
    const auto row = GENERATE(values<Row>({
        {{"--bogus"}, "--bogus", "no such option"},
        {{"--bogus=7"}, "--bogus", "no such option"},
        {{"--verb=3", "--bogus"}, "--bogus", "no such option"},
        {{"--debug", "--verb", "3", "--bogus", "--retry=5"}, "--bogus", "no such option"},
        {{"-x"}, "-x", "no such option"},
        {{"--debug", "-xc"}, "-x", "no such option"},
        {{"-\x80"}, "-\\x80", "no such option"},
        {{"--=x"}, "--", "no such option"},
        {{"--co\x1b[2J"}, "\\x1b", "no such option"},
        {{"-c"}, "--connect", "ADDRESS:PORT is missing"},
        {{"--debug", "--connect"}, "--connect", "ADDRESS:PORT is missing"},
        {{"--conn"}, "--connect", "ADDRESS:PORT is missing"},
        {{"--key-type"}, "--key-type", "is missing"},
        {{"", "--tls-pubkey"}, "--tls-pubkey", "is missing"},
        {{"--control", "hold", "release", "-x"}, "-x", "no such option"},
        {{"--con=192.0.2.1:1"}, "--con", "--connect, --control, --config"},
        {{"--de"}, "--de", "--delay, --device, --debug"},
        {{"--debug=1"}, "--debug=1", "takes no value"},
        {{"--deb=1"}, "--deb=1", "--debug alone"},
        {{"--force=1", "--generate-keys"}, "--force=1", "takes no value"},
        {{"--help=x"}, "--help=x", "takes no value"},
        {{"eth0"}, "'eth0'", "options only"},
        {{""}, "''", "options only"},
        {{"-"}, "'-'", "options only"},
        {{"--debug", "eth0"}, "'eth0'", "options only"},
        {{"eth0", "--debug"}, "'eth0'", "options only"},
        {{"--", "--debug"}, "'--debug'", "options only"},
        {{"--generate-keys", "/k"}, "'/k'", "--generate-keys=DIR"},
        {{"--connect=192.0.2.1:1", "--server=192.0.2.1:2"},
         "--connect=192.0.2.1:1",
         "contradicts option --server=192.0.2.1:2"},
        {{"--server=192.0.2.1:2", "--connect=192.0.2.1:1"},
         "--server=192.0.2.1:2",
         "contradicts option --connect=192.0.2.1:1"},
        {{"--askpass-fifo", "--prompt"}, "--askpass-fifo", "contradicts option --prompt"},
        {{"--tls-pubkey=/tp"}, "--tls-pubkey=/tp", "--tls-privkey=FILE"},
        {{"-t", "/ts"}, "--tls-privkey=/ts", "--tls-pubkey=FILE"},
        {{"--enroll", "-T/tp"}, "--tls-pubkey=/tp", "--tls-privkey=FILE"},
        {{"--enroll", "--restore"}, "--restore", "--enroll"},
        {{"--generate-keys", "--enroll=script"}, "--enroll=script", "--generate-keys"},
        {{"--restore", "--generate-keys=/k"}, "--generate-keys=/k", "--restore"},
        {{"--key-type=rsa4096"}, "--key-type=rsa4096", "needs --generate-keys"},
        {{"--tls-key"}, "--tls-key", "needs --generate-keys"},
        {{"--passphrase"}, "--passphrase", "needs --generate-keys"},
        {{"--force"}, "--force", "needs --generate-keys"},
        {{"--name=web"}, "--name=web", "needs --enroll"},
        {{"--host=web"}, "--host=web", "needs --enroll"},
        {{"--password-file=/pw"}, "--password-file=/pw", "needs --enroll"},
        {{"--sign-with=key"}, "--sign-with=key", "needs --enroll"},
        {{"--generate-keys", "--require-signature=/k"}, "--require-signature=/k", "--generate-keys"},
        {{"--enroll", "--force"}, "--force", "--enroll"},
        {{"--generate-keys", "--name=web"}, "--name=web", "--generate-keys"},
        {{"--generate-keys", "--connect=192.0.2.1:1"}, "--connect=192.0.2.1:1", "does not belong to --generate-keys"},
        {{"--enroll", "--retry=5"}, "--retry=5", "does not belong to --enroll"},
        {{"--device=/dev/sda2"}, "--device=/dev/sda2", "needs --check"},
        {{"--initrd=/i"}, "--initrd=/i", "needs --check"},
        {{"--svg=/s"}, "--svg=/s", "needs --report"},
        {{"--report", "--pubkey=/p"}, "--pubkey=/p", "does not belong to --report"},
        {{"--check", "--retry=1"}, "--retry=1", "does not belong to --check"},
        {{"--check", "--report"}, "--report", "cannot be combined with --check"},
        {{"--follow"}, "--follow", "needs --control"},
        {{"--management-password-file=/pw"}, "--management-password-file=/pw", "no management interface"},
        {{"--control", "--retry=5"}, "--retry=5", "does not belong to --control"},
        {{"--control", "--enroll"}, "--enroll", "--control"},
        {{"--control", "--follow", "hold"}, "argument 'hold'", "--follow"},
        {{"--control=/run/socket"}, "--control=/run/socket", "unix:PATH"},
        {{"--control=unix:socket"}, "--control=unix:socket", "absolute path"},
        {{"--control=localhost:7505"}, "--control=localhost:7505", "is not an IP address"},
        {{"--verb=3", "hold"}, "argument 'hold'", "takes options only"},
        {{"hold", "--restore"}, "argument 'hold'", "takes options only"},
        {{"--restore", "--pubkey=/p"}, "--pubkey=/p", "does not belong to --restore"},
    }));
    CAPTURE(row.words);
    const auto error = refused_words(row.words);
    CAPTURE(error.message());
    CHECK(error.code == ExitCode::usage);
    CHECK(contains(error.tried, row.named));
    CHECK(contains(error.message(), row.why));
    CHECK_FALSE(contains(error.message(), "\x1b"));
}

TEST_CASE("long options may be shortened as long as they are clear") {
    CHECK(accepted({"--int=eth0"}).interfaces == std::vector<std::string>{"eth0"});
    CHECK(accepted({"--deb"}).debug);
    CHECK(accepted({"--enr"}).mode == Mode::enroll);
    CHECK(accepted({"--network-hook-d=/h"}).network_hook_dir == "/h");
    CHECK(contains(information({"--vers"}), "bootkey "));
}

TEST_CASE("the last of several values counts, and lists grow") {
    CHECK(accepted({"--verb=3", "--verb=4"}).verb == 4);
    CHECK(accepted({"-c", "192.0.2.1:1", "-c", "192.0.2.2:2"}).connect->text == "192.0.2.2:2");
    CHECK(accepted({"--restore", "--restore"}).mode == Mode::restore);
    CHECK(accepted({"-i", "a", "-i", "b"}).interfaces == std::vector<std::string>{"a", "b"});
}

TEST_CASE("what belongs to the management interface needs one, and a password where others reach it") {
    const auto management =
        accepted({"--management=unix:/run/m", "--management-hold", "--echo=one", "--echo=two"}).management;
    CHECK(management.address->path == "/run/m");
    CHECK((management.hold && !management.confirm && management.echo == std::vector<std::string>{"one", "two"}));
    CHECK(accepted({"--management=192.0.2.1:1", "--management-client"}).management.client);
    CHECK(accepted({"--management=0.0.0.0:1", "--management-password-file=/p"}).management.password_file == "/p");
    CHECK(contains(refused_words({"--management-hold"}).message(), "no management interface"));
    CHECK(contains(refused_words({"--echo=x"}).message(), "no management interface"));
    CHECK(contains(refused_words({"--management=192.0.2.1:1"}).message(), "others than this machine"));
    CHECK(contains(refused_words({"--management=7505", "--management-log-cache=0"}).message(),
                   "--management-log-cache=0"));
    CHECK(contains(refused_words({"--management=7505", "--echo=a\nb"}).message(), "without control characters"));
}

TEST_CASE("what management clients are asked for can be chosen") {
    const auto asked = [](const std::vector<std::string>& more) {
        std::vector<std::string> words{"--management=7505"};
        words.insert(words.end(), more.begin(), more.end());
        const auto chosen = accepted(words).management;
        return std::string(chosen.asks_disk() ? "d" : "") + (chosen.asks_key() ? "k" : "") +
               (chosen.asks_auth() ? "a" : "");
    };
    CHECK(asked({}).empty());
    CHECK(asked({"--management-query-passwords"}) == "dka");
    CHECK(asked({"--management-query=key,auth"}) == "ka");
    CHECK(asked({"--management-query=auth", "--management-query-passwords"}) == "a");
    CHECK(asked({"--management-query-passwords", "--management-query=disk"}) == "d");
    CHECK(asked({"--management-query=key", "--management-query=auth,disk,auth"}) == "da");
    for (const char* list : {"", "disk,", ",", "Disk", "disk auth", "disk,x\n", "all"}) {
        const auto error = refused_words({"--management=7505", std::string("--management-query=") + list}).message();
        CHECK(contains(error, "is nothing that clients can be asked for"));
        CHECK(contains(error, "disk, key and auth"));
        CHECK(error.find('\n') == error.npos);
    }
    CHECK(contains(refused_words({"--management-query=auth"}).message(), "no management interface"));
}

TEST_CASE("any number of echoes is accepted, and the last 100 are kept") {
    std::vector<std::string> many{"--management=7505"};
    for (int i = 0; i < 250; ++i) many.push_back("--echo=" + std::to_string(i));
    const auto kept = accepted(many).management.echo;
    REQUIRE(kept.size() == 100);
    CHECK((kept.front() == "150" && kept.back() == "249"));
    many.resize(18);
    CHECK(accepted(many).management.echo.size() == 17);
}

TEST_CASE("one of the OpenPGP key files may be named alone") {
    CHECK(accepted({"--pubkey=/p"}).seckey.empty());
    CHECK(accepted({"--seckey=/s"}).pubkey.empty());
}

TEST_CASE("the options that ask for text are answered with it") {
    const std::string help = information({"--help"});
    CHECK(help == information({"-?"}));
    for (const Option& option : option_table()) CHECK(contains(help, std::string("--") + option.name));
    CHECK(contains(information({"--usage"}), "Usage: bootkey "));
    CHECK(information({"-V"}) == information({"--version"}));
    CHECK(information({"--version"}).starts_with("bootkey " BOOTKEY_VERSION "\n"));
    CHECK(help.ends_with("\n"));
    // The question wins over what is behind it, and over the configuration file.
    CHECK(information({"--verb=3", "--help", "--bogus"}) == help);
    const TemporaryFile broken("bogus\n");
    CHECK(parse_words({"--help"}, false, broken.path()));
    CHECK_FALSE(parse_words({"--bogus", "--help"}));
}

TEST_CASE("the environment changes nothing") {
    const std::string help = information({"--help"});
    const Environment layout("ARGP_HELP_FMT", "rmargin=40,no-dup-args-note,bogus=7");
    const Environment posix("POSIXLY_CORRECT", "1");
    CHECK(information({"--help"}) == help);
    CHECK(refused_words({"word", "--verb=3"}).tried == "argument 'word'");
    CHECK(accepted({"--verb=3", "--debug"}).debug);
}

TEST_CASE("a text may take the place of the configuration file") {
    std::string program = "bootkey", retry = "--retry=7", config = "--config=";
    const auto options = [&](std::vector<char*> words, const std::string& text) {
        words.insert(words.begin(), program.data());
        words.push_back(nullptr);
        return parse(static_cast<int>(words.size()) - 1, words.data(), ConfigText{"the file", text});
    };
    const auto retry_of = [&](std::vector<char*> words, const std::string& text) {
        auto outcome = options(std::move(words), text);
        REQUIRE(outcome);
        CHECK(std::get<Options>(*outcome).config_file.empty());
        return std::get<Options>(*outcome).retry;
    };
    CHECK(retry_of({}, "retry=5\n") == std::chrono::seconds(5));
    CHECK(retry_of({retry.data()}, "retry=5\n") == std::chrono::seconds(7));
    CHECK(retry_of({config.data()}, "retry=5\n") == std::chrono::seconds(10));
    CHECK(retry_of({}, "") == std::chrono::seconds(10));
    const auto refused = options({}, "\nretyr=5\n");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ExitCode::usage);
    CHECK(refused.error().message().find("the file:2") != std::string::npos);
    CHECK_FALSE(options({}, "retry=x\n"));
}

TEST_CASE("set-user-ID: no text, no configuration file, mandos-client's options only") {
    for (const char* word : {"--help", "-?", "--usage", "--version", "-V", "--vers"}) {
        CAPTURE(word);
        CHECK(refused_words({word}, true).code == ExitCode::usage);
    }
    const TemporaryFile broken("bogus\n");
    CHECK(parse_words({}, true, broken.path()));

    const auto row = GENERATE(values<std::pair<std::vector<std::string>, const char*>>({
        {{"--config=/x"}, "--config=/x"},
        {{"--config="}, "--config="},
        {{"--verb=3"}, "--verb=3"},
        {{"--server=192.0.2.1:1"}, "--server=192.0.2.1:1"},
        {{"--network-hook-timeout=1"}, "--network-hook-timeout=1"},
        {{"--require-signature=/conf/conf.d/mandos/signers"}, "--require-signature=/conf/conf.d/mandos/signers"},
        {{"--generate-keys"}, "--generate-keys"},
        {{"--enroll"}, "--enroll"},
        {{"--restore"}, "--restore"},
        {{"--seckey=/etc/shadow"}, "--seckey=/etc/shadow"},
        {{"--pubkey=/conf/conf.d/mandos/../../../etc/shadow"}, "--pubkey="},
        {{"--seckey=/conf/conf.d/mandos-not/seckey.txt"}, "--seckey="},
        {{"--seckey=conf/conf.d/mandos/seckey.txt"}, "--seckey="},
        {{"--dh-params=/etc/shadow"}, "--dh-params=/etc/shadow"},
        {{"--tls-privkey=/etc/shadow", "--tls-pubkey=/conf/conf.d/mandos/x"}, "--tls-privkey="},
        {{"--seckey=/conf/conf.d/mandos/../../../etc/shadow"}, "--seckey="},
        {{"--seckey=/conf/conf.d/mandos/.."}, "--seckey="},
        {{"--seckey=./../conf/conf.d/mandos/seckey.txt"}, "--seckey="},
        {{"--sec=/etc/shadow"}, "--seckey=/etc/shadow"},
        {{"-s/etc/shadow"}, "--seckey=/etc/shadow"},
        {{"--seckey=/conf/conf.d/mandos/seckey.txt", "-s", "/etc/shadow"}, "--seckey=/etc/shadow"},
        {{"--network-hook-dir=/home/me/hooks"}, "--network-hook-dir="},
        {{"--network-hook-dir=/usr/bin"}, "--network-hook-dir="},
        {{"--network-hook-dir=/lib/mandos/network-hooks.d/sub"}, "--network-hook-dir="},
        {{"--network-hook-dir=/lib/mandos/network-hooks.d/../../../usr/bin"}, "--network-hook-dir="},
        {{"--network-hook-dir=/lib/mandos"}, "--network-hook-dir="},
        {{"--network-hook-dir="}, "--network-hook-dir="},
        {{"--interface=$(id)"}, "--interface="},
        {{"--interface=eth0,`id`"}, "--interface="},
        {{"--interface=eth0;id"}, "--interface="},
        {{"--interface=a&id"}, "--interface="},
        {{"--interface=a|id"}, "--interface="},
        {{"--interface=a>x"}, "--interface="},
        {{"--interface=it's"}, "--interface="},
        {{"--interface=a\\b"}, "--interface="},
        {{"--interface=-rf"}, "--interface="},
        {{"--interface=eth0,-rf"}, "--interface="},
        {{"--interface=eth0 -rf"}, "--interface="},
        {{"--connect=fe80::1%$(id):1"}, "--connect="},
        {{"--delay=$(id)"}, "--delay="},
    }));
    CAPTURE(row.first);
    const auto error = refused_words(row.first, true);
    CHECK(error.code == ExitCode::no_permission);
    CHECK(contains(error.tried, row.second));
}

TEST_CASE("set-user-ID: every option that mandos-client lacks is refused, whatever its value") {
    for (const Option& option : option_table()) {
        if (option.mandos_client) continue;
        const std::string word = std::string("--") + option.name;
        CAPTURE(word);
        for (const char* value : {"", "1", "/conf/conf.d/mandos/pubkey.txt"}) {
            if (!option.argument && *value != '\0') continue;
            const auto error = refused_words({"--debug", option.argument ? word + "=" + value : word}, true);
            CHECK(error.code == ExitCode::no_permission);
        }
    }
}

TEST_CASE("set-user-ID: every option that names a file or a directory is held to trusted ones") {
    for (const Option& option : option_table()) {
        const std::string_view argument = option.argument ? option.argument : "";
        if (!option.mandos_client || (argument != "FILE" && argument != "DIR")) continue;
        CAPTURE(option.name);
        CHECK((option.trusted_directory != nullptr) != (option.trusted_value != nullptr));
    }
}

TEST_CASE("set-user-ID: the options tell that it is") {
    auto outcome = parse_words({}, true);
    REQUIRE(outcome);
    CHECK(std::get<Options>(*outcome).set_user_id);
    CHECK_FALSE(accepted({}).set_user_id);
}

TEST_CASE("set-user-ID: mandos-client's options are accepted") {
    CHECK(parse_words({"-c", "192.0.2.1:1", "-i", "eth0", "-p", "/conf/conf.d/mandos/pubkey.txt", "-s",
                       "/conf/conf.d/mandos/sub/seckey.txt", "-T", "/conf/conf.d/mandos/tls-pubkey.pem", "-t",
                       "/conf/conf.d/mandos/tls-privkey.pem", "--priority=NORMAL", "--dh-bits=2048", "--delay=1",
                       "--retry=5", "--network-hook-dir=/lib/mandos/network-hooks.d", "--debug"},
                      true));
    CHECK(parse_words({"--interface=none", "-i", "en*,!wl[!0-8],eth0.100,br-lan", "-c", "[fe80::1%wg_0+=]:1"}, true));
    CHECK(refused_words({"--retry=0"}, true).code == ExitCode::usage);
}
