// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/timeline_file.hpp"

#include <cmath>

#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::timeline;
using namespace std::chrono_literals;

namespace {

// So many milliseconds after the machine's start.
base::Time clock_at(double milliseconds) {
    return base::Time(std::chrono::microseconds(std::llround(milliseconds * 1000)));
}

Timeline example() {
    Timeline run;
    run.version = "1.2.3";
    run.begun = clock_at(843.25);
    run.written = clock_at(901.125);
    run.ended = clock_at(905);
    run.interfaces = {{2, "eth0", clock_at(850), clock_at(870.5), clock_at(871), {}}, {3, "wlan\"\\0", {}, {}, {}, {}}};
    run.hooks = {{"bridge", "start", clock_at(844), clock_at(849), "exit status 3"}};
    AttemptRecord attempt;
    attempt.id = 1;
    attempt.server = "Mandos on höst";
    attempt.endpoint = {*base::IpAddress::parse("fe80::1"), 4711, 2};
    attempt.connecting = clock_at(872);
    attempt.handshake = clock_at(873);
    attempt.waiting = clock_at(880);
    attempt.receiving = clock_at(885);
    attempt.ended = clock_at(886);
    attempt.decrypting = clock_at(886);
    attempt.judged = clock_at(900);
    run.attempts = {attempt};
    run.restarts = {{"decryptor", clock_at(860)}};
    return run;
}

constexpr const char* example_text = R"([
{"bootkey":"1.2.3","begun":843.250,"written":901.125,"ended":905.000,"status":0,"signal":0,"failure":"","left_out":0},
{"interface":"eth0","index":2,"asked_up":850.000,"running":870.500,"usable":871.000,"gone":null},
{"interface":"wlan\"\\0","index":3,"asked_up":null,"running":null,"usable":null,"gone":null},
{"hook":"bridge","mode":"start","begun":844.000,"ended":849.000,"failure":"exit status 3"},
{"server":"Mandos on höst","attempt":1,"address":"fe80::1","port":4711,"interface_index":2,"connecting":872.000,"handshake":873.000,"waiting":880.000,"receiving":885.000,"ended":886.000,"failure":"","decrypting":886.000,"judged":900.000,"rejection":""},
{"restart":"decryptor","at":860.000}
]
)";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const auto place = text.find(what);
    REQUIRE(place != std::string::npos);
    return text.replace(place, what.size(), with);
}

}  // namespace

TEST_CASE("a timeline's file is JSON with a record a line, and is read back") {
    CHECK(to_json(example()) == example_text);
    const auto read = from_json(example_text);
    REQUIRE(read);
    CHECK(*read == example());
    REQUIRE(read->winner() != nullptr);
    CHECK(read->winner()->server == "Mandos on höst");
}

TEST_CASE("a timeline without any record is read back") {
    Timeline run;
    run.version = "0";
    run.status = 66;
    run.failure = "no keys";
    const auto read = from_json(to_json(run));
    REQUIRE(read);
    CHECK(*read == run);
    CHECK(read->winner() == nullptr);
}

TEST_CASE("a moment between two microseconds is rounded down") {
    Timeline run;
    run.begun = base::Time(1'999'999ns);
    CHECK(to_json(run).find("\"begun\":1.999,") != std::string::npos);
}

TEST_CASE("a broken timeline is refused whole, and the line is named") {
    const auto row = GENERATE(values<std::pair<std::string, std::string>>({
        {R"("begun":843.250)", R"("begun":0843.250)"},
        {R"("begun":843.250)", R"("begun":843.25)"},
        {R"("begun":843.250)", R"("begun":-843.250)"},
        {R"("begun":843.250)", R"("begun":843.2500)"},
        {R"("begun":843.250)", R"("begun":"843.250")"},
        {R"("begun":843.250,)", R"("begun":843.250, )"},
        {R"("begun":843.250)", R"("begun":99999999999999999999.250)"},
        {R"("status":0)", R"("status":0.0)"},
        {R"("status":0)", R"("status":-1)"},
        {R"("signal":0)", R"("signal":99999999999)"},
        {R"("left_out":0})", R"("left_out":0,"more":1})"},
        {R"("left_out":0},)", R"("left_out":0})"},
        {R"("left_out":0},)", R"("left_out":0},,)"},
    }));
    CAPTURE(row.second);
    const auto read = from_json(replaced(example_text, row.first, row.second));
    REQUIRE_FALSE(read);
    CHECK(read.error().code == base::ExitCode::no_input);
    CHECK(read.error().why == "line 2 is not as bootkey writes it");
}

