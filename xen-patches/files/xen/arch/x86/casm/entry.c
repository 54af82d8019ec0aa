/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: synchronous entries and injection points.
 *
 * A synchronous entry is counted once per guest-visible event that the guest's own instructions caused. Interrupts, NMIs,
 * lazy FPU or LDT faults and swallowed spurious faults are not counted: they happen at another place in each run.
 * Effects from outside (event bits, ring data, upcalls) reach the guest only at the exit of a trip that counted something.
 */
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <xen/softirq.h>
#include <asm/processor.h>
#include <asm/traps.h>

#include "private.h"

/*
 * Runs once per entry, so it counts: a multiplication per register, and a fold every three that carries high bits down. What it
 * cannot see: two neighbours of one MIX3() that differ in bit 63 and nothing else. The memory digests would.
 */
uint64_t casm_regs_hash(uint64_t h, const struct cpu_user_regs *r, const struct vcpu *v)
{
#define MIX3(x, y, z) \
    h = (((h ^ (x)) * CASM_HASH_MULT ^ (y)) * CASM_HASH_MULT ^ (z)) * CASM_HASH_MULT; \
    h ^= h >> 32
    MIX3(r->rip, r->rsp, r->rax);
    MIX3(r->rbx, r->rcx, r->rdx);
    MIX3(r->rsi, r->rdi, r->rbp);
    MIX3(r->r8, r->r9, r->r10);
    MIX3(r->r11, r->r12, r->r13);
    /* RF tells how Xen was entered, not what the guest did. */
    MIX3(r->r14, r->r15,
         (r->rflags & ~(uint64_t)X86_EFLAGS_RF) | ((uint64_t)!!(v->arch.flags & TF_kernel_mode) << 63));
#undef MIX3

    return h;
}

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
    uint64_t bytes = (c->mode == CASM_MODE_REPLAY ? c->feed.pos : c->log.pos) - c->trip_start;

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

/* Recording: one step of work with interrupts on, then all exit tests run again. */
static bool record_here(struct casm_domain *c)
{
    bool stop = c->stop, digest = c->digest_interval && c->ordinal >= c->digest_next;

    if ( c->point == CASM_POINT_APPLIED || likely(!stop && !digest && !read_atomic(&c->npending)) )
        return false;

    local_irq_enable();
    if ( stop )
    {
        c->stop = false;
        casm_end(c, CASM_END_STOPPED, 0);
    }
    else if ( digest )
    {
        c->digest_next = c->ordinal + c->digest_interval;
        casm_digest_point(c, CASM_DIGEST_PERIODIC);
    }
    else
    {
        uint64_t since = casm_clock(c);

        casm_drain(c);
        c->point = CASM_POINT_APPLIED;
        casm_charge(c, CASM_CAUSE_EXIT, since);
    }
    local_irq_disable();

    return true;
}

/* Replay: one step of what the log has at this point, with interrupts on. Returns false if the guest may run. */
static bool replay_here(struct casm_domain *c)
{
    struct casm_rec next;

    if ( !casm_peek(c, &next) )
    {
        if ( c->mode != CASM_MODE_REPLAY )
            return false;
        /* casm_room() lets us get here with an empty feed only after its end. */
        c->end_reason = CASM_END_NONE;
        casm_stop_vcpu(c, CASM_MODE_ENDED);
        return true;
    }

    if ( next.cls == CASM_CLS_EVTCHN || next.cls == CASM_CLS_RING )
    {
        local_irq_enable();
        casm_inject_logged(c);
        local_irq_disable();
        return true;
    }

    if ( next.cls == CASM_CLS_DIGEST && next.kind == CASM_DIGEST_PERIODIC )
    {
        local_irq_enable();
        casm_digest_point(c, CASM_DIGEST_PERIODIC);
        local_irq_disable();
        return true;
    }

    /*
     * An end that no instruction of the guest causes: dom0 stopped the recording, or destroyed the domain. One that the
     * guest causes is met in casm_domain_shutdown(), before this exit.
     */
    if ( (next.cls == CASM_CLS_DIGEST && next.kind == CASM_DIGEST_STOP) ||
         (next.cls == CASM_CLS_END && next.kind == CASM_END_DESTROYED) )
    {
        local_irq_enable();
        casm_end(c, next.cls == CASM_CLS_END ? CASM_END_DESTROYED : CASM_END_STOPPED, 0);
        local_irq_disable();
        return true;
    }

    return false;
}

/* Nothing is logged, yet or any more: the guest gets its events at any exit. */
static unsigned int exit_unlogged(struct casm_domain *c)
{
    casm_tp_drop(c);
    if ( c->mode == CASM_MODE_DIVERGED || (c->mode == CASM_MODE_ENDED && c->replaying) )
        return CASM_EXIT_AGAIN; /* paused: the scheduler takes it from here */
    if ( c->point != CASM_POINT_APPLIED && read_atomic(&c->npending) )
    {
        local_irq_enable();
        casm_drain(c);
        local_irq_disable();
        c->point = CASM_POINT_APPLIED;
        return CASM_EXIT_AGAIN;
    }
    c->point = CASM_POINT_NONE;

    return CASM_EXIT_DELIVER;
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

    if ( unlikely(c->overflow) )
    {
        c->overflow = false;
        local_irq_enable();
        domain_crash(c->d);
        local_irq_disable();
        return CASM_EXIT_AGAIN;
    }

    if ( !casm_logging(c) )
        return exit_unlogged(c);

    if ( c->point == CASM_POINT_NONE )
        return casm_tp_exit(c);

    if ( !casm_room(c) )
        return CASM_EXIT_AGAIN;

    if ( c->mode == CASM_MODE_RECORD )
    {
        if ( record_here(c) )
            return CASM_EXIT_AGAIN;
        since = casm_clock(c);
        casm_publish(c, false);
        c->trip_start = c->log.pos;
        casm_charge(c, CASM_CAUSE_EXIT, since);
    }
    else
    {
        casm_console_due(c);
        if ( replay_here(c) )
            return CASM_EXIT_AGAIN;
        casm_publish(c, false);
        c->trip_start = c->feed.pos;
    }

    c->point = CASM_POINT_NONE;

    return casm_tp_leave(c);
}
