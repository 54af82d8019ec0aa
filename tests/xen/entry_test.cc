// SPDX-License-Identifier: GPL-2.0-or-later
//
// The event queue, counted entries and injection points (casm/queue.c, casm/entry.c).
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "support/exits.h"

extern "C" {
#include <public/sched.h>
}

namespace casmotion::test {
namespace {

TEST_F(Exits, SignalsFromOutsideAreQueuedAndWakeTheVcpu) {
    record();
    world.signal(kTimerPort);
    world.signal(kTimerPort);  // twice is once
    EXPECT_TRUE(world.take_pending().empty());
    EXPECT_EQ(c.npending, 1u);
    EXPECT_EQ(c.events_queued, 1u);
    EXPECT_EQ(world.cpu().unblocked, 2u);
    EXPECT_TRUE(casm_must_not_block(&world.cpu()));
}

TEST_F(Exits, NothingIsAppliedAtAnExitThatWasNotCounted) {
    record();
    world.signal(kTimerPort);
    EXPECT_EQ(leave(), CASM_EXIT_SKIP);
    EXPECT_TRUE(world.take_pending().empty());
    EXPECT_TRUE(logged().empty());
    EXPECT_EQ(c.npending, 1u);
}

TEST_F(Exits, EventsAreAppliedOnceAtACountedExit) {
    record();
    world.signal(kTimerPort);
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(world.take_pending(), std::vector<unsigned>{kTimerPort});
    EXPECT_EQ(classes(), (std::vector<unsigned>{CASM_CLS_ENTRY, CASM_CLS_EVTCHN}));
    EXPECT_EQ(leave(), CASM_EXIT_SKIP) << "one exit for one entry";
    EXPECT_FALSE(casm_must_not_block(&world.cpu()));
}

// The shim aborts if a lock of Xen's is taken, or a function called, that must not be with interrupts off.
TEST_F(Exits, EffectsAreAppliedWithInterruptsOnAndThenAllTestsRunAgain) {
    record();
    world.signal(kTimerPort);
    world.xenstore()[casm_xenstore_layout.up.prod] = 9;
    world.signal(kXenstorePort);
    count();
    EXPECT_EQ(pass(), CASM_EXIT_AGAIN) << "softirqs may have come up";
    EXPECT_EQ(world.take_pending(), (std::vector<unsigned>{kXenstorePort, kTimerPort}));
    EXPECT_EQ(shim.backend_sends, 1u);
    EXPECT_EQ(pass(), CASM_EXIT_DELIVER);
    EXPECT_EQ(pass(), CASM_EXIT_SKIP);
}

// What comes while interrupts are on waits for the next injection point: nothing is applied twice at one, and
// a busy source does not keep the guest from running.
TEST_F(Exits, ASignalWhileEffectsAreAppliedWaitsForTheNextPoint) {
    record();
    shim.ctx = &world;
    shim.interrupt = [](void* ctx) { static_cast<World*>(ctx)->signal(kTimerPort); };
    world.signal(kTimerPort + 1);
    for (int trip = 0; trip < 3; ++trip) {
        count();
        EXPECT_EQ(pass(), CASM_EXIT_AGAIN);
        EXPECT_EQ(pass(), CASM_EXIT_DELIVER) << "trip " << trip;
        const auto log = logged();
        ASSERT_GE(log.size(), 2u);
        EXPECT_EQ(log[0].rec.cls, CASM_CLS_ENTRY);
        unsigned timer = 0;
        for (const Entry& entry : log)
            timer += entry.rec.cls == CASM_CLS_EVTCHN && entry.rec.aux == kTimerPort;
        EXPECT_EQ(timer, 1u);
        EXPECT_EQ(pass(), CASM_EXIT_SKIP) << "not without a new entry";
    }
    shim.interrupt = nullptr;
}

// The same of a guest that is not recorded, and of one that dom0 lets go while its effects are being applied.
TEST_F(Exits, ASignalWhileTheGuestIsNotRecordedDoesNotKeepItFromRunning) {
    world.dom().creation_finished = true;
    world.guest();
    shim.ctx = &world;
    shim.interrupt = [](void* ctx) { static_cast<World*>(ctx)->signal(kTimerPort); };
    world.signal(kTimerPort);
    EXPECT_EQ(pass(), CASM_EXIT_AGAIN);
    EXPECT_EQ(pass(), CASM_EXIT_DELIVER);
    EXPECT_EQ(world.take_pending(), std::vector<unsigned>{kTimerPort});
    EXPECT_EQ(pass(), CASM_EXIT_AGAIN);
    EXPECT_EQ(pass(), CASM_EXIT_DELIVER);
    shim.interrupt = nullptr;
}

TEST_F(Exits, AStopWhileEffectsAreAppliedWaitsForTheNextPoint) {
    record();
    world.signal(kTimerPort);
    shim.ctx = &world;
    shim.interrupt = [](void* ctx) { static_cast<World*>(ctx)->stop(); };
    count();
    EXPECT_EQ(pass(), CASM_EXIT_AGAIN);
    shim.interrupt = nullptr;
    EXPECT_EQ(pass(), CASM_EXIT_DELIVER);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_RECORD);
    EXPECT_TRUE(casm_must_not_block(&world.cpu()));
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
}

TEST_F(Exits, PortsComeLowestFirstAndAtMostSoManyAtAnExit) {
    record();
    std::vector<unsigned> want;
    for (unsigned port = kPorts - 1; port > 20; --port) world.signal(port);
    for (unsigned port = 21; port < kPorts; ++port) want.push_back(port);
    count();
    leave();
    const std::vector<unsigned> first = world.take_pending();
    EXPECT_EQ(first, std::vector<unsigned>(want.begin(), want.begin() + CASM_DRAIN_PORTS));
    EXPECT_EQ(c.npending, want.size() - CASM_DRAIN_PORTS);
    count();
    leave();
    EXPECT_EQ(world.take_pending(), std::vector<unsigned>(want.begin() + CASM_DRAIN_PORTS, want.end()));
    EXPECT_EQ(c.npending, 0u);
}

TEST_F(Exits, RingDataComesBeforeTheEventsThatAnnounceIt) {
    record();
    std::uint8_t* standin = c.bridge[CASM_PAGE_CONSOLE].standin;
    standin[0] = 'k';
    standin[casm_console_layout.down.prod] = 1;
    world.signal(kConsolePort);
    struct {
        World* world;
        unsigned calls;
    } context{&world, 0};
    shim.ctx = &context;
    shim.set_pending = [](void* ctx, unsigned) {
        auto& seen = *static_cast<decltype(context)*>(ctx);
        seen.calls++;
        EXPECT_EQ(seen.world->console()[0], 'k');
        EXPECT_EQ(seen.world->console()[casm_console_layout.down.prod], 1);
    };
    count();
    leave();
    EXPECT_EQ(context.calls, 1u);
    EXPECT_EQ(classes(),
              (std::vector<unsigned>{CASM_CLS_ENTRY, CASM_CLS_RING, CASM_CLS_RING, CASM_CLS_EVTCHN}));
}

TEST_F(Exits, RingDataWaitsForAnEvent) {
    record();
    c.bridge[CASM_PAGE_CONSOLE].standin[casm_console_layout.down.prod] = 1;
    count();
    leave();
    EXPECT_EQ(classes(), std::vector<unsigned>{CASM_CLS_ENTRY});
}

// The guest published data but decided against a notification, because its view of the consumer index is old.
TEST_F(Exits, DataPublishedWithoutANotificationIsAnnouncedForTheGuest) {
    record();
    world.xenstore()[casm_xenstore_layout.up.prod] = 9;
    world.signal(kXenstorePort);
    count();
    leave();
    EXPECT_EQ(c.bridge[CASM_PAGE_XENSTORE].standin[casm_xenstore_layout.up.prod], 9);
    EXPECT_EQ(shim.backend_sends, 1u);
    world.signal(kXenstorePort);
    count();
    leave();
    EXPECT_EQ(shim.backend_sends, 1u) << "nothing new";
    world.xenstore()[casm_xenstore_layout.up.prod] = 10;
    world.signal(kTimerPort);
    count();
    leave();
    EXPECT_EQ(shim.backend_sends, 1u) << "a timer has no back end";
}

// Nothing comes any more that would make us look: the replay, which shows the whole ring, would print more.
TEST_F(Exits, LastWordsWithoutANotificationReachTheBackEnd) {
    record();
    world.xenstore()[casm_xenstore_layout.up.prod] = 9;
    shim_domain_shutdown(&world.dom(), 0);
    EXPECT_EQ(c.bridge[CASM_PAGE_XENSTORE].standin[casm_xenstore_layout.up.prod], 9);
    EXPECT_GE(shim.backend_sends, 1u);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
}

TEST_F(Exits, AShutdownWithNothingToSayDisturbsNoBackEnd) {
    record();
    shim_domain_shutdown(&world.dom(), 0);
    EXPECT_EQ(shim.backend_sends, 0u);
}

TEST_F(Exits, PortsThatWereClosedMeanwhileAreLoggedAndIgnored) {
    record();
    world.signal(30);
    world.dom().evtchn[30].state = ECS_FREE;
    count();
    leave();
    EXPECT_TRUE(world.take_pending().empty());
    EXPECT_EQ(classes(), (std::vector<unsigned>{CASM_CLS_ENTRY, CASM_CLS_EVTCHN}));
    EXPECT_EQ(shim.evtchn_locks_held, 0u);
}

TEST_F(Exits, PortsOutOfRangeAreDropped) {
    record();
    evtchn far{CASM_PORTS_MAX, ECS_VIRQ, 0};
    world.dom0();
    casm_queue_event(&world.dom(), &far);
    EXPECT_EQ(c.npending, 0u);
    casm_set_pending(&c, kPorts);
    casm_set_pending(&c, ~0u);
    EXPECT_TRUE(world.take_pending().empty());
}

TEST_F(Exits, EventsOfAnIdleDomainAreAppliedAtAnyExitUnlogged) {
    world.dom().creation_finished = true;
    world.guest();
    world.signal(kTimerPort);
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER) << "nothing is recorded: no reason to wait for an entry";
    EXPECT_EQ(world.take_pending(), std::vector<unsigned>{kTimerPort});
    EXPECT_EQ(c.records, 0u);
}

