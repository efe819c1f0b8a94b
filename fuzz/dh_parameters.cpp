// SPDX-License-Identifier: GPL-3.0-or-later
//
// The file of --dh-params. Accepted: if it is used, that is, without a warning.
#include <sys/mman.h>

#include "bootkey/base/unique_fd.hpp"
#include "fuzz.hpp"
#include "tls_identity.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const base::UniqueFd file(memfd_create("parameters", MFD_CLOEXEC));
    require(file && base::write_all(file.get(), input) == 0, "there is memory");
    base::Log log(1);
    bool warned = false;
    log.add_sink([&](const base::LogEntry& entry) {
        require_readable(entry.text);
        warned = true;
    });
    const servers::TlsSettings settings{"NORMAL:+CTYPE-RAWPK:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA",
                                        {},
                                        "/proc/self/fd/" + std::to_string(file.get())};
    const auto loaded = servers::TlsCredentials::load(identity(example_private_key, ""), settings, log);
    require(loaded.ok(), "parameters that cannot be used are no reason not to go on");
    return !warned;
}
