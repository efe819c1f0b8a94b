// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/keyring_environment.hpp"

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "catch.hpp"

using namespace bootkey;
using modes::keyring_environment;

TEST_CASE("gpg gets what leads to a person's keyring and terminal, and nothing else") {
    const char* const environment[] = {"PATH=/home/me/bin",
                                       "HOME=/home/me",
                                       "LD_PRELOAD=/home/me/evil.so",
                                       "GNUPGHOME=/home/me/keys=mine",
                                       "GPG_TTY=/dev/pts/3",
                                       "HOMES=/srv",
                                       "LC_ALL=",
                                       "TERM",
                                       "SSH_AUTH_SOCK=/run/agent",
                                       "DISPLAY=:0",
                                       nullptr};
    CHECK(keyring_environment(environment) == std::vector<std::string>{"HOME=/home/me", "GNUPGHOME=/home/me/keys=mine",
                                                                       "GPG_TTY=/dev/pts/3", "LC_ALL=", "DISPLAY=:0"});
    CHECK(keyring_environment(environment + 10).empty());
}

TEST_CASE("the manual page names every variable that gpg gets") {
    const auto page = base::read_file(BOOTKEY_DOCUMENTS "/man/bootkey.8", 1024 * 1024);
    REQUIRE(page);
    const auto section = page->find("\ngpg gets\n", page->find(".Sh ENVIRONMENT\n"));
    const std::string text = page->substr(section, page->find(".Sh FILES\n") - section);
    std::vector<std::string> variables;
    for (const std::string_view line : base::split(text, '\n'))
        if (line.starts_with(".Ev ")) variables.push_back(std::string(base::split(line, ' ')[1]) + "=x");
    REQUIRE(variables.size() > 10);
    std::vector<const char*> environment;
    for (const std::string& variable : variables) environment.push_back(variable.c_str());
    environment.push_back(nullptr);
    CHECK(keyring_environment(environment.data()) == variables);
}
