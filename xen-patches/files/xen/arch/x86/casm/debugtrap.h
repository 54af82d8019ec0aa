/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: the trap flag and the breakpoint with which points are looked for, kept apart from the guest's own.
 *
 * What the guest can see of either stays as in an unrecorded guest: flags in frames and in R11, DR6, DR7, its own steps and
 * breakpoints. All of it runs in the vCPU's context, with interrupts off unless it says otherwise.
 */
#ifndef CASM_DEBUGTRAP_H
#define CASM_DEBUGTRAP_H

#include <xen/types.h>

struct casm_timepoint;
struct cpu_user_regs;
struct vcpu;

/* To be left by IRET: SYSRET with TF traps before the first instruction. RCX and R11 become what SYSRET would make of them. */
void casm_leave_by_iret(struct cpu_user_regs *regs);
/* A TF of the guest's own traps before its next instruction: an entry follows, and there is nothing to look for here. */
bool casm_traps_at_once(const struct casm_timepoint *tp, const struct cpu_user_regs *regs);

/* One instruction. @takes_tf: it loads TF (POPF, IRET), and what it leaves there is the guest's. */
void casm_step_on(struct casm_timepoint *tp, struct cpu_user_regs *regs, bool takes_tf);
/* The guest's flags become its own again. @stepped: the instruction has run. */
void casm_step_off(struct casm_timepoint *tp, struct cpu_user_regs *regs, bool stepped);

/* A breakpoint at a linear address, in a register that the guest does not use; and none. Idempotent. */
void casm_break_on(struct vcpu *v, struct casm_timepoint *tp, uint64_t address);
void casm_break_off(struct vcpu *v, struct casm_timepoint *tp);

/* For the rest of Xen (asm/casm.h): casm_hide_step(), casm_debug_trap(), casm_debugreg_denied(), casm_switch_from() and _to(). */

#endif /* CASM_DEBUGTRAP_H */
