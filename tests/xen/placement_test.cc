// SPDX-License-Identifier: GPL-2.0-or-later
//
// The physical CPU of a recorded vCPU (casm/placement.c), and what dom0 is told about CPUs (casm/isolate.c).
#include <gtest/gtest.h>

#include "support/world.h"

namespace casmotion::test {
namespace {

// The domain's cpupool has CPUs 2 and 3 of four.
class Placement : public testing::Test {
  protected:
    long start(std::uint32_t cpu) {
        casm_domctl op{};
        op.op = CASM_OP_start;
        op.u.start.mode = CASM_MODE_RECORD;
        op.u.start.cpu = cpu;
        return world.domctl(op);
    }
    long detach() {
        casm_domctl op{};
        op.op = CASM_OP_detach;
        return world.domctl(op);
    }
    cpumask_t& affinity() { return *world.cpu().sched_unit->cpu_hard_affinity; }

    World world;
};

TEST_F(Placement, TheVcpuIsBoundFromStartToDetach) {
    ASSERT_EQ(world.attach(), 0);
    EXPECT_EQ(world.status().cpu, CASM_CPU_ANY);
    EXPECT_FALSE(casm_placed(&world.dom()));
    const cpumask_t before = affinity();
    ASSERT_EQ(start(3), 0);
    EXPECT_EQ(world.status().cpu, 3u);
    EXPECT_EQ(world.cpu().processor, 3u);
    EXPECT_TRUE(cpumask_equal(&affinity(), cpumask_of(3)));
    EXPECT_TRUE(casm_placed(&world.dom()));
    EXPECT_TRUE(casm_placed_on(&world.dom(), cpumask_of(3)));
    EXPECT_FALSE(casm_placed_on(&world.dom(), cpumask_of(2)));
    ASSERT_EQ(detach(), 0);
    EXPECT_FALSE(casm_placed(&world.dom()));
    EXPECT_EQ(world.status().cpu, CASM_CPU_ANY);
    EXPECT_TRUE(cpumask_equal(&affinity(), &before));
}

TEST_F(Placement, XenKeepsTheCpuWhereTheVcpuIs) {
    ASSERT_EQ(world.attach(), 0);
    world.cpu().processor = 3;
    ASSERT_EQ(start(CASM_CPU_ANY), 0);
    EXPECT_EQ(world.status().cpu, 3u);
}

TEST_F(Placement, XenChoosesWhatAffinityAndPoolAllow) {
    ASSERT_EQ(world.attach(), 0);
    world.cpu().processor = 0;  // a CPU that left the pool
    affinity().bits = 0x9;
    ASSERT_EQ(start(CASM_CPU_ANY), 0);
    EXPECT_EQ(world.status().cpu, 3u);
}

TEST_F(Placement, CpusOutsideThePoolAreRefused) {
    ASSERT_EQ(world.attach(), 0);
    for (const std::uint32_t cpu : {0u, 1u, 4u, 100u, CASM_CPU_ANY - 1}) EXPECT_EQ(start(cpu), -ENXIO) << cpu;
    affinity().bits = 0x3;
    EXPECT_EQ(start(CASM_CPU_ANY), -ENXIO) << "affinity and pool have none in common";
    EXPECT_EQ(affinity().bits, 0x3u);
    world.dom().cpupool = nullptr;
    EXPECT_EQ(start(2), -ENXIO);
    EXPECT_FALSE(casm_placed(&world.dom()));
}

TEST_F(Placement, AVcpuThatCannotBeMovedIsNotRecorded) {
    ASSERT_EQ(world.attach(), 0);
    shim.vcpu_stuck = true;
    const cpumask_t before = affinity();
    EXPECT_EQ(start(3), -EBUSY);
    EXPECT_TRUE(cpumask_equal(&affinity(), &before));
    EXPECT_EQ(world.status().mode, CASM_MODE_IDLE);
}

TEST_F(Placement, AStartThatFailsBindsNothing) {
    ASSERT_EQ(world.attach(), 0);
    const cpumask_t before = affinity();
    casm_domctl op{};
    op.op = CASM_OP_start;
    op.u.start.mode = CASM_MODE_RECORD;
    op.u.start.cpu = 3;
    op.u.start.dense_every = 1;  // needs the counter
    EXPECT_NE(world.domctl(op), 0);
    EXPECT_TRUE(cpumask_equal(&affinity(), &before));
    EXPECT_FALSE(casm_placed(&world.dom()));
}

TEST_F(Placement, AfterTheEndTheDomainMayMove) {
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(start(2), 0);
    world.guest();
    shim_domain_shutdown(&world.dom(), 0);
    world.dom0();
    EXPECT_FALSE(casm_placed(&world.dom()));
    affinity().bits = 0x8;  // somebody pins it elsewhere
    ASSERT_EQ(detach(), 0);
    EXPECT_EQ(affinity().bits, 0x8u) << "and it stays so";
}

TEST_F(Placement, AHostThatResumesIsRefusedNothing) {
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(start(2), 0);
    system_state = SYS_STATE_resume;
    EXPECT_FALSE(casm_placed(&world.dom()));
    system_state = SYS_STATE_active;
    EXPECT_TRUE(casm_placed(&world.dom()));
}

TEST_F(Placement, ADestroyedDomainIsBoundNoMore) {
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(start(2), 0);
    const cpumask_t bound = affinity();
    world.dom0();
    world.dom().is_dying = 1;
    casm_domain_relinquish(&world.dom());
    EXPECT_FALSE(casm_placed(&world.dom()));
    EXPECT_TRUE(cpumask_equal(&affinity(), &bound)) << "nobody schedules it any more";
}

// --- Identity ---

class Identity : public testing::Test {
  protected:
    static casm_domctl identity(std::uint32_t cpu, long expected = 0) {
        World world;
        shim.on_cpuid = leaf_word;
        casm_domctl op{};
        op.op = CASM_OP_cpu_identity;
        op.abi = CASM_ABI_VERSION;
        op.u.cpu.cpu = cpu;
        if (offline >= 0) cpu_online_map.bits &= ~(1ul << offline);
        EXPECT_EQ(casm_do_domctl(world.cpu().domain, &op), expected);
        EXPECT_FALSE(shim.cpu_maps_held);
        return op;
    }
    // Both ranges; one word of one leaf may be another on CPU 3.
    static std::uint32_t leaf_word(unsigned cpu, std::uint32_t leaf, std::uint32_t subleaf, unsigned reg) {
        const std::uint32_t odd =
            cpu == 3 && leaf == odd_leaf && subleaf == odd_subleaf && reg == odd_reg ? odd_bits : 0;
        if (leaf == 0 && reg == 0) return 0x1f;
        if (leaf == 0x80000000 && reg == 0) return 0x80000026;
        if (leaf == 1 && reg == 1) return (cpu << 24 | 0x0800) ^ odd;
        if ((leaf == 0xb || leaf == 0x1f || leaf == 0x80000026) && reg == 3) return 0x100 + cpu;
        if (leaf == 0x8000001e && reg < 3) return 0x200 * (reg + 1) + cpu;
        return (leaf * 4 + reg + subleaf * 0x10000) ^ odd;
    }
    void SetUp() override {
        odd_leaf = odd_subleaf = ~0u;
        odd_bits = 1;
        offline = -1;
    }
    bool noticed(std::uint32_t leaf, std::uint32_t subleaf, unsigned reg, std::uint32_t bits = 1) {
        odd_leaf = leaf;
        odd_subleaf = subleaf;
        odd_reg = reg;
        odd_bits = bits;
        return identity(2).u.cpu.leaves != identity(3).u.cpu.leaves;
    }
    inline static std::uint32_t odd_leaf, odd_subleaf, odd_reg, odd_bits;
    inline static int offline;
};

TEST_F(Identity, HasTheIdsOfTheProcessorThatWasAsked) {
    const auto words = identity(3).u.cpu;
    EXPECT_EQ(words.cpu, 3u);
    EXPECT_EQ(words.apic_id, 3u);
    EXPECT_EQ(words.x2apic_id, 0x103u);
    EXPECT_EQ(words.ext_apic_id, 0x203u);
    EXPECT_EQ(words.ext_core, 0x403u);
    EXPECT_EQ(words.ext_node, 0x603u);
    EXPECT_EQ(words.signature, 4u);
    EXPECT_EQ(words.idt_base, reinterpret_cast<std::uint64_t>(idt_tables[3]));
}

TEST_F(Identity, ProcessorsOfAKindHaveEqualLeaves) {
    EXPECT_EQ(identity(0).u.cpu.leaves, identity(3).u.cpu.leaves);
}

TEST_F(Identity, AnotherKindHasOthers) {
    EXPECT_TRUE(noticed(0, 0, 1)) << "vendor";
    EXPECT_TRUE(noticed(1, 0, 0)) << "signature";
    EXPECT_TRUE(noticed(1, 0, 1, 0x800000)) << "logical processors";
    EXPECT_TRUE(noticed(4, 3, 2)) << "cache";
    EXPECT_TRUE(noticed(0xd, 9, 0)) << "size of a state";
    EXPECT_TRUE(noticed(0x1a, 0, 0)) << "core type";
    EXPECT_TRUE(noticed(0x80000004, 0, 3)) << "brand";
    EXPECT_TRUE(noticed(0x8000001d, 2, 2)) << "cache";
}

TEST_F(Identity, WhatDependsOnTheMomentIsNotInIt) {
    EXPECT_FALSE(noticed(1, 0, 2)) << "masked features, OSXSAVE";
    EXPECT_FALSE(noticed(7, 0, 1)) << "masked features";
    EXPECT_FALSE(noticed(0xd, 0, 1)) << "size for XCR0";
    EXPECT_FALSE(noticed(0x80000001, 0, 3)) << "masked features";
}

TEST_F(Identity, AProcessorThatIsNotThereIsRefused) {
    identity(4, -ENXIO);
    identity(~0u, -ENXIO);
    offline = 1;
    identity(1, -ENXIO);
}

TEST_F(Identity, TheHostSaysWhatItHides) {
    World world;
    casm_domctl op{};
    op.op = CASM_OP_host_info;
    ASSERT_EQ(world.domctl(op), 0);
    EXPECT_FALSE(op.u.host.isolation & CASM_ISOLATE_CPUID);
    shim.levelling = LCAP_faulting;
    ASSERT_EQ(world.domctl(op), 0);
    EXPECT_TRUE(op.u.host.isolation & CASM_ISOLATE_CPUID);
}

}  // namespace
}  // namespace casmotion::test
