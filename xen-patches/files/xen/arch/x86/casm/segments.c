/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: segment registers agree with their descriptors whenever the guest runs.
 *
 * A segment register keeps what its descriptor said when it was loaded, and the guest may change the descriptor behind it. Xen loads
 * all of them again at each context switch (load_segments), whose moment is in no log: there the guest would get another base, or a
 * failsafe callback if the descriptor is not present any more. So they are loaded again at each exit of a counted entry, before
 * anything else takes effect there. Descriptors, the tables' places and the page tables that lead to an LDT change in counted entries
 * only, as all of these pages are read-only for the guest. A context switch loads what is loaded already.
 *
 * What stays: a null selector of 1 to 3 becomes 0 at any return from an interrupt (IRET, SDM volume 2). Xen cannot hide that.
 */
#include <xen/lib.h>
#include <xen/sched.h>
#include <asm/desc.h>
#include <asm/regs.h>

#include "private.h"

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

    if ( likely(c->segments_loaded) )
        return false;
    c->segments_loaded = true;
    read_sregs(regs);
    if ( likely((regs->ds | regs->es | regs->fs | regs->gs) <= SELECTOR_NULL) ||
         (is_constant(regs->ds) && is_constant(regs->es) && is_constant(regs->fs) && is_constant(regs->gs)) )
        return false;

    /* As in context_switch(): it may fault, and it may write to the guest's stack. */
    local_irq_enable();
    pv_reload_segments(current);
    local_irq_disable();

    return true;
}
