// SPDX-License-Identifier: GPL-2.0-or-later
//
// The obligations of the theorem and of injectivity: proved, and every assumption needed.
#include "machine/theorem.h"

#include <gtest/gtest.h>

namespace casmotion::model {
namespace {

void expect_good(const AnyMachine& machine, const std::vector<Obligation>& obligations) {
    for (const Obligation& obligation : obligations) {
        const Discharge result = discharge(obligation, machine.context());
        EXPECT_EQ(result.proof.text(), "unsat") << obligation.name;
        EXPECT_EQ(result.consistent.text(), "sat") << obligation.name;
        for (const Discharge::Drop& drop : result.drops)
            EXPECT_EQ(drop.answer.text(), "sat") << obligation.name << " without " << drop.assumption;
        EXPECT_TRUE(result.good());
        std::printf("%-12s %s, %zu assumptions needed, %llu solver steps\n", obligation.name.c_str(),
                    result.proof.text().c_str(), result.drops.size(),
                    static_cast<unsigned long long>(result.steps));
    }
}

TEST(Theorem, HoldsAndNeedsEachCondition) {
    const AnyMachine machine;
    expect_good(machine, theorem_obligations(machine));
}

TEST(Injectivity, HoldsAndNeedsEachAssumption) {
    const AnyMachine machine;
    expect_good(machine, injectivity_obligations(machine));
}

}  // namespace
}  // namespace casmotion::model
