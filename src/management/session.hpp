// SPDX-License-Identifier: GPL-3.0-or-later
//
// One client as the Interface sees it: its unfinished line, what it has switched on, and in which order it is told
// things. A reply that the client is not ready for is kept as its sources; lines that begin with '>' wait behind it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "bootkey/management/interface.hpp"
#include "bootkey/management/line_splitter.hpp"
#include "bootkey/management/other_protocol.hpp"
#include "bootkey/management/reply.hpp"
#include "bootkey/management/words.hpp"
#include "command.hpp"

namespace bootkey::management {

class Session {
public:
    /// `outlet` must outlive the object. Fails (os_error) for want of memory.
    [[nodiscard]] static base::Result<std::unique_ptr<Session>> create(ClientId id, bool is_admitted,
                                                                       const Outlet& outlet);

    [[nodiscard]] ClientId id() const { return id_; }
    /// Whether it may say something now.
    [[nodiscard]] bool listens() const { return !closing_ && !is_busy_ && !is_paused_ && reply_.empty() && !is_full_; }
    /// It is not heard, or is again; what it is told is not held up.
    void pause(bool on);
    [[nodiscard]] bool is_closing() const { return closing_; }

    /// What is said now is not part of a reply, and waits until answer().
    void begin() { is_busy_ = true; }
    /// The reply to what the client said; sent as far as the client is ready for it.
    void answer(Reply reply);
    /// A line that is no reply, with its end; or several.
    void notify(std::string_view lines);
    /// The client has read what it was sent.
    void drained();
    /// Ends the connection after what has been said so far.
    void close();

    bool is_admitted;         // has given the password, if one is needed
    int tries = 0;            // wrong passwords
    std::string address;      // where it comes from, if that is known
    OtherProtocol protocol;   // as far as it has spoken
    bool has_spoken = false;  // a line
    LineSplitter splitter;
    Words words;
    Switches switches;

private:
    Session(ClientId id, bool may_enter, LineSplitter lines, Words line_words, const Outlet& outlet)
        : is_admitted(may_enter), splitter(std::move(lines)), words(std::move(line_words)), id_(id), outlet_(outlet) {}
    void send_some();
    void send(std::string_view lines) { is_full_ = !outlet_.send(id_, lines) || is_full_; }

    ClientId id_;
    const Outlet& outlet_;
    Reply reply_;
    std::string waiting_;   // notifications, behind the reply
    bool is_busy_ = false;  // a command is being carried out
    bool is_full_ = false;  // is not to be sent more of a reply
    bool is_paused_ = false;
    bool closing_ = false;
};

}  // namespace bootkey::management
