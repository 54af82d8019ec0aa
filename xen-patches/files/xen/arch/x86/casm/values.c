/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: results of instructions that read something besides the guest's state.
 */
#include <xen/lib.h>
#include <xen/sched.h>
#include <xen/time.h>
#include <asm/cpuid.h>
#include <asm/msr.h>
#include <asm/time.h>
#include <asm/uaccess.h>
#include <asm/x86_emulate.h>

#include "private.h"

/*
 * The value differs but its recipe does not: the log decides. Rounded down in every mode, also when nothing is logged: time
 * must not run backwards when a recording stops.
 */
static void log_tsc(struct casm_domain *c, uint64_t *val)
{
    struct casm_rec rec = { .cls = CASM_CLS_TSC };
    uint64_t quanta = *val >> CASM_TSC_QUANTUM_BITS;

    if ( casm_logging(c) )
        casm_exchange(c, &rec, &quanta, 1, 0);
    *val = quanta << CASM_TSC_QUANTUM_BITS;
}

/*
 * @rc and *@val are what the emulation of RDMSR (or RDTSC) came to. Whether it faults is a function of the CPU policy, so
 * rc is compared; the value is taken from the log.
 */
int casm_log_msr(int rc, unsigned int msr, uint64_t *val)
{
    struct casm_domain *c = current->arch.casm;
    struct casm_rec rec = { .cls = CASM_CLS_MSR, .kind = rc, .aux = msr };

    /* Read by the emulator for each instruction that the guest steps, and never there: no output of the instruction. */
    if ( msr == MSR_IA32_DEBUGCTLMSR && rc != X86EMUL_OKAY )
        return rc;
    if ( rc != X86EMUL_OKAY )
        *val = 0; /* what was on Xen's stack */
    if ( msr == MSR_IA32_TSC && rc == X86EMUL_OKAY )
        log_tsc(c, val);
    else if ( casm_logging(c) )
        casm_exchange(c, &rec, val, 1, CASM_CMP_KIND | CASM_CMP_AUX);

    return rc;
}

void casm_log_cpuid(uint32_t leaf, struct cpuid_leaf *res)
{
    struct casm_domain *c = current->arch.casm;
    struct casm_rec rec = { .cls = CASM_CLS_CPUID, .aux = leaf };
    uint64_t w[2] = { res->a | ((uint64_t)res->b << 32), res->c | ((uint64_t)res->d << 32) };

    if ( !casm_logging(c) )
        return;
    casm_exchange(c, &rec, w, 2, CASM_CMP_AUX);
    res->a = w[0];
    res->b = w[0] >> 32;
    res->c = w[1];
    res->d = w[1] >> 32;
}

/*
 * RDTSC is by far the most frequent emulated instruction of a recordable domain (its CR4.TSD is set), and the general
 * emulator costs a few thousand instructions. Takes the plain case only: 64-bit code, no single-stepping, no fault.
 */
bool casm_fast_rdtsc(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct casm_domain *c = v->arch.casm;
    uint64_t since = casm_clock(c), val;
    uint16_t opcode;

    if ( (regs->cs != FLAT_KERNEL_CS64 && regs->cs != FLAT_USER_CS64) ||
         (regs->rflags & X86_EFLAGS_TF) ||
         (v->arch.pv.ctrlreg[4] & X86_CR4_TSD) ||
         !v->domain->arch.vtsc )
        return false;
    if ( copy_from_guest_pv(&opcode, (const void __user *)regs->rip, sizeof(opcode)) || opcode != 0x310f )
        return false;

    /* Replay has no use for the clock. */
    val = casm_replaying(c) ? 0 : pv_soft_rdtsc(v, regs);
    log_tsc(c, &val);
    regs->rax = (uint32_t)val;
    regs->rdx = val >> 32;
    regs->rip += 2;
    regs->rflags &= ~X86_EFLAGS_RF;
    casm_charge(c, CASM_CAUSE_TSC, since);
    casm_count_entry(CASM_ENTRY_PRIVOP, 0x0f31);

    return true;
}

/*
 * The pair (TSC, system time) in vcpu_info is written once: with an emulated TSC any one pair stays true, and a later
 * update would be a write at an unlogged point (time.c:__update_vcpu_system_time).
 */
bool casm_time_frozen(const struct vcpu *v)
{
    const struct casm_domain *c = v->arch.casm;

    return !c->allow_time && (casm_logging(c) || vcpu_info(v, time.version));
}

bool casm_wallclock_frozen(const struct domain *d)
{
    return d->creation_finished || !casm_in(d->arch.casm, (1u << CASM_STATE_IDLE) | (1u << CASM_STATE_STARTING));
}
