// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/obligation.h"

#include <algorithm>

namespace casmotion::model {
namespace {

smt::Answer solve(const smt::Context& context, const smt::Script& script, smt::Limits limits,
                  std::uint64_t& steps) {
    smt::Solver solver(context, limits);
    for (const smt::Term& term : script.terms()) solver.add(term);
    const std::uint64_t before = solver.steps();
    smt::Answer answer = solver.check();
    steps += solver.steps() - before;
    return answer;
}

}  // namespace

bool Discharge::good() const {
    return proof.outcome() == smt::Outcome::kUnsat && consistent.outcome() == smt::Outcome::kSat &&
           std::all_of(drops.begin(), drops.end(),
                       [](const Drop& drop) { return drop.answer.outcome() == smt::Outcome::kSat; });
}

smt::Script script_of(const Obligation& obligation, const std::string& without) {
    std::string title =
        obligation.statement + "\n\nThe assumptions and the negated goal: unsat means proved.";
    smt::Outcome expected = smt::Outcome::kUnsat;
    if (!without.empty()) {
        title = obligation.statement + "\n\nWithout assumption " + without + ": sat means that it is needed.";
        expected = smt::Outcome::kSat;
    }
    smt::Script script(title, obligation.logic, expected);
    for (const Assumption& assumption : obligation.assumptions)
        if (assumption.name != without)
            script.add(assumption.name + ": " + assumption.meaning, assumption.term);
    script.add("not the goal: " + obligation.goal_meaning, !obligation.goal);
    return script;
}

smt::Script assumptions_of(const Obligation& obligation) {
    smt::Script script(
        obligation.statement + "\n\nThe assumptions alone: sat means that they can be met together.",
        obligation.logic, smt::Outcome::kSat);
    for (const Assumption& assumption : obligation.assumptions)
        script.add(assumption.name + ": " + assumption.meaning, assumption.term);
    return script;
}

Discharge discharge(const Obligation& obligation, const smt::Context& context, smt::Limits limits) {
    Discharge result;
    result.proof = solve(context, script_of(obligation), limits, result.steps);
    result.consistent = solve(context, assumptions_of(obligation), limits, result.steps);
    for (const Assumption& assumption : obligation.assumptions)
        if (assumption.needed)
            result.drops.push_back({assumption.name, solve(context, script_of(obligation, assumption.name),
                                                           limits, result.steps)});
    return result;
}

}  // namespace casmotion::model
