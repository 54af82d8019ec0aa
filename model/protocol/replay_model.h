// SPDX-License-Identifier: GPL-2.0-or-later
//
// The replaying side of the protocol, as a finite transition system: the daemon that feeds a log, chosen
// freely record by record, and may be killed; the vCPU that takes its records, starves and is woken; a sender
// whose signals must not reach the guest. As in record_model.h, each access to what two of them share is a
// step.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "explorer.h"
#include "steps.h"

namespace casmotion::protocol {

enum class ReplayBug : std::uint8_t {
    kNone,
    kEofRace,              // eof is believed, and prod not read again after it
    kEofBeforeLastRecord,  // the daemon sets eof before it has published the last records
    kPublishBeforeData,    // the daemon moves prod before it has written the record
    kConsumeBeforeCopy,    // the vCPU moves cons before it has read the record
    kNoSecondLook,         // no look at the ring after the stall flag was set
    kNoKickAtEof,          // the daemon does not kick after it set eof
    kNoStarvation,         // the vCPU runs on with less than one trip's records
    kOneSignalPerExit,     // an exit applies one effect at most
    kOutsideSignal,        // a signal from outside is applied during a replay
};

struct ReplayBounds {
    unsigned records = 12;  // of the longest log
    bool daemon_may_die = true;
};

class ReplayModel {
  public:
    static constexpr unsigned kSlots = 8;    // ring size, in records
    static constexpr unsigned kReserve = 4;  // CASM_TRIP_BYTES: two signals, an ENTRY and what follows it

    struct State {
        std::uint8_t slot[kSlots];  // record number * 8 + kind; kEmpty: never written
        std::uint8_t fed, prod, cons, pos, other, eof;
        std::uint8_t last_kind;  // of the last record fed: what may follow it
        std::uint8_t feeder, room, added;
        std::uint8_t vcpu, mode, sync, paused, stalled;
        std::uint8_t outside;  // 1: a signal was sent
        std::uint8_t pending;  // kOutsideSignal: it waits
        std::uint8_t broken;
    };

    explicit ReplayModel(ReplayBounds bounds, ReplayBug bug = ReplayBug::kNone)
        : bounds_(bounds), bug_(bug) {}

    [[nodiscard]] std::vector<State> initial() const;
    template <typename Emit>
    void successors(const State& state, Emit emit) const {
        Out out(state);
        vcpu_steps(state, out);
        feeder_steps(state, out);
        out.emit_all(emit);
    }
    [[nodiscard]] const char* broken(const State& state) const;
    [[nodiscard]] bool good(const State& state) const;
    [[nodiscard]] std::string text(const State& state) const;
    [[nodiscard]] std::span<const Transition> transitions() const;

  private:
    using Out = Steps<State>;

    void vcpu_steps(const State& state, Out& out) const;
    void feeder_steps(const State& state, Out& out) const;
    void look(State& s, bool room_test) const;
    [[nodiscard]] int head(State& s) const;
    void take_entry(State& s) const;
    void inject(State& s) const;

    ReplayBounds bounds_;
    ReplayBug bug_;
};

using ReplayBugName = BugName<ReplayBug>;
[[nodiscard]] std::span<const ReplayBugName> replay_bugs();

}  // namespace casmotion::protocol
