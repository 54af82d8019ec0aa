// SPDX-License-Identifier: GPL-2.0-or-later
//
// Values that instructions read from outside (casm/values.c), in all modes.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "support/world.h"

namespace casmotion::test {
namespace {

constexpr std::uint64_t kQuantum = std::uint64_t{1} << CASM_TSC_QUANTUM_BITS;

class Values : public testing::Test {
  protected:
    void record() {
        ASSERT_EQ(world.attach(), 0);
        ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
        RingEnd(c.log).consume();
        world.guest();
    }
    void replay(const std::vector<std::uint8_t>& feed) {
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        c.state = CASM_STATE_REPLAY;
        ASSERT_EQ(RingEnd(c.feed).produce(feed), feed.size());
        world.guest();
    }
    std::vector<std::uint8_t> logged() {
        casm_publish(&c, true);
        return RingEnd(c.log).consume();
    }
    static std::vector<std::uint8_t> bytes(casm_rec header, std::vector<std::uint64_t> words) {
        return record_bytes(header, words);
    }

    // RDTSC of the guest at PFN 0.
    bool rdtsc(std::uint64_t clock) {
        static std::uint64_t now;
        now = clock;
        shim.soft_rdtsc = [](void*) { return now; };
        world.frame(0)[0] = 0x0f;
        world.frame(0)[1] = 0x31;
        shim.regs.rip = World::va(0);
        shim.regs.cs = FLAT_KERNEL_CS64;
        return casm_fast_rdtsc(&shim.regs);
    }

