// SPDX-License-Identifier: GPL-2.0-or-later
//
// The obligations of the theorem "C1 to C6 imply that recording and replay pass through the same states and
// end together", about a machine of which nothing is known, and of the lemmas that C4 follows from how places
// are named.
#pragma once

#include <vector>

#include "machine/machine.h"
#include "machine/obligation.h"

namespace casmotion::model {

// The invariant holds at the start, and every step of both systems preserves it. Any execution is such a
// start and finitely many steps; the induction itself is in proofs/coq.
[[nodiscard]] std::vector<Obligation> theorem_obligations(const AnyMachine& machine);

// Time points are injective: S-points without any counter, and canonical A-points with an exact one.
[[nodiscard]] std::vector<Obligation> injectivity_obligations(const AnyMachine& machine);

}  // namespace casmotion::model
