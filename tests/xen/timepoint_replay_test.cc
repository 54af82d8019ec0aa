// SPDX-License-Identifier: GPL-2.0-or-later
//
// Replay of A-points (casm/timepoint.c): found where the log says, refused where they are not, whatever the
// feed holds.
#include <algorithm>

#include "support/timed.h"

namespace casmotion::test {
namespace {

class ReplayPoints : public Timed {
  protected:
    void SetUp() override { replay(); }

    // The point after `branches` rounds of the loop. The running hash is that after the entry.
    Point canonical(std::uint64_t branches) {
        return {CASM_APOINT_CANONICAL,
                branches,
                kBranch,
                kNop,
                shim.regs.rcx,
                shim.regs.rsp,
                hash_at(entry_hash(), kNop, shim.branches + branches)};
    }
    Point by_state(std::uint64_t branches, std::uint64_t rip) {
        return {CASM_APOINT_BY_STATE,
                branches,
                0,
                rip,
                shim.regs.rcx,
                shim.regs.rsp,
                hash_at(entry_hash(), rip, shim.branches + branches)};
    }
    std::uint64_t entry_hash() { return c.ordinal == 0 ? hash_at(c.hash, shim.regs.rip) : c.hash; }
    // The entry, and two points; the second has no effect.
    void feed_points(const Point& first, const Point& second) {
        feed_entry();
        feed(record_of(first));
        feed_event(kTimerPort);
        feed(record_of(second));
    }
    void begin(const Point& point) {
        feed_entry();
        feed(record_of(point));
        feed_event(kTimerPort);
        feed_entry();  // the log goes on
        finish();
        enter();
    }
    // From the first exit to the point, as the guest of the recording went.
    unsigned run_to(std::uint64_t branches) {
        hit(kBranch, branches - 1);
        EXPECT_TRUE(tf());
        EXPECT_EQ(breakpoint(), 0u);
        return step(kNop, branches);
    }
    void expect_diverged_at(const Point& point) {
        EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
        EXPECT_EQ(c.divergence.expected.cls, CASM_CLS_APOINT);
        EXPECT_EQ(c.divergence.expected.kind, point.kind);
        EXPECT_EQ(c.divergence.record, 1u) << "the second record";
        EXPECT_EQ(world.take_pending(), std::vector<unsigned>{}) << "nothing is applied";
        settle();
        EXPECT_FALSE(tf());
        EXPECT_EQ(breakpoint(), 0u);
    }
};

TEST_F(ReplayPoints, ANearPointIsFoundByABreakpointAtItsBranchAndOneStep) {
    begin(canonical(3));
    EXPECT_EQ(breakpoint(), kBranch);
    EXPECT_EQ(shim.overflow_at, 0u);
    hit(kBranch, 0);
    EXPECT_EQ(breakpoint(), kBranch);
    EXPECT_NE(shim.regs.rflags & X86_EFLAGS_RF, 0u) << "or it would hit again at once";
    hit(kBranch, 1);
    const std::uint64_t at_point = hash_at(c.hash, kNop, 3);
    EXPECT_EQ(run_to(3), CASM_EXIT_DELIVER);
    EXPECT_EQ(world.take_pending(), std::vector<unsigned>{kTimerPort});
    EXPECT_EQ(c.hash, at_point);
    EXPECT_EQ(shim.regs.rflags & (X86_EFLAGS_RF | X86_EFLAGS_TF), 0u);
    EXPECT_EQ(breakpoint(), 0u);
    EXPECT_EQ(c.tp.stats.canonical, 1u);
    EXPECT_EQ(c.tp.stats.hits, 3u);
}

TEST_F(ReplayPoints, AFarPointIsApproachedByAnOverflowTheMarginEarly) {
    const std::uint64_t far = 100'000;
    shim.branches = 5000;
    begin(canonical(far));
    EXPECT_EQ(breakpoint(), 0u);
    EXPECT_EQ(shim.overflow_at, 5000 + far - CASM_MATCH_MARGIN_DEFAULT);
    interrupt(kNop, 5000 + 40);  // another interrupt
    EXPECT_EQ(shim.overflow_at, 5000 + far - CASM_MATCH_MARGIN_DEFAULT);
    interrupt(kNop, 5000 + far - CASM_MATCH_MARGIN_DEFAULT + 30);
    EXPECT_EQ(shim.overflow_at, 0u);
    EXPECT_EQ(breakpoint(), kBranch);
    for (std::uint64_t b = far - CASM_MATCH_MARGIN_DEFAULT + 30; b < far - 1; ++b) hit(kBranch, 5000 + b);
    EXPECT_EQ(run_to(5000 + far), CASM_EXIT_DELIVER);
    EXPECT_EQ(c.tp.stats.overflows, 2u);
    EXPECT_EQ(c.tp.stats.late_max_branches, 30u);
}

TEST_F(ReplayPoints, TheMarginIsThatOfTheStart) {
    c.tp.limits.margin_branches = 1000;
    begin(canonical(5000));
    EXPECT_EQ(shim.overflow_at, 4000u);
}

TEST_F(ReplayPoints, AFarPointByStateIsApproachedByBranchesOfAnyKind) {
    shim.transfers = 700;
    Point point = by_state(0, kBranch);
    point.from = CASM_APOINT_TRANSFERS | 100'000;  // where to look
    begin(point);
    const std::uint64_t stop = 700 + 100'000 - 2 * CASM_MATCH_MARGIN_DEFAULT - 100'000 / 256;
    EXPECT_EQ(shim.transfers_overflow_at, stop);
    EXPECT_EQ(shim.overflow_at, 0u);
    EXPECT_EQ(breakpoint(), 0u);
    shim.transfers = 900;
    EXPECT_EQ(interrupt(kBranch, 0), CASM_EXIT_SKIP) << "it looks like the point, but is far from it";
    EXPECT_EQ(shim.transfers_overflow_at, stop);
    shim.transfers = stop + 20;
    interrupt(kNop, 0);
    EXPECT_EQ(shim.transfers_overflow_at, 0u);
    EXPECT_EQ(breakpoint(), kBranch);
    shim.transfers = stop + 70;
    EXPECT_EQ(hit(kBranch, 0), CASM_EXIT_DELIVER);
    EXPECT_EQ(c.tp.stats.late_max_branches, 20u);
    EXPECT_EQ(c.tp.stats.overflows, 2u);
}

TEST_F(ReplayPoints, APointByStateIsFoundByABreakpointAtItsRip) {
    begin(by_state(0, kBranch));
    EXPECT_EQ(breakpoint(), kBranch);
    shim.regs.rax ^= 1;
    EXPECT_EQ(hit(kBranch, 0), CASM_EXIT_SKIP) << "other registers";
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY);
    shim.regs.rax ^= 1;
    EXPECT_EQ(hit(kBranch, 0), CASM_EXIT_DELIVER);
    EXPECT_EQ(c.tp.stats.by_state, 1u);
}

// The recording went on by one instruction at least: at the boundary of the entry's exit the memory may be
// another.
TEST_F(ReplayPoints, APointByStateIsNotTheBoundaryAtWhichTheSearchBegins) {
    begin(by_state(0, kNop));
    EXPECT_EQ(c.tp.stats.by_state, 0u);
    EXPECT_NE(shim.regs.rflags & X86_EFLAGS_RF, 0u);
    EXPECT_EQ(hit(kNop, 0), CASM_EXIT_DELIVER);
}

TEST_F(ReplayPoints, NorIfAnInterruptComesBeforeTheInstructionThereHasRun) {
    begin(by_state(0, kNop));
    ASSERT_NE(shim.regs.rflags & X86_EFLAGS_RF, 0u);
    EXPECT_EQ(settle(), CASM_EXIT_SKIP);  // interrupted at the same boundary, RF still there
    EXPECT_EQ(c.tp.stats.by_state, 0u);
    EXPECT_NE(shim.regs.rflags & X86_EFLAGS_RF, 0u);
    EXPECT_EQ(hit(kNop, 0), CASM_EXIT_DELIVER);
}

struct Wrong {
    const char* name;
    void (*change)(Point&);
};
class WrongPoint : public ReplayPoints, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongPoint, DivergesAtItsRecord) {
    Point point = canonical(3);
    GetParam().change(point);
    begin(point);
    // The guest does what it does.
    for (std::uint64_t branches = 0; branches < 6 && casm_told_mode(&c) == CASM_MODE_REPLAY; ++branches) {
        for (const std::uint64_t rip : {kNop, kBranch}) {
            if (casm_told_mode(&c) != CASM_MODE_REPLAY) break;
            if (tf())
                step(rip, branches);
            else if (breakpoint() == rip)
                hit(rip, branches);
        }
    }
    if (casm_told_mode(&c) == CASM_MODE_REPLAY) interrupt(kNop, 6);
    expect_diverged_at(point);
    EXPECT_EQ(c.divergence.expected_w[0], point.branches);
    EXPECT_EQ(c.divergence.expected_w[1], point.rip);
    EXPECT_EQ(c.divergence.expected_w[2], point.hash);
    EXPECT_EQ(c.divergence.actual.cls, CASM_CLS_APOINT);
    EXPECT_LE(c.divergence.actual_w[0], 6u);
    EXPECT_EQ(c.divergence.actual_w[1], shim.regs.rip);
}