TEST_F(Exits, DelaysAreCountedByTheirLength) {
    record();
    shim.now = 1000;
    world.signal(kTimerPort);
    shim.now += 5'000'000;
    count();
    leave();
    const casm_status status = world.status();
    EXPECT_EQ(status.delay_max_ns, 5'000'000u);
    EXPECT_EQ(status.delay_count[3], 1u) << "1 ms to 10 ms";
    shim.now = 50;
    world.signal(kTimerPort);
    shim.now = 10;  // the clock of another pCPU
    count();
    leave();
    EXPECT_EQ(world.status().delay_count[0], 1u);
}

TEST_F(Exits, ADigestIsTakenEverySoManyEntries) {
    record(3);
    unsigned digests = 0;
    for (int i = 0; i < 10; ++i) {
        count();
        unsigned what = pass();
        const bool again = what == CASM_EXIT_AGAIN;
        if (again) {
            EXPECT_EQ(pass(), CASM_EXIT_DELIVER);
            digests++;
        }
        EXPECT_EQ(again, c.ordinal % 3 == 0) << c.ordinal;
    }
    EXPECT_EQ(digests, 3u);
    unsigned logged_digests = 0;
    for (const Entry& entry : logged()) logged_digests += entry.rec.cls == CASM_CLS_DIGEST;
    EXPECT_EQ(logged_digests, 3u);
}

