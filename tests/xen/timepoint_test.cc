// SPDX-License-Identifier: GPL-2.0-or-later
//
// Recording of A-points (casm/timepoint.c): when one is made, what the log has, what stays off.
#include <numeric>

#include "support/timed.h"

extern "C" {
#include <public/sched.h>
}

namespace casmotion::test {
namespace {

class RecordPoints : public Timed {
  protected:
    void SetUp() override {
        record();
        shim.branches = 1000;
        ASSERT_EQ(enter(), CASM_EXIT_DELIVER);
        logged();
    }
};

TEST_F(RecordPoints, AnEffectThatWaitedGetsACanonicalPointAfterTheNextBranch) {
    overdue();
    EXPECT_EQ(shim.kicks, 1u);
    shim.regs.rcx = 77;
    shim.regs.rsp = 88;
    const std::uint64_t running = c.hash;
    EXPECT_EQ(interrupt(kNop, 1010), CASM_EXIT_SKIP);
    EXPECT_TRUE(tf());
    EXPECT_EQ(step(kBranch, 1010), CASM_EXIT_SKIP);
    EXPECT_TRUE(world.take_pending().empty()) << "not at a boundary without a name";
    EXPECT_EQ(step(kNop, 1011), CASM_EXIT_DELIVER);
    EXPECT_FALSE(tf());
    EXPECT_EQ(world.take_pending(), std::vector<unsigned>{kTimerPort});

    const std::vector<Logged> log = logged();
    ASSERT_EQ(classes_of(log), (std::vector<unsigned>{CASM_CLS_APOINT, CASM_CLS_EVTCHN}));
    EXPECT_EQ(log[0].rec.kind, CASM_APOINT_CANONICAL);
    EXPECT_EQ(log[0].rec.check, 24);
    EXPECT_EQ(log[0].words, (std::vector<std::uint64_t>{11, kNop, hash_at(running, kNop), kBranch, 77, 88}));
    EXPECT_EQ(c.hash, hash_at(running, kNop));
    EXPECT_EQ(c.tp.stats.canonical, 1u);
    EXPECT_EQ(c.tp.stats.steps, 2u);
}

// Else nobody has a profiler, and the processor keeps what was changed for the counter's sake, as long as the
// guest goes on.
TEST_F(RecordPoints, TheCounterIsGivenBackWhenTheLogEnds) {
    ASSERT_TRUE(shim.counter_owned);
    ASSERT_TRUE(c.tp.counter.loaded);
    world.dom0();
    ASSERT_EQ(world.stop(), 0);
    world.guest();
    EXPECT_TRUE(shim.counter_owned) << "not before the end";
    enter();
    EXPECT_EQ(c.state, unsigned{CASM_STATE_FREE});
    EXPECT_FALSE(shim.counter_owned);
    EXPECT_FALSE(c.tp.counter.loaded);
    casm_switch_from(&world.cpu());
    casm_switch_to(&world.cpu());
    EXPECT_FALSE(c.tp.counter.loaded);
    EXPECT_EQ(enter(), CASM_EXIT_DELIVER) << "it goes on";
}

TEST_F(RecordPoints, TheCounterOfAGuestThatShutDownIsGivenBackByADetach) {
    shim_domain_shutdown(&world.dom(), SHUTDOWN_poweroff);
    casm_switch_from(&world.cpu());
    world.dom0();
    casm_domctl op{};
    op.op = CASM_OP_detach;
    ASSERT_EQ(world.domctl(op), 0);
    EXPECT_FALSE(shim.counter_owned);
    ASSERT_EQ(world.domctl(op), 0) << "once is enough";
}

TEST_F(RecordPoints, DenseModeElsewhereLeavesItItsName) {
    c.tp.dense_every = 1;
    c.tp.dense_first = c.tp.dense_last = SHIM_GUEST_VA + 100;
    overdue();
    interrupt(kNop, 1010);
    EXPECT_EQ(step(kBranch, 1010), CASM_EXIT_SKIP) << "by state, which may be mistaken, it could be here";
    EXPECT_EQ(step(kNop, 1011), CASM_EXIT_DELIVER);
    EXPECT_EQ(c.tp.stats.canonical, 1u);
}

TEST_F(RecordPoints, BeforeTheDelayNothingIsStepped) {
    world.signal(kTimerPort);
    shim.now += kMaxDelayNs - 1;
    EXPECT_EQ(interrupt(kNop, 1010), CASM_EXIT_SKIP);
    EXPECT_FALSE(tf());
    EXPECT_EQ(breakpoint(), 0u);
    EXPECT_TRUE(logged().empty());
}

TEST_F(RecordPoints, AnEntryInTimeMakesThePointUnnecessary) {
    world.signal(kTimerPort);
    EXPECT_EQ(enter(), CASM_EXIT_DELIVER);
    fire_timer();
    EXPECT_EQ(interrupt(kNop, 1010), CASM_EXIT_SKIP);
    EXPECT_FALSE(tf());
    EXPECT_EQ(classes_of(logged()), (std::vector<unsigned>{CASM_CLS_ENTRY, CASM_CLS_EVTCHN}));
}

TEST_F(RecordPoints, AnEntryWhileSteppingDeliversThere) {
    overdue();
    interrupt(kNop, 1010);
    ASSERT_TRUE(tf());
    EXPECT_EQ(enter(), CASM_EXIT_DELIVER);
    EXPECT_FALSE(tf());
    EXPECT_EQ(classes_of(logged()), (std::vector<unsigned>{CASM_CLS_ENTRY, CASM_CLS_EVTCHN}));
    EXPECT_EQ(interrupt(kNop, 1012), CASM_EXIT_SKIP);
    EXPECT_FALSE(tf()) << "nothing waits any more";
}

TEST_F(RecordPoints, TheTimerArmsItselfAgainForAYoungerEffect) {
    world.signal(kTimerPort);
    shim.now += kMaxDelayNs / 2;
    ASSERT_EQ(enter(), CASM_EXIT_DELIVER);  // it is delivered; the timer runs on
    const s_time_t first = c.tp.timer.expires;
    world.signal(kTimerPort + 1);
    c.tp.timer.expires = first;
    const s_time_t since = c.pending_since;
    fire_timer();
    EXPECT_FALSE(c.tp.due);
    EXPECT_EQ(c.tp.timer.expires, since + s_time_t{kMaxDelayNs});
    fire_timer();
    EXPECT_TRUE(c.tp.due);
}

// Else a device that signals more often than the delay would never be heard.
TEST_F(RecordPoints, LaterSignalsDoNotPutTheFirstOneOff) {
    world.signal(kTimerPort);
    const s_time_t expires = c.tp.timer.expires;
    for (unsigned i = 1; i < 5; ++i) {
        shim.now += kMaxDelayNs / 5;
        world.signal(kTimerPort + i);
    }
    EXPECT_EQ(c.tp.timer.expires, expires);
}

TEST_F(RecordPoints, PortsThatDidNotFitAreTimedAnew) {
    for (unsigned port = 20; port < 20 + CASM_DRAIN_PORTS + 3; ++port) world.signal(port);
    fire_timer();
    interrupt(kNop, 1010);
    step(kBranch, 1010);
    ASSERT_EQ(step(kNop, 1011), CASM_EXIT_DELIVER);
    EXPECT_EQ(world.take_pending().size(), CASM_DRAIN_PORTS);
    ASSERT_EQ(c.npending, 3u);
    ASSERT_TRUE(timer_armed()) << "they would wait for the next signal";
    fire_timer();
    EXPECT_TRUE(c.tp.due);
}

TEST_F(RecordPoints, ASleepingVcpuIsNotTimed) {
    world.cpu().pause_flags = 1ul << _VPF_blocked;
    world.signal(kTimerPort);
    EXPECT_FALSE(timer_armed());
}

TEST_F(RecordPoints, BeforeTheFirstEntryThereIsNoPoint) {
    c.ordinal = 0;
    overdue();
    EXPECT_EQ(interrupt(kNop, 3), CASM_EXIT_SKIP);
    EXPECT_FALSE(tf());
}

TEST_F(RecordPoints, AStretchWithoutBranchesGetsAPointByState) {
    code({0xeb, 0xfe});  // jmp .
    overdue();
    interrupt(kNop, 1010);
    for (unsigned i = 1; i < CASM_CANON_MAX_STEPS_DEFAULT; ++i) ASSERT_EQ(step(kNop, 1010), CASM_EXIT_SKIP);
    EXPECT_EQ(step(kNop, 1010), CASM_EXIT_DELIVER);
    const std::vector<Logged> log = logged();
    ASSERT_EQ(classes_of(log), (std::vector<unsigned>{CASM_CLS_APOINT, CASM_CLS_EVTCHN}));
    EXPECT_EQ(log[0].rec.kind, CASM_APOINT_BY_STATE);
    EXPECT_EQ(log[0].words[0], 10u);
    EXPECT_EQ(log[0].words[3], 0u);
    EXPECT_EQ(c.tp.stats.by_state, 1u);
    EXPECT_EQ(c.tp.stats.steps_max, CASM_CANON_MAX_STEPS_DEFAULT);
}

TEST_F(RecordPoints, RepStringsAreRunByABreakpointBehindThem) {
    code({0xf3, 0xaa, 0x90});  // rep stosb; nop
    overdue();
    EXPECT_EQ(interrupt(kNop, 1010), CASM_EXIT_SKIP);
    EXPECT_FALSE(tf());
    EXPECT_EQ(breakpoint(), kNop + 2);
    EXPECT_EQ(hit(kNop + 2, 1010), CASM_EXIT_SKIP);
    EXPECT_EQ(breakpoint(), 0u);
    EXPECT_TRUE(tf());
}

// Guest memory is where the instruction is; code near the end of what is mapped is no fault.
TEST_F(RecordPoints, AnInstructionAtTheEndOfMappedMemoryIsStepped) {
    const std::uint64_t last = World::va(16) - 1;
    world.frame(15)[PAGE_SIZE - 1] = 0x90;
    overdue();
    EXPECT_EQ(interrupt(last, 1010), CASM_EXIT_SKIP);
    EXPECT_TRUE(tf());
}

TEST_F(RecordPoints, CodeInASegmentWithABaseGetsNoPoint) {
    shim.regs.cs = 0x37;
    shim_segment_base = 0x1000;
    overdue();
    EXPECT_EQ(interrupt(kNop, 1010), CASM_EXIT_SKIP);
    EXPECT_FALSE(tf());
    shim_segment_base = 0;
    EXPECT_EQ(interrupt(kNop, 1010), CASM_EXIT_SKIP);
    EXPECT_TRUE(tf()) << "it still waits";
}

TEST_F(RecordPoints, AFullLogStallsAtThePointWithoutLosingTheBoundary) {
    overdue();
    interrupt(kNop, 1010);
    step(kBranch, 1010);
    const std::uint64_t pos = c.log.pos;
    c.log.other = pos - CASM_RING_MIN_BYTES;  // nobody has read anything
    c.log.hdr->cons = c.log.other;
    EXPECT_EQ(step(kNop, 1011), CASM_EXIT_AGAIN);
    EXPECT_EQ(world.cpu().paused, 1);
    EXPECT_EQ(c.stalls_log, 1u);
    EXPECT_EQ(c.log.pos, pos);
    c.log.hdr->cons = pos;
    world.kick();
    EXPECT_EQ(settle(), CASM_EXIT_DELIVER);
    const std::vector<Logged> log = logged();
    ASSERT_EQ(classes_of(log), (std::vector<unsigned>{CASM_CLS_APOINT, CASM_CLS_EVTCHN}));
    EXPECT_EQ(log[0].rec.kind, CASM_APOINT_CANONICAL);
    EXPECT_EQ(log[0].words[0], 11u);
}

TEST_F(RecordPoints, AStopRequestEndsACpuBoundGuestAtAPoint) {
    ASSERT_EQ(world.stop(), 0);
    EXPECT_EQ(shim.kicks, 1u);
    interrupt(kNop, 1010);
    step(kBranch, 1010);
    EXPECT_EQ(step(kNop, 1011), CASM_EXIT_DELIVER);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(c.end_reason, CASM_END_STOPPED);
    const std::vector<Logged> log = logged();
    ASSERT_EQ(classes_of(log), (std::vector<unsigned>{CASM_CLS_APOINT, CASM_CLS_DIGEST, CASM_CLS_END}));
    EXPECT_EQ(log[1].rec.kind, CASM_DIGEST_STOP);
    EXPECT_FALSE(tf());
    EXPECT_EQ(breakpoint(), 0u);
}

TEST_F(RecordPoints, ACrashWhileSteppingEndsWithTheFlagsOfTheGuest) {
    overdue();
    interrupt(kNop, 1010);
    ASSERT_TRUE(tf());
    cpu_user_regs guest = shim.regs;
    guest.rflags &= ~std::uint64_t{X86_EFLAGS_TF};
    shim_domain_shutdown(&world.dom(), SHUTDOWN_crash);
    const std::vector<Logged> log = logged();
    ASSERT_EQ(log.back().rec.cls, CASM_CLS_END);
    EXPECT_EQ(log.back().words[1] << 16 >> 16, casm_regs_hash(c.hash, &guest, &world.cpu()) >> 16);
}

TEST_F(RecordPoints, TheEndOfARecordingLeavesNothingOfOursBehind) {
    overdue();
    interrupt(kNop, 1010);
    ASSERT_TRUE(tf());
    c.state = CASM_STATE_FREE;
    EXPECT_EQ(settle(), CASM_EXIT_DELIVER);
    EXPECT_FALSE(tf());
    EXPECT_EQ(breakpoint(), 0u);
}

TEST_F(RecordPoints, BranchesAreLoggedAtEvery64thEntry) {
    for (unsigned n = 2; n <= 130; ++n) {
        shim.branches = 1000 + n;
        enter();
    }
    std::vector<std::uint64_t> totals;
    unsigned entries = 1;
    for (const Logged& entry : logged()) {
        entries += entry.rec.cls == CASM_CLS_ENTRY;
        if (entry.rec.cls != CASM_CLS_BRANCHES) continue;
        EXPECT_EQ(entries % CASM_BRANCHES_INTERVAL, 0u);
        totals.push_back(entry.words[0]);
    }
    EXPECT_EQ(totals, (std::vector<std::uint64_t>{1064, 1128}));
}

TEST_F(Timed, WithoutACounterThereAreNeitherPointsNorBranchRecords) {
    casm_domctl op = options(CASM_MODE_RECORD);
    op.u.start.flags = 0;
    record(op);
    for (int n = 0; n < 130; ++n) enter();
    EXPECT_EQ(c.logged[CASM_CLS_BRANCHES], 0u);
    logged();
    world.signal(kTimerPort);
    EXPECT_FALSE(timer_armed());
    world.stop();
    EXPECT_EQ(interrupt(kNop, 10), CASM_EXIT_SKIP);
    EXPECT_FALSE(tf());
    EXPECT_TRUE(logged().empty());
}

TEST_F(Timed, ABusyCounterRefusesTheStart) {
    shim.counter_busy = true;
    ASSERT_EQ(world.attach(), 0);
    casm_domctl op = options(CASM_MODE_RECORD);
    EXPECT_EQ(world.domctl(op), -EBUSY);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_IDLE);
    shim.counter_busy = false;
    EXPECT_EQ(world.domctl(op), 0) << "a refused start changes nothing";
}

TEST_F(Timed, DenseModeNeedsACounter) {
    ASSERT_EQ(world.attach(), 0);
    casm_domctl op = options(CASM_MODE_RECORD);
    op.u.start.flags = 0;
    op.u.start.dense_every = 1;
    EXPECT_EQ(world.domctl(op), -EINVAL);
}

TEST_F(Timed, WhatCannotBeMeantIsRefused) {
    ASSERT_EQ(world.attach(), 0);
    casm_domctl op = options(CASM_MODE_RECORD);
    op.u.start.max_delay_ns = CASM_MAX_DELAY_NS + 1;
    EXPECT_EQ(world.domctl(op), -EINVAL) << "the deadline could overflow";
    op = options(CASM_MODE_RECORD);
    op.u.start.dense_every = CASM_MAX_DENSE_EVERY + 1;
    EXPECT_EQ(world.domctl(op), -EINVAL) << "the machine that chooses points would never choose one";
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_IDLE);
    op.u.start.max_delay_ns = CASM_MAX_DELAY_NS;
    op.u.start.dense_every = CASM_MAX_DENSE_EVERY;
    EXPECT_EQ(world.domctl(op), 0);
}

TEST_F(Timed, DenseModeMakesAPointAtEveryBoundaryOfTheRange) {
    casm_domctl op = options(CASM_MODE_RECORD);
    op.u.start.dense_every = 1;
    op.u.start.dense_first = kNop;
    op.u.start.dense_last = kBranch;
    record(op);
    casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
    EXPECT_EQ(settle(), CASM_EXIT_SKIP) << "stepping begins at the exit of the entry";
    for (unsigned i = 1; i <= 4; ++i) {
        ASSERT_TRUE(tf()) << i;
        step(kBranch, i - 1);
        ASSERT_TRUE(tf()) << i;
        step(kNop, i);
    }
    unsigned points = 0;
    for (const Logged& entry : logged()) points += entry.rec.cls == CASM_CLS_APOINT;
    EXPECT_EQ(points, 8u);
    // Outside the range the guest runs freely.
    step(SHIM_GUEST_VA + 100, 4);
    EXPECT_FALSE(tf());
}

}  // namespace
}  // namespace casmotion::test