INSTANTIATE_TEST_SUITE_P(ReplayPoints, WrongPoint,
                         testing::Values(Wrong{"BranchMore", [](Point& p) { p.branches++; }},
                                         Wrong{"BranchLess", [](Point& p) { p.branches--; }},
                                         Wrong{"Rip", [](Point& p) { p.rip += 2; }},
                                         Wrong{"Rcx", [](Point& p) { p.rcx ^= 1; }},
                                         Wrong{"Rsp", [](Point& p) { p.rsp += 8; }},
                                         Wrong{"Hash", [](Point& p) { p.hash ^= 1ull << 60; }},
                                         Wrong{"From", [](Point& p) { p.from = SHIM_GUEST_VA; }},
                                         Wrong{"Kind",
                                               [](Point& p) {
                                                   p.kind = CASM_APOINT_BY_STATE;
                                                   p.from = 0;
                                                   p.hash ^= 2;
                                               }}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(ReplayPoints, AnEntryBeforeThePointDiverges) {
    const Point point = canonical(3);
    begin(point);
    hit(kBranch, 0);
    enter();
    expect_diverged_at(point);
    EXPECT_EQ(c.divergence.actual.cls, CASM_CLS_ENTRY);
}

TEST_F(ReplayPoints, TheOvershotPointNamesTheCountThatItMet) {
    const Point point = canonical(3);
    begin(point);
    interrupt(kNop, 17);
    expect_diverged_at(point);
    EXPECT_EQ(c.divergence.expected_w[0], 3u);
    EXPECT_EQ(c.divergence.actual_w[0], 17u);
}

// The report is of the boundary that should have been the point, wherever the guest was when that was known.
class PassedPoint : public ReplayPoints {
  protected:
    void pass(const Point& point) {
        point_ = point;
        begin(point_);
        shim.regs.rax ^= 0x10;
        hit(kBranch, 0);
        shim.regs.rcx ^= 0x20;
        hit(kBranch, 0);
        EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY);
    }
    void expect_reported() {
        expect_diverged_at(point_);
        EXPECT_EQ(c.divergence.actual.cls, CASM_CLS_APOINT);
        EXPECT_EQ(c.divergence.actual_w[0], point_.branches);
        EXPECT_EQ(c.divergence.actual_w[1], point_.rip);
        EXPECT_NE(c.divergence.actual_w[2], point_.hash);
        EXPECT_EQ(c.divergence.regs[2], point_.rcx) << "the nearer of two: RAX differs, RCX does not";
    }
    Point point_;
};

TEST_F(PassedPoint, IsReportedWhenTheCountIsPastIt) {
    pass(by_state(0, kBranch));
    interrupt(kNop, 1);
    expect_reported();
}

TEST_F(PassedPoint, IsReportedAtTheNextEntry) {
    pass(by_state(0, kBranch));
    enter();
    expect_reported();
}

TEST_F(PassedPoint, WithAnotherCountIsACounterFaultWhateverWasPassedBefore) {
    Point point = by_state(1, kBranch);
    point.branches = 0;  // of the recording's counter
    pass(point);
    shim.regs.rax ^= 0x10;
    shim.regs.rcx ^= 0x20;
    hit(kBranch, 1);
    expect_diverged_at(point_);
    EXPECT_EQ(c.divergence.actual_w[0], point_.branches + 1);
    EXPECT_EQ(c.divergence.actual_w[2], point_.hash);
}

TEST_F(PassedPoint, IsForgottenWhenThePointIsFound) {
    point_ = by_state(0, kBranch);
    Point second = by_state(1, kBranch);
    second.hash ^= 1;
    feed_points(point_, second);
    feed_entry();
    finish();
    enter();
    shim.regs.rax ^= 0x10;
    hit(kBranch, 0);
    shim.regs.rax ^= 0x10;
    hit(kBranch, 0);
    ASSERT_EQ(c.tp.stats.by_state, 1u);
    interrupt(kNop, 7);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
    EXPECT_EQ(c.divergence.actual_w[0], 7u);
    EXPECT_EQ(c.divergence.actual_w[1], kNop);
}

// --- Feeds that no recorder wrote ---

class Malformed : public ReplayPoints, public testing::WithParamInterface<Wrong> {};

TEST_P(Malformed, IsRefusedAtOnce) {
    Point point = canonical(3);
    GetParam().change(point);
    begin(point);
    expect_diverged_at(point);
}

INSTANTIATE_TEST_SUITE_P(ReplayPoints, Malformed,
                         testing::Values(Wrong{"NoKind", [](Point& p) { p.kind = 0; }},
                                         Wrong{"Kind3", [](Point& p) { p.kind = 3; }},
                                         Wrong{"Kind255", [](Point& p) { p.kind = 255; }},
                                         Wrong{"NoBranches", [](Point& p) { p.branches = 0; }},
                                         Wrong{"HugeBranches", [](Point& p) { p.branches = ~0ull; }},
                                         Wrong{"RipInXen", [](Point& p) { p.rip = 0xffff830000000000; }},
                                         Wrong{"RipNotCanonical", [](Point& p) { p.rip = 0x800000000000; }},
                                         Wrong{"FromInXen", [](Point& p) { p.from = 0xffff82d040200000; }},
                                         Wrong{"HugeTransfers",
                                               [](Point& p) {
                                                   p.kind = CASM_APOINT_BY_STATE;
                                                   p.from = ~0ull;
                                               }},
                                         Wrong{"StateWithFrom",
                                               [](Point& p) { p.kind = CASM_APOINT_BY_STATE; }}),
                         [](const auto& info) { return std::string(info.param.name); });

class BlobLength : public ReplayPoints, public testing::WithParamInterface<unsigned> {};

TEST_P(BlobLength, OtherThanThatOfThreeWordsIsRefused) {
    auto bytes = record_of(canonical(3));
    bytes[2] = static_cast<std::uint8_t>(GetParam());
    bytes[3] = static_cast<std::uint8_t>(GetParam() >> 8);
    feed_entry();
    feed(bytes);
    finish();
    enter();
    expect_diverged_at(canonical(3));
}
INSTANTIATE_TEST_SUITE_P(ReplayPoints, BlobLength, testing::Values(0, 1, 8, 23, 25, 32, 4096, 65535));

TEST_F(ReplayPoints, TheLargestCountIsArmedInPieces) {
    Point point = canonical(3);
    point.branches = (1ull << 63) - 1;
    begin(point);
    EXPECT_EQ(shim.overflow_at, std::uint64_t{CASM_COUNTER_ARM_MAX});
    interrupt(kNop, CASM_COUNTER_ARM_MAX + 3ull);
    EXPECT_EQ(shim.overflow_at, 2ull * CASM_COUNTER_ARM_MAX + 3);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY);
}

