// SPDX-License-Identifier: GPL-2.0-or-later
//
// The driver of the branch counter (casm/counter.c) on processors of its three kinds (pmu/).
#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

extern "C" {
#include <casm/casm_abi.h>

#include "counter.h"
#include "machine.h"
}
#include "support/seed.h"

namespace casmotion::test {
namespace {

extern "C" bool casm_counter_interrupt(void);

constexpr std::uint64_t kEnabled = (1u << 16) | (1u << 22);  // CPL3 only, on
constexpr std::uint64_t kInterrupt = 1u << 20;
constexpr unsigned kLockMap = 54;

struct Processor {
    const char* name;
    unsigned vendor, family, width;
    casm_counter kind;
    std::uint64_t event;
};

class Counter : public testing::TestWithParam<Processor> {
  protected:
    void SetUp() override {
        const Processor& p = GetParam();
        pmu_reset(p.vendor, p.family);
        pmu.width = p.width;
        if (p.kind == CASM_COUNTER_AMD) {
            pmu.cpuid_ext_ecx = 0;
            pmu.sel_msr = MSR_K7_EVNTSEL0;
            pmu.ctr_msr = MSR_K7_PERFCTR0;
            pmu.msr_step = 1;
        }
        if (p.kind == CASM_COUNTER_INTEL) pmu.cpuid_a = 4 | 4 << 8 | p.width << 16;
        unsigned why = 0;
        ASSERT_EQ(casm_counter_kind(&why), static_cast<unsigned>(p.kind));
        ASSERT_EQ(why, unsigned{CASM_COUNTER_READY});
        state.on = true;
    }
    casm_counter_state state{};
};

TEST_P(Counter, CountsBranchesOfTheGuestOnly) {
    casm_counter_load(&state);
    EXPECT_EQ(pmu.sel, GetParam().event | kEnabled);
    pmu_retire(12345);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 12345u);
    EXPECT_EQ(pmu.interrupts, 0u);
}

TEST_P(Counter, CountsBranchesOfAnyKindBesides) {
    casm_counter_load(&state);
    EXPECT_EQ(pmu.sel_1, (GetParam().kind == CASM_COUNTER_INTEL ? 0xc4 : 0xc2) | kEnabled);
    pmu_retire(100);
    pmu_jump(23);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_ANY), 123u);
    casm_counter_arm(&state, CASM_EVENT_ANY, 50);
    EXPECT_NE(pmu.sel_1 & kInterrupt, 0u);
    EXPECT_EQ(pmu.sel & kInterrupt, 0u) << "the other is not touched";
    pmu_jump(49);
    EXPECT_EQ(pmu.interrupts, 0u);
    pmu_jump(1);
    EXPECT_EQ(pmu.interrupts, 1u);
    casm_counter_save(&state);
    EXPECT_EQ(pmu.sel_1, 0u);
    pmu_jump(1000);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_ANY), 173u);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 100u);
}

TEST_P(Counter, IsKeptAcrossContextSwitches) {
    for (unsigned i = 1; i <= 5; ++i) {
        casm_counter_load(&state);
        pmu_retire(100);
        casm_counter_save(&state);
        pmu_retire(77);  // another guest's
        EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 100 * i);
        EXPECT_EQ(pmu.sel, 0u);
    }
}

TEST_P(Counter, InterruptsAfterTheDistanceAndCountsOn) {
    casm_counter_load(&state);
    pmu_retire(50);
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 1000);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 50u);
    EXPECT_NE(pmu.sel & kInterrupt, 0u);
    pmu_retire(999);
    EXPECT_EQ(pmu.interrupts, 0u);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 1049u);
    pmu_retire(1);
    EXPECT_EQ(pmu.interrupts, 1u);
    EXPECT_TRUE(casm_counter_interrupt());
    pmu_retire(30);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 1080u);
}

