// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which password is offered to which waiting askpass. Pure: news goes in, actions come out. Passwords are numbers here
// (the same number for the same bytes, see known_passwords.hpp) and so are askpass processes; nothing in here is
// secret.
//
// The rules. A device gets the same password once in a round of tries: a right one may fail for another reason, such as
// want of memory for the key derivation, and the boot begins its tries anew. When a device asks again after it has
// taken a password, that was the wrong one: the servers that sent it are told, and only another one is offered, from
// another host if there is any: whoever has the machine's public key can send any number of wrong ones. Servers that a
// person has named come before those that were announced. The last of several tries is the person's. A password that no
// device has refused is kept for the next device. Nothing is offered while two processes wait, since nobody could tell
// which of them reads it. Nor is anything offered where a keyscript asks for something else than the disk's password:
// three wrong PINs lock a card.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace bootkey::console {

using PasswordNumber = std::uint64_t;
/// A server's answer, as the caller counts them.
using AnswerNumber = std::uint64_t;
using ProcessNumber = std::int64_t;

/// A process that asks for a device's password.
struct Prompt {
    ProcessNumber process = 0;
    std::string device;               ///< its name in crypttab; empty: unknown
    unsigned tried = 0;               ///< tries that have failed
    unsigned tries = 3;               ///< how many there are in all; 0: no limit
    std::string foreign_keyscript{};  ///< one that asks for something else, like a PIN; empty: none

    /// Of several tries the last.
    [[nodiscard]] bool is_last_try() const { return tries > 1 && tried + 1 >= tries; }
};

/// "device root", for messages.
[[nodiscard]] std::string name_of_device(const std::string& device);

/// Who has sent a password.
struct Sender {
    std::string host;           ///< its address; empty: a person
    bool is_preferred = false;  ///< a person has named the server, or has typed the password
};

/// Write the password where the process reads, and call taken() or not_taken().
struct Offer {
    ProcessNumber process = 0;
    PasswordNumber password = 0;
    std::string device;
};
/// The answer is not what the device wants.
struct Refuse {
    AnswerNumber answer = 0;
    std::string why;
    Refuse(AnswerNumber number, std::string reason) : answer(number), why(std::move(reason)) {}
};
using AskpassAction = std::variant<Offer, Refuse>;

class AskpassOffers {
public:
    /// Passwords that are kept at the same time; an answer that brings one more is refused.
    static constexpr std::size_t most_kept = 16;
    /// Answers that bring the same password and are remembered; more are refused.
    static constexpr std::size_t most_answers = 256;

    /// An answer of `sender` brought this password.
    void answered(AnswerNumber answer, PasswordNumber password, const Sender& sender);
    /// The process has come to wait; to be told once.
    void waits(const Prompt& prompt);
    /// It does not wait any more, whoever answered it.
    void gone(ProcessNumber process);
    /// It has read the whole of what was offered to it, and so asks no further.
    void taken();
    /// It has not, or not all of it, since it ended or somebody else answers: nothing more is offered to it.
    void not_taken();
    /// Nothing was written yet, and it is not to be tried again before the next news.
    void postponed() { offer_.reset(); }

    /// Whether the password may still be offered to somebody; valid after decide(). What is not kept is to be wiped.
    [[nodiscard]] bool keeps(PasswordNumber password) const;

    /// What is to be done now, after any of the above; to be done in this order.
    [[nodiscard]] std::vector<AskpassAction> decide();

private:
    struct Device {
        std::set<PasswordNumber> offered, refused;
        std::map<std::string, unsigned> refusals;  // of each host's passwords
        std::optional<PasswordNumber> last;        // taken by the process that asked last
    };
    struct Waiting {
        Prompt prompt;
        bool served = false;  // or spoilt by half an offer: nothing more for this one
    };
    struct Kept {
        PasswordNumber password = 0;
        std::vector<AnswerNumber> answers;  // that brought it and were not judged
        std::vector<std::string> hosts;     // that sent it
        bool is_preferred = false;          // one of them at least
    };

    [[nodiscard]] const Kept* choose(const Device& device) const;
    [[nodiscard]] static unsigned refusals_of(const Kept& kept, const Device& device);
    [[nodiscard]] static bool begins_round(const Prompt& prompt);
    void refuse(AnswerNumber answer, std::string why);
    void refuse_last(Device& device);
    [[nodiscard]] bool make_room_for(const Sender& sender);
    void refuse_all(const Waiting& waiting);

    std::map<std::string, Device> devices_;
    std::map<ProcessNumber, Waiting> waiting_;
    std::vector<Kept> kept_;      // in the order in which they came
    std::optional<Offer> offer_;  // under way
    std::vector<AskpassAction> actions_;
};

}  // namespace bootkey::console
