// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm_canon, one statement at a time. What it does on whole programs is in exhaustive_test.cc and
// random_test.cc.
#include <gtest/gtest.h>

#include "casm_canon.h"
#include "support/session.h"

namespace casmotion::timematch {
namespace {

constexpr std::uint64_t base = 0x401000;

casm_tm_obs seen(casm_tm_reason reason, std::uint64_t branches, std::uint64_t at,
                 std::uint64_t transfers = 0) {
    return {.branches = branches,
            .rip = at,
            .rcx = 3,
            .rsp = 4,
            .hash = 5,
            .transfers = transfers,
            .reason = static_cast<std::uint8_t>(reason)};
}

casm_insn insn(casm_insn_class cls, unsigned length = 0, casm_insn_class after = CASM_INSN_UNKNOWN,
               unsigned after_length = 0) {
    return {.cls = static_cast<std::uint8_t>(cls),
            .length = static_cast<std::uint8_t>(length),
            .after_cls = static_cast<std::uint8_t>(after),
            .after_length = static_cast<std::uint8_t>(after_length)};
}

class Canon : public ::testing::Test {
  protected:
    void begin(std::uint32_t max_steps = 20) {
        const casm_canon_limits limits{max_steps};
        ASSERT_EQ(casm_canon_begin(&canon_, &limits), CASM_TM_OK);
    }
    casm_tm_act next(const casm_tm_obs& obs, const casm_insn& at) {
        return casm_canon_next(&canon_, &obs, &at);
    }
    void expect(const casm_tm_obs& obs, const casm_insn& at, casm_tm_what what, std::uint64_t value = 0,
                unsigned flags = 0) {
        const casm_tm_act act = next(obs, at);
        EXPECT_EQ(act.what, what) << text(act);
        EXPECT_EQ(act.value, value);
        EXPECT_EQ(act.flags, flags);
        EXPECT_EQ(act.why, CASM_TM_OK);
    }
    // Past the first instruction, which never counts.
    void begin_in_the_open(std::uint64_t branches, std::uint64_t at, const casm_insn& there,
                           std::uint32_t max_steps = 20) {
        begin(max_steps);
        expect(seen(CASM_TM_INTERRUPT, branches, at - 1), insn(CASM_INSN_PLAIN), CASM_TM_SINGLE);
        expect(seen(CASM_TM_STEP, branches, at), there, CASM_TM_SINGLE);
    }
    casm_canon canon_{};
};

const casm_insn plain = insn(CASM_INSN_PLAIN), jcc = insn(CASM_INSN_COND_BRANCH);

TEST_F(Canon, StopsAfterTheFirstBranchThatRetired) {
    begin_in_the_open(41, base, plain);
    expect(seen(CASM_TM_STEP, 41, base + 3), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 42, base + 80), plain, CASM_TM_DELIVER);
    EXPECT_EQ(canon_.point.kind, CASM_TM_CANONICAL);
    EXPECT_EQ(canon_.point.branches, 42u);
    EXPECT_EQ(canon_.point.from, base + 3);
    EXPECT_EQ(canon_.point.rip, base + 80);
    EXPECT_EQ(canon_.point.rcx, 3u);
    EXPECT_EQ(canon_.point.rsp, 4u);
    EXPECT_EQ(canon_.point.hash, 5u);
    EXPECT_EQ(canon_.steps, 3u);
    EXPECT_EQ(next(seen(CASM_TM_STEP, 42, base), plain).why, CASM_TM_WHY_ENDED);
}

// The guest's own return may have set RF there: in a replay a breakpoint would not hit.
TEST_F(Canon, TheFirstInstructionIsNoPlaceToBreak) {
    begin();
    expect(seen(CASM_TM_INTERRUPT, 0, base), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 1, base), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 2, base), jcc, CASM_TM_DELIVER);
}

TEST_F(Canon, AnInterruptBeforeTheStepChangesNothing) {
    begin_in_the_open(0, base, jcc);
    expect(seen(CASM_TM_INTERRUPT, 0, base), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 1, base + 2), plain, CASM_TM_DELIVER);
    begin();  // nor does it make the first instruction a good one
    expect(seen(CASM_TM_INTERRUPT, 0, base), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_INTERRUPT, 0, base), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 1, base + 2), plain, CASM_TM_SINGLE);
}

TEST_F(Canon, WhatRanUnseenMakesNoPoint) {
    begin_in_the_open(0, base, jcc);
    expect(seen(CASM_TM_INTERRUPT, 1, base + 2), jcc, CASM_TM_SINGLE);  // somehow the trap is missing
    expect(seen(CASM_TM_STEP, 2, base + 4), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 3, base + 6), plain, CASM_TM_DELIVER);
    EXPECT_EQ(canon_.point.from, base + 4);
}