TEST_F(ReplayPoints, ManyPointsAtOneStateTakeNoStack) {
    feed_entry();
    const Point point = by_state(0, kNop);
    for (int i = 0; i < 800; ++i) feed(record_of(point));
    finish();
    enter();
    // The running hash goes on at each, so that only the first can be met.
    hit(kNop, 0);
    for (int i = 0; i < 5 && casm_told_mode(&c) == CASM_MODE_REPLAY; ++i) hit(kNop, 0);
    EXPECT_EQ(c.tp.stats.by_state, 1u);
    interrupt(kNop, 1);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
}

TEST_F(ReplayPoints, TheNextPointIsSearchedFromThePointBefore) {
    Point first = canonical(1);
    Point second = canonical(2);
    second.hash = hash_at(first.hash, kNop, 2);
    feed_entry();
    feed(record_of(first));
    feed(record_of(second));
    feed_event(kTimerPort);
    feed_entry();
    finish();
    enter();
    hit(kBranch, 0);
    EXPECT_EQ(step(kNop, 1), CASM_EXIT_SKIP) << "nothing to deliver there";
    EXPECT_EQ(breakpoint(), kBranch);
    EXPECT_EQ(run_to(2), CASM_EXIT_DELIVER);
    EXPECT_EQ(c.tp.stats.canonical, 2u);
}

