// SPDX-License-Identifier: GPL-3.0-or-later
//
// GPGME on the loop where gpg misbehaves: made to hang by an agent's socket at which nobody answers.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>
#include <optional>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/openpgp/gpg_context.hpp"
#include "bootkey/openpgp/gpgme_data.hpp"
#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"

using namespace bootkey;
using openpgp::GpgContext;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;

namespace {

struct MuteAgent {
    explicit MuteAgent(const std::string& home) : fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, (home + "/S.gpg-agent").c_str());
        REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(listen(fd.get(), 8) == 0);
    }
    base::UniqueFd fd;
};

}  // namespace

TEST_CASE("a gpg that hangs is killed after the time limit, and the context can be used again") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    lab.gpg({"--output", "public", "--export", "machine"});
    const auto key = bytes(lab.read(std::filesystem::path(lab.secret_key("machine")).filename()));
    const auto public_key = bytes(lab.read("public"));
    const std::string home = lab.path("home");
    mkdir(home.c_str(), 0700);
    lab.write("home/gpg.conf", "no-autostart\nbatch\n");
    const MuteAgent agent(home);
    auto loop = std::move(base::EventLoop::create()).value();
    auto context = std::move(GpgContext::create(*loop, home)).value();

    const auto run = [&](const std::vector<std::byte>& input, base::Duration limit) {
        const auto data = openpgp::input_from(input, false);
        std::optional<gpgme_error_t> outcome;
        context->run([&](gpgme_ctx_t handle) { return gpgme_op_import_start(handle, data.get()); }, limit,
                     [&](gpgme_error_t error) {
                         outcome = error;
                         loop->stop();
                     });
        CHECK(context->busy());
        CHECK_FALSE(outcome);
        loop->run();
        CHECK_FALSE(context->busy());
        return gpgme_err_code(outcome.value());
    };

    const auto before = base::Clock::now();
    CHECK(run(key, base::from_seconds(0.3)) == GPG_ERR_TIMEOUT);
    CHECK(base::Clock::now() - before < base::from_seconds(2));
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(run(public_key, base::from_seconds(20)) == 0);
}

TEST_CASE("an operation that cannot be started is reported from the loop") {
    const GpgLab lab;
    auto loop = std::move(base::EventLoop::create()).value();
    auto context = std::move(GpgContext::create(*loop, lab.path("gnupg"))).value();
    std::optional<gpgme_error_t> outcome;
    context->run([](gpgme_ctx_t) { return gpgme_error(GPG_ERR_INV_VALUE); }, base::from_seconds(20),
                 [&](gpgme_error_t error) {
                     outcome = error;
                     context.reset();
                     loop->stop();
                 });
    CHECK_FALSE(outcome);
    loop->run();
    CHECK(gpgme_err_code(outcome.value()) == GPG_ERR_INV_VALUE);
}