TEST_F(Canon, StringInstructionsAndFlagsOnTheStackRunWithoutTf) {
    for (const casm_insn_class cls : {CASM_INSN_REP_STRING, CASM_INSN_PUSHF, CASM_INSN_POPF}) {
        begin_in_the_open(7, base, plain);
        expect(seen(CASM_TM_STEP, 7, base + 1), insn(cls, 2), CASM_TM_BREAK, base + 3);
        expect(seen(CASM_TM_INTERRUPT, 7, base + 1), insn(cls, 2), CASM_TM_BREAK, base + 3);
        expect(seen(CASM_TM_BREAKPOINT, 7, base + 3), jcc, CASM_TM_SINGLE);
        expect(seen(CASM_TM_STEP, 8, base), plain, CASM_TM_DELIVER);
        EXPECT_EQ(canon_.breaks, 2u);
    }
}

TEST_F(Canon, IretIsSteppedWithItsWarningAndWhatItGoesToIsNoPlaceToBreak) {
    begin_in_the_open(0, base, plain);
    expect(seen(CASM_TM_STEP, 0, base + 1), insn(CASM_INSN_IRET, 2), CASM_TM_SINGLE, 0,
           CASM_TM_FLAG_TF_GUEST);
    expect(seen(CASM_TM_STEP, 0, base + 90), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 1, base + 92), jcc, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 2, base + 94), plain, CASM_TM_DELIVER);
}

TEST_F(Canon, TheInstructionAfterALoadOfSsIsNoPlaceToBreak) {
    // A CPU that traps before it, and one that traps after it.
    for (const bool before : {true, false}) {
        begin_in_the_open(0, base, plain);
        expect(seen(CASM_TM_STEP, 0, base + 1), insn(CASM_INSN_LOAD_SS, 2, CASM_INSN_COND_BRANCH),
               CASM_TM_SINGLE);
        if (before) expect(seen(CASM_TM_STEP, 0, base + 3), jcc, CASM_TM_SINGLE);
        expect(seen(CASM_TM_STEP, 1, base + 5), plain, CASM_TM_SINGLE);
        expect(seen(CASM_TM_STEP, 1, base + 6), jcc, CASM_TM_SINGLE);
        expect(seen(CASM_TM_STEP, 2, base + 8), plain, CASM_TM_DELIVER);
        EXPECT_EQ(canon_.point.from, base + 6);
        EXPECT_EQ(canon_.suspects, 0u);
    }
}

TEST_F(Canon, WhatMustNotRunUnderTfDoesNotDoSoAfterALoadOfSs) {
    for (const casm_insn_class cls : {CASM_INSN_REP_STRING, CASM_INSN_PUSHF, CASM_INSN_POPF}) {
        begin_in_the_open(0, base, plain);
        expect(seen(CASM_TM_STEP, 0, base + 1), insn(CASM_INSN_LOAD_SS, 2, cls, 3), CASM_TM_BREAK, base + 6);
        expect(seen(CASM_TM_BREAKPOINT, 0, base + 6), jcc, CASM_TM_SINGLE);
        expect(seen(CASM_TM_STEP, 1, base + 8), plain, CASM_TM_DELIVER);
    }
    for (const casm_insn_class cls : {CASM_INSN_IRET, CASM_INSN_UNKNOWN}) {
        begin_in_the_open(0, base, plain);
        EXPECT_EQ(next(seen(CASM_TM_STEP, 0, base + 1), insn(CASM_INSN_LOAD_SS, 2, cls)).why,
                  CASM_TM_WHY_NO_POINT);
    }
}

TEST_F(Canon, WithoutBranchesThePointIsNamedByState) {
    begin(4);
    expect(seen(CASM_TM_INTERRUPT, 9, base, 700), plain, CASM_TM_SINGLE);
    for (unsigned step = 1; step < 4; ++step)
        expect(seen(CASM_TM_STEP, 9, base, 700 + step), plain, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 9, base, 704), plain, CASM_TM_DELIVER);
    EXPECT_EQ(canon_.point.kind, CASM_TM_BY_STATE);
    EXPECT_EQ(canon_.point.from, 0u);
    EXPECT_EQ(canon_.point.branches, 9u);
    EXPECT_EQ(canon_.point.transfers, 700u) << "our own traps are counted too";
}

