// SPDX-License-Identifier: GPL-3.0-or-later
//
// That the pages are wiped before they are given back cannot be read back, since they are gone then; clear(), which
// does it, is tested while they are there.
#include "bootkey/base/secret.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <type_traits>

#include "base/forked.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "catch.hpp"

using namespace bootkey::base;
using bootkey::base::testing::forked;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool mlock_is_real = false;
#elif defined(__has_feature)
constexpr bool mlock_is_real = !__has_feature(address_sanitizer);
#else
constexpr bool mlock_is_real = true;
#endif

Secret secret_of(std::string_view text, std::size_t capacity) {
    Result<Secret> secret = Secret::with_capacity(capacity);
    REQUIRE(secret);
    REQUIRE(secret->append(bytes_of(text)));
    return *std::move(secret);
}

std::string text_of(const Secret& secret) {
    return {reinterpret_cast<const char*>(secret.bytes().data()), secret.size()};
}

bool all_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

// The two-letter flags of the mapping that holds `address` (VmFlags in proc_pid_smaps(5)), each followed by a blank.
std::string mapping_flags(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream smaps("/proc/self/smaps");
    bool inside = false;
    for (std::string line; std::getline(smaps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        const char* const end = line.data() + line.size();
        const auto first = std::from_chars(line.data(), end, from, 16);
        if (first.ec == std::errc{} && first.ptr != end && *first.ptr == '-' &&
            std::from_chars(first.ptr + 1, end, to, 16).ec == std::errc{})
            inside = from <= wanted && wanted < to;
        if (inside && line.starts_with("VmFlags:")) return line.substr(8) + " ";
    }
    return {};
}

constexpr std::string_view left_behind = "a secret that was left on the stack";

// Leaves text on the stack, some kB down; where.
[[gnu::noinline]] std::uintptr_t leave_on_the_stack() {
    volatile char area[8 * 1024];
    for (std::size_t i = 0; i < left_behind.size(); ++i) area[i] = left_behind[i];
    return reinterpret_cast<std::uintptr_t>(area);
}

// The memory at an address where no object is any more, as the kernel sees it.
std::string memory_at(std::uintptr_t address) {
    std::string text(left_behind.size(), '?');
    const UniqueFd memory(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
    REQUIRE(pread(memory.get(), text.data(), text.size(), static_cast<off_t>(address)) ==
            static_cast<ssize_t>(text.size()));
    return text;
}

}  // namespace

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret> && std::is_nothrow_move_assignable_v<Secret>);

TEST_CASE("a secret takes bytes up to its capacity, all or nothing") {
    Secret secret = secret_of("abc", 5);
    CHECK(secret.capacity() == 5);
    CHECK_FALSE(secret.append(bytes_of("def")));
    CHECK(text_of(secret) == "abc");
    CHECK(secret.append(bytes_of("de")));
    CHECK(text_of(secret) == "abcde");
    CHECK(secret.spare().empty());
    CHECK(secret.append({}));
    CHECK_FALSE(secret.append(bytes_of("f")));
}

TEST_CASE("a secret's spare room is written directly and then declared") {
    Secret secret = secret_of("abc", 5);
    REQUIRE(secret.spare().size() == 2);
    std::fill(secret.spare().begin(), secret.spare().end(), std::byte{'x'});
    secret.grow(1);
    CHECK(text_of(secret) == "abcx");
    secret.grow(1000);  // more than there is room for adds no more than the room
    CHECK(text_of(secret) == "abcxx");
}

TEST_CASE("the end of a secret is wiped and given back as spare room") {
    Secret secret = secret_of("abcde", 5);
    const std::span<const std::byte> whole(secret.bytes().data(), secret.capacity());
    secret.shrink(2);
    CHECK(text_of(secret) == "abc");
    CHECK(all_zero(whole.subspan(3)));
    CHECK(secret.append(bytes_of("x")));
    secret.shrink(1000);  // more than there is
    CHECK(secret.empty());
    CHECK(all_zero(whole));
    Secret().shrink(1);
}

