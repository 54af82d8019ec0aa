/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: synchronous entries, and the exits that follow.
 *
 * A synchronous entry is counted once per guest-visible event that the guest's own instructions caused. Interrupts, NMIs,
 * lazy FPU or LDT faults and swallowed spurious faults are not counted: they happen at another place in each run.
 * Effects from outside (event bits, ring data, upcalls) reach the guest only at the exit of a trip that counted something (point.c), or
 * at a point between two entries (timepoint.c).
 */
#include <xen/lib.h>
#include <xen/sched.h>

#include "private.h"

/* The registers are those of the log, or we would not be here: another count is the counter's fault. */
static void check_branches(struct casm_domain *c)
{
    struct casm_rec rec = { .cls = CASM_CLS_BRANCHES };
    uint64_t total = c->tp.entry_count;

    casm_exchange(c, &rec, &total, 1, CASM_CMP_WORDS);
}

void casm_count_entry(unsigned int kind, uint32_t detail)
{
    struct vcpu *v = current;
    struct casm_domain *c = v->arch.casm;
    struct casm_rec rec = { .cls = CASM_CLS_ENTRY, .kind = kind, .aux = detail };
    uint64_t since;

    c->point = CASM_POINT_OPEN;
    c->segments_loaded = false;
    if ( !casm_logging(c) )
        return;

    since = casm_clock(c);
    if ( c->tp.on )
        casm_tp_entry(c);
    if ( !casm_logging(c) ) /* diverged */
        return;
    c->hash = casm_regs_hash(c->hash, guest_cpu_user_regs(), v);
    rec.check = c->check_shift < 64 ? c->hash >> c->check_shift : 0;
    if ( casm_exchange(c, &rec, NULL, 0, CASM_CMP_KIND | CASM_CMP_CHECK | CASM_CMP_AUX) )
    {
        c->ordinal++;
        if ( c->tp.on && !(c->ordinal & (CASM_BRANCHES_INTERVAL - 1)) )
            check_branches(c);
    }
    casm_charge(c, CASM_CAUSE_ENTRY, since);
}

/*
 * Replaces hypercall_preempt_check() for a recordable domain: never because of softirqs or events, which come at another
 * moment in each run, but after a number of checks or logged bytes, which do not.
 */
bool casm_preempt_check(void)
{
    struct casm_domain *c = current->arch.casm;
    uint64_t bytes = (casm_replaying(c) ? c->feed.pos : c->log.pos) - c->trip_start;

    return ++c->trip_checks >= CASM_TRIP_CHECKS || (casm_logging(c) && bytes > CASM_TRIP_SOFT_BYTES);
}

/*
 * A page fault that the current tables do not justify came from a stale TLB entry. Whether one is there differs from run
 * to run: retry instead of showing it to the guest.
 */
void casm_spurious_fault(void)
{
    current->arch.casm->spurious_faults++;
}

/*
 * Called from test_guest_events (entry.S) with interrupts off, for a recordable vCPU. Softirqs were processed before.
 * Returns CASM_EXIT_*.
 */
unsigned int casm_exit_work(void)
{
    struct casm_domain *c = current->arch.casm;
    uint64_t since;

    c->trip_checks = 0;

    if ( unlikely(casm_in(c, 1u << CASM_STATE_CRASHING)) )
    {
        casm_set_state(c, CASM_STATE_FREE);
        local_irq_enable();
        domain_crash(c->d);
        local_irq_disable();
        return CASM_EXIT_AGAIN;
    }

    if ( !casm_logging(c) )
        return casm_point_unlogged(c);

    if ( c->point == CASM_POINT_NONE )
        return casm_tp_exit(c);

    if ( !casm_room(c) || casm_segments_step(c) || casm_point_step(c) )
        return CASM_EXIT_AGAIN;

    since = casm_clock(c);
    casm_publish(c, false);
    c->trip_start = casm_replaying(c) ? c->feed.pos : c->log.pos;
    casm_charge(c, CASM_CAUSE_EXIT, since);
    c->point = CASM_POINT_NONE;

    return casm_tp_leave(c);
}
