// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm_match, one statement at a time. What it does on whole programs is in exhaustive_test.cc and
// random_test.cc.
#include <gtest/gtest.h>

#include "casm_match.h"
#include "casmotion/time_point.h"
#include "support/check.h"

namespace casmotion::timematch {
namespace {

constexpr std::uint64_t from = 0x401000, rip = 0x402000;
constexpr casm_match_limits small{
    .margin_branches = 10, .rearm_min = 2, .overflow_max = 1000, .max_hits = 50, .slack_shift = 4};

casm_tm_point canonical(std::uint64_t branches) {
    return {.branches = branches,
            .from = from,
            .rip = rip,
            .rcx = 3,
            .rsp = 4,
            .hash = 5,
            .transfers = 0,
            .kind = CASM_TM_CANONICAL};
}

casm_tm_point by_state(std::uint64_t branches, std::uint64_t transfers = 0) {
    return {.branches = branches,
            .from = 0,
            .rip = rip,
            .rcx = 3,
            .rsp = 4,
            .hash = 5,
            .transfers = transfers,
            .kind = CASM_TM_BY_STATE};
}

// The registers of the targets above, at another address if one is given.
casm_tm_obs seen(casm_tm_reason reason, std::uint64_t branches, std::uint64_t at = rip,
                 std::uint64_t transfers = 0) {
    return {.branches = branches,
            .rip = at,
            .rcx = 3,
            .rsp = 4,
            .hash = 5,
            .transfers = transfers,
            .reason = static_cast<std::uint8_t>(reason)};
}

class Match : public ::testing::Test {
  protected:
    void begin(const casm_tm_point& target, const casm_match_limits& limits = small) {
        ASSERT_EQ(casm_match_begin(&match_, &target, &limits), CASM_TM_OK);
    }
    casm_tm_act next(const casm_tm_obs& obs) { return casm_match_next(&match_, &obs); }
    void expect(const casm_tm_obs& obs, casm_tm_what what, std::uint64_t value = 0, unsigned flags = 0) {
        const casm_tm_act act = next(obs);
        EXPECT_EQ(act.what, what) << text(act);
        EXPECT_EQ(act.value, value);
        EXPECT_EQ(act.flags, flags);
        EXPECT_EQ(act.why, CASM_TM_OK);
    }
    void expect_failure(const casm_tm_obs& obs, casm_tm_why why, unsigned mismatch = 0) {
        const casm_tm_act act = next(obs);
        EXPECT_EQ(act.what, CASM_TM_FAIL) << text(act);
        EXPECT_EQ(act.why, why);
        EXPECT_EQ(act.mismatch, mismatch);
        EXPECT_EQ(next(obs).why, CASM_TM_WHY_ENDED);
    }
    casm_match match_{};
};

TEST_F(Match, FarAwayTheOverflowComesAMarginEarly) {
    begin(canonical(100));
    expect(seen(CASM_TM_BEGIN, 0), CASM_TM_OVERFLOW, 90);
    expect(seen(CASM_TM_INTERRUPT, 30), CASM_TM_OVERFLOW, 60);  // not the counter's
    expect(seen(CASM_TM_INTERRUPT, 94), CASM_TM_BREAK, from);   // four branches late
    EXPECT_EQ(match_.worst_late_branches, 4u);
    EXPECT_EQ(match_.overflows, 2u);
}

TEST_F(Match, ShortDistancesAreNotProgrammed) {
    begin(canonical(100));
    expect(seen(CASM_TM_BEGIN, 87), CASM_TM_OVERFLOW, 3);
    begin(canonical(100));
    expect(seen(CASM_TM_BEGIN, 88), CASM_TM_BREAK, from);
}

TEST_F(Match, LongDistancesAreDivided) {
    begin(canonical(5000));
    expect(seen(CASM_TM_BEGIN, 0), CASM_TM_OVERFLOW, 1000);
    expect(seen(CASM_TM_INTERRUPT, 1007), CASM_TM_OVERFLOW, 1000);
    EXPECT_EQ(match_.worst_late_branches, 7u);
}

TEST_F(Match, NearTheBranchIsBrokenAtAndTheLastOneIsStepped) {
    begin(canonical(3));
    expect(seen(CASM_TM_BEGIN, 0), CASM_TM_BREAK, from);
    expect(seen(CASM_TM_BREAKPOINT, 0, from), CASM_TM_BREAK, from, CASM_TM_FLAG_RF);
    expect(seen(CASM_TM_BREAKPOINT, 2, from), CASM_TM_SINGLE);
    expect(seen(CASM_TM_INTERRUPT, 2, from), CASM_TM_SINGLE);  // before the instruction ran
    expect(seen(CASM_TM_STEP, 3), CASM_TM_DELIVER);
    EXPECT_EQ(match_.hits, 2u);
    EXPECT_EQ(match_.steps, 2u);
    expect_failure(seen(CASM_TM_STEP, 3), CASM_TM_WHY_ENDED);
}

// After a page fault the guest's own return sets RF: a breakpoint would not hit there.
TEST_F(Match, AtTheLastBranchAlreadyItIsSteppedAtOnce) {
    begin(canonical(1));
    expect(seen(CASM_TM_BEGIN, 0, from), CASM_TM_SINGLE);
    expect(seen(CASM_TM_STEP, 1), CASM_TM_DELIVER);
}

TEST_F(Match, EachFieldThatDiffersIsNamed) {
    for (unsigned field = 0; field < 16; ++field) {
        begin(canonical(1));
        expect(seen(CASM_TM_BEGIN, 0, from), CASM_TM_SINGLE);
        casm_tm_obs obs = seen(CASM_TM_STEP, 1);
        if (field & CASM_TM_DIFF_RIP) obs.rip += 2;
        if (field & CASM_TM_DIFF_RCX) obs.rcx ^= 1ull << 63;
        if (field & CASM_TM_DIFF_RSP) obs.rsp ^= 1ull << 32;
        if (field & CASM_TM_DIFF_HASH) obs.hash ^= 1;
        if (field)
            expect_failure(obs, CASM_TM_WHY_MISMATCH, field);
        else
            expect(obs, CASM_TM_DELIVER);
    }
}

// BEGIN may be the exit of a hypercall: SYSRET would show RF in R11.
TEST_F(Match, RfIsAskedForAtTheBreakpointsAddressButNotAtTheBegin) {
    begin(canonical(5));
    expect(seen(CASM_TM_BEGIN, 0, from), CASM_TM_BREAK, from);
    expect(seen(CASM_TM_BREAKPOINT, 0, from), CASM_TM_BREAK, from, CASM_TM_FLAG_RF);
    expect(seen(CASM_TM_INTERRUPT, 2, from), CASM_TM_BREAK, from, CASM_TM_FLAG_RF);
    expect(seen(CASM_TM_INTERRUPT, 2, from + 2), CASM_TM_BREAK, from);
}

TEST_F(Match, ACanonicalPointIsDeliveredAfterItsBranchOnly) {
    for (const casm_tm_reason reason : {CASM_TM_BEGIN, CASM_TM_INTERRUPT, CASM_TM_BREAKPOINT, CASM_TM_STEP}) {
        begin(canonical(7));
        expect_failure(seen(reason, 7), CASM_TM_WHY_OVERSHOT);  // equal registers prove nothing
        begin(canonical(7));
        expect(seen(CASM_TM_BEGIN, 2), CASM_TM_BREAK, from);
        expect_failure(seen(reason, 8), CASM_TM_WHY_OVERSHOT);
    }
}

TEST_F(Match, ACounterThatIsWrongIsNamed) {
    begin(canonical(100));
    expect(seen(CASM_TM_BEGIN, 50), CASM_TM_OVERFLOW, 40);
    expect_failure(seen(CASM_TM_INTERRUPT, 49), CASM_TM_WHY_COUNTER);
    begin(canonical(1));
    expect(seen(CASM_TM_BEGIN, 0, from), CASM_TM_SINGLE);
    expect_failure(seen(CASM_TM_STEP, 2), CASM_TM_WHY_COUNTER);  // two branches in one instruction
    begin(by_state(100));
    expect(seen(CASM_TM_BEGIN, 50), CASM_TM_OVERFLOW, 40);
    expect_failure(seen(CASM_TM_INTERRUPT, 49), CASM_TM_WHY_COUNTER);
}

TEST_F(Match, WhatIsNoBranchIsNoticedAtOnce) {
    begin(canonical(1));
    expect(seen(CASM_TM_BEGIN, 0, from), CASM_TM_SINGLE);
    expect_failure(seen(CASM_TM_STEP, 0), CASM_TM_WHY_NO_BRANCH);
    begin(canonical(5));
    expect(seen(CASM_TM_BREAKPOINT, 1, from), CASM_TM_BREAK, from, CASM_TM_FLAG_RF);
    expect_failure(seen(CASM_TM_BREAKPOINT, 1, from), CASM_TM_WHY_NO_BRANCH);
    // With an exit in between the instruction may not have run.
    begin(canonical(5));
    expect(seen(CASM_TM_BREAKPOINT, 1, from), CASM_TM_BREAK, from, CASM_TM_FLAG_RF);
    expect(seen(CASM_TM_INTERRUPT, 1, from), CASM_TM_BREAK, from, CASM_TM_FLAG_RF);
    expect(seen(CASM_TM_BREAKPOINT, 1, from), CASM_TM_BREAK, from, CASM_TM_FLAG_RF);
}

TEST_F(Match, APointByStateIsTheFirstWithThatCountAndTheseRegisters) {
    begin(by_state(5));
    expect(seen(CASM_TM_BEGIN, 0), CASM_TM_BREAK, rip);  // equal registers, count too small
    expect(seen(CASM_TM_BREAKPOINT, 4), CASM_TM_BREAK, rip, CASM_TM_FLAG_RF);
    for (unsigned field = 0; field < 3; ++field) {
        casm_tm_obs obs = seen(CASM_TM_BREAKPOINT, 5);
        (field == 0 ? obs.rcx : field == 1 ? obs.rsp : obs.hash) += 1;
        expect(obs, CASM_TM_BREAK, rip, CASM_TM_FLAG_RF);
    }
    expect(seen(CASM_TM_BREAKPOINT, 5), CASM_TM_DELIVER);
}

TEST_F(Match, APointByStateMayBeWhereTheSearchBegins) {
    begin(by_state(0));
    expect(seen(CASM_TM_BEGIN, 0), CASM_TM_DELIVER);
    begin(by_state(7));
    expect(seen(CASM_TM_BEGIN, 0), CASM_TM_BREAK, rip);
    expect(seen(CASM_TM_INTERRUPT, 7), CASM_TM_DELIVER);
}

TEST_F(Match, PastAPointByStateIsOvershot) {
    begin(by_state(5));
    expect(seen(CASM_TM_BEGIN, 0), CASM_TM_BREAK, rip);
    expect_failure(seen(CASM_TM_BREAKPOINT, 6), CASM_TM_WHY_OVERSHOT);
}

TEST_F(Match, HitsAreLimited) {
    for (const casm_tm_point& target : {canonical(9), by_state(9)}) {
        begin(target);
        const std::uint64_t at = target.from ? target.from : target.rip;
        for (unsigned hit = 1; hit < small.max_hits; ++hit) {
            ASSERT_EQ(next(seen(CASM_TM_BREAKPOINT, 0, at)).what, CASM_TM_BREAK) << hit;
            ASSERT_EQ(next(seen(CASM_TM_INTERRUPT, 0, at)).what, CASM_TM_BREAK) << hit;
        }
        expect_failure(seen(CASM_TM_BREAKPOINT, 0, at), CASM_TM_WHY_TOO_MANY_HITS);
    }
}

TEST_F(Match, TheLastHitAllowedMayStillBeThePoint) {
    casm_match_limits one = small;
    one.max_hits = 1;
    begin(canonical(1), one);
    expect(seen(CASM_TM_BREAKPOINT, 0, from), CASM_TM_SINGLE);
    begin(by_state(1), one);
    expect(seen(CASM_TM_BREAKPOINT, 1), CASM_TM_DELIVER);
}

TEST(MatchBegin, MalformedTargetsAreRefused) {
    struct Case {
        const char* name;
        casm_tm_point target;
        int result;
    };
    std::vector<Case> cases{{"good", canonical(1), CASM_TM_OK},
                            {"good by state", by_state(0), CASM_TM_OK},
                            {"canonical without a branch", canonical(0), CASM_TM_WHY_BAD_BRANCHES},
                            {"largest count", canonical((1ull << 63) - 1), CASM_TM_OK},
                            {"count too large", canonical(1ull << 63), CASM_TM_WHY_BAD_BRANCHES},
                            {"count too large, by state", by_state(~0ull), CASM_TM_WHY_BAD_BRANCHES}};
    for (const unsigned kind : {0u, 3u, 255u}) {
        casm_tm_point target = canonical(1);
        target.kind = static_cast<std::uint8_t>(kind);
        cases.push_back({"unknown kind", target, CASM_TM_WHY_BAD_KIND});
    }
    for (const std::uint64_t address :
         {0x0000800000000000ull, 0x7fffffffffffffffull, 0xffff7fffffffffffull, 0xffff800000000000ull,
          0xffff82d040200000ull, 0xffff87ffffffffffull}) {
        cases.push_back({"rip in no guest", canonical(1), CASM_TM_WHY_BAD_ADDRESS});
        cases.back().target.rip = address;
        cases.push_back({"from in no guest", canonical(1), CASM_TM_WHY_BAD_ADDRESS});
        cases.back().target.from = address;
        cases.push_back({"rip in no guest, by state", by_state(1), CASM_TM_WHY_BAD_ADDRESS});
        cases.back().target.rip = address;
    }
    for (const std::uint64_t address :
         {0ull, 0x00007fffffffffffull, 0xffff880000000000ull, 0xffffffff81000000ull, ~0ull}) {
        cases.push_back({"addresses of a guest", canonical(1), CASM_TM_OK});
        cases.back().target.rip = cases.back().target.from = address;
    }
    cases.push_back({"by state with a branch", by_state(1), CASM_TM_WHY_BAD_ADDRESS});
    cases.back().target.from = from;
    for (const Case& c : cases) {
        casm_match match;
        EXPECT_EQ(casm_match_begin(&match, &c.target, nullptr), c.result) << c.name << ' ' << text(c.target);
        const casm_tm_obs obs = seen(CASM_TM_BEGIN, 0, 0x1000);
        const casm_tm_act act = casm_match_next(&match, &obs);
        EXPECT_EQ(act.why, c.result == CASM_TM_OK ? CASM_TM_OK : CASM_TM_WHY_ENDED) << c.name;
    }
}

TEST(MatchBegin, LimitsWithoutMeaningAreRefused) {
    const casm_tm_point target = canonical(1);
    for (unsigned field = 0; field < 3; ++field) {
        casm_match_limits limits = small;
        (field == 0 ? limits.margin_branches : field == 1 ? limits.overflow_max : limits.max_hits) = 0;
        casm_match match;
        EXPECT_EQ(casm_match_begin(&match, &target, &limits), CASM_TM_WHY_BAD_LIMITS);
    }
    casm_match_limits large{
        .margin_branches = ~0u, .rearm_min = ~0u, .overflow_max = ~0u, .max_hits = ~0u, .slack_shift = 63};
    casm_match match;
    const casm_tm_point far = canonical((1ull << 63) - 1);
    EXPECT_EQ(casm_match_begin(&match, &far, &large), CASM_TM_OK);
    const casm_tm_obs obs = seen(CASM_TM_BEGIN, 0);
    EXPECT_EQ(casm_match_next(&match, &obs).value, ~0u);
}

TEST(MatchBegin, AMachineThatWasNeverBegunSaysSo) {
    casm_match match{};
    const casm_tm_obs obs = seen(CASM_TM_BEGIN, 0);
    EXPECT_EQ(casm_match_next(&match, &obs).why, CASM_TM_WHY_ENDED);
}

// The target's RIP is in a loop that runs a million times, the branch that leads there too.
TEST(MatchCost, DoesNotDependOnHowOftenTheTargetRuns) {
    const Program program({{Op::Add}, {Op::MemInc}, {Op::Add}, {Op::Jcc, 1}, {Op::Jcc, 0}, {Op::Jmp, 1}});
    constexpr std::uint64_t rounds = 1'000'000;
    Machine machine(program, State{}, Hardware{});
    while (machine.state().branches < rounds) machine.advance();
    const Recorded recorded = record_point(machine, {CASM_CANON_MAX_STEPS_DEFAULT});
    ASSERT_EQ(recorded.outcome, Outcome::Delivered);
    ASSERT_EQ(recorded.canon.point.kind, CASM_TM_CANONICAL);
    for (const std::uint32_t late : {0u, 7u, 255u}) {
        Machine replay(program, State{}, Hardware{.lateness = late, .impatience = 100000});
        const Replayed replayed = replay_point(replay, recorded.canon.point,
                                               {256, 16, CASM_MATCH_OVERFLOW_MAX_DEFAULT, 1u << 22, 8});
        ASSERT_EQ(replayed.outcome, Outcome::Delivered) << text(replayed.last);
        EXPECT_EQ(replay.state(), machine.state()) << replay.state().text();
        EXPECT_EQ(over_the_bound(replayed, true, 0), "");
        EXPECT_LE(replayed.match.hits, 256u);
        EXPECT_EQ(replayed.match.steps, 1u);
        EXPECT_EQ(replayed.match.overflows, 1u);
        EXPECT_EQ(replayed.match.worst_late_branches, late);
    }
}

// Why points by state are second choice: registers that come again with other memory. The replay stops at the
// first of them that is not before the slack.
TEST(MatchByState, StopsAtAnEqualStateWhateverTheMemory) {
    const Program program({{Op::MemInc}, {Op::Jmp, 0}});
    Machine machine(program, State{}, Hardware{});
    while (machine.state().now < 50) machine.advance();
    const Recorded recorded = record_point(machine, {8});
    ASSERT_EQ(recorded.outcome, Outcome::Delivered);
    ASSERT_EQ(recorded.canon.point.kind, CASM_TM_BY_STATE);
    EXPECT_EQ(machine.state().memory[0], 29u);

    Machine replay(program, State{}, Hardware{});
    const Replayed replayed = replay_point(replay, recorded.canon.point, small);
    EXPECT_EQ(replayed.outcome, Outcome::Delivered);
    EXPECT_TRUE(replay.state().same_registers(machine.state()));
    EXPECT_EQ(recorded.canon.point.transfers, 25u);
    EXPECT_EQ(replay.state().memory[0], 25u - (2 * small.margin_branches + 25 / 16)) << "the slack";

    casm_tm_point uncounted = recorded.canon.point;
    uncounted.transfers = 0;
    Machine first(program, State{}, Hardware{});
    EXPECT_EQ(replay_point(first, uncounted, small).outcome, Outcome::Delivered);
    EXPECT_EQ(first.state().memory[0], 0u);

    // The same loop with a conditional branch has canonical points, and they are exact.
    const Program counted({{Op::MemInc}, {Op::Jcc, 0}, {Op::Jmp, 0}});
    Machine exact(counted, State{}, Hardware{});
    while (exact.state().now < 50) exact.advance();
    const Recorded canonical = record_point(exact, {8});
    ASSERT_EQ(canonical.canon.point.kind, CASM_TM_CANONICAL);
    Machine again(counted, State{}, Hardware{});
    EXPECT_EQ(replay_point(again, canonical.canon.point, small).outcome, Outcome::Delivered);
    EXPECT_EQ(again.state(), exact.state());
}

// No conditional branch, and registers that change: only branches of any kind tell how far it is.
TEST(MatchCost, OfAPointByStateDoesNotDependOnHowOftenTheTargetRuns) {
    const Program program({{Op::Add}, {Op::MemInc}, {Op::SetRcx}, {Op::Jmp, 0}});
    Machine machine(program, State{}, Hardware{});
    while (machine.state().now < 1'000'000) machine.advance();
    const Recorded recorded = record_point(machine, {CASM_CANON_MAX_STEPS_DEFAULT});
    ASSERT_EQ(recorded.outcome, Outcome::Delivered);
    ASSERT_EQ(recorded.canon.point.kind, CASM_TM_BY_STATE);
    EXPECT_NEAR(static_cast<double>(recorded.canon.point.transfers), 250'000, 2);
    for (const std::uint32_t late : {0u, 7u, 255u}) {
        Machine replay(program, State{}, Hardware{.lateness = late, .impatience = 100000});
        const Replayed replayed = replay_point(replay, recorded.canon.point,
                                               {256, 16, CASM_MATCH_OVERFLOW_MAX_DEFAULT, 1u << 22, 8});
        ASSERT_EQ(replayed.outcome, Outcome::Delivered) << text(replayed.last);
        EXPECT_EQ(over_the_bound(replayed, true, CASM_CANON_MAX_STEPS_DEFAULT), "");
        EXPECT_LE(replayed.match.hits, 512u + 250'000 / 256 + 16 + 256);
        EXPECT_EQ(replayed.match.overflows, 1u);
        EXPECT_EQ(replayed.match.worst_late_branches, late + 1) << "the interrupt itself is counted";
    }
}

TEST_F(Match, ByStateTheSlackIsLeftForInterruptsThatWereCounted) {
    begin(by_state(3, 1600));  // slack 2 * 10 + 1600 / 16
    expect(seen(CASM_TM_BEGIN, 0, rip + 1), CASM_TM_OVERFLOW, 1000, CASM_TM_FLAG_TRANSFERS);
    expect(seen(CASM_TM_INTERRUPT, 3, rip + 1, 1003), CASM_TM_OVERFLOW, 477, CASM_TM_FLAG_TRANSFERS);
    expect(seen(CASM_TM_INTERRUPT, 3, rip + 1, 1483), CASM_TM_BREAK, rip);
    EXPECT_EQ(match_.worst_late_branches, 3u);
    expect(seen(CASM_TM_BREAKPOINT, 3, rip, 1590), CASM_TM_DELIVER);
}

TEST_F(Match, ByStateWhatLooksTheSameBeforeTheSlackIsNotThePoint) {
    begin(by_state(3, 500));
    expect(seen(CASM_TM_INTERRUPT, 3, rip, 100), CASM_TM_OVERFLOW, 500 - 100 - 51, CASM_TM_FLAG_TRANSFERS);
    expect(seen(CASM_TM_INTERRUPT, 3, rip, 447), CASM_TM_DELIVER);
}

TEST_F(Match, ByStateAShortWayIsGoneFromHitToHit) {
    begin(by_state(3, 500));
    expect(seen(CASM_TM_BEGIN, 0, rip + 1, 447), CASM_TM_BREAK, rip);
    begin(by_state(3, 500));
    expect(seen(CASM_TM_BEGIN, 0, rip + 1, 446), CASM_TM_OVERFLOW, 3, CASM_TM_FLAG_TRANSFERS);
}

TEST_F(Match, ByStatePastThePointIsNoticedOnTheWayToo) {
    begin(by_state(3, 500));
    expect_failure(seen(CASM_TM_INTERRUPT, 4, rip, 100), CASM_TM_WHY_OVERSHOT);
}

TEST_F(Match, ByStateWhatDiffersAtThePlaceOfThePointIsTold) {
    begin(by_state(3));
    casm_tm_obs other = seen(CASM_TM_BREAKPOINT, 3);
    other.hash = 6;
    EXPECT_EQ(next(other).mismatch, CASM_TM_DIFF_HASH);
    other.rcx = 4;
    const casm_tm_act act = next(other);
    EXPECT_EQ(act.what, CASM_TM_BREAK);
    EXPECT_EQ(act.mismatch, CASM_TM_DIFF_HASH | CASM_TM_DIFF_RCX);
    begin(by_state(3));
    EXPECT_EQ(next(seen(CASM_TM_BREAKPOINT, 2)).mismatch, 0u) << "another place: too early";
    EXPECT_EQ(next(seen(CASM_TM_INTERRUPT, 3, rip + 1)).mismatch, 0u) << "another instruction";

    begin(by_state(3, 160));  // 1 in 16 may be interrupts of the recording
    for (const std::uint64_t transfers : {149u, 150u}) {
        other = seen(CASM_TM_BREAKPOINT, 3, rip, transfers);
        other.hash = 6;
        EXPECT_EQ(next(other).mismatch, transfers < 150 ? 0u : CASM_TM_DIFF_HASH) << "an earlier round";
    }
}

TEST_F(Match, ByStateAGuestThatPassedThePointIsNotWaitedForInALoopWithoutBranches) {
    const std::uint64_t limit = 500 + 2 * 10 + 500 / 16 + CASM_MATCH_TOO_FAR;
    begin(by_state(3, 500));
    expect(seen(CASM_TM_INTERRUPT, 3, rip + 1, limit + 1), CASM_TM_BREAK,
           rip);  // the interrupt itself counts
    expect_failure(seen(CASM_TM_INTERRUPT, 3, rip + 1, limit + 3), CASM_TM_WHY_OVERSHOT);
    begin(by_state(3, 500));
    expect(seen(CASM_TM_BREAKPOINT, 3, rip + 1, limit + 1), CASM_TM_BREAK, rip);  // and so does a hit
    begin(by_state(3));
    expect(seen(CASM_TM_INTERRUPT, 3, rip + 1, limit + 3), CASM_TM_BREAK, rip);  // nobody knows where it is
}

TEST(MatchBegin, TransfersBelongToPointsByState) {
    casm_match match;
    casm_tm_point point = canonical(3);
    point.transfers = 1;
    EXPECT_EQ(casm_match_begin(&match, &point, &small), CASM_TM_WHY_BAD_BRANCHES);
    point = by_state(3, 1ull << 62);
    EXPECT_EQ(casm_match_begin(&match, &point, &small), CASM_TM_WHY_BAD_BRANCHES);
    casm_match_limits limits = small;
    limits.slack_shift = 64;
    point = by_state(3, 5);
    EXPECT_EQ(casm_match_begin(&match, &point, &limits), CASM_TM_WHY_BAD_LIMITS);
}

TEST(TimePointOrder, IsThatOfTime) {
    const auto point = [](std::uint64_t ordinal, std::uint64_t branches) {
        return TimePoint{{ordinal}, {branches}};
    };
    EXPECT_LT(point(1, 100), point(2, 0));
    EXPECT_LT(point(2, 0), point(2, 1));
    EXPECT_EQ(point(2, 1), point(2, 1));
    EXPECT_GT(point(3, 0), point(2, ~0ull));
}

}  // namespace
}  // namespace casmotion::timematch
