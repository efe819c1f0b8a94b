// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/config_file.hpp"

#include "catch.hpp"
#include "options/parse_words.hpp"

using namespace bootkey::options;
using namespace bootkey::options::tests;
using bootkey::base::ExitCode;
using bootkey::base::from_seconds;

namespace {

// "name=value name ..." of a text that must be accepted.
std::string settings(std::string_view text) {
    const auto assignments = parse_config(text, "f");
    if (!assignments) FAIL("refused: " << assignments.error().message());
    std::string result;
    for (const Assignment& assignment : *assignments) {
        if (!result.empty()) result += '|';
        result += assignment.option->name;
        if (assignment.value) result += "=" + *assignment.value;
    }
    return result;
}

}  // namespace

TEST_CASE("lines of a configuration file") {
    struct Row {
        const char* text;
        const char* settings;
    };
    const auto row = GENERATE(values<Row>({
        {"", ""},
        {"\n\n  \t\n", ""},
        {"# retry=5", ""},
        {"   # retry=5\n#", ""},
        {"retry=5", "retry=5"},
        {"\xef\xbb\xbfretry=5\r\ndebug\r\n", "retry=5|debug"},  // as editors of other systems write it
        {"retry=5\n", "retry=5"},
        {"retry=5\r\ndelay=1\r\n", "retry=5|delay=1"},
        {"retry 5", "retry=5"},
        {"  retry \t 5  ", "retry=5"},
        {"retry = 5", "retry=5"},
        {"retry=5 # seconds", "retry=5"},
        {"retry=5\t# seconds", "retry=5"},
        {"dh-params=/a#b", "dh-params=/a#b"},
        {"dh-params = /with blank/x", "dh-params=/with blank/x"},
        {"priority==x", "priority==x"},
        {"interface=", "interface="},
        {"debug", "debug"},
        {"debug # all of it", "debug"},
        {"server=192.0.2.1:1\nserver=192.0.2.1:2", "server=192.0.2.1:1|server=192.0.2.1:2"},
        {"key-type=rsa4096\nforce\nname=web", "key-type=rsa4096|force|name=web"},
    }));
    CAPTURE(row.text);
    CHECK(settings(row.text) == row.settings);
}

