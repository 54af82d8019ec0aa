// SPDX-License-Identifier: GPL-2.0-or-later
//
// Concrete runs of the small processor, found by the solver: each condition is needed, all together can be
// met, and how (count, RIP, registers) fails as a name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casmotion/smt/solver.h"
#include "machine/conditions.h"

namespace casmotion::model {

struct Witness {
    std::string name;     // "C4", or "C3 (payload)"
    std::string meaning;  // what it shows
    smt::Answer answer = smt::Answer::unknown("not run");
    unsigned run_steps = 0;
    std::uint64_t solver_steps = 0;
    std::string trace;  // two columns; empty unless found
};

// For each condition, the shortest complete recording that meets the other five and diverges from its replay.
// A condition with several clauses has one witness per clause.
[[nodiscard]] std::vector<Witness> minimality_witnesses(Condition dropped, smt::Limits limits = {});
// The same search with all six conditions: there must be none up to `steps` steps, for any program, log and
// world.
[[nodiscard]] Witness bounded_check(unsigned steps, smt::Limits limits = {});
// A recording and its replay that meet all six conditions and read a clock, get an event, branch on both and
// end.
[[nodiscard]] Witness vacuity_witness(smt::Limits limits = {});
// A program without conditional branches, an effect at a place named by (n, b, RIP, registers), and a replay
// that stops at the first place of that name: the memory is another one there. All other conditions are met.
[[nodiscard]] Witness by_state_witness(smt::Limits limits = {});
// The same search over programs that do not write memory must find nothing: memory is what the name leaves
// out.
[[nodiscard]] Witness by_state_without_writes(smt::Limits limits = {});

}  // namespace casmotion::model
