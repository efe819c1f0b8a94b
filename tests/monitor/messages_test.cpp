// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/messages.hpp"

#include <algorithm>
#include <string_view>

#include "bootkey/base/file.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto bytes = base::bytes_of(text);
    return {bytes.begin(), bytes.end()};
}

/// The message as it arrives at the other end.
template <typename Set>
Set carried(const Set& message) {
    const auto encoded = encode(message);
    REQUIRE(encoded);
    auto decoded = decode<Set>(encoded->bytes());
    REQUIRE(decoded);
    REQUIRE(decoded->index() == message.index());
    return std::move(*decoded);
}

template <typename Set>
std::vector<std::byte> encoded(const Set& message) {
    const auto secret = encode(message);
    REQUIRE(secret);
    return {secret->bytes().begin(), secret->bytes().end()};
}

const base::Error error{base::ExitCode::no_permission, "cannot do it", "not allowed", "ask somebody"};

}  // namespace

TEST_CASE("what the worker says arrives as it was said") {
    const auto line = std::get<LogLine>(carried<FromWorker>(LogLine{3, base::LogFlag::warning, "text \n\x01"}));
    CHECK(line.verbosity == 3);
    CHECK(line.flag == base::LogFlag::warning);
    CHECK(line.text == "text \n\x01");
    CHECK(std::get<Failed>(carried<FromWorker>(Failed{error})).error.message() == error.message());
    const auto asked = std::get<Ask>(carried<FromWorker>(Ask{7, changes::BringUp{0xffffffff}}));
    CHECK(asked.number == 7);
    CHECK(std::get<changes::BringUp>(asked.request).interface == 0xffffffff);
    for (const char* text : {"192.0.2.1", "2001:db8::1"}) {
        const auto address = *base::IpAddress::parse(text);
        const auto add = std::get<Ask>(carried<FromWorker>(Ask{1, changes::AddHostRoute{2, address}}));
        CHECK(std::get<changes::AddHostRoute>(add.request).interface == 2);
        CHECK(std::get<changes::AddHostRoute>(add.request).destination == address);
        const auto remove = std::get<Ask>(carried<FromWorker>(Ask{1, changes::RemoveHostRoute{2, address}}));
        CHECK(std::get<changes::RemoveHostRoute>(remove.request).destination == address);
    }
    for (const changes::Request& request :
         {changes::Request(changes::StartHooks{}), changes::Request(changes::LowerConsoleLevel{}),
          changes::Request(changes::RestoreConsoleLevel{})}) {
        const auto without_number = std::get<Ask>(carried<FromWorker>(Ask{{}, request}));
        CHECK_FALSE(without_number.number);
        CHECK(without_number.request.index() == request.index());
    }
    carried<FromWorker>(Pong{});
    const auto answer = std::get<Answer>(
        carried<FromWorker>(Answer{1ULL << 40, "Mandos", std::vector<std::byte>(64 * 1024, std::byte{0x5a})}));
    CHECK(answer.attempt == 1ULL << 40);
    CHECK(answer.server == "Mandos");
    CHECK(answer.message == std::vector<std::byte>(64 * 1024, std::byte{0x5a}));
}

TEST_CASE("what the worker tells for the timeline arrives as it was told") {
    const base::Time time(std::chrono::seconds(5));
    timeline::InterfaceRecord interface { 2, "eth0", time, time + std::chrono::nanoseconds(1), {}, time };
    CHECK(std::get<InterfaceNews>(carried<FromWorker>(InterfaceNews{interface})).record == interface);
    timeline::AttemptRecord attempt;
    attempt.id = 1ULL << 40;
    attempt.server = "Mandos";
    attempt.endpoint = {*base::IpAddress::parse("fe80::1"), 65535, 3};
    attempt.connecting = attempt.handshake = attempt.ended = time;
    attempt.failure = "refused";
    CHECK(std::get<AttemptNews>(carried<FromWorker>(AttemptNews{attempt})).record == attempt);
    attempt.decrypting = attempt.judged = time;  // not the worker's to tell
    attempt.rejection = "no";
    CHECK_FALSE(std::get<AttemptNews>(carried<FromWorker>(AttemptNews{attempt})).record.won());
    CHECK(std::get<AttemptNews>(carried<FromWorker>(AttemptNews{attempt})).record.rejection.empty());
}