TEST_P(Counter, CanBeArmedForTheLongestAndTheShortestDistance) {
    casm_counter_load(&state);
    for (const std::uint64_t distance :
         {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{CASM_COUNTER_ARM_MAX}}) {
        const std::uint64_t count = casm_counter_read(&state, CASM_EVENT_CONDITIONAL);
        const unsigned interrupts = pmu.interrupts;
        casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, distance);
        pmu_retire(distance - 1);
        EXPECT_EQ(pmu.interrupts, interrupts) << distance;
        pmu_retire(1);
        EXPECT_EQ(pmu.interrupts, interrupts + 1) << distance;
        EXPECT_TRUE(casm_counter_interrupt());
        EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), count + distance);
    }
}

TEST_P(Counter, IsDisarmedWithoutLosingItsCount) {
    casm_counter_load(&state);
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 10);
    pmu_retire(4);
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 0);
    pmu_retire(100);
    EXPECT_EQ(pmu.interrupts, 0u);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 104u);
    const unsigned writes = pmu.writes;
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 0);
    EXPECT_EQ(pmu.writes, writes) << "each exit asks for it: it must cost nothing";
}

TEST_P(Counter, StaysArmedAcrossAContextSwitch) {
    casm_counter_load(&state);
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 10);
    pmu_retire(4);
    casm_counter_save(&state);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 4u);
    casm_counter_load(&state);
    pmu_retire(5);
    EXPECT_EQ(pmu.interrupts, 0u);
    pmu_retire(1);
    EXPECT_EQ(pmu.interrupts, 1u);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 10u);
}

// The overflow came while the vCPU was on its way out: its interrupt may have been somebody else's.
TEST_P(Counter, AnOverflowThatWasMissedComesAtTheNextBranch) {
    casm_counter_load(&state);
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 10);
    pmu_retire(15);
    casm_counter_save(&state);
    EXPECT_FALSE(casm_counter_interrupt()) << "nobody is loaded";
    pmu.interrupts = 0;
    casm_counter_load(&state);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 15u);
    pmu_retire(1);
    EXPECT_EQ(pmu.interrupts, 1u);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 16u);
}

TEST_P(Counter, TheInterruptComesAgainAfterItWasTaken) {
    casm_counter_load(&state);
    for (unsigned i = 1; i <= 3; ++i) {
        casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 5);
        pmu_retire(6);
        EXPECT_EQ(pmu.interrupts, i);
        EXPECT_TRUE(casm_counter_interrupt());
    }
}

TEST_P(Counter, AnUnusedOneIsNeverLoaded) {
    state.on = false;
    casm_counter_load(&state);
    casm_counter_save(&state);
    EXPECT_EQ(pmu.writes, 0u);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 0u);
    EXPECT_FALSE(casm_counter_interrupt());
}

TEST_P(Counter, IsExactUnderAnyOrderOfOperations) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    Random random(seed);
    std::uint64_t count = 0, due = 0;
    bool loaded = false;
    for (int step = 0; step < 20000; ++step) {
        switch (random.below(5)) {
            case 0:
                loaded ? casm_counter_save(&state) : casm_counter_load(&state);
                loaded = !loaded;
                break;
            case 1:
                if (!loaded) break;
                due = random.one_in(3) ? 0 : 1 + random.below(random.one_in(2) ? 10 : CASM_COUNTER_ARM_MAX);
                casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, due);
                due += due != 0 ? count : 0;
                break;
            default: {
                const std::uint64_t n = random.below(random.one_in(2) ? 12 : 1u << 30);
                const unsigned before = pmu.interrupts;
                pmu_retire(n);
                if (!loaded) {
                    ASSERT_EQ(pmu.interrupts, before);
                    break;
                }
                const bool crossed = due != 0 && count < due && count + n >= due;
                count += n;
                if (crossed) {
                    ASSERT_EQ(pmu.interrupts, before + 1) << "step " << step;
                } else if (due == 0 || count < due) {
                    ASSERT_EQ(pmu.interrupts, before) << "step " << step;
                }
                if (pmu.interrupts != before) casm_counter_interrupt();
                break;
            }
        }
        ASSERT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), count) << "step " << step;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Counter,
    testing::Values(Processor{"Amd", X86_VENDOR_AMD, 0x10, 48, CASM_COUNTER_AMD, 0xd1},
                    Processor{"AmdCore", X86_VENDOR_AMD, 0x17, 48, CASM_COUNTER_AMD_CORE, 0xd1},
                    Processor{"Hygon", X86_VENDOR_HYGON, 0x18, 48, CASM_COUNTER_AMD_CORE, 0xd1},
                    Processor{"Intel48", X86_VENDOR_INTEL, 6, 48, CASM_COUNTER_INTEL, 0x1c4},
                    Processor{"Intel40", X86_VENDOR_INTEL, 6, 40, CASM_COUNTER_INTEL, 0x1c4}),
    [](const auto& info) { return std::string(info.param.name); });