TEST_F(ReplayPoints, AnUpcallAtThePointIsDeliveredBeforeTheNextSearch) {
    Point first = canonical(1);
    Point second = canonical(2);
    second.hash = hash_at(first.hash, kNop, 2);
    feed_points(first, second);
    finish();
    enter();
    hit(kBranch, 0);
    EXPECT_EQ(step(kNop, 1), CASM_EXIT_DELIVER);
    EXPECT_EQ(breakpoint(), 0u) << "the upcall's frame comes first";
    world.cpu().vcpu_info->evtchn_upcall_mask = 1;  // Xen has delivered it
    EXPECT_EQ(settle(), CASM_EXIT_SKIP);
    EXPECT_EQ(breakpoint(), kBranch);
}

TEST_F(ReplayPoints, AFeedThatEndsAfterAPointEndsTheReplayThere) {
    feed_entry();
    feed(record_of(canonical(1)));
    finish();
    enter();
    hit(kBranch, 0);
    step(kNop, 1);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(c.end_reason, CASM_END_NONE);
    EXPECT_EQ(c.tp.stats.canonical, 1u);
}

TEST_F(ReplayPoints, AFeedThatEndsWithinAPointEndsTheReplayBeforeIt) {
    const auto bytes = record_of(canonical(1));
    feed_entry();
    feed({bytes.begin(), bytes.end() - 8});
    finish();
    enter();
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(c.end_reason, CASM_END_NONE) << "a cut log is no divergence";
}

