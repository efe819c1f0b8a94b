// SPDX-License-Identifier: GPL-3.0-or-later
//
// The members of each kind of record are listed once, and visited by the writer as well as by the reader.
#include "bootkey/timeline/timeline_file.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <type_traits>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::timeline {
namespace {

template <typename Given, typename Record>
concept Is = std::same_as<std::remove_const_t<Given>, Record>;

void members(auto& visit, Is<Timeline> auto& run) {
    visit("bootkey", run.version);
    visit("begun", run.begun);
    visit("written", run.written);
    visit("ended", run.ended);
    visit("status", run.status);
    visit("signal", run.signal);
    visit("failure", run.failure);
    visit("left_out", run.left_out);
}

void members(auto& visit, Is<InterfaceRecord> auto& interface) {
    visit("interface", interface.name);
    visit("index", interface.index);
    visit("asked_up", interface.asked_up);
    visit("running", interface.running);
    visit("usable", interface.usable);
    visit("gone", interface.gone);
}

void members(auto& visit, Is<HookRecord> auto& hook) {
    visit("hook", hook.name);
    visit("mode", hook.mode);
    visit("begun", hook.begun);
    visit("ended", hook.ended);
    visit("failure", hook.failure);
}

void members(auto& visit, Is<AttemptRecord> auto& attempt) {
    visit("server", attempt.server);
    visit("attempt", attempt.id);
    visit("address", attempt.endpoint.address);
    visit("port", attempt.endpoint.port);
    visit("interface_index", attempt.endpoint.interface);
    visit("connecting", attempt.connecting);
    visit("handshake", attempt.handshake);
    visit("waiting", attempt.waiting);
    visit("receiving", attempt.receiving);
    visit("ended", attempt.ended);
    visit("failure", attempt.failure);
    visit("decrypting", attempt.decrypting);
    visit("judged", attempt.judged);
    visit("rejection", attempt.rejection);
}

void members(auto& visit, Is<RestartRecord> auto& restart) {
    visit("restart", restart.process);
    visit("at", restart.at);
}

/// Makes one line of a record.
class Writer {
public:
    void operator()(const char* name, const auto& value) {
        text_ += std::string(text_.empty() ? "{" : ",") + '"' + name + "\":";
        write(value);
    }
    [[nodiscard]] std::string line() && { return std::move(text_) + "}"; }

private:
    void write(const std::string& text) {
        text_ += '"';
        for (const char character : text) {
            if (character == '"' || character == '\\') text_ += '\\';
            text_ += character;
        }
        text_ += '"';
    }
    void write(std::integral auto number) { text_ += std::to_string(number); }
    void write(const base::IpAddress& address) { write(address.text()); }
    void write(base::Time time) {
        const long long count = std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count();
        text_ += base::format("%lld.%03lld", count / 1000, count % 1000);
    }
    void write(const Moment& moment) {
        if (moment)
            write(*moment);
        else
            text_ += "null";
    }

    std::string text_;
};

/// Takes one line apart. Leaves the form of numbers and the order of lines to the comparison in from_json().
class Reader {
public:
    explicit Reader(std::string_view line) : rest_(line) {}

