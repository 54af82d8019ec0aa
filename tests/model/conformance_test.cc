// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every class of the taxonomy conforms, and every mutant of model and taxonomy is noticed.
#include "effects/conformance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace casmotion::model {
namespace {

constexpr Property kProperties[] = {Property::kEquivalence, Property::kDetection, Property::kFrame,
                                    Property::kContainment, Property::kDetermination};
static_assert(std::size(kProperties) == kPropertyCount);

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

TEST(Conformance, EveryClassOfTheTaxonomy) {
    for (const ClassInfo& info : kClasses)
        for (const Property property : kProperties) {
            const Verdict verdict = check(info.id, property);
            EXPECT_EQ(verdict.answer.text(), "unsat")
                << info.name << " " << name_of(property) << ": fields " << joined(verdict.fields)
                << "; parts " << joined(verdict.parts);
        }
}

// The assumption and the goal of each obligation are not vacuous: the event is possible at all.
TEST(Conformance, EveryEventIsPossible) {
    for (const ClassInfo& info : kClasses) {
        const ClassObligation obligation(info.id, Property::kEquivalence);
        smt::Solver solver(obligation.context());
        for (const smt::Term& term : assumptions_of(obligation.obligation()).terms()) solver.add(term);
        EXPECT_EQ(solver.check().text(), "sat") << info.name;
    }
}

TEST(Mutation, EveryMutantIsKilledAndItsPlaceNamed) {
    const std::vector<Mutant> all = mutants();
    EXPECT_GE(all.size(), 30u);
    std::map<std::string, int> killed_by_condition;
    for (const Mutant& mutant : all) {
        const Verdict verdict = check(mutant.cls, mutant.property, mutant.mutation);
        std::vector<std::string> named = verdict.fields;
        named.insert(named.end(), verdict.parts.begin(), verdict.parts.end());
        std::printf("%-3s %-9s %-62s %-12s %-6s %s\n", mutant.condition.c_str(),
                    std::string(class_name(static_cast<std::uint8_t>(mutant.cls))).c_str(),
                    mutant.what.c_str(), std::string(name_of(mutant.property)).c_str(),
                    verdict.answer.outcome() == smt::Outcome::kSat ? "killed" : "LIVES",
                    joined(named).c_str());
        EXPECT_EQ(verdict.answer.text(), "sat") << mutant.what;
        if (mutant.property == Property::kEquivalence && mutant.mutation.layout.broken_column.empty()) {
            EXPECT_FALSE(verdict.parts.empty()) << mutant.what << ": another state is shown";
        }
        if (!mutant.must_name.empty()) {
            EXPECT_NE(std::find(named.begin(), named.end(), mutant.must_name), named.end())
                << mutant.what << ": the counterexample names " << joined(named);
        }
        if (!mutant.mutation.layout.removed_field.empty()) {
            EXPECT_EQ(joined(verdict.fields), mutant.must_name) << "names that field and no other";
        }
        if (verdict.answer.outcome() == smt::Outcome::kSat) ++killed_by_condition[mutant.condition];
    }
    for (const auto& [condition, count] : killed_by_condition)
        std::printf("%s: %d killed\n", condition.c_str(), count);
    std::printf("%zu mutants in all\n", all.size());
}

}  // namespace
}  // namespace casmotion::model
