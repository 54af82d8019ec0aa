// SPDX-License-Identifier: GPL-2.0-or-later
//
// Concrete runs of the small processor, found by the solver: each condition is needed, all together can be
// met, and how (count, RIP, registers) fails as a name.
#pragma once

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
    std::string trace;  // two columns; empty unless found
};

// For each condition, the shortest complete recording that meets the other five and diverges from its replay.
// A condition with several clauses has one witness per clause.
[[nodiscard]] std::vector<Witness> minimality_witnesses();
// The same search with all six conditions: there must be none up to `steps` steps, for any program, log and
// world.
[[nodiscard]] Witness bounded_check(unsigned steps);
// A recording and its replay that meet all six conditions and read a clock, get an event, branch on both and
// end.
[[nodiscard]] Witness vacuity_witness();
// A program without conditional branches, an effect at a place named by (n, b, RIP, registers), and a replay
// that stops at the first place of that name: the memory is another one there. All other conditions are met.
[[nodiscard]] Witness by_state_witness();
// The same search over programs that do not write memory must find nothing: memory is what the name leaves
// out.
[[nodiscard]] Witness by_state_without_writes();

}  // namespace casmotion::model
