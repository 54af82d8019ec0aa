// SPDX-License-Identifier: GPL-2.0-or-later
//
// Concrete runs: each condition is needed, all together can be met, and how names by state fail.
#include "machine/witness.h"

#include <gtest/gtest.h>

namespace casmotion::model {
namespace {

void print(const Witness& witness) {
    std::printf("%s: %s\n  %s, %u steps\n%s\n", witness.name.c_str(), witness.meaning.c_str(),
                witness.answer.text().c_str(), witness.run_steps, witness.trace.c_str());
}

TEST(Minimality, EachConditionDroppedAloneDiverges) {
    for (const ConditionInfo& condition : conditions()) {
        const std::vector<Witness> witnesses = minimality_witnesses(condition.id);
        EXPECT_FALSE(witnesses.empty()) << condition.name;
        for (const Witness& witness : witnesses) {
            print(witness);
            EXPECT_EQ(witness.answer.text(), "sat") << witness.name;
            EXPECT_NE(witness.trace.find("first difference"), std::string::npos) << witness.name;
        }
    }
}

TEST(Minimality, AllSixTogetherNeverDivergeUpToTheBound) {
    const Witness witness = bounded_check(5);
    print(witness);
    EXPECT_EQ(witness.answer.text(), "unsat");
}

TEST(Vacuity, AMachineThatDoesSomethingMeetsAllSix) {
    const Witness witness = vacuity_witness();
    print(witness);
    EXPECT_EQ(witness.answer.text(), "sat");
    EXPECT_EQ(witness.trace.find("first difference"), std::string::npos);
}

TEST(Injectivity, NamesByStateFailInALoopWithoutBranches) {
    const Witness witness = by_state_witness();
    print(witness);
    EXPECT_EQ(witness.answer.text(), "sat");
    const Witness control = by_state_without_writes();
    print(control);
    EXPECT_EQ(control.answer.text(), "unsat");
}

}  // namespace
}  // namespace casmotion::model