// --- Which counter, and whether ---

unsigned kind() {
    unsigned why = 0;
    return casm_counter_kind(&why);
}

TEST(CounterKind, NewerIntelCoresHaveAnotherUnitMask) {
    for (const auto& [model, event] :
         {std::pair{0x1a, 0x1c4}, {0x55, 0x1c4}, {0x6a, 0x11c4}, {0x8f, 0x11c4}}) {
        pmu_reset(X86_VENDOR_INTEL, 6);
        boot_cpu_data.x86_model = static_cast<unsigned>(model);
        ASSERT_EQ(kind(), unsigned{CASM_COUNTER_INTEL});
        casm_counter_state state{};
        state.on = true;
        casm_counter_load(&state);
        EXPECT_EQ(pmu.sel & 0xffff, static_cast<std::uint64_t>(event)) << model;
    }
}

TEST(CounterKind, ProcessorsOfWhichWeKnowNoEventHaveNone) {
    const auto refused = [] {
        unsigned why = 0;
        EXPECT_EQ(casm_counter_kind(&why), unsigned{CASM_COUNTER_ABSENT});
        EXPECT_EQ(why, unsigned{CASM_COUNTER_NO_EVENT});
        EXPECT_EQ(casm_counter_acquire(), -ENODEV);
        EXPECT_EQ(pmu.owner, 0);
    };
    pmu_reset(X86_VENDOR_AMD, 0xf);
    refused();
    pmu_reset(1u << 2, 6);
    refused();
    pmu_reset(X86_VENDOR_INTEL, 0xf);
    refused();
    pmu_reset(X86_VENDOR_INTEL, 6);
    boot_cpu_data.cpuid_level = 9;
    refused();
    for (const std::uint32_t leaf : {0u, 1u | 4 << 8 | 48 << 16, 2u | 1 << 8 | 48 << 16,
                                     2u | 2 << 8 | 39 << 16, 2u | 2 << 8 | 49 << 16}) {
        pmu_reset(X86_VENDOR_INTEL, 6);
        pmu.cpuid_a = leaf;
        refused();
    }
}

TEST(CounterKind, WhatAnotherUserHasIsRefused) {
    unsigned why = 0;
    pmu_reset(X86_VENDOR_AMD, 0x17);
    pmu.watchdog = true;
    EXPECT_EQ(casm_counter_kind(&why), unsigned{CASM_COUNTER_AMD_CORE}) << "it is there all the same";
    EXPECT_EQ(why, unsigned{CASM_COUNTER_WATCHDOG});
    EXPECT_EQ(casm_counter_acquire(), -EBUSY);
    pmu.watchdog = false;
    vpmu_mode = 1;
    casm_counter_kind(&why);
    EXPECT_EQ(why, unsigned{CASM_COUNTER_VPMU});
    EXPECT_EQ(casm_counter_acquire(), -EBUSY);
    vpmu_mode = XENPMU_MODE_OFF;
    pmu.profiler = true;
    casm_counter_kind(&why);
    EXPECT_EQ(why, unsigned{CASM_COUNTER_IN_USE});
    EXPECT_EQ(casm_counter_acquire(), -EBUSY);
    pmu.profiler = false;
    EXPECT_EQ(casm_counter_acquire(), 0);
    EXPECT_NE(pmu.owner, 0);
    casm_counter_release();
    EXPECT_EQ(pmu.owner, 0);
}