    World world;
    casm_domain& c = world.casm();
};

TEST_F(Values, TheTscIsLoggedAndGivenInSteps) {
    record();
    const std::uint64_t clock = 0x123456789abcdefull;
    ASSERT_TRUE(rdtsc(clock));
    EXPECT_EQ(shim.regs.rax | shim.regs.rdx << 32, clock / kQuantum * kQuantum);
    EXPECT_EQ(shim.regs.rip, World::va(0) + 2);
    const auto log = logged();
    const auto first = bytes({CASM_CLS_TSC, 0, 0, 0}, {clock / kQuantum});
    EXPECT_TRUE(std::equal(first.begin(), first.end(), log.begin()));
    EXPECT_EQ(c.ordinal, 1u) << "it is a synchronous entry";
}

TEST_F(Values, TheTscOfAReplayIsThatOfTheLog) {
    replay(bytes({CASM_CLS_TSC, 0, 0, 0}, {777}));
    rdtsc(5);  // the feed ends after the TSC: the entry's record is missing, the value is there
    EXPECT_EQ(shim.regs.rax, 777 * kQuantum);
}

TEST_F(Values, TheTscIsRoundedWhenNothingIsLoggedToo) {
    world.guest();
    ASSERT_TRUE(rdtsc(3 * kQuantum + 17));
    EXPECT_EQ(shim.regs.rax, 3 * kQuantum);
}

TEST_F(Values, TheFastPathTakesThePlainCaseOnly) {
    record();
    const auto refuses = [&](const std::function<void()>& change) {
        world.frame(0)[0] = 0x0f;
        world.frame(0)[1] = 0x31;
        shim.regs.rip = World::va(0);
        shim.regs.cs = FLAT_KERNEL_CS64;
        shim.regs.rflags = 0x202;
        world.cpu().arch.pv.ctrlreg[4] = 0;
        world.dom().arch.vtsc = true;
        change();
        const std::uint64_t pos = c.log.pos;
        const cpu_user_regs before = shim.regs;
        const bool refused = !casm_fast_rdtsc(&shim.regs);
        return refused && c.log.pos == pos && std::memcmp(&before, &shim.regs, sizeof(before)) == 0;
    };
    EXPECT_FALSE(refuses([] {}));
    EXPECT_TRUE(refuses([] { shim.regs.cs = 0x10; })) << "32-bit code";
    EXPECT_TRUE(refuses([] { shim.regs.rflags |= X86_EFLAGS_TF; })) << "single-stepping";
    EXPECT_TRUE(refuses([&] { world.cpu().arch.pv.ctrlreg[4] = X86_CR4_TSD; }))
        << "the guest forbids it in user mode";
    EXPECT_TRUE(refuses([&] { world.dom().arch.vtsc = false; }));
    EXPECT_TRUE(refuses([&] { world.frame(0)[1] = 0x30; })) << "another instruction";
    EXPECT_TRUE(refuses([] { shim.regs.rip = 0x1000; })) << "no memory there";
    EXPECT_TRUE(refuses([] { shim.regs.rip = ~0ull; })) << "the end of the address space";
    EXPECT_TRUE(refuses([] { shim.regs.rip = World::va(16) - 1; })) << "half of it is not there";
}

TEST_F(Values, MsrsAreExchanged) {
    record();
    std::uint64_t value = 42;
    EXPECT_EQ(casm_log_msr(X86EMUL_OKAY, 0x1a0, &value), X86EMUL_OKAY);
    EXPECT_EQ(value, 42u);
    EXPECT_EQ(logged(), bytes({CASM_CLS_MSR, X86EMUL_OKAY, 0, 0x1a0}, {42}));
}

TEST_F(Values, MsrsOfAReplayAreThoseOfTheLog) {
    replay(bytes({CASM_CLS_MSR, X86EMUL_OKAY, 0, 0x1a0}, {43}));
    std::uint64_t value = 42;
    EXPECT_EQ(casm_log_msr(X86EMUL_OKAY, 0x1a0, &value), X86EMUL_OKAY);
    EXPECT_EQ(value, 43u);
}

TEST_F(Values, AnotherMsrDiverges) {
    replay(bytes({CASM_CLS_MSR, X86EMUL_OKAY, 0, 0x1a0}, {43}));
    std::uint64_t value = 42;
    casm_log_msr(X86EMUL_OKAY, 0x1a1, &value);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
}

TEST_F(Values, AnotherMsrResultDiverges) {
    replay(bytes({CASM_CLS_MSR, X86EMUL_OKAY, 0, 0x1a0}, {43}));
    std::uint64_t value = 42;
    casm_log_msr(X86EMUL_OKAY + 2, 0x1a0, &value);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
}

TEST_F(Values, WhatAFailedRdmsrLeavesBehindIsNotLogged) {
    record();
    std::uint64_t value = 0xffff82d040201234;
    EXPECT_EQ(casm_log_msr(X86EMUL_OKAY + 2, 0x1a0, &value), X86EMUL_OKAY + 2);
    EXPECT_EQ(logged(), bytes({CASM_CLS_MSR, X86EMUL_OKAY + 2, 0, 0x1a0}, {0}));
}

TEST_F(Values, TheEmulatorsOwnLookAtBranchSteppingIsNoOutput) {
    record();
    std::uint64_t value = 42;
    EXPECT_EQ(casm_log_msr(X86EMUL_OKAY + 2, MSR_IA32_DEBUGCTLMSR, &value), X86EMUL_OKAY + 2);
    EXPECT_TRUE(logged().empty());
    EXPECT_EQ(casm_log_msr(X86EMUL_OKAY, MSR_IA32_DEBUGCTLMSR, &value), X86EMUL_OKAY);
    EXPECT_FALSE(logged().empty()) << "a value would be one";
}

TEST_F(Values, RdmsrOfTheTscIsATscRecord) {
    record();
    std::uint64_t value = 1000 * kQuantum + 1;
    casm_log_msr(X86EMUL_OKAY, MSR_IA32_TSC, &value);
    EXPECT_EQ(value, 1000 * kQuantum);
    EXPECT_EQ(logged(), bytes({CASM_CLS_TSC, 0, 0, 0}, {1000}));
}

TEST_F(Values, CpuidIsExchanged) {
    record();
    cpuid_leaf leaf = {1, 2, 3, 0xffffffff};
    casm_log_cpuid(7, &leaf);
    EXPECT_EQ(logged(), bytes({CASM_CLS_CPUID, 0, 0, 7}, {0x200000001, 0xffffffff00000003}));
    EXPECT_EQ(leaf.d, 0xffffffffu);
}

TEST_F(Values, CpuidOfAReplayIsThatOfTheLog) {
    replay(bytes({CASM_CLS_CPUID, 0, 0, 7}, {0x200000001, 0x400000003}));
    cpuid_leaf leaf = {9, 9, 9, 9};
    casm_log_cpuid(7, &leaf);
    EXPECT_EQ(leaf.a, 1u);
    EXPECT_EQ(leaf.b, 2u);
    EXPECT_EQ(leaf.c, 3u);
    EXPECT_EQ(leaf.d, 4u);
}

TEST_F(Values, NothingIsLoggedOrChangedWhenIdle) {
    world.guest();
    std::uint64_t value = 42;
    cpuid_leaf leaf = {1, 2, 3, 4};
    casm_log_msr(X86EMUL_OKAY, 0x1a0, &value);
    casm_log_cpuid(7, &leaf);
    EXPECT_EQ(value, 42u);
    EXPECT_EQ(leaf.c, 3u);
    EXPECT_EQ(c.records, 0u);
}

TEST_F(Values, TimeInfoIsWrittenAtTheStartAndNeverAgain) {
    EXPECT_FALSE(casm_time_frozen(&world.cpu()));
    shim.now = 12345;
    record();
    EXPECT_EQ(world.cpu().vcpu_info->time.system_time, 12345u);
    shim.now = 99999;
    force_update_vcpu_system_time(&world.cpu());
    EXPECT_EQ(world.cpu().vcpu_info->time.system_time, 12345u);
    EXPECT_TRUE(casm_wallclock_frozen(&world.dom()));
}

}  // namespace
}  // namespace casmotion::test
