// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/environment.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/forked.hpp"
#include "catch.hpp"

using namespace bootkey::base;
using bootkey::base::testing::forked;

namespace {

// What is left of an environment, and whether the loader had acted upon it.
struct Left {
    std::vector<std::string> variables;
    bool took_effect;
};

Left reduced(std::vector<std::string> variables) {
    std::vector<char*> pointers;
    pointers.reserve(variables.size() + 1);
    for (std::string& variable : variables) pointers.push_back(variable.data());
    pointers.push_back(nullptr);
    const bool took_effect = reduce_environment(pointers.data());
    Left left{{}, took_effect};
    for (char** variable = pointers.data(); *variable != nullptr; ++variable) left.variables.emplace_back(*variable);
    return left;
}

}  // namespace

TEST_CASE("of the environment only what the program reads is left, in its order") {
    const Left left = reduced({"PATH=/tmp", "HOME=/root", "SSLKEYLOGFILE=/run/keys", "LC_ALL=", "GNUTLS_DEBUG_LEVEL=99",
                               "HOMES=/srv", "TERM=a=b", "HOME", "", "NO_COLOR=1", "GPGME_DEBUG=9:/run/gpgme"});
    CHECK(left.variables == std::vector<std::string>{"HOME=/root", "LC_ALL=", "TERM=a=b", "NO_COLOR=1"});
    CHECK_FALSE(left.took_effect);
    CHECK(reduced({}).variables.empty());
}

TEST_CASE("what the dynamic loader and the C library have acted upon is told") {
    for (const char* variable : {"GLIBC_TUNABLES=glibc.malloc.perturb=1", "MALLOC_PERTURB_=1", "MALLOC_ARENA_MAX=1",
                                 "LD_DEBUG=all", "LD_PROFILE=libc.so.6", "LD_BIND_NOW="}) {
        CAPTURE(variable);
        const Left left = reduced({"HOME=/root", variable, "LANG=C"});
        CHECK(left.variables == std::vector<std::string>{"HOME=/root", "LANG=C"});
        CHECK(left.took_effect);
    }
    for (const char* variable : {"GLIBC=1", "MALLOCS=1", "LDFLAGS=-s", "GNUTLS_NO_IMPLICIT_INIT=1"})
        CHECK_FALSE(reduced({variable}).took_effect);
}

TEST_CASE("libraries are found again after the program has executed itself, and it does not do so for ever") {
    const std::vector<std::string> wanted{"LD_LIBRARY_PATH=/opt/lib", "LD_PRELOAD=/opt/lib/x.so", "LD_AUDIT=/a.so"};
    std::vector<std::string> all = wanted;
    all.emplace_back("GLIBC_TUNABLES=glibc.malloc.check=3");
    const Left left = reduced(all);
    CHECK(left.variables == wanted);
    CHECK(left.took_effect);
    CHECK_FALSE(reduced(left.variables).took_effect);
}

TEST_CASE("a program that executes itself again stays what it is") {
    // This program with another command line: the one test case that is hidden.
    const int status = forked([] {
        char program[] = "another name";
        char name[] = "[executed again]";
        char* const arguments[] = {program, name, nullptr};
        char variable[] = "BOOTKEY_EXECUTED=again";
        char* environment[] = {variable, nullptr};
        static_cast<void>(execute_again(const_cast<char**>(arguments), environment));
        return 99;
    });
    CHECK(status == 0);
}

TEST_CASE("what is executed again", "[.][executed again]") {
    std::ifstream line("/proc/self/cmdline");
    CHECK(std::string(std::istreambuf_iterator<char>(line), {}) == std::string("another name\0[executed again]\0", 30));
    std::ifstream name("/proc/self/comm");
    std::string word;
    name >> word;
    CHECK(word == std::string("test_base"));
    const char* const variable = std::getenv("BOOTKEY_EXECUTED");
    REQUIRE(variable != nullptr);
    CHECK(std::string(variable) == "again");
}
