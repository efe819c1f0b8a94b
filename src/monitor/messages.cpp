// SPDX-License-Identifier: GPL-3.0-or-later
//
// On the wire: the message's place in its set, one byte; then its fields in order. Numbers are in the machine's own
// order, for both ends are one program; texts, bytes and lists begin with their length, four bytes.
#include "bootkey/monitor/messages.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "bootkey/base/file.hpp"

namespace bootkey::monitor {
namespace {

using base::Secret;

constexpr std::size_t longest_text = 4096;

/// Puts a value of the type at that place into `set`.
template <typename Set, std::size_t... places>
void make(Set& set, std::size_t place, std::index_sequence<places...>) {
    ((place == places ? static_cast<void>(set.template emplace<places>()) : void()), ...);
}

/// Writes fields into `room`, or, without room, only counts their bytes.
class Writer {
public:
    explicit Writer(Secret* room = nullptr) : room_(room) {}

    template <typename Number>
    std::enable_if_t<std::is_integral_v<Number>> put(Number number) {
        raw(std::as_bytes(std::span(&number, 1)));
    }
    void put(bool truth) { put(std::uint8_t{truth}); }
    void put(base::LogFlag flag) { put(static_cast<char>(flag)); }
    void put(base::ExitCode code) { put(static_cast<std::int32_t>(code)); }
    void put(const std::string& text) { sized(base::bytes_of(text).first(std::min(text.size(), longest_text))); }
    void put(const std::vector<std::byte>& bytes) { sized(bytes); }
    void put(const Secret& secret) { sized(secret.bytes()); }
    void put(const base::IpAddress& address) { sized(address.bytes()); }
    void put(const base::Error& error) {
        put(error.code);
        for (const std::string* text : {&error.tried, &error.why, &error.advice}) put(*text);
    }
    void put(base::Time time) { put(std::int64_t{time.time_since_epoch().count()}); }
    template <typename Value>
    void put(const std::optional<Value>& value) {
        put(value.has_value());
        if (value) put(*value);
    }
    void put(const std::vector<std::string>& texts) {
        put(static_cast<std::uint32_t>(texts.size()));
        for (const std::string& text : texts) put(text);
    }
    template <typename... Values>
    void put(const std::variant<Values...>& set) {
        put(static_cast<std::uint8_t>(set.index()));
        std::visit([&](const auto& said) { put_all(said.parts(said)); }, set);
    }

    [[nodiscard]] std::size_t size() const { return size_; }

private:
    template <typename... Fields>
    void put_all(const std::tuple<Fields&...>& fields) {
        std::apply([&](const auto&... field) { (put(field), ...); }, fields);
    }
    void raw(std::span<const std::byte> bytes) {
        size_ += bytes.size();
        if (room_ != nullptr) static_cast<void>(room_->append(bytes));
    }
    void sized(std::span<const std::byte> bytes) {
        put(static_cast<std::uint32_t>(bytes.size()));
        raw(bytes);
    }

    Secret* room_;
    std::size_t size_ = 0;
};

class Reader {
public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <typename Number>
    std::enable_if_t<std::is_integral_v<Number>> get(Number& number) {
        const auto bytes = raw(sizeof number);
        if (good_) std::memcpy(&number, bytes.data(), sizeof number);
    }
    void get(bool& truth) {
        std::uint8_t number = 0;
        get(number);
        good_ = good_ && number <= 1;
        truth = number == 1;
    }
    void get(base::LogFlag& flag) {
        char letter = 0;
        get(letter);
        good_ = good_ && std::strchr("IFNWD", letter) != nullptr && letter != 0;
        if (good_) flag = static_cast<base::LogFlag>(letter);
    }
    void get(base::ExitCode& code) {
        std::int32_t number = 0;
        get(number);
        good_ = good_ && number >= static_cast<int>(base::ExitCode::usage) &&
                number <= static_cast<int>(base::ExitCode::no_permission);
        if (good_) code = static_cast<base::ExitCode>(number);
    }
    void get(std::string& text) {
        const auto bytes = sized();
        good_ = good_ && bytes.size() <= longest_text;
        if (good_) text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    void get(std::vector<std::byte>& bytes) {
        const auto content = sized();
        bytes.assign(content.begin(), content.end());
    }
    void get(Secret& secret) {
        const auto bytes = sized();
        auto made = Secret::with_capacity(bytes.size());
        good_ = good_ && made && made->append(bytes);
        if (good_) secret = std::move(*made);
    }
    void get(base::IpAddress& address) {
        const auto read = base::IpAddress::from_bytes(sized());
        good_ = good_ && read;
        if (good_) address = *read;
    }
    void get(base::Error& error) {
        get(error.code);
        for (std::string* text : {&error.tried, &error.why, &error.advice}) get(*text);
    }
    void get(base::Time& time) {
        std::int64_t count = 0;
        get(count);
        time = base::Time(base::Duration(count));
    }
    template <typename Value>
    void get(std::optional<Value>& value) {
        bool present = false;
        get(present);
        if (present) get(value.emplace());
    }
    void get(std::vector<std::string>& texts) {
        std::uint32_t count = 0;
        get(count);
        for (texts.clear(); good_ && count > 0; --count) get(texts.emplace_back());
    }
    template <typename... Values>
    void get(std::variant<Values...>& set) {
        std::uint8_t place = 0;
        get(place);
        good_ = good_ && place < sizeof...(Values);
        if (!good_) return;
        make(set, place, std::index_sequence_for<Values...>());
        std::visit([&](auto& said) { get_all(said.parts(said)); }, set);
    }

    /// Whether everything was there and nothing is left.
    [[nodiscard]] bool exhausted() const { return good_ && rest_.empty(); }

private:
    template <typename... Fields>
    void get_all(const std::tuple<Fields&...>& fields) {
        std::apply([&](auto&... field) { (get(field), ...); }, fields);
    }
    std::span<const std::byte> raw(std::size_t size) {
        good_ = good_ && size <= rest_.size();
        if (!good_) return {};
        const auto bytes = rest_.first(size);
        rest_ = rest_.subspan(size);
        return bytes;
    }
    std::span<const std::byte> sized() {
        std::uint32_t size = 0;
        get(size);
        return raw(size);
    }

    std::span<const std::byte> rest_;
    bool good_ = true;
};

}  // namespace

template <typename Message>
base::Result<Secret> encode(const Message& message) {
    const auto write = [&](Writer writer) {
        writer.put(message);
        return writer.size();
    };
    const std::size_t size = write(Writer());
    if (size > longest_message)
        return base::Error{base::ExitCode::os_error, "cannot tell another process of bootkey",
                           "the message is too long", ""};
    auto room = Secret::with_capacity(size);
    if (room) static_cast<void>(write(Writer(&*room)));
    return room;
}

template <typename Message>
std::optional<Message> decode(std::span<const std::byte> bytes) {
    Reader reader(bytes);
    std::optional<Message> message(std::in_place);
    reader.get(*message);
    if (!reader.exhausted()) message.reset();
    return message;
}

template base::Result<Secret> encode(const FromWorker&);
template base::Result<Secret> encode(const ToWorker&);
template base::Result<Secret> encode(const ToDecryptor&);
template base::Result<Secret> encode(const FromDecryptor&);
template std::optional<FromWorker> decode(std::span<const std::byte>);
template std::optional<ToWorker> decode(std::span<const std::byte>);
template std::optional<ToDecryptor> decode(std::span<const std::byte>);
template std::optional<FromDecryptor> decode(std::span<const std::byte>);

}  // namespace bootkey::monitor