    void operator()(const char* name, auto& value) {
        take(std::exchange(first_, false) ? "{" : ",");
        take(std::string("\"") + name + "\":");
        if (good_) read(value);
    }
    /// Whether the line is over, and all was as it should be.
    [[nodiscard]] bool finished() {
        take("}");
        return good_ && rest_.empty();
    }

private:
    void take(std::string_view expected) {
        good_ = good_ && rest_.starts_with(expected);
        if (good_) rest_.remove_prefix(expected.size());
    }
    void read(std::string& text) {
        take("\"");
        std::size_t end = 0;
        for (; good_ && end < rest_.size() && rest_[end] != '"'; ++end) {
            if (rest_[end] == '\\' && ++end == rest_.size()) break;
            text += rest_[end];
        }
        rest_.remove_prefix(std::min(end, rest_.size()));
        take("\"");
        good_ = good_ && text.size() <= longest_record_text && base::is_printable_utf8(text);
    }
    void read(std::integral auto& number) {
        const auto [stopped, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
        good_ = error == std::errc{} && number >= 0;
        rest_.remove_prefix(static_cast<std::size_t>(stopped - rest_.data()));
    }
    void read(base::IpAddress& address) {
        std::string text;
        read(text);
        const auto parsed = base::IpAddress::parse(text);
        good_ = good_ && parsed;
        if (good_) address = *parsed;
    }
    void read(base::Time& time) {
        constexpr std::int64_t most = 100LL * 365 * 24 * 3600 * 1000;  // ms: a hundred years after the boot
        std::int64_t whole = 0;
        std::int64_t thousandths = 0;
        read(whole);
        take(".");
        if (good_) read(thousandths);
        good_ = good_ && whole <= most && thousandths <= 999;
        if (good_) time = base::Time(std::chrono::milliseconds(whole) + std::chrono::microseconds(thousandths));
    }
    void read(Moment& moment) {
        if (rest_.starts_with("null"))
            rest_.remove_prefix(4);
        else
            read(moment.emplace());
    }

    std::string_view rest_;
    bool first_ = true;
    bool good_ = true;
};

template <typename Record>
bool read_line(std::string_view line, Record& record) {
    Reader reader(line);
    members(reader, record);
    return reader.finished();
}

template <typename Record>
bool read_line(std::string_view line, std::vector<Record>& records, std::size_t most) {
    return records.size() < most && read_line(line, records.emplace_back());
}

bool read_record(std::string_view line, Timeline& timeline) {
    if (line.starts_with("{\"interface\":")) return read_line(line, timeline.interfaces, most_interfaces);
    if (line.starts_with("{\"hook\":")) return read_line(line, timeline.hooks, most_hooks);
    if (line.starts_with("{\"server\":")) return read_line(line, timeline.attempts, most_attempts);
    return read_line(line, timeline.restarts, most_restarts);
}

base::Error broken(std::size_t line) {
    return {base::ExitCode::no_input, "cannot use the timeline of the last unlock",
            base::format("line %zu is not as bootkey writes it", line),
            "unlock once more with this version of bootkey"};
}

}  // namespace

std::string to_json(const Timeline& timeline) {
    std::string text = "[\n";
    const auto add = [&text](const auto& record) {
        if (!text.ends_with("[\n")) text += ",\n";
        Writer writer;
        members(writer, record);
        text += std::move(writer).line();
    };
    add(timeline);
    std::ranges::for_each(timeline.interfaces, add);
    std::ranges::for_each(timeline.hooks, add);
    std::ranges::for_each(timeline.attempts, add);
    std::ranges::for_each(timeline.restarts, add);
    return text + "\n]\n";
}

base::Result<Timeline> from_json(std::string_view text) {
    const auto lines = base::split(text, '\n');
    Timeline timeline;
    // "[", the run, its records, "]" and what is behind the last line end: nothing.
    constexpr std::size_t run = 1, end_lines = 2;
    if (lines.size() < run + 1 + end_lines) return broken(lines.size());
    for (std::size_t number = run; number < lines.size() - end_lines; ++number) {
        std::string_view line = lines[number];
        if (line.ends_with(',')) line.remove_suffix(1);
        const bool read = number == run ? read_line(line, timeline) : read_record(line, timeline);
        if (!read) return broken(number + 1);
    }
    // A number that begins with a zero, a record in the wrong place: whatever is not the one form of these records
    // shows here.
    const std::string written = to_json(timeline);
    if (written == text) return timeline;
    const auto differing = std::ranges::mismatch(text, written).in1;
    return broken(static_cast<std::size_t>(std::count(text.begin(), differing, '\n')) + 1);
}

}  // namespace bootkey::timeline
