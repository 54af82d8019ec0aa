// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a guest could see of the trap flag and of the breakpoint (casm/timepoint.c).
#include "support/timed.h"

namespace casmotion::test {
namespace {

class Traps : public Timed {
  protected:
    void SetUp() override {
        record();
        enter();
        logged();
        overdue();
    }
    void begin(std::vector<std::uint8_t> instruction) {
        code(std::move(instruction));
        ASSERT_EQ(interrupt(kNop, 10), CASM_EXIT_SKIP);
    }
    std::uint64_t hash_after_entry() {
        const std::uint64_t before = c.hash;
        cpu_user_regs regs = shim.regs;
        regs.rflags &= ~std::uint64_t{X86_EFLAGS_TF};
        regs.r11 &= regs.r11 == shim.regs.rflags ? ~std::uint64_t{X86_EFLAGS_TF} : ~std::uint64_t{0};
        return casm_regs_hash(before, &regs, &world.cpu());
    }
};

TEST_F(Traps, AnEntryTakesOursOutOfTheFlagsBeforeTheyAreHashed) {
    begin({0x90});
    ASSERT_TRUE(tf());
    const std::uint64_t want = hash_after_entry();
    enter();
    EXPECT_FALSE(tf());
    EXPECT_EQ(c.hash, want);
}

TEST_F(Traps, AnEntryBySyscallTakesItOutOfR11Too) {
    begin({0x0f, 0x05});
    at(kNop + 2, 10);
    shim.regs.entry_vector = TRAP_syscall;
    shim.regs.rcx = shim.regs.rip;
    shim.regs.r11 = shim.regs.rflags;
    ASSERT_TRUE((shim.regs.r11 & X86_EFLAGS_TF) != 0);
    const std::uint64_t want = hash_after_entry();
    enter();
    EXPECT_FALSE(tf());
    EXPECT_EQ(shim.regs.r11, shim.regs.rflags);
    EXPECT_EQ(c.hash, want);
}

// SYSENTER saves no flags, but Xen marks its frame as SYSCALL's.
TEST_F(Traps, AnEntryBySysenterKeepsR11) {
    begin({0x0f, 0x34});
    shim.regs.entry_vector = TRAP_syscall;
    shim.regs.rip = 0;
    shim.regs.rcx = 0x1234;
    shim.regs.r11 = 0xffff;
    enter();
    EXPECT_FALSE(tf());
    EXPECT_EQ(shim.regs.r11, 0xffffu);
}

// HYPERVISOR_iret within the kernel is counted after it has loaded the guest's flags.
TEST_F(Traps, AHypercallThatLoadsTheFlagsLoadsTheGuestsOwn) {
    begin({0x0f, 0x05});
    at(kNop + 2, 10);
    shim.regs.entry_vector = TRAP_syscall;
    shim.regs.rcx = shim.regs.rip;
    shim.regs.r11 = shim.regs.rflags;
    unsigned long result = 0;
    casm_wrap_enter(__HYPERVISOR_iret, 0, 0, &result);
    EXPECT_FALSE(tf()) << "a hypercall sees the guest's flags";
    EXPECT_EQ(shim.regs.r11 & X86_EFLAGS_TF, 0u);
    shim.regs.entry_vector = 0;
    shim.regs.rip = kBranch;
    shim.regs.rflags = 0x202 | X86_EFLAGS_TF;  // the guest steps itself
    shim.regs.r11 = 0x100;
    casm_wrap_leave(__HYPERVISOR_iret, 0);
    casm_count_entry(CASM_ENTRY_HYPERCALL, __HYPERVISOR_iret);
    EXPECT_TRUE(tf());
    EXPECT_EQ(shim.regs.r11, 0x100u);
}

TEST_F(Traps, AGuestThatStepsItselfKeepsItsFlagAndItsTrap) {
    shim.regs.rflags |= X86_EFLAGS_TF;
    begin({0x90});
    ASSERT_TRUE(tf());
    at(kNop + 1, 10);
    unsigned long dr6 = DR_STEP;
    EXPECT_FALSE(casm_debug_trap(&shim.regs, &dr6)) << "it goes on to the guest";
    EXPECT_EQ(dr6, unsigned{DR_STEP});
    EXPECT_TRUE(tf());
    enter();  // its #DB
    EXPECT_TRUE(tf());
}

TEST_F(Traps, WithoutOursAStepIsTheGuests) {
    unsigned long dr6 = DR_STEP;
    EXPECT_FALSE(casm_debug_trap(&shim.regs, &dr6));
    EXPECT_EQ(dr6, unsigned{DR_STEP});
}

TEST_F(Traps, AFaultIsLookedAtWithTheGuestsFlagsAndSteppingGoesOnAfterIt) {
    begin({0x90});
    casm_hide_step(&shim.regs);
    EXPECT_FALSE(tf());
    EXPECT_EQ(interrupt(kNop, 10), CASM_EXIT_SKIP) << "Xen dealt with the fault";
    EXPECT_TRUE(tf());
    casm_hide_step(&shim.regs);
    casm_hide_step(&shim.regs);
    EXPECT_FALSE(tf());
}

TEST_F(Traps, AfterASteppedIretTheFlagIsWhatTheGuestLoaded) {
    for (const std::uint64_t own : {std::uint64_t{0}, std::uint64_t{X86_EFLAGS_TF}}) {
        begin({0x48, 0xcf});
        ASSERT_TRUE(c.tp.takes_tf);
        shim.regs.rflags = 0x202 | own;  // as IRET left it; the trap comes all the same
        at(kBranch, 10);
        unsigned long dr6 = DR_STEP;
        EXPECT_TRUE(casm_debug_trap(&shim.regs, &dr6));
        EXPECT_EQ(shim.regs.rflags, 0x202 | own);
        enter();
        EXPECT_EQ(shim.regs.rflags, 0x202 | own);
        shim.regs.rflags = 0x202;
        overdue();
    }
}

TEST_F(Traps, AnIretThatDidNotRunYetKeepsNothingOfOurs) {
    begin({0x48, 0xcf});
    ASSERT_TRUE(tf());
    enter();
    EXPECT_FALSE(tf());
}

TEST_F(Traps, PushfAndPopfRunWithoutIt) {
    for (const std::uint8_t opcode : {std::uint8_t{0x9c}, std::uint8_t{0x9d}}) {
        begin({opcode});
        EXPECT_FALSE(tf());
        EXPECT_EQ(breakpoint(), kNop + 1);
    }
}

TEST_F(Traps, AnExitBySysretBecomesOneByIretWithItsRegisters) {
    shim.regs.entry_vector = TRAP_syscall;
    shim.regs.rflags = 0x3202 | X86_EFLAGS_RF;
    shim.regs.rcx = shim.regs.r11 = 1;
    begin({0x90});
    ASSERT_TRUE(tf());
    EXPECT_EQ(shim.regs.entry_vector & TRAP_syscall, 0u);
    EXPECT_EQ(shim.regs.rcx, kNop);
    EXPECT_EQ(shim.regs.r11, 0x202u) << "without IOPL, RF and our TF";
}

TEST_F(Traps, AnExitBySysretThatNobodyLooksAtStaysOne) {
    shim.regs.entry_vector = TRAP_syscall;
    c.tp.due = false;
    interrupt(kNop, 10);
    EXPECT_NE(shim.regs.entry_vector & TRAP_syscall, 0u);
}

// --- Debug registers ---

class DebugRegisters : public Traps {
  protected:
    // The guest enables some of its breakpoints, as set_debugreg() leaves it.
    void guest_sets(unsigned long dr7) {
        vcpu& v = world.cpu();
        for (unsigned slot = 0; slot < 4; ++slot) shim.dr[slot] = v.arch.dr[slot] = 0x7000 + slot;
        shim.dr[7] = v.arch.dr7 = dr7;
    }
    static constexpr unsigned long kAll = 0xff;
    static unsigned long bits(unsigned slot) { return 3ul << (2 * slot); }
    void begin_break() {
        begin({0xf3, 0xaa});
        ASSERT_EQ(breakpoint(), kNop + 2);
    }
};

TEST_F(DebugRegisters, AnySlotThatTheGuestLeavesFreeWillDo) {
    for (unsigned free = 0; free < 4; ++free) {
        // LEN and R/W of the slot may be left over from an earlier use.
        guest_sets((kAll & ~bits(free)) | (0xful << (16 + 4 * free)));
        begin_break();
        EXPECT_EQ(c.tp.slot, static_cast<int>(free));
        EXPECT_EQ(shim.dr[7] & (0xful << (16 + 4 * free)), 0u) << "one byte, execution";
        EXPECT_EQ(shim.dr[7] & kAll & ~bits(free), world.cpu().arch.dr7 & kAll & ~bits(free));
        for (unsigned slot = 0; slot < 4; ++slot) {
            EXPECT_EQ(shim.dr[slot], slot == free ? kNop + 2 : 0x7000 + slot);
        }
        enter();
        EXPECT_EQ(shim.dr[free], 0x7000 + free) << "the guest's value again";
        EXPECT_EQ(shim.dr[7], world.cpu().arch.dr7);
        overdue();
    }
}

TEST_F(DebugRegisters, AGuestThatUsesNoneHasThemOffAfterwards) {
    guest_sets(0x400);
    begin_break();
    enter();
    EXPECT_EQ(shim.dr[7], 0u);
}

TEST_F(DebugRegisters, TheFourthIsRefused) {
    EXPECT_FALSE(casm_debugreg_denied(0));
    EXPECT_FALSE(casm_debugreg_denied(0x3f));
    EXPECT_FALSE(casm_debugreg_denied(0xfc));
    EXPECT_TRUE(casm_debugreg_denied(0xff));
    EXPECT_TRUE(casm_debugreg_denied(0x55)) << "locally";
    EXPECT_TRUE(casm_debugreg_denied(0xaa)) << "globally";
}

TEST_F(DebugRegisters, TheGuestsOwnBreakpointBesideOursReachesIt) {
    guest_sets(bits(0));
    begin_break();
    at(kNop + 2, 10);
    unsigned long dr6 = DR_TRAP0 | (1ul << c.tp.slot);
    EXPECT_FALSE(casm_debug_trap(&shim.regs, &dr6));
    EXPECT_EQ(dr6, unsigned{DR_TRAP0});
}

TEST_F(DebugRegisters, TheGuestsOwnBreakpointAloneIsNoHitOfOurs) {
    guest_sets(bits(0));
    begin_break();
    at(kNop, 10);
    unsigned long dr6 = DR_TRAP0;
    EXPECT_FALSE(casm_debug_trap(&shim.regs, &dr6));
    EXPECT_EQ(dr6, unsigned{DR_TRAP0});
    EXPECT_EQ(c.tp.reason, CASM_TM_INTERRUPT);
}

TEST_F(DebugRegisters, AWatchedAddressThatASteppedInstructionWroteToIsReportedWithoutOurStep) {
    guest_sets(bits(1));
    begin({0x90});
    unsigned long dr6 = DR_TRAP1 | DR_STEP;
    EXPECT_FALSE(casm_debug_trap(&shim.regs, &dr6));
    EXPECT_EQ(dr6, unsigned{DR_TRAP1});
    EXPECT_FALSE(tf());
}

// Processors may report matches of breakpoints that are not enabled; what is in those registers differs from
// run to run.
TEST_F(DebugRegisters, MatchesOfBreakpointsThatAreOffAreNotShown) {
    guest_sets(0);
    begin({0x90});
    unsigned long dr6 = DR_TRAP0 | DR_TRAP2 | DR_STEP;
    EXPECT_TRUE(casm_debug_trap(&shim.regs, &dr6));
    EXPECT_EQ(dr6, 0u);
    dr6 = DR_TRAP2 | DR_STEP;  // the guest's own step
    EXPECT_FALSE(casm_debug_trap(&shim.regs, &dr6));
    EXPECT_EQ(dr6, unsigned{DR_STEP});
}

TEST_F(DebugRegisters, AContextSwitchTakesOursAwayAndBringsItBack) {
    guest_sets(bits(0) | bits(3));
    begin_break();
    const unsigned long dr7 = shim.dr[7];
    casm_switch_from(&world.cpu());
    EXPECT_EQ(shim.dr[7], 0u);
    EXPECT_FALSE(c.tp.counter.loaded);
    shim.dr[2] = 0x9999;  // somebody else's
    shim.dr[7] = world.cpu().arch.dr7;
    casm_switch_to(&world.cpu());
    EXPECT_EQ(breakpoint(), kNop + 2);
    EXPECT_EQ(shim.dr[7], dr7);
    EXPECT_TRUE(c.tp.counter.loaded);
}

TEST_F(DebugRegisters, ASwitchWithoutABreakpointTouchesNone) {
    guest_sets(bits(0));
    casm_switch_from(&world.cpu());
    casm_switch_to(&world.cpu());
    EXPECT_EQ(shim.dr[7], world.cpu().arch.dr7);
}

// Resumed from a hit onto the next breakpoint: RF, or it would hit at once. An upcall's frame must not show
// it.
TEST_F(DebugRegisters, AHitIsPassedWithRfAndAPointHasNone) {
    begin({0x9c, 0x9d, 0x90, 0x75, 0xfd});  // pushf; popf; nop; jne
    ASSERT_EQ(breakpoint(), kNop + 1);
    hit(kNop + 1, 10);
    EXPECT_EQ(breakpoint(), kNop + 2);
    EXPECT_NE(shim.regs.rflags & X86_EFLAGS_RF, 0u);
    hit(kNop + 2, 10);
    step(kNop + 3, 10);
    shim.regs.rflags |= X86_EFLAGS_RF;
    EXPECT_TRUE(tf());
    shim.regs.rip = kNop;
    shim.branches = 11;
    unsigned long dr6 = DR_STEP;
    casm_debug_trap(&shim.regs, &dr6);
    EXPECT_EQ(settle(), CASM_EXIT_DELIVER);
    EXPECT_EQ(shim.regs.rflags & (X86_EFLAGS_RF | X86_EFLAGS_TF), 0u);
}

}  // namespace
}  // namespace casmotion::test
