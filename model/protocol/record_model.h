// SPDX-License-Identifier: GPL-2.0-or-later
//
// The recording side of the protocol, as a finite transition system: a vCPU that enters Xen, is hit by
// interrupts, blocks and shuts down; senders of event channel signals; the daemon that drains the ring, and
// may be killed at any moment; dom0's request to stop. Every access to what two of them share is a step of
// its own.
//
// The model is sequentially consistent. The code's barriers are not modelled; what they order (data before
// prod, cons after the copy, the stall flag before the second look) is the order of the steps here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "explorer.h"
#include "steps.h"

namespace casmotion::protocol {

// A seeded bug; each breaks one rule of the code.
enum class RecordBug : std::uint8_t {
    kNone,
    kApplyAtUncountedExit,    // effects are applied on the way out of an interrupt
    kDropOnFullRing,          // a full ring does not stop the vCPU; a record without room is left out
    kReserveTooSmall,         // the vCPU may run on with room for less than one trip
    kDrainBeforeRoom,         // a stalled exit starts over and applies what it took a second time
    kPublishBeforeData,       // prod moves before the record is written
    kConsumeBeforeCopy,       // the daemon gives the room back before it has copied
    kNoSecondLook,            // no look at the ring after the stall flag was set
    kRareKick,                // the daemon kicks only after it found the ring nearly full
    kWakeTestBeforeBlocking,  // the vCPU looks for queued signals before it sets its blocked flag
    kWakeBeforeQueueing,      // a sender wakes the vCPU before the signal is in the queue
    kTakeWithoutLock,         // the queue is read and cleared in two steps
    kStopWithoutWaking,       // dom0's stop does not wake a blocked vCPU
    kGoOnAfterEnd,            // END does not end the logging
    kEofBeforeEnd,            // eof is set before END is published
    kEofReadAfterDrain,       // the daemon reads eof after it drained
};

struct RecordBounds {
    unsigned trips = 7;  // synchronous entries of the guest, the last one is its shutdown
    bool daemon_may_die = true;
    bool may_stop = true;
};

class RecordModel {
  public:
    static constexpr unsigned kSlots = 8;  // ring size, in records (each record is a unit)
    static constexpr unsigned kReserve =
        4;  // CASM_TRIP_BYTES: two signals, one ENTRY, one END; half the smallest ring
    static constexpr unsigned kPorts = 2;
    static constexpr unsigned kSenders = 2;

    struct State {
        std::uint8_t slot[kSlots];  // record number * 2 + is it END; kEmpty: never written
        std::uint8_t pos, other, prod, cons;
        std::uint8_t eof, mode, sync, stop;
        std::uint8_t pending;  // the queue, a bit per port
        std::uint8_t taken;    // ports taken off the queue, not yet applied
        std::uint8_t blocked, paused, stalled;
        std::uint8_t vcpu, trips;
        std::uint8_t ended;             // END was written
        std::uint8_t owed[kPorts];      // signals queued and not applied; 0 or 1, as a port is queued once
        std::uint8_t sender[kSenders];  // signals sent * 2 + half a signal
        std::uint8_t stopper;
        std::uint8_t daemon, seen_eof, seen_prod, copied, pressed;
        std::uint8_t file, file_has_end;  // records in the log file
        std::uint8_t broken;              // a rule that a step broke
    };

    explicit RecordModel(RecordBounds bounds, RecordBug bug = RecordBug::kNone)
        : bounds_(bounds), bug_(bug) {}

    [[nodiscard]] std::vector<State> initial() const;
    template <typename Emit>
    void successors(const State& state, Emit emit) const {
        Out out(state);
        vcpu_steps(state, out);
        sender_steps(state, out);
        daemon_steps(state, out);
        out.emit_all(emit);
    }
    [[nodiscard]] const char* broken(const State& state) const;
    [[nodiscard]] bool good(const State& state) const;
    [[nodiscard]] std::string text(const State& state) const;
    [[nodiscard]] std::span<const Transition> transitions() const;

  private:
    using Out = Steps<State>;

    [[nodiscard]] bool has_room(const State& s) const;
    void put(State& s, unsigned kind) const;
    void vcpu_steps(const State& state, Out& out) const;
    void exit_steps(const State& state, Out& out) const;
    void sender_steps(const State& state, Out& out) const;
    void daemon_steps(const State& state, Out& out) const;

    RecordBounds bounds_;
    RecordBug bug_;
};

using RecordBugName = BugName<RecordBug>;
[[nodiscard]] std::span<const RecordBugName> record_bugs();

}  // namespace casmotion::protocol