TEST_CASE("a timeline with anything missing, added or in the wrong place is refused") {
    const std::string text(example_text);
    for (std::size_t length = 0; length < text.size(); ++length) CHECK_FALSE(from_json(text.substr(0, length)));
    CHECK_FALSE(from_json(text + "\n"));
    CHECK_FALSE(from_json(replaced(text, "\"eth0\"", "\"eth\x1b\"")));
    CHECK_FALSE(from_json(replaced(text, "\"eth0\"", "\"eth\\u0041\"")));
    CHECK_FALSE(from_json(replaced(text, "höst", "h\xffst")));
    CHECK_FALSE(from_json(replaced(text, "fe80::1", "fe80::01")));
    CHECK_FALSE(from_json(replaced(text, "fe80::1", "host")));
    CHECK_FALSE(from_json(replaced(text, "\"port\":4711", "\"port\":65536")));
    CHECK_FALSE(from_json(replaced(text, "decryptor", std::string(longest_record_text + 1, 'x'))));
    CHECK(from_json(replaced(text, "decryptor", std::string(longest_record_text, 'x'))));
    // A hook before the interfaces.
    Timeline none = example();
    none.hooks.clear();
    CHECK_FALSE(from_json(replaced(to_json(none), "{\"interface\":\"eth0\"",
                                   "{\"hook\":\"a\",\"mode\":\"start\",\"begun\":1.000,\"ended\":2.000,\"failure\":"
                                   "\"\"},\n{\"interface\":\"eth0\"")));
}

TEST_CASE("a timeline with more records than there is room for is refused") {
    Timeline run = example();
    run.attempts.resize(most_attempts, run.attempts[0]);
    CHECK(from_json(to_json(run)));
    run.attempts.push_back(run.attempts[0]);
    CHECK_FALSE(from_json(to_json(run)));
}

TEST_CASE("the longest timeline fits into the file") {
    Timeline run = example();
    const std::string text(longest_record_text, '\\');
    run.version = run.failure = text;
    run.interfaces.resize(most_interfaces,
                          {4'000'000'000, text, clock_at(1e12), clock_at(1e12), clock_at(1e12), clock_at(1e12)});
    run.hooks.resize(most_hooks, {text, "start", clock_at(1e12), clock_at(1e12), text});
    AttemptRecord attempt = run.attempts[0];
    attempt.server = attempt.failure = attempt.rejection = text;
    run.attempts.assign(most_attempts, attempt);
    run.restarts.resize(most_restarts, {text, clock_at(1e12)});
    CHECK(to_json(run).size() <= longest_timeline);
}

TEST_CASE("an attempt's record takes in its progress") {
    AttemptRecord record;
    const base::Endpoint endpoint{*base::IpAddress::parse("192.0.2.1"), 1, 0};
    using servers::Phase;
    record.add({7, "server", endpoint, Phase::connecting, "", clock_at(1)});
    record.add({7, "server", endpoint, Phase::handshake, "", clock_at(2)});
    CHECK(record.id == 7);
    CHECK(record.server == "server");
    CHECK(record.endpoint == endpoint);
    CHECK(record.connecting == clock_at(1));
    CHECK(record.handshake == clock_at(2));
    CHECK_FALSE(record.ended);
    record.add({7, "server", endpoint, Phase::failed, "no", clock_at(3)});
    CHECK(record.ended == clock_at(3));
    CHECK(record.failure == "no");
    CHECK_FALSE(record.won());
}
