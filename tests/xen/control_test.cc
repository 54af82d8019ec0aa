// SPDX-License-Identifier: GPL-2.0-or-later
//
// Life cycle and dom0's operations (casm/control.c).
#include <gtest/gtest.h>

#include <vector>

#include "support/seed.h"
#include "support/world.h"

namespace casmotion::test {
namespace {

long op_only(World& world, std::uint32_t op) {
    casm_domctl request{};
    request.op = op;
    return world.domctl(request);
}

TEST(Creation, OnlyDomainsOfTheCpupoolAreRecordable) {
    World world;
    xen_domctl_createdomain config{};
    config.max_vcpus = 1;
    config.cpupool_id = 2;
    domain other{};
    other.domain_id = 8;
    EXPECT_EQ(casm_domain_create(&other, &config), 0);
    EXPECT_EQ(other.arch.casm, nullptr);
    config.cpupool_id = 1;
    EXPECT_EQ(casm_domain_create(&other, &config), -EBUSY) << "the pool has a user";
    EXPECT_EQ(other.arch.casm, nullptr);
}

TEST(Creation, ARecordableDomainHasOneVcpu) {
    { World world; }  // configures the cpupool
    xen_domctl_createdomain config{};
    config.cpupool_id = 1;
    config.max_vcpus = 2;
    domain other{};
    EXPECT_EQ(casm_domain_create(&other, &config), -EOPNOTSUPP);
    EXPECT_EQ(other.arch.casm, nullptr);
}

TEST(Domctl, AnotherAbiIsRefusedButToldTheVersion) {
    World world;
    casm_domctl op{};
    op.op = CASM_OP_kick;
    op.abi = CASM_ABI_VERSION + 1;
    EXPECT_EQ(casm_do_domctl(&world.dom(), &op), -EINVAL);
    op.op = CASM_OP_host_info;
    EXPECT_EQ(casm_do_domctl(&world.dom(), &op), 0);
    EXPECT_EQ(op.u.host.abi, CASM_ABI_VERSION);
}

TEST(Domctl, UnknownOperationsAndOrdinaryDomainsAreRefused) {
    World world;
    EXPECT_EQ(op_only(world, 1000), -ENOSYS);
    domain ordinary{};
    casm_domctl op{};
    op.op = CASM_OP_kick;
    op.abi = CASM_ABI_VERSION;
    EXPECT_EQ(casm_do_domctl(&ordinary, &op), -EOPNOTSUPP);
}

TEST(Start, NeedsRingsAFreshDomainAndKnownFlags) {
    World world;
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -EINVAL) << "no ring";
    ASSERT_EQ(world.attach(), 0);
    EXPECT_EQ(world.start(CASM_MODE_REPLAY), -EINVAL) << "no feed";
    EXPECT_EQ(world.start(CASM_MODE_IDLE), -EINVAL);
    EXPECT_EQ(world.start(CASM_MODE_RECORD, 0, 0, 17), -EINVAL) << "too many check bits";
    EXPECT_EQ(world.start(CASM_MODE_RECORD, 0, 0, 16, 4), -EINVAL) << "unknown flag";
    world.dom().creation_finished = true;
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -EBUSY) << "it has run";
    world.dom().creation_finished = false;
    EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -EBUSY) << "twice";
}

TEST(Start, AnotherMemoryDivergesAtOnce) {
    std::vector<std::uint8_t> log;
    {
        World world;
        ASSERT_EQ(world.attach(), 0);
        ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
        log = RingEnd(world.casm().log).consume();
    }
    for (const bool equal : {true, false}) {
        World world;
        if (!equal) world.frame(3)[77] = 1;
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        RingEnd(world.casm().feed).produce(log);
        EXPECT_EQ(world.start(CASM_MODE_REPLAY), equal ? 0 : -EXDEV);
        EXPECT_EQ(world.status().divergence.expected.cls, equal ? 0 : CASM_CLS_DIGEST);
    }
}

TEST(Start, AnEmptyFeedIsNoStart) {
    World world;
    ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
    EXPECT_EQ(world.start(CASM_MODE_REPLAY), -ENODATA);
    EXPECT_EQ(world.status().mode, CASM_MODE_ENDED);
}

