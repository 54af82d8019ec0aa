// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every program of a few instructions, interrupted at many moments, replayed with every lateness of the
// overflow interrupt.
#include <gtest/gtest.h>

#include <iostream>

#include "support/check.h"

namespace casmotion::timematch {
namespace {

const std::vector<Op> all_ops{Op::Add,    Op::MemInc, Op::SetRcx,    Op::Jcc,     Op::Loop,  Op::Jmp,
                              Op::JmpRax, Op::Call,   Op::Ret,       Op::RepStos, Op::Pushf, Op::Popf,
                              Op::MovSs,  Op::Iret,   Op::Hypercall, Op::Fault};

void expect_all(unsigned size, const std::vector<Op>& ops, const Plan& plan) {
    Totals totals;
    EXPECT_EQ(check_all_programs(size, ops, plan, totals), "");
    std::cout << "[          ] " << totals.text() << '\n';
    EXPECT_GT(totals.canonical, 0u);
    EXPECT_GT(totals.by_state, 0u);
}

// All margins up to 4 with every lateness that they allow, and more: then the replay may refuse, but not err.
std::vector<Setting> all_settings() {
    std::vector<Setting> settings;
    for (const std::uint32_t margin : {1u, 2u, 4u})
        for (const std::uint32_t rearm : {0u, 2u})
            for (std::uint32_t late = 0; late <= margin; ++late)
                for (const std::uint32_t skid : {0u, 1u, 3u}) settings.push_back({margin, rearm, late, skid});
    return settings;
}

TEST(Exhaustive, ProgramsOfTwoWithInterruptsEverywhere) {
    for (const bool trap : {false, true})
        for (const bool obeys : {false, true})
            expect_all(2, all_ops,
                       {.moments = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 33},
                        .settings = all_settings(),
                        .hardware = {.trap_after_ss = trap},
                        .obeys_rf = obeys,
                        .interrupt_everywhere = true,
                        .forge = true});
}

TEST(Exhaustive, ProgramsOfThree) {
    for (const bool trap : {false, true})
        expect_all(3, all_ops,
                   {.moments = {0, 1, 2, 3, 4, 5, 6, 7, 20, 33},
                    .settings = all_settings(),
                    .hardware = {.trap_after_ss = trap},
                    .forge = true});
}

// Whether the boundary after a second load of SS is inhibited is not defined: the recording must not lean on
// either.
TEST(Exhaustive, ProgramsOfThreeWithEitherMeaningOfASecondLoadOfSs) {
    for (const bool trap : {false, true})
        for (const bool inhibits : {false, true})
            expect_all(3, all_ops,
                       {.moments = {0, 1, 2, 3, 4, 20},
                        .settings = {{2, 0, 1}},
                        .hardware = {.trap_after_ss = trap, .second_ss_inhibits = inhibits}});
}

TEST(Exhaustive, ProgramsOfThreeWithInterruptsEverywhere) {
    expect_all(3, all_ops,
               {.moments = {2, 4, 5, 17},
                .settings = {{1, 0, 0}, {3, 1, 2}},
                .obeys_rf = false,
                .interrupt_everywhere = true});
}

TEST(Exhaustive, ProgramsOfFour) {
    expect_all(4, all_ops,
               {.moments = {0, 1, 3, 6, 20}, .settings = {{1, 0, 0}, {3, 1, 2}, {2, 0, 2}, {4, 0, 1, 2}}});
}

TEST(Exhaustive, ProgramsOfFiveThatOnlyBranchAndCount) {
    expect_all(5, {Op::Add, Op::MemInc, Op::Jcc, Op::Jmp},
               {.moments = {0, 1, 2, 3, 4, 5, 30}, .settings = {{1, 0, 0}, {3, 1, 2}}});
}

}  // namespace
}  // namespace casmotion::timematch
