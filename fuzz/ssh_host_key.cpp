// SPDX-License-Identifier: GPL-3.0-or-later
//
// The SSH host key's public file, and what becomes of it in the server's clients.conf. Accepted: keys of known kinds.
#include <algorithm>
#include <string>

#include "bootkey/openpgp/enrolment.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto key = openpgp::parse_ssh_host_key(text_of(input));
    if (!key) return false;
    require(text_of(input).find(key->algorithm + " " + key->key) != std::string_view::npos, "a key is not made up");
    const openpgp::Enrolment enrolment{
        "machine", "machine.example", std::string(64, 'a'), std::string(40, 'b'), std::string(text_of(input)), key};
    const auto section = openpgp::clients_conf_section(enrolment);
    std::string words;  // that lines begin with
    for (const auto line : base::split(section, '\n')) words += std::string(line.substr(0, line.find(' '))) + ' ';
    require(base::trim(words) == "[machine] host key_id fingerprint checker secret", "a section has these lines");
    require(base::is_printable_utf8(base::split(section, '\n')[4]), "the server's check command is text");
    require(std::ranges::count(section, '\'') == 4, "nothing in a key ends a quoted word of the shell");
    return true;
}