// Points alone empty the feed: no entry lies between at which it would be looked after.
TEST_F(ReplayPoints, APointWhoseEffectsAreNotFedYetIsWaitedAt) {
    feed_entry();
    feed(record_of(canonical(1)));
    feed_event(kTimerPort);
    finish();
    enter();
    hit(kBranch, 0);
    c.feed.hdr->eof = 0;
    ASSERT_EQ(step(kNop, 1), CASM_EXIT_AGAIN);
    EXPECT_EQ(world.cpu().paused, 1) << "dom0 has not fed it yet";
}

TEST_F(ReplayPoints, TheGuestDoesNotRunOnWhileTheNextPointIsNotThereYet) {
    Point first = canonical(1);
    Point second = canonical(2);
    second.hash = hash_at(first.hash, kNop, 2);
    feed_entry();
    feed(record_of(first));
    feed_event(kTimerPort);
    const auto bytes = record_of(second);
    feed({bytes.begin(), bytes.begin() + 16});
    finish();
    enter();
    hit(kBranch, 0);
    ASSERT_EQ(step(kNop, 1), CASM_EXIT_DELIVER);
    world.cpu().vcpu_info->evtchn_upcall_mask = 1;
    c.feed.hdr->eof = 0;
    EXPECT_EQ(settle(), CASM_EXIT_AGAIN);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY);
    EXPECT_EQ(world.cpu().paused, 1);
    feed({bytes.begin() + 16, bytes.end()});
    finish();
    world.kick();
    EXPECT_EQ(settle(), CASM_EXIT_SKIP);
    EXPECT_EQ(breakpoint(), kBranch);
}

TEST_F(ReplayPoints, AStopRequestOfTheRecordingIsReplayedAtItsPoint) {
    feed_entry();
    feed(record_of(canonical(1)));
    casm_rec rec{};
    rec.cls = CASM_CLS_DIGEST;
    rec.kind = CASM_DIGEST_STOP;
    feed(record_bytes(rec, std::vector<std::uint64_t>(3)));
    finish();
    enter();
    hit(kBranch, 0);
    step(kNop, 1);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED) << "the digest is compared there; this one is made up";
    EXPECT_EQ(c.divergence.expected.cls, CASM_CLS_DIGEST);
}

TEST_F(ReplayPoints, UnequalBranchesWithEqualRegistersAreNamed) {
    for (unsigned n = 1; n <= CASM_BRANCHES_INTERVAL; ++n) feed_entry();
    casm_rec rec{};
    rec.cls = CASM_CLS_BRANCHES;
    feed(record_bytes(rec, std::vector<std::uint64_t>{1234}));
    finish();
    shim.branches = 1235;
    for (unsigned n = 1; n <= CASM_BRANCHES_INTERVAL; ++n) enter();
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
    EXPECT_EQ(c.divergence.expected.cls, CASM_CLS_BRANCHES);
    EXPECT_EQ(c.divergence.actual.cls, CASM_CLS_BRANCHES);
    EXPECT_EQ(c.divergence.expected_w[0], 1234u);
    EXPECT_EQ(c.divergence.actual_w[0], 1235u);
}

TEST_F(Timed, APointInALogWithoutACounterDiverges) {
    casm_domctl op = options(CASM_MODE_REPLAY);
    op.u.start.flags = 0;
    replay(op);
    feed_entry();
    feed(record_of({CASM_APOINT_CANONICAL, 3, kBranch, kNop, 0, 0, 0}));
    finish();
    enter();
    interrupt(kNop, 0);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
    EXPECT_EQ(c.divergence.expected.cls, CASM_CLS_APOINT);
}

}  // namespace
}  // namespace casmotion::test