TEST_F(Canon, NeverBehindALoadOfSsOrAnIret) {
    begin(1);
    expect(seen(CASM_TM_INTERRUPT, 9, base), insn(CASM_INSN_IRET, 1), CASM_TM_SINGLE, 0,
           CASM_TM_FLAG_TF_GUEST);
    expect(seen(CASM_TM_STEP, 9, base), plain, CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 9, base + 3), plain, CASM_TM_DELIVER);
}

TEST_F(Canon, EndsWithoutANameIfThereIsNone) {
    begin(4);
    unsigned actions = 0;
    for (; actions < 1000; ++actions) {
        const casm_tm_act act =
            next(seen(actions ? CASM_TM_STEP : CASM_TM_INTERRUPT, 9, base), insn(CASM_INSN_IRET, 1));
        if (act.what != CASM_TM_SINGLE) {
            EXPECT_EQ(act.what, CASM_TM_FAIL);
            EXPECT_EQ(act.why, CASM_TM_WHY_NO_POINT);
            break;
        }
    }
    EXPECT_EQ(actions, 4 + CASM_CANON_GRACE_STEPS);
}

TEST_F(Canon, InterruptsForEverEndToo) {
    begin(4);
    for (unsigned i = 0; i < 4; ++i) expect(seen(CASM_TM_INTERRUPT, 9, base), plain, CASM_TM_SINGLE);
    EXPECT_EQ(next(seen(CASM_TM_STEP, 9, base + 1), plain).what, CASM_TM_DELIVER);
}

TEST_F(Canon, ACountThatTheInstructionContradictsIsSuspectAndNoPoint) {
    begin_in_the_open(0, base, plain);
    expect(seen(CASM_TM_STEP, 1, base + 1), jcc, CASM_TM_SINGLE);    // grew over an addition
    expect(seen(CASM_TM_STEP, 1, base + 3), plain, CASM_TM_SINGLE);  // did not grow over a Jcc
    EXPECT_EQ(canon_.suspects, 2u);
    expect(seen(CASM_TM_STEP, 1, base + 4), insn(CASM_INSN_PUSHF, 1), CASM_TM_BREAK, base + 5);
    expect(seen(CASM_TM_BREAKPOINT, 2, base + 5), insn(CASM_INSN_LOOP), CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 2, base + 7), plain, CASM_TM_SINGLE);  // some CPUs may not count LOOP
    EXPECT_EQ(canon_.suspects, 3u);
}

TEST_F(Canon, UnknownBytesMayBeABranch) {
    begin_in_the_open(0, base, insn(CASM_INSN_UNKNOWN));
    expect(seen(CASM_TM_STEP, 1, base + 9), plain, CASM_TM_DELIVER);
}

TEST_F(Canon, ACounterThatIsWrongIsNamed) {
    begin_in_the_open(5, base, jcc);
    EXPECT_EQ(next(seen(CASM_TM_STEP, 4, base + 2), plain).why, CASM_TM_WHY_COUNTER);
    begin_in_the_open(5, base, jcc);
    EXPECT_EQ(next(seen(CASM_TM_STEP, 7, base + 2), plain).why, CASM_TM_WHY_COUNTER);
}

TEST_F(Canon, NoPointThatAReplayWouldRefuse) {
    constexpr std::uint64_t xen = 0xffff82d040200000;
    begin_in_the_open(0, base, jcc);
    expect(seen(CASM_TM_STEP, 1, xen), plain,
           CASM_TM_SINGLE);  // the guest jumped into Xen's part: it is about to fault
    begin_in_the_open(0, 0x7fffffffffff, insn(CASM_INSN_PLAIN));
    expect(seen(CASM_TM_STEP, 0, 0x7fffffffffff), insn(CASM_INSN_PUSHF, 1),
           CASM_TM_SINGLE);  // no breakpoint behind the end
}

TEST(CanonBegin, LimitsWithoutMeaningAreRefused) {
    for (const std::uint32_t steps : {0u, (1u << 30) + 1, ~0u}) {
        casm_canon canon;
        const casm_canon_limits limits{steps};
        EXPECT_EQ(casm_canon_begin(&canon, &limits), CASM_TM_WHY_BAD_LIMITS);
        const casm_tm_obs obs = seen(CASM_TM_INTERRUPT, 0, base);
        EXPECT_EQ(casm_canon_next(&canon, &obs, &plain).why, CASM_TM_WHY_ENDED);
    }
    casm_canon canon;
    EXPECT_EQ(casm_canon_begin(&canon, nullptr), CASM_TM_OK);
    EXPECT_EQ(canon.max_steps, CASM_CANON_MAX_STEPS_DEFAULT);
}

}  // namespace
}  // namespace casmotion::timematch
