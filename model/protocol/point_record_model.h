// SPDX-License-Identifier: GPL-2.0-or-later
//
// Points between entries, recording side, as a finite transition system: a guest that may run on without
// entering Xen, the timer that finds a signal waiting too long, the search for a place that can be named (one
// instruction at a time), an entry that comes first and cancels it, the point's record and its effects,
// dom0's stop, the ring and a daemon that may be killed.
//
// What record_model.h has in small steps (the ring's counters, the stall, the daemon's copy) are larger steps
// here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "explorer.h"
#include "steps.h"

namespace casmotion::protocol {

enum class PointRecordBug : std::uint8_t {
    kNone,
    kEntryKeepsSearch,  // an entry does not cancel the search
    kEntryKeepsTrap,    // an entry cancels the search and leaves the trap flag or breakpoint
    kDeliverBetween,    // a point is called canonical at whatever boundary a step ended
    kOldCount,          // an entry that cancels a search does not count anew
    kDeliverAtOnce,     // a point by state before the guest moved on
    kNoShadow,          // a step that an interrupt forestalled counts as one
    kEffectsFirst,      // the effects before the point's record
    kNoRoomForPoint,    // no look for room in the ring before a point
    kRestNotTimed,      // what one exit leaves in the queue starts no timer
    kTimerElsewhere,    // the timer runs on another processor, beside an exit
    kFailForgets,       // a search that finds no place is not begun again
};

struct PointRecordBounds {
    unsigned trips = 3;  // synchronous entries of the guest, the last one is its shutdown
    bool daemon_may_die = true;
    bool may_stop = true;
};

class PointRecordModel {
  public:
    static constexpr unsigned kSlots = 8;    // ring size, in records
    static constexpr unsigned kReserve = 4;  // APOINT and a signal, then the next ENTRY and END
    static constexpr unsigned kLength =
        2;  // instructions behind an entry, then "jmp ." as often as the guest likes
    static constexpr unsigned kMaxSteps = 2;  // after so many the place is named by state
    static constexpr unsigned kPorts = 2;
    static constexpr unsigned kSenders = 2;

    struct State {
        // The guest. `insn`, `at_branch` and `moved` are for the rules: no code reads them.
        std::uint8_t insn, branches;  // since the entry; at kLength the guest stays where it is
        std::uint8_t at_branch;       // the instruction before this boundary is a branch that retired
        std::uint8_t moved;           // an instruction ran since the last ENTRY or APOINT
        std::uint8_t trips;
        // Xen: casm_timepoint
        std::uint8_t active, steps, seen, armed, why, fetched, due, timer;  // seen: no shadow, casm_canon.h
        std::uint8_t old_count;  // kOldCount: branches that are counted although an entry came
        std::uint8_t asked;      // entries when the search began
        std::uint8_t sync, ended, stop;
        std::uint8_t pending, taken, owed[kPorts];  // as in RecordModel
        std::uint8_t sender[kSenders];              // signals sent * 3 + steps of the next
        std::uint8_t first;                         // a bit per sender: its signal was the first in the queue
        std::uint8_t stopper;
        std::uint8_t vcpu, blocked, paused, stalled;
        std::uint8_t pos, other, prod, cons, file;
        std::uint8_t daemon, pressed;
        std::uint8_t broken;
    };

    explicit PointRecordModel(PointRecordBounds bounds, PointRecordBug bug = PointRecordBug::kNone)
        : bounds_(bounds), bug_(bug) {}

    [[nodiscard]] std::vector<State> initial() const { return {State{}}; }
    template <typename Emit>
    void successors(const State& state, Emit emit) const {
        Out out(state);
        guest_steps(state, out);
        exit_steps(state, out);
        outside_steps(state, out);
        daemon_steps(state, out);
        out.emit_all(emit);
    }
    [[nodiscard]] const char* broken(const State& state) const;
    [[nodiscard]] bool good(const State& state) const;
    [[nodiscard]] std::string text(const State& state) const;
    [[nodiscard]] std::span<const Transition> transitions() const;

  private:
    using Out = Steps<State>;

    [[nodiscard]] bool has_room(const State& s) const {
        return kSlots - static_cast<unsigned>(s.pos - s.other) >= kReserve;
    }
    void put(State& s) const;
    void run(State& s, bool branch) const;
    void enter(State& s) const;
    void deliver(State& s, bool canonical) const;
    void end(State& s) const;
    void look_for_point(const State& state, Out& out) const;
    void guest_steps(const State& state, Out& out) const;
    void exit_steps(const State& state, Out& out) const;
    void outside_steps(const State& state, Out& out) const;
    void daemon_steps(const State& state, Out& out) const;

    PointRecordBounds bounds_;
    PointRecordBug bug_;
};

using PointRecordBugName = BugName<PointRecordBug>;
[[nodiscard]] std::span<const PointRecordBugName> point_record_bugs();

}  // namespace casmotion::protocol