TEST(End, DestroyingARecordedDomainEndsTheLog) {
    World world;
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
    casm_stream log = world.casm().log;
    RingEnd(world.casm().log).consume();
    casm_ring* ring = log.hdr;
    const std::uint64_t before = ring->prod;
    world.destroy();
    EXPECT_EQ(ring->eof, 1u);
    const auto* rec = reinterpret_cast<const casm_rec*>(reinterpret_cast<const std::uint8_t*>(log.data) +
                                                        (before & log.mask));
    EXPECT_EQ(rec->cls, CASM_CLS_END);
    EXPECT_EQ(rec->kind, CASM_END_DESTROYED);
}

TEST(End, AShutdownThatDom0AsksForIsNoEnd) {
    World world;
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
    world.dom0();
    shim_domain_shutdown(&world.dom(), 0);
    EXPECT_EQ(world.status().mode, CASM_MODE_RECORD);
}

// Any operation with any argument at any time: nothing crashes, no pause is lost or left.
TEST(ControlProperty, AnySequenceOfOperationsIsTolerated) {
    for (std::uint64_t i = 0; i < 300; ++i) {
        const std::uint64_t seed = base_seed() + i;
        CASMOTION_TRACE_SEED(seed);
        Random random(seed);
        World world;
        casm_domain& c = world.casm();
        const auto size = [&] {
            return random.one_in(4) ? random.word() : std::uint64_t{CASM_RING_MIN_BYTES} << random.below(2);
        };
        for (int step = 0; step < 60; ++step) {
            casm_domctl op{};
            std::uint64_t buffer[8];
            op.op = static_cast<std::uint32_t>(random.one_in(20) ? random.word() : 3 + random.below(7));
            switch (op.op) {
                case CASM_OP_attach:
                    op.u.attach = {size(), random.one_in(2) ? 0 : size()};
                    break;
                case CASM_OP_start:
                    op.u.start.mode = static_cast<std::uint32_t>(random.below(5));
                    op.u.start.digest_interval = random.below(4);
                    op.u.start.check_bits = static_cast<std::uint32_t>(random.below(18));
                    op.u.start.disable = random.one_in(4) ? static_cast<std::uint32_t>(random.word()) : 0;
                    break;
                case CASM_OP_status:
                    op.u.status = {random.one_in(2) ? 16 : random.below(16), random.word()};
                    break;
                case CASM_OP_frames:
                    op.u.frames = {random.one_in(3) ? 0 : reinterpret_cast<std::uint64_t>(buffer),
                                   random.word() % 3000, random.one_in(3) ? random.word() : random.below(9)};
                    if (op.u.frames.addr != 0 && op.u.frames.count > 8) op.u.frames.addr = 0;
                    break;
                default:
                    break;
            }
            if (c.log.hdr != nullptr && random.one_in(2)) RingEnd(c.log).consume();
            if (c.feed.hdr != nullptr && random.one_in(2))
                RingEnd(c.feed).produce(record_bytes({CASM_CLS_EVTCHN, 0, 0, 5}));
            world.domctl(op);
            if (casm_told_mode(&c) == CASM_MODE_RECORD || casm_told_mode(&c) == CASM_MODE_REPLAY)
                world.dom().creation_finished |= random.one_in(2);
            if (world.dom().creation_finished && world.cpu().paused == 0) {
                world.guest();
                casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
                shim.irqs_on = false;
                casm_exit_work();
                shim.irqs_on = true;
                world.dom0();
            }
            const bool held = casm_of_a_log(&c) && (casm_told_mode(&c) == CASM_MODE_ENDED ||
                                                    casm_told_mode(&c) == CASM_MODE_DIVERGED);
            ASSERT_EQ(world.cpu().paused, (held ? 1 : 0) + (c.stalled != 0 ? 1 : 0))
                << "step " << step << ", mode " << casm_told_mode(&c);
            ASSERT_EQ(shim.crashes, 0u);
        }
        world.destroy();
        ASSERT_EQ(shim_heap_used(), 0u);
    }
}

}  // namespace
}  // namespace casmotion::test
