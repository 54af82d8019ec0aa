// SPDX-License-Identifier: GPL-2.0-or-later
//
// A statement to be proved: named assumptions imply a goal. Proving it also shows that no assumption is idle:
// with any one of them dropped there must be a counterexample.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casmotion/smt/script.h"
#include "casmotion/smt/solver.h"

namespace casmotion::model {

struct Assumption {
    std::string name;     // "C2", "written"
    std::string meaning;  // for the script's comment
    smt::Term term;
    bool needed = true;  // false: a definition; it is not dropped
};

struct Obligation {
    std::string name;       // file name without ending: "step"
    std::string folder;     // below proofs/smt: "theorem"
    std::string statement;  // in words, lines of at most 120 columns
    std::string logic;      // SMT-LIB logic
    std::vector<Assumption> assumptions;
    smt::Term goal;
    std::string goal_meaning;
};

struct Discharge {
    smt::Answer proof = smt::Answer::unknown("not run");  // unsat: proved
    struct Drop {
        std::string assumption;
        smt::Answer answer;  // sat: a counterexample without it
    };
    smt::Answer consistent = smt::Answer::unknown("not run");  // sat: the assumptions can be met together
    std::vector<Drop> drops;                                   // one per needed assumption
    std::uint64_t steps = 0;                                   // solver steps in all

    // Proved, from assumptions that can be met, and every assumption is needed.
    [[nodiscard]] bool good() const;
};

// The assumptions and the negated goal; unsat means proved. `without`: name of an assumption to leave out, or
// empty.
[[nodiscard]] smt::Script script_of(const Obligation& obligation, const std::string& without = {});

// The assumptions alone; sat means that they can be met together.
[[nodiscard]] smt::Script assumptions_of(const Obligation& obligation);

// Proves it with Z3, shows that the assumptions can be met, then drops each needed assumption in turn.
[[nodiscard]] Discharge discharge(const Obligation& obligation, const smt::Context& context,
                                  smt::Limits limits = {});

}  // namespace casmotion::model
