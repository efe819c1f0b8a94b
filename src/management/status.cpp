// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/status.hpp"

#include <initializer_list>

#include "bootkey/management/fields.hpp"

namespace bootkey::management {
namespace {

// Of fields that have no separator.
std::string joined(std::initializer_list<std::string> fields, char separator) {
    std::string line;
    for (const auto& each : fields) {
        if (&each != fields.begin()) line += separator;
        line += each;
    }
    return line;
}

std::string row(const ServerRow& server, char separator) {
    const bool has_address = !server.address.is_unspecified();
    return joined(
        {"SERVER_LIST", field(server.name, separator), has_address ? server.address.text() : "",
         server.port != 0 ? std::to_string(server.port) : "", field(server.interface, separator),
         field(server.phase, separator), std::to_string(server.tries), shown_field(server.last_error, separator),
         std::to_string(server.bytes), std::to_string(server.since)},
        separator);
}

}  // namespace

std::vector<std::string> statistics(std::int64_t now, const Totals& totals) {
    // There is no tunnel; whatever is read from a server is authenticated.
    return {"OpenVPN STATISTICS",
            "Updated," + date_and_time(now),
            "TUN/TAP read bytes,0",
            "TUN/TAP write bytes,0",
            "TCP/UDP read bytes," + std::to_string(totals.bytes_in),
            "TCP/UDP write bytes," + std::to_string(totals.bytes_out),
            "Auth read bytes," + std::to_string(totals.bytes_in)};
}

std::vector<std::string> server_list(std::int64_t now, const std::vector<ServerRow>& servers, char separator) {
    std::vector<std::string> lines{joined({"TITLE", "bootkey " BOOTKEY_VERSION}, separator),
                                   joined({"TIME", date_and_time(now), std::to_string(now)}, separator),
                                   joined({"HEADER", "SERVER_LIST", "Name", "Address", "Port", "Interface", "Phase",
                                           "Tries", "Last Error", "Bytes Received", "Since (time_t)"},
                                          separator)};
    for (const auto& server : servers) lines.push_back(row(server, separator));
    return lines;
}

}  // namespace bootkey::management
