// SPDX-License-Identifier: GPL-2.0-or-later
//
// Points between entries, replaying side: a guest that runs the same instructions as in the recording, a log
// with points chosen freely among its boundaries, fed through a ring by a daemon that may be killed; the
// search for the point that the log names by overflow interrupt, breakpoint and single step; its effects.
// Overflow interrupts come late, by as many branches as the search allows for, or by one more.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "explorer.h"
#include "steps.h"

namespace casmotion::protocol {

enum class PointReplayBug : std::uint8_t {
    kNone,
    kEntryKeepsTrap,     // an entry past a point leaves what was armed for it
    kNoLookBehindPoint,  // the guest runs on from a point without a look at the next record
    kNoLookBehindEntry,  // the same from an entry
    kNoRoomAtPoint,      // no look whether the feed has a trip's records before a point is looked for
    kOvershotDelivers,   // a count beyond the point's is good enough
    kNoPass,             // a point by state is looked for where the guest is already
    kSkipsLatePoint,     // a point that was missed is left out instead of called a divergence
};

struct PointReplayBounds {
    bool too_late = false;    // overflow interrupts may come later than the search allows for
    bool false_logs = false;  // the log may name a point that the guest never passes
    bool daemon_may_die = true;
    unsigned records = 9;  // of the longest log
};

class PointReplayModel {
  public:
    static constexpr unsigned kSlots = 8;  // ring size, in records
    static constexpr unsigned kReserve =
        4;  // a trip: APOINT and its signal, the next ENTRY and what follows it
    static constexpr unsigned kStretches = 2;
    static constexpr unsigned kLength[kStretches + 1] = {
        0, 4, 1};                           // instructions before each entry; the last is the shutdown
    static constexpr unsigned kMargin = 2;  // branches by which an overflow is armed early

    struct State {
        std::uint8_t program[kStretches];  // a bit per instruction: is it a conditional branch?
        std::uint8_t stretch, insn;        // where the guest is; only the rules know `insn`
        std::uint8_t branches;             // since the entry
        std::uint8_t moved;                // an instruction ran since the last entry or point
        // Xen: casm_timepoint, casm_match
        std::uint8_t active, target, armed, programmed, why, passed, resume;
        std::uint8_t mode, sync, vcpu, paused, stalled;
        std::uint8_t pos, other, prod, cons, fed, eof;
        std::uint8_t slot[kSlots];
        // the daemon, and what it may feed next
        std::uint8_t feeder, log_stretch, log_insn, last_kind, lies;
        std::uint8_t named;  // kind of the last name taken: what the effects behind it belong to
        std::uint8_t broken;
    };

    explicit PointReplayModel(PointReplayBounds bounds, PointReplayBug bug = PointReplayBug::kNone)
        : bounds_(bounds), bug_(bug) {}

    [[nodiscard]] std::vector<State> initial() const;
    template <typename Emit>
    void successors(const State& state, Emit emit) const {
        Out out(state);
        guest_steps(state, out);
        exit_steps(state, out);
        feeder_steps(state, out);
        out.emit_all(emit);
    }
    [[nodiscard]] const char* broken(const State& state) const;
    [[nodiscard]] bool good(const State& state) const;
    [[nodiscard]] std::string text(const State& state) const;
    [[nodiscard]] std::span<const Transition> transitions() const;

  private:
    using Out = Steps<State>;

    [[nodiscard]] int head(State& s) const;
    void take_entry(State& s) const;
    void diverge(State& s) const;
    void deliver(State& s) const;
    void match(State& s, unsigned& transition) const;
    void guest_steps(const State& state, Out& out) const;
    void exit_steps(const State& state, Out& out) const;
    void feeder_steps(const State& state, Out& out) const;

    PointReplayBounds bounds_;
    PointReplayBug bug_;
};

using PointReplayBugName = BugName<PointReplayBug>;
[[nodiscard]] std::span<const PointReplayBugName> point_replay_bugs();

}  // namespace casmotion::protocol