TEST_F(Exits, AStopEndsTheRecordingAtTheNextCountedExitAndTheGuestGoesOn) {
    record();
    EXPECT_EQ(world.stop(), 0);
    EXPECT_EQ(world.cpu().unblocked, 1u);
    EXPECT_TRUE(casm_must_not_block(&world.cpu()));
    EXPECT_EQ(leave(), CASM_EXIT_SKIP);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_RECORD);
    count();
    EXPECT_EQ(pass(), CASM_EXIT_AGAIN);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(c.end_reason, CASM_END_STOPPED);
    EXPECT_EQ(c.log.hdr->eof, 1u);
    EXPECT_EQ(pass(), CASM_EXIT_DELIVER);
    EXPECT_EQ(world.cpu().paused, 0);
    const auto log = logged();
    ASSERT_EQ(log.size(), 3u);
    EXPECT_EQ(log[1].rec.cls, CASM_CLS_DIGEST);
    EXPECT_EQ(log[1].rec.kind, CASM_DIGEST_STOP);
    EXPECT_EQ(log[2].rec.cls, CASM_CLS_END);
    EXPECT_EQ(log[2].rec.kind, CASM_END_STOPPED);

    world.signal(kTimerPort);
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(world.take_pending(), std::vector<unsigned>{kTimerPort}) << "unrecorded";
    EXPECT_TRUE(logged().empty());
}