TEST_CASE("what the monitor and the decryptor say arrives as it was said") {
    carried<ToWorker>(Accepted{});
    carried<ToWorker>(TryNow{});
    carried<ToWorker>(LogStatus{});
    carried<ToWorker>(Ping{});
    carried<ToDecryptor>(Ping{});
    carried<FromDecryptor>(Pong{});
    CHECK_FALSE(std::get<Replied>(carried<ToWorker>(Replied{.number = 4})).error);
    const auto failed = std::get<Replied>(carried<ToWorker>(Replied{4, error, {}}));
    CHECK(failed.number == 4);
    REQUIRE(failed.error);
    CHECK(failed.error->code == base::ExitCode::no_permission);
    CHECK(failed.error->advice == "ask somebody");
    const std::vector<std::string> names = {"eth0", "", "a,b"};
    CHECK(std::get<Replied>(carried<ToWorker>(Replied{4, {}, names})).reserved == names);
    CHECK(std::get<Rejected>(carried<ToWorker>(Rejected{9, "no"})).why == "no");
    CHECK(std::get<Decrypt>(carried<ToDecryptor>(Decrypt{bytes_of("message")})).message == bytes_of("message"));
    carried<FromDecryptor>(KeysGood{});
    CHECK(std::get<NotDecrypted>(carried<FromDecryptor>(NotDecrypted{error})).error.why == "not allowed");

    for (const bool again : {false, true}) {
        const auto question = std::get<NeedPassphrase>(carried<FromDecryptor>(NeedPassphrase{again, "key"}));
        CHECK(question.again == again);
        CHECK(question.key == "key");
    }
    CHECK_FALSE(std::get<Passphrase>(carried<ToDecryptor>(Passphrase{})).passphrase);
    auto passphrase = base::Secret::with_capacity(5);
    REQUIRE(passphrase);
    REQUIRE(passphrase->append(base::bytes_of("words")));
    const auto given = std::get<Passphrase>(carried<ToDecryptor>(Passphrase{std::move(*passphrase)}));
    REQUIRE(given.passphrase);
    CHECK(std::ranges::equal(given.passphrase->bytes(), bytes_of("words")));

    auto password = base::Secret::with_capacity(64 * 1024);
    REQUIRE(password);
    REQUIRE(password->append(std::vector<std::byte>(64 * 1024, std::byte{0})));
    const FromDecryptor message(Password{std::move(*password)});
    CHECK(std::get<Password>(carried(message)).password.size() == 64 * 1024);
}

TEST_CASE("a message is refused if it is cut, longer than it should be, or of another set") {
    const std::vector<std::vector<std::byte>> messages = {
        encoded<FromWorker>(LogLine{1, base::LogFlag::info, "text"}),
        encoded<FromWorker>(Failed{error}),
        encoded<FromWorker>(Ask{1, changes::AddHostRoute{2, *base::IpAddress::parse("192.0.2.1")}}),
        encoded<FromWorker>(Answer{1, "server", bytes_of("message")}),
        encoded<FromWorker>(InterfaceNews{{1, "eth0", base::Time(), {}, {}, {}}}),
        encoded<FromWorker>(AttemptNews{})};
    for (auto message : messages) {
        for (std::size_t length = 0; length < message.size(); ++length)
            CHECK_FALSE(decode<FromWorker>(std::span(message).first(length)));
        message.push_back(std::byte{0});
        CHECK_FALSE(decode<FromWorker>(message));
    }
    for (unsigned place = std::variant_size_v<FromWorker>; place < 256; ++place)
        CHECK_FALSE(decode<FromWorker>(std::vector{static_cast<std::byte>(place)}));
}

TEST_CASE("a field is refused if it has a value that it cannot have") {
    auto line = encoded<FromWorker>(LogLine{1, base::LogFlag::info, "text"});
    line[2] = std::byte{'X'};
    CHECK_FALSE(decode<FromWorker>(line));
    line[2] = std::byte{0};
    CHECK_FALSE(decode<FromWorker>(line));

    auto question = encoded<FromDecryptor>(NeedPassphrase{true, "key"});
    question[1] = std::byte{2};
    CHECK_FALSE(decode<FromDecryptor>(question));

    auto failed = encoded<FromWorker>(Failed{error});
    for (const int status : {0, 1, 63, 78, 255}) {  // 0 above all: a worker does not say that all is well
        failed[1] = static_cast<std::byte>(status);
        CHECK_FALSE(decode<FromWorker>(failed));
    }

    auto route = encoded<FromWorker>(Ask{1, changes::AddHostRoute{2, *base::IpAddress::parse("192.0.2.1")}});
    constexpr std::size_t place = 1 + 1 + 4;  // of the request: behind the message's and the number
    auto unknown = route;
    unknown[place] = std::byte{std::variant_size_v<changes::Request>};
    CHECK_FALSE(decode<FromWorker>(unknown));
    route[place + 1 + 4] = std::byte{5};  // the length of an address
    route.push_back(std::byte{1});
    CHECK_FALSE(decode<FromWorker>(route));
    const auto names = encoded<ToWorker>(Replied{4, {}, {"eth0"}});
    CHECK(decode<ToWorker>(names));
    auto more = names;
    more[1 + 4 + 1] = std::byte{0xff};  // so many names
    more[1 + 4 + 1 + 3] = std::byte{0xff};
    CHECK_FALSE(decode<ToWorker>(more));

    auto text =
        encoded<FromWorker>(LogLine{1, base::LogFlag::info, std::string(5000, 'x')});  // cut to what may be sent
    CHECK(std::get<LogLine>(*decode<FromWorker>(text)).text.size() == 4096);
    text[3 + 1] = std::byte{0x11};  // 0x1100 bytes
    text.insert(text.end(), 0x100, std::byte{'x'});
    CHECK_FALSE(decode<FromWorker>(text));
}

TEST_CASE("a message that is longer than any may be is not sent") {
    CHECK_FALSE(encode<FromWorker>(Answer{1, "server", std::vector<std::byte>(longest_message)}));
}