TEST_CASE("clearing a secret wipes all of it, also what was never declared") {
    Secret secret = secret_of("abc", 10'000);
    const std::span<const std::byte> whole(secret.bytes().data(), secret.capacity());
    std::fill(secret.spare().begin(), secret.spare().end(), std::byte{'x'});
    REQUIRE_FALSE(all_zero(whole));
    secret.clear();
    CHECK(all_zero(whole));
    CHECK(secret.empty());
    CHECK(secret.capacity() == 10'000);
    CHECK(secret.append(bytes_of("again")));
    CHECK(text_of(secret) == "again");
}

TEST_CASE("secrets move and leave nothing behind") {
    Secret first = secret_of("first", 10);
    const auto* const place = first.bytes().data();
    Secret second(std::move(first));
    CHECK(second.bytes().data() == place);  // moved, not copied
    CHECK(text_of(second) == "first");
    CHECK(first.empty());
    CHECK(first.capacity() == 0);
    CHECK(first.spare().empty());
    CHECK_FALSE(first.append(bytes_of("x")));

    Secret third = secret_of("third", 10);
    third = std::move(second);
    CHECK(text_of(third) == "first");
    CHECK(second.capacity() == 0);
    Secret& same = third;
    third = std::move(same);
    CHECK(text_of(third) == "first");
    second.clear();
    CHECK(second.empty());
}

TEST_CASE("a secret of no capacity takes nothing") {
    Secret secret;
    CHECK(secret.append({}));
    CHECK_FALSE(secret.append(bytes_of("x")));
    secret.grow(1);
    secret.clear();
    CHECK(secret.empty());
    REQUIRE(Secret::with_capacity(0));
    CHECK(Secret::with_capacity(0)->capacity() == 0);
}

TEST_CASE("a capacity that no memory can have is an error") {
    const std::size_t capacity =
        GENERATE(std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() - 5000,
                 std::numeric_limits<std::size_t>::max() / 2);
    const Result<Secret> secret = Secret::with_capacity(capacity);
    REQUIRE_FALSE(secret);
    CHECK(secret.error().code == ExitCode::os_error);
    CHECK(secret.error().why == "Cannot allocate memory");
}

TEST_CASE("a secret's pages are locked and neither dumped nor forked") {
    const Secret secret = secret_of("abc", 100);
    const std::string flags = mapping_flags(secret.bytes().data());
    CAPTURE(flags);
    CHECK(flags.find(" dd ") != std::string::npos);  // MADV_DONTDUMP
    CHECK(flags.find(" wf ") != std::string::npos);  // MADV_WIPEONFORK
    if (!mlock_is_real)
        WARN("skipped in part: the address sanitizer makes mlock(2) do nothing");
    else if (!secret.locked())
        WARN("skipped in part: this process may not lock memory (RLIMIT_MEMLOCK)");
    else
        CHECK(flags.find(" lo ") != std::string::npos);
    CHECK(forked([&] { return all_zero(secret.bytes()) ? 10 : 11; }) == 10);
    CHECK(text_of(secret) == "abc");
}

TEST_CASE("a lock that is refused makes a secret that says so") {
    if (!mlock_is_real) {
        WARN("SKIPPED: the address sanitizer makes mlock(2) do nothing");
        return;
    }
    const int seen = forked([] {
        // Root may lock without limit (CAP_IPC_LOCK), so become somebody else first.
        constexpr rlimit nothing{0, 0};
        if (setrlimit(RLIMIT_MEMLOCK, &nothing) != 0) return 1;
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 2;
        Result<Secret> secret = Secret::with_capacity(100);
        if (!secret || secret->locked()) return 3;
        return secret->append(bytes_of("abc")) && text_of(*secret) == "abc" ? 10 : 4;
    });
    CHECK(seen == 10);
}

TEST_CASE("what functions have left on the stack is wiped") {
    const std::uintptr_t place = leave_on_the_stack();
    CHECK(memory_at(place) == left_behind);
    wipe_stack_below();
    CHECK(memory_at(place) == std::string(left_behind.size(), '\0'));
}