// ^C twice: the second detaches before the vCPU came to an injection point.
TEST_F(Exits, AStopThatADetachOvertookDoesNotKeepTheVcpuAwake) {
    record();
    EXPECT_EQ(world.stop(), 0);
    EXPECT_TRUE(casm_must_not_block(&world.cpu())) << "until it came to a point";
    casm_domctl op{};
    op.op = CASM_OP_detach;
    EXPECT_EQ(world.domctl(op), 0);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_FALSE(casm_must_not_block(&world.cpu())) << "the guest goes on unrecorded, and may sleep";
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_FALSE(casm_must_not_block(&world.cpu()));
}

// ... or the guest suspends itself, and is resumed later.
TEST_F(Exits, AStopThatTheGuestsEndOvertookDoesNotKeepTheVcpuAwake) {
    record();
    EXPECT_EQ(world.stop(), 0);
    shim_domain_shutdown(&world.dom(), 2 /* SHUTDOWN_suspend */);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(c.end_reason, CASM_END_SHUTDOWN);
    EXPECT_FALSE(casm_must_not_block(&world.cpu()));
}

// The hypercall that ends the guest is no entry before it returns: END alone says what it had in its
// registers.
TEST_F(Exits, RegistersAtAnEndAreInEnd) {
    record();
    count();
    ASSERT_EQ(leave(), CASM_EXIT_DELIVER);
    logged();
    const std::uint64_t last_entry = c.hash;
    shim.regs.rdi = 0x7777;
    shim_domain_shutdown(&world.dom(), SHUTDOWN_poweroff);
    const auto log = logged();
    ASSERT_EQ(log.back().rec.cls, CASM_CLS_END);
    std::uint64_t words[2];
    std::memcpy(words, log.back().payload.data(), sizeof(words));
    EXPECT_EQ(words[0], 1u);
    EXPECT_EQ(words[1] >> 48, last_entry >> 48) << "which verify compares with the last entry's check";
    EXPECT_EQ(words[1] << 16 >> 16, casm_regs_hash(last_entry, &shim.regs, &world.cpu()) >> 16);
}

TEST_F(Exits, HowXenWasEnteredIsNotInTheHashButTheRestIs) {
    record();
    const std::uint64_t start = c.hash;
    const auto hash = [&](auto change) {
        c.hash = start;
        shim.regs = {};
        world.cpu().arch.flags = 0;
        change(shim.regs);
        count();
        return c.hash;
    };
    const std::uint64_t plain = hash([](cpu_user_regs&) {});
    EXPECT_EQ(hash([](cpu_user_regs& r) { r.rflags |= X86_EFLAGS_RF; }), plain);
    EXPECT_NE(hash([](cpu_user_regs& r) { r.rflags |= 1; }), plain);
    EXPECT_NE(hash([&](cpu_user_regs&) { world.cpu().arch.flags = TF_kernel_mode; }), plain);
#define CASMOTION_EACH(reg) EXPECT_NE(hash([](cpu_user_regs& r) { r.reg ^= 1ull << 63; }), plain) << #reg
    CASMOTION_EACH(rax);
    CASMOTION_EACH(rbx);
    CASMOTION_EACH(rcx);
    CASMOTION_EACH(rdx);
    CASMOTION_EACH(rsi);
    CASMOTION_EACH(rdi);
    CASMOTION_EACH(rbp);
    CASMOTION_EACH(rsp);
    CASMOTION_EACH(r8);
    CASMOTION_EACH(r9);
    CASMOTION_EACH(r10);
    CASMOTION_EACH(r11);
    CASMOTION_EACH(r12);
    CASMOTION_EACH(r13);
    CASMOTION_EACH(r14);
    CASMOTION_EACH(r15);
    CASMOTION_EACH(rip);
#undef CASMOTION_EACH
}

