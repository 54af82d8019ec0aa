/* SPDX-License-Identifier: GPL-2.0-only */
#include <xen/sched.h>
#include <asm/casm.h>
#include <asm/debugreg.h>
#include <asm/processor.h>

#include "debugtrap.h"
#include "private.h"
#include "timepoint.h"

/*
 * SYSRET with TF traps before the first instruction, and it cannot set RF. IRET can; SYSRET leaves these two registers so.
 * Before an observation too: what the guest will see is what is compared.
 */
void casm_leave_by_iret(struct cpu_user_regs *regs)
{
    if ( !(regs->entry_vector & TRAP_syscall) )
        return;
    regs->entry_vector &= ~TRAP_syscall;
    regs->rcx = regs->rip;
    regs->r11 = (regs->rflags & ~(uint64_t)(X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_RF)) | X86_EFLAGS_IF;
}

/*
 * A guest that leaves by SYSRET with a TF of its own traps before its next instruction, and would not by IRET: an entry
 * follows, so there is nothing to look for here.
 */
bool casm_traps_at_once(const struct casm_timepoint *tp, const struct cpu_user_regs *regs)
{
    return !tp->stepping && (regs->entry_vector & TRAP_syscall) && (regs->rflags & X86_EFLAGS_TF);
}

void casm_step_on(struct casm_timepoint *tp, struct cpu_user_regs *regs, bool takes_tf)
{
    tp->guest_tf = regs->rflags & X86_EFLAGS_TF;
    tp->takes_tf = takes_tf;
    tp->stepping = true;
    regs->rflags |= X86_EFLAGS_TF;
}

void casm_step_off(struct casm_timepoint *tp, struct cpu_user_regs *regs, bool stepped)
{
    if ( !tp->stepping )
        return;
    tp->stepping = false;
    if ( (!stepped || !tp->takes_tf) && !tp->guest_tf )
        regs->rflags &= ~(uint64_t)X86_EFLAGS_TF;
}

static void write_slot(unsigned int slot, unsigned long val)
{
    switch ( slot )
    {
    case 0: write_debugreg(0, val); break;
    case 1: write_debugreg(1, val); break;
    case 2: write_debugreg(2, val); break;
    case 3: write_debugreg(3, val); break;
    }
}

static unsigned long enable_bits(unsigned int slot)
{
    return 3ul << (slot * DR_ENABLE_SIZE);
}

/* The debug registers as the guest and we want them. LEN and R/W of our slot are 0: one byte, execution. */
static void load_debugregs(const struct vcpu *v, const struct casm_timepoint *tp)
{
    unsigned long dr7 = v->arch.dr7;

    if ( tp->slot >= 0 )
    {
        write_slot(tp->slot, tp->address);
        dr7 &= ~(enable_bits(tp->slot) | (0xful << (DR_CONTROL_SHIFT + tp->slot * DR_CONTROL_SIZE)));
        dr7 |= 2ul << (tp->slot * DR_ENABLE_SIZE);
        write_debugreg(7, dr7);
    }
    else
        write_debugreg(7, dr7 & DR7_ACTIVE_MASK ? dr7 : 0);
}

void casm_break_off(struct vcpu *v, struct casm_timepoint *tp)
{
    unsigned int slot;

    if ( tp->slot < 0 )
        return;
    slot = tp->slot;
    tp->slot = -1;
    write_slot(slot, v->arch.dr[slot]);
    load_debugregs(v, tp);
}

void casm_break_on(struct vcpu *v, struct casm_timepoint *tp, uint64_t address)
{
    unsigned int slot;

    if ( tp->slot >= 0 && tp->address == address )
        return;
    casm_break_off(v, tp);
    /* One is free: casm_debugreg_denied(). */
    for ( slot = 3; slot > 0 && (v->arch.dr7 & enable_bits(slot)); slot-- )
        ;
    tp->slot = slot;
    tp->address = address;
    load_debugregs(v, tp);
}

/* The guest may use three of the four breakpoint registers; what it can do must not depend on how it is recorded. */
bool casm_debugreg_denied(uint64_t dr7)
{
    unsigned int slot;

    for ( slot = 0; slot < 4; slot++ )
        if ( !(dr7 & enable_bits(slot)) )
            return false;

    return true;
}

void casm_switch_from(struct vcpu *v)
{
    struct casm_timepoint *tp = &v->arch.casm->tp;

    casm_counter_save(&tp->counter);
    if ( tp->slot >= 0 )
        write_debugreg(7, 0);
    casm_leave_idt();
}

void casm_switch_to(struct vcpu *v)
{
    struct casm_timepoint *tp = &v->arch.casm->tp;

    casm_counter_load(&tp->counter);
    if ( tp->slot >= 0 )
        load_debugregs(v, tp);
}

/*
 * A fault of the guest is about to be looked at, and perhaps emulated, or its hypercall executed, which may load flags: with
 * the guest's own flags.
 */
void casm_hide_step(struct cpu_user_regs *regs)
{
    struct casm_timepoint *tp = &current->arch.casm->tp;

    /* SYSCALL saved the flags in R11 too, and RIP in RCX. SYSENTER, whose frame is marked like SYSCALL's, did not. */
    if ( tp->stepping && !tp->guest_tf && (regs->entry_vector & TRAP_syscall) && regs->rcx == regs->rip )
        regs->r11 &= ~(uint64_t)X86_EFLAGS_TF;
    casm_step_off(tp, regs, false);
}

/*
 * #DB in guest mode: takes what is ours out of *@dr6. True if nothing is left for the guest. Instruction breakpoints are
 * faults, the step is a trap; the guest may have its own of both.
 */
bool casm_debug_trap(struct cpu_user_regs *regs, unsigned long *dr6)
{
    struct casm_timepoint *tp = &current->arch.casm->tp;
    unsigned int slot;
    bool ours = false;

    /* The processor may report matches of breakpoints that are off, and what those registers hold differs from run to run. */
    for ( slot = 0; slot < 4; slot++ )
        if ( (int)slot != tp->slot && !(current->arch.dr7 & enable_bits(slot)) )
            *dr6 &= ~(1ul << slot);

    if ( tp->slot >= 0 && (*dr6 & (1u << tp->slot)) )
    {
        *dr6 &= ~(1ul << tp->slot);
        tp->reason = CASM_TM_BREAKPOINT;
        ours = true;
    }
    if ( tp->stepping && (*dr6 & DR_STEP) )
    {
        if ( !tp->guest_tf )
            *dr6 &= ~(unsigned long)DR_STEP;
        casm_step_off(tp, regs, true);
        tp->reason = CASM_TM_STEP;
        ours = true;
    }

    return ours && !(*dr6 & (DR_TRAP0 | DR_TRAP1 | DR_TRAP2 | DR_TRAP3 | DR_STEP));
}
