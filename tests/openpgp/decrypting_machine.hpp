// SPDX-License-Identifier: GPL-3.0-or-later
//
// A machine at boot, as far as decryption goes: a decryptor on a loop of its own, with an empty home.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/temporary_directory.hpp"
#include "bootkey/base/event_loop.hpp"
#include "bootkey/openpgp/decryptor.hpp"
#include "openpgp/gpg_lab.hpp"

namespace bootkey::openpgp::testing {

class Machine {
public:
    Machine() { mkdir(home.c_str(), 0700); }

    /// Begins to prepare with the keys in these files; false with `failure` set if that is refused at once.
    [[nodiscard]] bool create(const std::string& seckey, const std::string& signers = {}) {
        auto keys = read_decryption_keys(seckey, signers);
        if (!keys) {
            failure = keys.error();
            return false;
        }
        if (keys->protection) key_name = keys->protection->name;
        auto made = Decryptor::create(*loop, log, std::move(*keys), home,
                                      {.failed =
                                           [this](base::Error error) {
                                               failure = std::move(error);
                                               loop->stop();
                                           },
                                       .needs_passphrase =
                                           [this](bool again) {
                                               questions.push_back(again);
                                               if (reply.empty()) return loop->stop();
                                               give(std::exchange(reply, {}));
                                           }});
        if (made) {
            decryptor = std::move(*made);
        } else {
            failure = made.error();
        }
        return decryptor != nullptr;
    }
    void run_for(base::Duration duration) {
        const auto stop = loop->timer([this] { loop->stop(); });
        stop->arm(duration);
        loop->run();
    }
    /// Asks for all `messages` at once; their plaintexts, or the reasons why there are none, after "!".
    std::vector<std::string> decrypt(const std::vector<std::string>& messages) {
        std::vector<std::string> results(messages.size(), "!no call back");
        std::size_t open = messages.size();
        for (std::size_t i = 0; i < messages.size(); ++i)
            decryptor->decrypt(bytes(messages[i]), base::from_seconds(30), [&, i](base::Result<base::Secret> result) {
                results[i] = result ? std::string(reinterpret_cast<const char*>(result->bytes().data()), result->size())
                                    : "!" + result.error().message();
                if (--open == 0) loop->stop();
            });
        run_for(std::chrono::seconds(20));
        return results;
    }
    void give(const std::string& passphrase) const {
        auto secret = base::Secret::with_capacity(passphrase.size());
        REQUIRE(secret);
        REQUIRE(secret->append(bytes(passphrase)));
        decryptor->unlock(std::move(*secret));
    }
    std::string decrypt(const std::string& message) { return decrypt(std::vector{message}).front(); }

    base::testing::TemporaryDirectory directory;
    std::string home = directory / "home";
    base::Log log;
    std::unique_ptr<base::EventLoop> loop = std::move(base::EventLoop::create()).value();
    std::optional<base::Error> failure;
    std::string key_name;         // of a protected key
    std::vector<bool> questions;  // for its passphrase: whether it is asked for again
    std::string reply;            // to the next question; without one that ends the waiting
    std::unique_ptr<Decryptor> decryptor;
};

}  // namespace bootkey::openpgp::testing