TEST_F(Exits, HypercallsAreContinuedAfterSoManyChecksOrBytes) {
    record();
    count();
    leave();
    unsigned checks = 1;
    for (; !casm_preempt_check(); ++checks) shim.now += 1000;  // time has no say in it
    EXPECT_EQ(checks, CASM_TRIP_CHECKS);
    count();
    leave();
    EXPECT_FALSE(casm_preempt_check()) << "a new trip";
    while (c.log.pos - c.trip_start <= CASM_TRIP_SOFT_BYTES)
        casm_put(&c, {CASM_CLS_EVTCHN, 0, 0, 1}, nullptr, 0);
    EXPECT_TRUE(casm_preempt_check());
}

// --- Replay ---

TEST_F(ReplayExits, EventsComeFromTheLogOnlyAndWhereItSays) {
    replay({entry(), event(5), event(40), entry(), entry(), event(6), entry()});
    for (const std::vector<unsigned>& want : {std::vector<unsigned>{5, 40}, {}, {6}}) {
        world.signal(33);  // from outside: swallowed
        EXPECT_EQ(leave(), CASM_EXIT_SKIP);
        count();
        EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
        EXPECT_EQ(world.take_pending(), want);
    }
    EXPECT_EQ(c.events_queued, 0u);
}

// A multicall of [move the console's producer index; notify], many times, and the guest goes on.
TEST_F(ReplayExits, AConsoleThatIsToldOftenInOneTripIsShownOnceAtItsExit) {
    std::vector<std::vector<std::uint8_t>> log;
    constexpr int kSends = 500;
    const std::vector<std::uint64_t> zero{0};
    for (int i = 0; i < kSends; ++i) log.push_back(record_bytes({CASM_CLS_RESULT, 32, 0, 0}, zero));
    log.push_back(record_bytes({CASM_CLS_ENTRY, CASM_ENTRY_HYPERCALL, 0, 13}));
    log.push_back(entry());
    replay(log);
    const std::uint64_t before = c.log.pos;
    std::uint32_t prod = 0;
    for (int i = 0; i < kSends; ++i) {
        prod += casm_console_layout.up.size_bytes;
        std::memcpy(world.console() + casm_console_layout.up.prod, &prod, sizeof(prod));
        unsigned long result = 0;
        casm_wrap_enter(32, 4 /* EVTCHNOP_send */, 0, &result);
        casm_wrap_leave(32, result);
    }
    casm_count_entry(CASM_ENTRY_HYPERCALL, 13);
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY);
    EXPECT_EQ(c.console_seen, prod);
    EXPECT_GE(c.log.pos - before, casm_console_layout.up.size_bytes);
    EXPECT_LE(c.log.pos - before, casm_console_layout.up.size_bytes + 9 * 8u);
}

TEST_F(ReplayExits, EffectsAreAppliedWithInterruptsOnAndThenAllTestsRunAgain) {
    replay({entry(), event(5), record_bytes({CASM_CLS_RING, 1, 0, 1024}, {}, std::vector<std::uint8_t>{1}),
            event(40), entry()});
    count();
    EXPECT_EQ(pass(), CASM_EXIT_AGAIN);
    EXPECT_EQ(world.take_pending(), (std::vector<unsigned>{5, 40}));
    EXPECT_EQ(pass(), CASM_EXIT_DELIVER);
    EXPECT_EQ(pass(), CASM_EXIT_SKIP);
}

TEST_F(ReplayExits, RingDataComesFromTheLogOnly) {
    replay({entry(), record_bytes({CASM_CLS_RING, 1, 0, 1024}, {}, std::vector<std::uint8_t>{1, 2, 3}),
            entry()});
    c.bridge[CASM_PAGE_XENSTORE].standin[1024] = 77;
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(world.xenstore()[1024], 1);
    EXPECT_EQ(world.xenstore()[1026], 3);
}

