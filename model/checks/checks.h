// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the model's checks come from: one function per group.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "casmotion/model_checks.h"
#include "casmotion/smt/solver.h"

namespace casmotion::model {

// What a check found.
struct Finding {
    ModelResult result = ModelResult::kInconclusive;
    std::uint64_t solver_steps = 0;
    std::string detail;
};

struct NamedCheck {
    std::string group, name, meaning;  // as in ModelCheck
    std::function<Finding(const smt::Limits&)> run;
};

[[nodiscard]] std::vector<NamedCheck> theorem_checks();      // base, step; each with every assumption dropped
[[nodiscard]] std::vector<NamedCheck> injectivity_checks();  // S-points, canonical A-points, names by state
[[nodiscard]] std::vector<NamedCheck> minimality_checks();   // one per condition, all together, vacuity
[[nodiscard]] std::vector<NamedCheck> conformance_checks();  // one per class of the taxonomy
[[nodiscard]] std::vector<NamedCheck> mutation_checks();     // the table of mutants
[[nodiscard]] std::vector<NamedCheck> protocol_checks();     // vCPU, senders and daemon; the ring

}  // namespace casmotion::model