// "casmotion doctor" asks while a recording runs.
TEST(CounterKind, AskingTakesNothingAndGivesNothingAway) {
    unsigned why = 0;
    pmu_reset(X86_VENDOR_AMD, 0x17);
    casm_counter_kind(&why);
    EXPECT_EQ(why, unsigned{CASM_COUNTER_READY});
    EXPECT_EQ(pmu.owner, 0);
    ASSERT_EQ(casm_counter_acquire(), 0);
    casm_counter_kind(&why);
    EXPECT_NE(pmu.owner, 0);
    casm_counter_release();
    EXPECT_EQ(pmu.owner, 0);
}

TEST_P(Counter, IsGivenBackAsItWas) {
    const std::uint32_t lvtpc = pmu.lvtpc;
    pmu.global_ctrl = 1ull << 34 | 2;  // a fixed counter, and one of ours: somebody else's
    ASSERT_EQ(casm_counter_acquire(), 0);
    casm_counter_load(&state);
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 1000);
    pmu_retire(10);
    EXPECT_NE(pmu.lvtpc, lvtpc);
    casm_counter_save(&state);
    state.on = false;
    casm_counter_release();
    EXPECT_EQ(pmu.lvtpc & (1u << 16), lvtpc & (1u << 16));
    EXPECT_EQ(pmu.global_ctrl, 1ull << 34 | 2);
    EXPECT_EQ(pmu.sel | pmu.sel_1, 0u);
    const unsigned writes = pmu.writes;
    casm_counter_arm(&state, CASM_EVENT_CONDITIONAL, 0);  // the exit path tidies up once more
    EXPECT_EQ(pmu.writes, writes) << "they are somebody else's now";
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 10u) << "dom0 asks afterwards";
}

// Speculative lock maps make Zen count branches that did not retire.
TEST(CounterKind, ZenHasItsLockMapSwitchedOff) {
    for (const auto& [vendor, family, off] : {std::tuple{X86_VENDOR_AMD, 0x17u, true},
                                              {X86_VENDOR_AMD, 0x19u, true},
                                              {X86_VENDOR_HYGON, 0x18u, true},
                                              {X86_VENDOR_AMD, 0x15u, false}}) {
        pmu_reset(vendor, family);
        pmu.ls_cfg = 0x1234;
        kind();
        casm_counter_state state{};
        state.on = true;
        casm_counter_load(&state);
        EXPECT_EQ(pmu.ls_cfg, 0x1234 | (std::uint64_t{off} << kLockMap)) << family;
        casm_counter_save(&state);
        ASSERT_EQ(casm_counter_acquire(), 0);
        casm_counter_release();
        EXPECT_EQ(pmu.ls_cfg, 0x1234u) << "it was on before";
    }
    pmu_reset(X86_VENDOR_AMD, 0x17);
    pmu.ls_cfg = std::uint64_t{1} << kLockMap;
    kind();
    casm_counter_state other{};
    other.on = true;
    casm_counter_load(&other);
    casm_counter_save(&other);
    ASSERT_EQ(casm_counter_acquire(), 0);
    casm_counter_release();
    EXPECT_EQ(pmu.ls_cfg, std::uint64_t{1} << kLockMap) << "somebody else has switched it off";
    pmu_reset(X86_VENDOR_AMD, 0x17);
    pmu.has_ls_cfg = false;  // under another hypervisor
    kind();
    casm_counter_state state{};
    state.on = true;
    casm_counter_load(&state);
    EXPECT_EQ(pmu.ls_cfg, 0u);
    pmu_retire(3);
    EXPECT_EQ(casm_counter_read(&state, CASM_EVENT_CONDITIONAL), 3u);
}

}  // namespace
}  // namespace casmotion::test
