// SPDX-License-Identifier: GPL-2.0-or-later
//
// The recording, the replay, and both side by side.
//
// A position counts the guest's own steps; effects are applied at a position and do not move it. The
// recording is described by its log: which record was written at which position. That is no restriction: any
// recording has such a description. The replay sees of the log what is in it: kind, time point, payload; not
// the position.
#pragma once

#include <string_view>

#include "machine/machine.h"

namespace casmotion::model {

// Kinds of records.
inline constexpr unsigned kKindBits = 2;
inline constexpr std::uint64_t kSync = 0;   // the value of a synchronous step
inline constexpr std::uint64_t kAsync = 1;  // an effect at an injection point
inline constexpr std::uint64_t kEnd = 2;    // the recording ends at this injection point

// The log and how it came about, as functions of the record's index or of the position.
struct Log {
    explicit Log(const Machine& machine);

    // What is in the log.
    Machine::Map kind;            // index -> kSync, kAsync, kEnd
    Machine::Map time_n, time_b;  // index -> time point (n, b) of an effect or the end
    Machine::Map logged;          // index -> payload as logged
    // What the recording did.
    Machine::Map used;            // index -> payload as used
    Machine::Map where;           // index -> position at which the record was written
    Machine::Map name_n, name_b;  // position -> time point by the recording's counter
    Machine::Map injectable;      // position -> may effects be applied there?
    // Which record the replay reads as the index-th.
    Machine::Map read;  // index -> index
};

// One of the two systems between two steps.
struct Side {
    smt::Term state;
    smt::Term position;  // own steps so far; the replay's is only for printing and comparison
    smt::Term n, b;      // time point by its own counter
    smt::Term point;     // may effects be applied here?
    smt::Term index;     // next record
    smt::Term halted;
};

// What the world does to both systems during one step.
struct World {
    World(const Machine& machine, std::string_view suffix);

    smt::Term hidden_record, hidden_replay;            // hidden state
    smt::Term rogue_record, rogue_replay;              // does something else change the state after the step?
    smt::Term rogue_record_state, rogue_replay_state;  // to what
    smt::Term unrecorded;                              // value of an entry that leaves no record
    smt::Term stops;                                   // does the replay stop for the next effect or end?
};

// Free constants for a side, named `name`.field.
[[nodiscard]] Side free_side(const Machine& machine, std::string_view name);
// The start: position 0, time point (0, 0), no effect may be applied before the first entry, first record.
[[nodiscard]] Side start_side(const Machine& machine, const smt::Term& state);

// One step of the recording: an effect or the end that the log has at this position, else the guest's own
// step.
[[nodiscard]] Side record_step(const Machine& machine, const Log& log, const Side& side, const World& world);
// One step of the replay: an effect or the end if it stops for it, else the guest's own step.
[[nodiscard]] Side replay_step(const Machine& machine, const Log& log, const Side& side, const World& world);

// The payload that the recording's step uses.
[[nodiscard]] smt::Term payload_used(const Log& log, const Side& side, const World& world);

// If the recording's step is an entry, it leaves a record.
[[nodiscard]] smt::Term entry_recorded(const Machine& machine, const Log& log, const Side& side,
                                       const World& world);

// What it means that `log` is the recording's, at the step from `before` to `after`: each record was written
// where the guest was, in order, with the time point of the place; effects only where they may be applied,
// entries' records only by entries; fewer than 2^count_bits steps.
[[nodiscard]] smt::Term written(const Machine& machine, const Log& log, const Side& before, const Side& after,
                                const World& world);

// Both are in the same state, at the same time point, at the same record.
[[nodiscard]] smt::Term same(const Side& record, const Side& replay);
// The invariant: the same, and the next record is not behind the recording.
[[nodiscard]] smt::Term invariant(const Machine& machine, const Log& log, const Side& record,
                                  const Side& replay);

}  // namespace casmotion::model
