// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>

#include "checks/checks.h"
#include "effects/conformance.h"
#include "machine/theorem.h"
#include "machine/witness.h"

namespace casmotion::model {
namespace {

// `expected` is a pass, kUnknown inconclusive, the opposite refuted.
ModelResult judge(const smt::Answer& answer, smt::Outcome expected) {
    switch (answer.outcome()) {
        case smt::Outcome::kUnknown:
            return ModelResult::kInconclusive;
        case smt::Outcome::kSat:
        case smt::Outcome::kUnsat:
            return answer.outcome() == expected ? ModelResult::kProved : ModelResult::kRefuted;
    }
    return ModelResult::kInconclusive;
}

// Refuted if one is, else inconclusive if one is.
ModelResult both(ModelResult a, ModelResult b) {
    if (a == ModelResult::kRefuted || b == ModelResult::kRefuted) return ModelResult::kRefuted;
    if (a == ModelResult::kInconclusive || b == ModelResult::kInconclusive) return ModelResult::kInconclusive;
    return ModelResult::kProved;
}

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

Finding run_obligation(const Obligation& obligation, const smt::Context& context, const smt::Limits& limits) {
    const Discharge result = discharge(obligation, context, limits);
    Finding finding;
    finding.solver_steps = result.steps;
    finding.result =
        both(judge(result.proof, smt::Outcome::kUnsat), judge(result.consistent, smt::Outcome::kSat));
    finding.detail =
        "negated goal: " + result.proof.text() + "\nassumptions alone: " + result.consistent.text();
    for (const Discharge::Drop& drop : result.drops) {
        finding.result = both(finding.result, judge(drop.answer, smt::Outcome::kSat));
        finding.detail += "\nwithout " + drop.assumption + ": " + drop.answer.text();
    }
    return finding;
}

std::vector<NamedCheck> obligation_checks(std::vector<Obligation> (*make)(const AnyMachine&)) {
    std::vector<NamedCheck> checks;
    const auto machine = std::make_shared<const AnyMachine>();  // the terms' context
    for (Obligation& obligation : make(*machine)) {
        const std::string name = obligation.folder + "." + obligation.name;
        std::string meaning = one_line(obligation.statement);
        checks.push_back({obligation.folder, name, std::move(meaning),
                          [machine, obligation = std::move(obligation)](const smt::Limits& limits) {
                              return run_obligation(obligation, machine->context(), limits);
                          }});
    }
    return checks;
}

Finding of_witness(const Witness& witness, smt::Outcome expected) {
    Finding finding;
    finding.result = judge(witness.answer, expected);
    finding.solver_steps = witness.solver_steps;
    finding.detail = witness.name + ": " + witness.meaning + "\n" + witness.answer.text() + " at " +
                     std::to_string(witness.run_steps) + " steps";
    if (!witness.trace.empty()) finding.detail += "\n" + witness.trace;
    return finding;
}

Finding joined(const Finding& a, const Finding& b) {
    return {both(a.result, b.result), a.solver_steps + b.solver_steps, a.detail + "\n" + b.detail};
}

constexpr std::array kProperties{Property::kEquivalence, Property::kDetection, Property::kFrame,
                                 Property::kContainment, Property::kDetermination};
static_assert(kProperties.size() == kPropertyCount);

std::string list(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

Finding conformance_of(casm_class cls, const smt::Limits& limits) {
    Finding finding{ModelResult::kProved, 0, {}};
    for (const Property property : kProperties) {
        const Verdict verdict = check(cls, property, {}, limits);
        finding.result = both(finding.result, judge(verdict.answer, smt::Outcome::kUnsat));
        finding.solver_steps += verdict.steps;
        finding.detail += (finding.detail.empty() ? "" : "\n") + std::string(name_of(property)) + ": " +
                          verdict.answer.text();
        if (verdict.answer.outcome() == smt::Outcome::kSat)
            finding.detail += "; fields that differ: " + list(verdict.fields) +
                              "; parts of the guest: " + list(verdict.parts);
    }
    return finding;
}

// One line of the table of mutants.
std::string row(std::string_view condition, std::string_view where, std::string_view what,
                const smt::Answer& answer, const std::string& named) {
    char line[256];
    std::snprintf(line, sizeof line, "%-4.*s %-12.*s %-64.*s %-8s %s", static_cast<int>(condition.size()),
                  condition.data(), static_cast<int>(where.size()), where.data(),
                  static_cast<int>(what.size()), what.data(),
                  answer.outcome() == smt::Outcome::kSat ? "killed" : answer.text().c_str(), named.c_str());
    std::string text = line;
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

// Mutants of the model: each condition left out of the theorem's base or step.
Finding model_mutants(const smt::Limits& limits) {
    Finding finding{ModelResult::kProved, 0, {}};
    const AnyMachine machine;
    std::vector<Obligation> obligations = theorem_obligations(machine);
    for (Obligation& obligation : injectivity_obligations(machine))
        obligations.push_back(std::move(obligation));
    for (const Obligation& obligation : obligations) {
        const Discharge result = discharge(obligation, machine.context(), limits);
        finding.solver_steps += result.steps;
        for (const Discharge::Drop& drop : result.drops) {
            finding.result = both(finding.result, judge(drop.answer, smt::Outcome::kSat));
            const bool condition = obligation.folder == "theorem" && drop.assumption[0] == 'C';
            const std::string named = obligation.folder == "injectivity" ? "C4"
                                      : condition                        ? drop.assumption
                                                                         : "-";
            finding.detail +=
                (finding.detail.empty() ? "" : "\n") +
                row(named, obligation.name, "'" + drop.assumption + "' not assumed", drop.answer, {});
        }
    }
    return finding;
}

Finding class_mutants(const smt::Limits& limits) {
    Finding finding{ModelResult::kProved, 0, {}};
    std::map<std::string, int> killed;
    for (const Mutant& mutant : mutants()) {
        const Verdict verdict = check(mutant.cls, mutant.property, mutant.mutation, limits);
        std::vector<std::string> named = verdict.fields;
        named.insert(named.end(), verdict.parts.begin(), verdict.parts.end());
        ModelResult result = judge(verdict.answer, smt::Outcome::kSat);
        const bool names_it = mutant.must_name.empty() ||
                              std::find(named.begin(), named.end(), mutant.must_name) != named.end();
        if (result == ModelResult::kProved && !names_it) result = ModelResult::kRefuted;
        if (result == ModelResult::kProved) ++killed[mutant.condition];
        finding.result = both(finding.result, result);
        finding.solver_steps += verdict.steps;
        finding.detail += row(mutant.condition, class_name(static_cast<std::uint8_t>(mutant.cls)),
                              mutant.what, verdict.answer, list(named)) +
                          "\n";
    }
    for (const auto& [condition, count] : killed)
        finding.detail += condition + ": " + std::to_string(count) + " killed\n";
    finding.detail.pop_back();
    return finding;
}

}  // namespace

std::vector<NamedCheck> theorem_checks() {
    return obligation_checks(theorem_obligations);
}

std::vector<NamedCheck> injectivity_checks() {
    std::vector<NamedCheck> checks = obligation_checks(injectivity_obligations);
    checks.push_back({"injectivity", "injectivity.by_state",
                      "Names by state, (count, RIP, registers), are not unique in a loop without conditional "
                      "branches. (Over programs that "
                      "do not write memory the same search finds nothing.)",
                      [](const smt::Limits& limits) {
                          return joined(of_witness(by_state_witness(limits), smt::Outcome::kSat),
                                        of_witness(by_state_without_writes(limits), smt::Outcome::kUnsat));
                      }});
    return checks;
}

std::vector<NamedCheck> minimality_checks() {
    std::vector<NamedCheck> checks;
    for (const ConditionInfo& condition : conditions()) {
        checks.push_back(
            {"minimality", "minimality." + std::string(condition.name),
             "Without " + std::string(condition.name) + " (" + std::string(condition.title) +
                 "), a recording that meets the other five can end in another state than its replay.",
             [id = condition.id](const smt::Limits& limits) {
                 Finding finding{ModelResult::kProved, 0, {}};
                 for (const Witness& witness : minimality_witnesses(id, limits)) {
                     const Finding one = of_witness(witness, smt::Outcome::kSat);
                     finding = finding.detail.empty() ? one : joined(finding, one);
                 }
                 return finding;
             }});
    }
    checks.push_back({"minimality", "minimality.all_six",
                      "On a small processor, with any program, log and world, the six conditions together "
                      "admit no divergence in "
                      "up to 5 steps.",
                      [](const smt::Limits& limits) {
                          return of_witness(bounded_check(5, limits), smt::Outcome::kUnsat);
                      }});
    checks.push_back(
        {"vacuity", "vacuity.machine",
         "The six conditions can be met by a guest that reads a clock, gets effects and branches.",
         [](const smt::Limits& limits) { return of_witness(vacuity_witness(limits), smt::Outcome::kSat); }});
    return checks;
}

std::vector<NamedCheck> conformance_checks() {
    std::vector<NamedCheck> checks;
    for (const ClassInfo& info : kClasses)
        checks.push_back({"conformance", "conformance." + std::string(info.name),
                          "Class " + std::string(info.name) +
                              ": recording an event and replaying its record give the same state; nothing "
                              "else is accepted or "
                              "written.",
                          [id = info.id](const smt::Limits& limits) { return conformance_of(id, limits); }});
    return checks;
}

std::vector<NamedCheck> mutation_checks() {
    return {
        {"mutation", "mutation.conditions",
         "Every assumption of the theorem and its lemmas, left out, is noticed: a counterexample is found.",
         model_mutants},
        {"mutation", "mutation.classes",
         "Every change of the taxonomy's rows and of the effects is noticed: a counterexample names the "
         "field or part.",
         class_mutants},
    };
}

}  // namespace casmotion::model