TEST_CASE("lines that are refused, with file and line") {
    struct Row {
        std::string text;
        const char* place;
        const char* why;
    };
    const auto row = GENERATE(values<Row>({
        {"bogus", "f:1: option 'bogus'", "no such option"},
        {"\n# x\nbogus=7\n", "f:3: option 'bogus=7'", "no such option"},
        {"retr=5", "f:1: option 'retr=5'", "no such option"},
        {"=5", "f:1: ", "no such option"},
        {"Retry=5", "f:1: ", "no such option"},
        {"--retry=5", "f:1: option '--retry=5'", "no dashes"},
        {"-i eth0", "f:1: ", "no dashes"},
        {"retry", "f:1: option 'retry'", "value is missing"},
        {"retry # 5", "f:1: ", "value is missing"},
        {"debug=yes", "f:1: option 'debug=yes'", "takes no value"},
        {"debug yes", "f:1: ", "takes no value"},
        {"debug=", "f:1: ", "takes no value"},
        {"config=/other", "f:1: ", "not an option for a configuration file"},
        {"generate-keys", "f:1: ", "not an option for a configuration file"},
        {"generate-keys=/k", "f:1: ", "not an option for a configuration file"},
        {"enroll=script", "f:1: ", "not an option for a configuration file"},
        {"restore", "f:1: ", "not an option for a configuration file"},
        {"help", "f:1: ", "not an option for a configuration file"},
        {"usage", "f:1: ", "not an option for a configuration file"},
        {"version", "f:1: ", "not an option for a configuration file"},
        {"retry=5\nname=\x1b[2J", "f:2: line 'name=\\x1b[2J'", "control character"},
        {std::string("retry=5\0", 8), "f:1: ", "control character"},
        {"[section]", "f:1: option '[section]'", "no such option"},
        {std::string(65'000, 'x'), "f:1: ", "no such option"},
    }));
    CAPTURE(row.text.substr(0, 100));
    const auto assignments = parse_config(row.text, "f");
    REQUIRE_FALSE(assignments);
    const std::string message = assignments.error().message();
    CAPTURE(message);
    CHECK(assignments.error().code == ExitCode::usage);
    CHECK(contains(message, row.place));
    CHECK(contains(message, row.why));
    CHECK(message.find_first_of("\n\x1b") == std::string::npos);
    CHECK(message.size() < 1000);
}

TEST_CASE("the command line wins over the file") {
    const TemporaryFile file(
        "retry=5\ndelay=1\ninterface=eth0\ninterface=eth1\nserver=192.0.2.1:1\ntls-pubkey=/tp\n"
        "tls-privkey=/ts\n");
    const Options from_file = accepted({}, file.path());
    CHECK(from_file.retry == from_seconds(5));
    CHECK(from_file.delay == from_seconds(1));
    CHECK(from_file.delay_text == "1");
    CHECK(from_file.interfaces == std::vector<std::string>{"eth0", "eth1"});
    CHECK(from_file.servers.size() == 1);
    CHECK(from_file.tls_privkey == "/ts");

    const Options both = accepted({"--retry=7", "-i", "br0", "--server=192.0.2.9:9", "-T", "/other"}, file.path());
    CHECK(both.retry == from_seconds(7));
    CHECK(both.delay == from_seconds(1));
    CHECK(both.interfaces == std::vector<std::string>{"br0"});
    REQUIRE(both.servers.size() == 1);
    CHECK(both.servers[0].text == "192.0.2.9:9");
    CHECK(both.tls_pubkey == "/other");
    CHECK(both.tls_privkey == "/ts");

    CHECK(accepted({"--interface="}, file.path()).interfaces.empty());
    // What contradicts the command line gives way, too.
    const Options connect = accepted({"--connect=192.0.2.9:9"}, file.path());
    CHECK(connect.connect);
    CHECK(connect.servers.empty());
    const TemporaryFile other("connect=192.0.2.1:1\n");
    const Options server = accepted({"--server=192.0.2.9:9"}, other.path());
    CHECK_FALSE(server.connect);
    CHECK(server.servers.size() == 1);
}

TEST_CASE("contradictions inside of the file") {
    const TemporaryFile rivals("connect=192.0.2.1:1\nserver=192.0.2.2:2\n");
    const auto error = refused_words({}, false, rivals.path());
    CHECK(error.code == ExitCode::usage);
    CHECK(contains(error.message(), rivals.path() + ":1: option --connect=192.0.2.1:1"));
    CHECK(contains(error.message(), rivals.path() + ":2: option --server=192.0.2.2:2"));
    const TemporaryFile half("tls-pubkey=/tp\n");
    CHECK(refused_words({}, false, half.path()).code == ExitCode::usage);
}

TEST_CASE("settings for other modes may stand in the file") {
    const TemporaryFile file("connect=192.0.2.1:1\nretry=5\nkey-type=rsa4096\nname=web\n");
    CHECK(accepted({}, file.path()).mode == Mode::unlock);
    CHECK(accepted({"--generate-keys"}, file.path()).key_type == KeyType::rsa4096);
    CHECK(accepted({"--enroll"}, file.path()).name == "web");
    CHECK(accepted({"--restore"}, file.path()).mode == Mode::restore);
    CHECK(accepted({"--check-config"}, file.path()).mode == Mode::check_config);
}

TEST_CASE("a bad line is an error even where the command line overrides it") {
    const TemporaryFile file("retry=soon\n");
    CHECK(contains(refused_words({"--retry=5"}, false, file.path()).tried, ":1: option --retry=soon"));
}

TEST_CASE("the option --config names another file, or none") {
    const TemporaryFile standard("retry=5\n");
    const TemporaryFile named("delay=1\n");
    const Options options = accepted({"--config=" + named.path()}, standard.path());
    CHECK(options.retry == from_seconds(10));
    CHECK(options.delay == from_seconds(1));
    CHECK(accepted({"--config=/nonexistent", "--config", named.path()}, standard.path()).delay == from_seconds(1));
    CHECK(accepted({"--config="}, standard.path()).retry == from_seconds(10));
    CHECK(accepted({"--enroll", "--config=" + named.path()}).mode == Mode::enroll);
}

TEST_CASE("a configuration file that cannot be read") {
    const auto named = refused_words({"--config=/nonexistent/x.conf"});
    CHECK(named.code == ExitCode::no_input);
    CHECK(contains(named.tried, "/nonexistent/x.conf"));
    CHECK(refused_words({"--config=/"}).code == ExitCode::no_input);
    CHECK(refused_words({"--config=/dev/zero"}).code == ExitCode::no_input);
    // The default file may be missing, but not unusable.
    CHECK(accepted({}, "/nonexistent/x.conf").mode == Mode::unlock);
    CHECK(accepted({}, "/dev/null/x.conf").mode == Mode::unlock);
    CHECK(refused_words({}, false, "/").code == ExitCode::no_input);
    const TemporaryFile large("#" + std::string(70'000, 'x'));
    CHECK(refused_words({}, false, large.path()).code == ExitCode::no_input);
}
