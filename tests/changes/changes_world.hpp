// SPDX-License-Identifier: GPL-3.0-or-later
//
// The rules of changes and their undoing: a toy machine with some instances of bootkey that share a journal, and others
// who do what they like. Takes events and throws (model::Broken) as soon as a rule is broken. Always: what has been
// changed is recorded; what a living instance needs stays; what others made or use is left alone, and the log says so.
// In the end: the machine is as others left it, and nothing of the journal remains.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/changes/changes.hpp"
#include "changes_events.hpp"
#include "model/sequences.hpp"
#include "network/sandbox_fixture.hpp"
#include "toy_machine.hpp"

namespace bootkey::changes::toy {

class ChangesWorld {
public:
    using Event = toy::Event;

    /// How often what happened, for a test that wants to know that it did.
    using Met = std::map<std::string, std::size_t>;

    /// Three interfaces, 2 and 3 down and 4 brought up by others; no instance runs.
    explicit ChangesWorld(Met& met);
    ChangesWorld(const ChangesWorld&) = delete;
    ChangesWorld& operator=(const ChangesWorld&) = delete;

    // See model::check_sequences().
    [[nodiscard]] Event next(model::Chance& chance) const;
    void apply(const Event& event);
    /// Ends what still runs and restores what is left.
    void finish();
    [[nodiscard]] static std::string text(const Event& event) { return event.text(); }

private:
    struct Living {
        Instance self;
        Mishap mishap = {};
        bool disturbed = false;  ///< what it does now may fail, or be undone by others at once
        std::unique_ptr<Changes> changes = nullptr;
    };

    void act(const Event& event);
    void act_for_others(const Event& event);
    void change_interface(const Event& event, Interface& interface);
    void begin(const Event& event);
    /// Lets the event's instance act, and whatever the event says happen to it meanwhile.
    void perform(const Event& event, const std::function<void(Living&)>& action);
    void forget(unsigned number);
    void bring_up(Living& living, std::uint32_t interface);
    void add_route(Living& living, const Route& route);
    void lower_console(Living& living);
    void make_home(Living& living);
    void remove_home(Living& living, unsigned which);
    void end(Living& living);

    [[nodiscard]] Needs& needs(const Living& living) { return kernel_.running.at(living.self); }
    [[nodiscard]] Journal journal() const;
    [[nodiscard]] bool is_recorded(const Change& object) const;
    void check();
    void check_records();
    void check_needs() const;

    Met& met_;
    std::size_t left_to_others_ = 0;  ///< how many interfaces the log has told of since the last event
    base::Log log_{1};
    network::fixture::TemporaryDirectory directory_;
    Paths paths_;
    Kernel kernel_;
    std::map<unsigned, Living> living_;
    pid_t last_pid_ = 100;
    std::uint32_t last_interface_ = 4;
};

}  // namespace bootkey::changes::toy
