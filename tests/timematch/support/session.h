// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the hypervisor does with the two machines of timematch/core, on the model machine.
#pragma once

#include <optional>
#include <string>

#include "casm_canon.h"
#include "casm_match.h"
#include "support/machine.h"

namespace casmotion::timematch {

enum class Outcome : std::uint8_t { Delivered, Entry, Failed, TooLong };

struct Recorded {
    Outcome outcome = Outcome::Failed;
    casm_canon canon{};  // its point if Delivered
    casm_tm_act last{};
};

// The machine is at the exit of an interrupt. Afterwards it is at the point, at the exit of an entry, or
// wherever it failed.
Recorded record_point(Machine& machine, const casm_canon_limits& limits);

struct Replayed {
    Outcome outcome = Outcome::Failed;
    casm_match match{};
    casm_tm_act last{};
};

// The machine is at BEGIN. `obeys_rf`: the caller follows CASM_TM_FLAG_RF; else it sets RF only when it
// resumes from a hit.
Replayed replay_point(Machine& machine, const casm_tm_point& point, const casm_match_limits& limits,
                      bool obeys_rf = true);

// What a replay of this point may have cost, whatever the program is: the bounds of casm_match.h.
// `looked_for`: instructions that the recording may have run while it looked for the point. Empty, or what is
// over.
[[nodiscard]] std::string over_the_bound(const Replayed& replayed, bool obeys_rf, std::uint64_t looked_for);

[[nodiscard]] std::string text(const casm_tm_point& point);
[[nodiscard]] std::string text(const casm_tm_act& act);

}  // namespace casmotion::timematch
