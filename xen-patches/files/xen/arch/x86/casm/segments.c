/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: segment registers agree with their descriptors whenever the guest runs.
 *
 * A segment register keeps what its descriptor said when it was loaded, and the guest may change the descriptor behind it. Xen loads
 * all of them again at each context switch (load_segments), whose moment is in no log: there the guest would get another base, or a
 * failsafe callback if the descriptor is not present any more. So they are loaded again at each exit of a counted entry, before
 * anything else takes effect there. Descriptors, the tables' places and the page tables that lead to an LDT change in counted entries
 * only; a page of the LDT that the guest made writable meanwhile is found there, and then it is read-only again or the load fails. A
 * context switch loads what is loaded already. CS and SS need none of this: what returns to the guest by IRET loads them.
 *
 * What stays: a null selector of 1 to 3 becomes 0 at any return from an interrupt (IRET, SDM volume 2). Xen cannot hide that.
 */
#include <xen/lib.h>
#include <xen/sched.h>
#include <asm/desc.h>
#include <asm/regs.h>

#include "private.h"

#define SEGMENT_ACCESSED (1u << 8) /* in the upper half of a descriptor; SDM volume 3, 3.4.5.1 */
#define SELECTOR_LDT  4u /* SDM volume 3, 3.4.2 */
#define SELECTOR_NULL 3u /* 0 to 3 */

/* Null, or a descriptor of Xen's own, behind those of the guest's GDT: neither ever changes. */
static bool is_constant(unsigned int selector)
{
    return selector <= SELECTOR_NULL || (selector >= FIRST_RESERVED_GDT_BYTE && !(selector & SELECTOR_LDT));
}

bool casm_segments_step(struct casm_domain *c)
{
    struct cpu_user_regs *regs = &current->arch.user_regs;
    struct casm_rec next;

    if ( likely(c->segments_loaded) )
        return false;
    c->segments_loaded = true; /* before the load: a failsafe callback may switch to kernel mode, which is an entry */
    read_sregs(regs);
    if ( likely((regs->ds | regs->es | regs->fs | regs->gs) <= SELECTOR_NULL) ||
         (is_constant(regs->ds) && is_constant(regs->es) && is_constant(regs->fs) && is_constant(regs->gs)) )
        return false;

    /* The recording may have been destroyed before it came here. */
    if ( casm_peek(c, &next) && next.cls == CASM_CLS_END && next.kind == CASM_END_DESTROYED )
        return false;

    /* As in context_switch(): it may fault, and it may write to the guest's stack. */
    local_irq_enable();
    pv_reload_segments(current);
    local_irq_disable();

    return true;
}

/*
 * A code or data segment whose descriptor has @upper in its upper half, in a table of a recordable domain: false if the guest cannot
 * have it. From check_descriptor().
 */
bool casm_descriptor(uint32_t *upper)
{
    /*
     * IRET to a stack segment of 16 bits loads SP alone: the rest of ESP would be that of Xen's own stack, after each interrupt. Linux
     * hides its own (espfix64), and lets no program have such a segment under Xen PV (arch/x86/kernel/ldt.c).
     */
    if ( (*upper & (_SEGMENT_CODE | _SEGMENT_WR | _SEGMENT_DB)) == _SEGMENT_WR )
        return false;
    /* Else the CPU sets it, at a moment of its own choice. */
    *upper |= SEGMENT_ACCESSED;

    return true;
}