TEST_F(ReplayExits, RingRecordsOutOfRangeDiverge) {
    struct Case {
        std::uint8_t page;
        std::uint32_t offset;
        std::uint16_t length;
    };
    for (const Case& bad : {Case{2, 0, 8}, Case{255, 0, 8}, Case{0, 4096, 8}, Case{0, 4090, 8},
                            Case{1, ~0u, 8}, Case{1, ~0u - 7, 8}, Case{0, 0, 1025}, Case{0, 0, 4096}}) {
        world.destroy();
        World fresh;
        ASSERT_EQ(fresh.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        ASSERT_EQ(casm_bridges_init(&fresh.casm()), 0);
        fresh.casm().state = CASM_STATE_REPLAY;
        RingEnd(fresh.casm().feed)
            .produce(record_bytes({CASM_CLS_RING, bad.page, 0, bad.offset}, {},
                                  std::vector<std::uint8_t>(bad.length, 1)));
        fresh.guest();
        EXPECT_FALSE(casm_inject_logged(&fresh.casm()));
        const casm_domain& c = fresh.casm();
        const std::string which =
            std::to_string(bad.page) + " " + std::to_string(bad.offset) + " " + std::to_string(bad.length);
        EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED) << which;
        // It is named as the record that was not taken, not as one behind it.
        EXPECT_EQ(c.divergence.record, 0u) << which;
        EXPECT_EQ(c.divergence.expected.cls, CASM_CLS_RING) << which;
        EXPECT_EQ(c.divergence.actual.cls, CASM_CLS_RING) << which;
        EXPECT_EQ(c.feed.pos, 0u) << which;
    }
}

// Dom0 changes the header of a record between its check and its use.
TEST_F(ReplayExits, AHeaderIsReadOnce) {
    world.destroy();
    for (unsigned moment = 0; moment < 8; ++moment) {
        for (const casm_rec& evil :
             {casm_rec{CASM_CLS_RING, 0, 0xffff, 8}, casm_rec{CASM_CLS_RING, 0, 8, 1u << 28},
              casm_rec{CASM_CLS_RING, 200, 8, 8}}) {
            World fresh;
            casm_domain& c = fresh.casm();
            ASSERT_EQ(fresh.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
            ASSERT_EQ(casm_bridges_init(&c), 0);
            c.state = CASM_STATE_REPLAY;
            fresh.guest();
            RingEnd(c.feed).produce(
                record_bytes({CASM_CLS_RING, 0, 0, 8}, {}, std::vector<std::uint8_t>(8, 1)));
            struct {
                casm_stream* feed;
                unsigned left;
                casm_rec evil;
            } context{&c.feed, moment, evil};
            shim.ctx = &context;
            shim.on_rmb = [](void* ctx) {  // after each look at the producer's index
                auto& seen = *static_cast<decltype(context)*>(ctx);
                if (seen.left-- == 0) std::memcpy(seen.feed->data, &seen.evil, 8);
            };
            casm_inject_logged(&c);
            EXPECT_TRUE(casm_told_mode(&c) == CASM_MODE_DIVERGED || fresh.console()[8] == 1) << moment;
        }
    }
}

TEST_F(ReplayExits, TheEndOfTheFeedEndsTheReplay) {
    replay({entry()});
    count();
    EXPECT_EQ(leave(), CASM_EXIT_AGAIN);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(c.end_reason, CASM_END_NONE);
    EXPECT_EQ(world.cpu().paused, 1);
    EXPECT_EQ(leave(), CASM_EXIT_AGAIN) << "it never gets back to the guest";
    world.signal(5);  // and gets no signals
    EXPECT_TRUE(world.take_pending().empty());
}

TEST_F(ReplayExits, AnEntryThatTheLogDoesNotHaveDiverges) {
    replay({record_bytes({CASM_CLS_ENTRY, CASM_ENTRY_HYPERCALL, 0, 29})});
    count();
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
    EXPECT_EQ(leave(), CASM_EXIT_AGAIN);
    const casm_divergence d = world.status().divergence;
    EXPECT_EQ(d.expected.kind, CASM_ENTRY_HYPERCALL);
    EXPECT_EQ(d.actual.kind, CASM_ENTRY_EXCEPTION);
    EXPECT_EQ(d.ordinal, 0u);
}

TEST_F(ReplayExits, ADigestThatDiffersDiverges) {
    replay({entry(), record_bytes({CASM_CLS_DIGEST, CASM_DIGEST_PERIODIC, 0, 0},
                                  std::vector<std::uint64_t>{1, 17, 0xbad})});
    count();
    EXPECT_EQ(leave(), CASM_EXIT_AGAIN);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
    EXPECT_EQ(world.status().divergence.expected_w[2], 0xbadu);
}

}  // namespace
}  // namespace casmotion::test
