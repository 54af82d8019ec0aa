/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: what happens at an injection point: a stop, a digest, an end, effects from outside; recorded, or as the log has it.
 *
 * An injection point is the exit of a counted entry (entry.c) or a point between entries that was just logged or met (timepoint.c).
 */
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/sched.h>

#include "debugtrap.h"
#include "private.h"

/*
 * The running hash with the registers at the end mixed in: a hypercall that ends the guest is no entry yet, and an entry may have left
 * results in registers, so no entry's hash has them. Its top 16 bits stay those of the last entry or point, as far as an ENTRY's check
 * goes: a log alone shows whether they fit.
 */
static uint64_t end_hash(const struct casm_domain *c, unsigned int reason)
{
    const struct vcpu *v = c->d->vcpu[0];
    const struct cpu_user_regs *regs = &v->arch.user_regs;

    if ( reason == CASM_END_DESTROYED ) /* it stands anywhere */
        return c->hash;
    if ( v == current )
    {
        casm_hide_step(guest_cpu_user_regs());
        regs = guest_cpu_user_regs();
    }

    return (c->hash & (0xffffull << 48)) | (casm_regs_hash(c->hash, regs, v) >> 16);
}

void casm_end(struct casm_domain *c, unsigned int reason, unsigned int code)
{
    struct casm_rec rec = { .cls = CASM_CLS_END, .kind = reason, .check = sizeof(c->applied), .aux = code };
    uint64_t w[2], lw[2], applied[CASM_CLASSES_MAX] = {};
    struct casm_rec log = rec;

    if ( reason != CASM_END_DESTROYED )
        casm_digest_point(c, reason == CASM_END_STOPPED ? CASM_DIGEST_STOP : CASM_DIGEST_END);
    lw[0] = w[0] = c->ordinal;
    lw[1] = w[1] = end_hash(c, reason);

    if ( casm_recording(c) )
    {
        c->end_reason = reason;
        c->end_code = code;
        casm_put_blob(c, rec, w, 2, c->applied, sizeof(c->applied));
        if ( casm_recording(c) ) /* no room even for that: it will be crashed */
            casm_set_state(c, CASM_STATE_FREE);
        casm_publish(c, true);
        write_atomic(&c->log.hdr->eof, 1);
        send_global_virq(CASM_VIRQ);
    }
    else if ( casm_replaying(c) )
    {
        if ( !casm_take_blob(c, &log, lw, 2, applied, sizeof(applied)) )
            return;
        if ( log.kind != reason || log.check != rec.check || log.aux != code || memcmp(lw, w, sizeof(w)) ||
             memcmp(applied, c->applied, sizeof(applied)) )
        {
            casm_diverge(c, &log, lw, &rec, w, 2);
            return;
        }
        c->end_reason = reason;
        c->end_code = code;
        casm_stop_vcpu(c, CASM_STATE_REPLAYED);
    }
}

/* Recording: one step of work with interrupts on, then all exit tests run again. */
static bool record_here(struct casm_domain *c)
{
    bool stop = casm_stopping(c), digest = c->digest_interval && c->ordinal >= c->digest_next;

    if ( c->point == CASM_POINT_APPLIED || likely(!stop && !digest && !read_atomic(&c->npending)) )
        return false;

    local_irq_enable();
    if ( (stop || digest) && !casm_digest_walk(c, casm_pool_end()) )
        ; /* the next step is taken when all exit tests have run again */
    else if ( stop )
        casm_end(c, CASM_END_STOPPED, 0);
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
        if ( !casm_replaying(c) )
            return false;
        /* casm_room() lets us get here with an empty feed only after its end. */
        c->end_reason = CASM_END_NONE;
        casm_stop_vcpu(c, CASM_STATE_REPLAYED);
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
        if ( casm_digest_walk(c, casm_pool_end()) )
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
        if ( next.cls == CASM_CLS_END )
            casm_end(c, CASM_END_DESTROYED, 0);
        else if ( casm_digest_walk(c, casm_pool_end()) )
            casm_end(c, CASM_END_STOPPED, 0);
        local_irq_disable();
        return true;
    }

    return false;
}

bool casm_point_step(struct casm_domain *c)
{
    if ( casm_recording(c) )
        return record_here(c);
    casm_console_due(c);

    return replay_here(c);
}

/* The guest gets its events at any exit. */
unsigned int casm_point_unlogged(struct casm_domain *c)
{
    casm_tp_drop(c);
    if ( casm_of_a_log(c) )
        return CASM_EXIT_AGAIN; /* paused: the scheduler takes it from here */
    if ( unlikely(c->tp.owned) ) /* the counter is for others now */
    {
        local_irq_enable();
        casm_tp_stop(c);
        local_irq_disable();
        return CASM_EXIT_AGAIN;
    }
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
