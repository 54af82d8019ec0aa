/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: life cycle of a recordable domain, and dom0's control over it.
 */
#include <xen/cpumask.h>
#include <xen/event.h>
#include <xen/guest_access.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <asm/time.h>
#include <public/sched.h>

#include "private.h"

/* The cpupool whose domains are recordable; -1: none. Written under the domctl lock. */
static int casm_cpupool = -1;

/* --- Creation and end --- */

int casm_domain_create(struct domain *d, struct xen_domctl_createdomain *config)
{
    struct casm_domain *c;

    if ( casm_cpupool < 0 || config->cpupool_id != casm_cpupool )
        return 0;

    if ( !is_pv_domain(d) || config->max_vcpus != 1 )
    {
        printk(XENLOG_G_ERR "casm: %pd: the recording pool takes PV domains with one vCPU\n", d);
        return -EOPNOTSUPP;
    }

    c = xzalloc(struct casm_domain);
    if ( !c )
        return -ENOMEM;
    if ( !casm_pool_claim(d) )
    {
        printk(XENLOG_G_ERR "casm: %pd: the recording pool is in use\n", d);
        xfree(c);
        return -EBUSY;
    }

    c->d = d;
    c->tp.slot = -1;
    c->cpu = CASM_CPU_ANY;
    spin_lock_init(&c->lock);
    spin_lock_init(&c->bridge_lock);
    d->arch.casm = c;

    config->max_evtchn_port = min_t(uint32_t, config->max_evtchn_port, CASM_PORTS_MAX - 1);
    config->max_grant_frames = min_t(int32_t, config->max_grant_frames, 32);
    config->grant_opts = XEN_DOMCTL_GRANT_version(1); /* v2 has status frames that a mapping would write */

    return 0;
}

int casm_vcpu_create(struct vcpu *v)
{
    v->arch.casm = v->domain->arch.casm;
    /* Lazy FPU switching shows in CR0.TS, which SMSW reads without a trap. */
    if ( casm_on(v) )
        v->arch.fully_eager_fpu = true;

    return 0;
}

/* From domain_kill(), with the domain paused. dom0 can still read what it has mapped. */
void casm_domain_relinquish(struct domain *d)
{
    struct casm_domain *c = d->arch.casm;

    if ( casm_logging(c) && d->creation_finished )
        casm_end(c, CASM_END_DESTROYED, 0);
    if ( casm_logging(c) )
        casm_set_state(c, casm_recording(c) ? CASM_STATE_FREE : CASM_STATE_REPLAYED);
    casm_unplace(c);
    casm_tp_stop(c);
    casm_bridges_destroy(c);
    casm_ring_free(&c->log);
    casm_ring_free(&c->feed);
}

void casm_domain_destroy(struct domain *d)
{
    if ( !d->arch.casm )
        return;
    casm_pool_release(d);
    XFREE(d->arch.casm);
}

/* From domain_shutdown(), before its lock is taken: a digest of all memory takes a while. */
void casm_domain_shutdown(struct domain *d, unsigned int reason)
{
    struct casm_domain *c = d->arch.casm;

    /* One that others are the cause of has no place in the instruction stream; a stop, or the domain's destruction, will end the log. */
    if ( current->domain != d || !casm_logging(c) )
        return;
    if ( c->memory_error ) /* the same, in a softirq of the vCPU: between two entries, as if the domain were destroyed now */
    {
        if ( casm_recording(c) )
            casm_end(c, CASM_END_DESTROYED, 0);
        else
            casm_stop_vcpu(c, CASM_STATE_REPLAYED);
        return;
    }
    if ( d->shutdown_code != SHUTDOWN_CODE_INVALID ) /* the guest's own, SCHEDOP_shutdown_code: others are refused */
        reason = d->shutdown_code;
    if ( casm_replaying(c) )
        casm_console_report(c);
    else
        casm_rings_last(c);
    casm_end(c, reason == SHUTDOWN_crash ? CASM_END_CRASHED : CASM_END_SHUTDOWN, reason);
}

/* --- domctl --- */

static int attach(struct casm_domain *c, struct casm_domctl *op)
{
    int rc;

    if ( c->log.hdr || !casm_in(c, 1u << CASM_STATE_IDLE) || c->d->is_dying ) /* who would free them? */
        return -EBUSY;
    if ( !casm_ring_valid_size(op->u.attach.log_bytes) || (op->u.attach.feed_bytes && !casm_ring_valid_size(op->u.attach.feed_bytes)) )
        return -EINVAL;

    rc = casm_ring_alloc(&c->log, op->u.attach.log_bytes);
    if ( !rc && op->u.attach.feed_bytes )
    {
        rc = casm_ring_alloc(&c->feed, op->u.attach.feed_bytes);
        if ( rc )
            casm_ring_free(&c->log);
    }

    return rc;
}

static int start_record(struct casm_domain *c)
{
    struct casm_rec rec = { .cls = CASM_CLS_INIT, .check = PAGE_SIZE };
    struct vcpu *v = c->d->vcpu[0];

    c->allow_time = true;
    force_update_vcpu_system_time(v);
    c->allow_time = false;

    casm_set_state(c, CASM_STATE_RECORD);
    c->applied[CASM_CLS_INIT]++;
    casm_put_blob(c, rec, NULL, 0, c->d->shared_info, PAGE_SIZE);
    casm_digest_point(c, CASM_DIGEST_START);
    casm_publish(c, true);

    return 0;
}

static int start_replay(struct casm_domain *c)
{
    static uint8_t buf[PAGE_SIZE]; /* domctls are serialised */
    struct casm_rec next;

    casm_set_state(c, CASM_STATE_REPLAY);
    memset(c->pending, 0, sizeof(c->pending));
    c->npending = 0;

    /* Any byte of the page, with any value: the guest may write it so itself at any time. How much there is, the trip's limit bounds. */
    while ( casm_peek(c, &next) && next.cls == CASM_CLS_INIT )
    {
        struct casm_rec rec = { .cls = CASM_CLS_INIT };

        c->applied[CASM_CLS_INIT]++;
        if ( !casm_take_blob(c, &rec, NULL, 0, buf, sizeof(buf)) )
            break;
        if ( !casm_page_put((uint8_t *)c->d->shared_info, rec.aux, buf, rec.check) )
        {
            casm_diverge(c, &rec, NULL, NULL, NULL, 0);
            break;
        }
    }
    casm_digest_point(c, CASM_DIGEST_START);
    casm_publish(c, true);

    return casm_replaying(c) ? 0 : casm_in(c, 1u << CASM_STATE_DIVERGED) ? -EXDEV : -ENODATA;
}

/* With the domain in CASM_STATE_STARTING. */
static int begin(struct casm_domain *c, struct casm_domctl *op)
{
    bool replay = op->u.start.mode == CASM_MODE_REPLAY;
    uint64_t since;
    int rc;

    rc = casm_place(c, op->u.start.cpu);
    if ( rc )
        return rc;
    rc = casm_bridges_init(c);
    if ( !rc )
        rc = casm_tp_start(c, op);
    if ( rc )
    {
        casm_unplace(c);
        return rc;
    }

    c->account = op->u.start.flags & CASM_START_ACCOUNT;
    c->disable = op->u.start.disable;
    c->digest_interval = op->u.start.digest_interval;
    c->digest_next = c->digest_interval;
    c->hash = CASM_HASH_SEED;
    c->check_shift = 64 - op->u.start.check_bits;
    since = casm_clock(c);
    rc = replay ? start_replay(c) : start_record(c);
    casm_charge(c, CASM_CAUSE_START_END, since);

    return rc;
}

static int start_run(struct casm_domain *c, struct casm_domctl *op)
{
    bool replay = op->u.start.mode == CASM_MODE_REPLAY;
    int rc;

    if ( c->d->creation_finished || c->d->is_dying || !c->d->vcpu[0] )
        rc = -EBUSY;
    else if ( !c->log.hdr || replay != !!c->feed.hdr || (!replay && op->u.start.mode != CASM_MODE_RECORD) ||
              (op->u.start.flags & ~(CASM_START_ACCOUNT | CASM_START_COUNTER)) || op->u.start.check_bits > 16 ||
              (replay && op->u.start.disable) )
        rc = -EINVAL;
    else
        rc = casm_be_alone(c);
    /* All but the frames that the start itself writes to, shared_info. */
    if ( !rc && !casm_digest_walk(c, casm_pool_special_first()) )
        rc = -ERESTART;
    if ( rc == -ERESTART )
        return rc;
    if ( !rc )
        rc = begin(c, op);
    /* Whatever came in between, while this was continued: it does not stay hidden from all others. */
    if ( rc && casm_starting(c) )
    {
        c->walk.mfn = 0;
        casm_set_state(c, CASM_STATE_IDLE);
    }

    return rc;
}

static int stop_run(struct casm_domain *c)
{
    int rc = 0;

    if ( !casm_logging(c) )
        return -EINVAL;

    if ( casm_recording(c) && c->d->creation_finished && !c->d->is_shutting_down )
    {
        /* The vCPU does it at its next injection point; if it sleeps, it must wake up for that. Or it has just reached an end. */
        if ( !casm_set_state(c, CASM_STATE_STOPPING) && !casm_stopping(c) )
            return -EINVAL;
        vcpu_kick(c->d->vcpu[0]); /* wakes it up, or makes it exit, for an A-point */
        return 0;
    }

    domain_pause(c->d);
    if ( !casm_recording(c) )
        casm_stop_vcpu(c, CASM_STATE_REPLAYED);
    else if ( c->d->creation_finished ) /* others have shut it down: no injection point is to come */
        casm_end(c, CASM_END_DESTROYED, 0);
    else if ( !casm_digest_walk(c, casm_pool_end()) )
        rc = -ERESTART;
    else
        casm_end(c, CASM_END_STOPPED, 0);
    domain_unpause(c->d);

    return rc;
}

static void kick(struct casm_domain *c)
{
    if ( test_and_clear_bit(0, &c->stalled) )
        vcpu_unpause(c->d->vcpu[0]);
}

static int detach(struct casm_domain *c)
{
    if ( casm_starting(c) ) /* start has to come back first */
        return -EBUSY;
    domain_pause(c->d);
    if ( casm_replaying(c) )
        casm_stop_vcpu(c, CASM_STATE_REPLAYED);
    else if ( casm_recording(c) )
    {
        c->end_reason = CASM_END_STOPPED;
        casm_set_state(c, CASM_STATE_FREE);
    }
    casm_unplace(c);
    casm_tp_stop(c);
    casm_ring_free(&c->log);
    casm_ring_free(&c->feed);
    kick(c);
    domain_unpause(c->d);

    return 0;
}

static int status(const struct casm_domain *c, const struct casm_domctl *op)
{
    struct casm_status st = {
        .abi = CASM_ABI_VERSION,
        .mode = casm_told_mode(c),
        .end_reason = c->end_reason,
        .end_code = c->end_code,
        .ordinal = c->ordinal,
        .records = c->records,
        .hash = c->hash,
        .stalls_log = c->stalls_log,
        .stalls_feed = c->stalls_feed,
        .events_queued = c->events_queued,
        .delay_max_ns = c->delay_max_ns,
        .spurious_faults = c->spurious_faults,
        .tsc_khz = c->d->arch.tsc_khz,
        .branches = casm_counter_read(&c->tp.counter, CASM_EVENT_CONDITIONAL),
        .cpu = c->cpu,
        .apoints = c->tp.stats,
        .divergence = c->divergence,
    };

    if ( op->u.status.size_bytes < sizeof(st) )
        return -EINVAL;
    if ( c->bridge[CASM_PAGE_CONSOLE].guest )
        st.console_unread_bytes = casm_bridge_unread(&c->bridge[CASM_PAGE_CONSOLE]);
    memcpy(st.applied, c->applied, sizeof(st.applied));
    memcpy(st.logged, c->logged, sizeof(st.logged));
    memcpy(st.cycles, c->cycles, sizeof(st.cycles));
    memcpy(st.delay_count, c->delay_count, sizeof(st.delay_count));

    return raw_copy_to_guest((void *)op->u.status.addr, &st, sizeof(st)) ? -EFAULT : 0;
}

/* For dom0's search for the frame that differs. Slow: a few thousand instructions per frame. */
static int frames(const struct casm_domain *c, const struct casm_domctl *op)
{
    uint64_t i, hash;

    if ( op->u.frames.count > CASM_FRAMES_MAX || op->u.frames.first > casm_pool_end() - casm_pool_first() ||
         op->u.frames.count > casm_pool_end() - casm_pool_first() - op->u.frames.first )
        return -EINVAL;

    for ( i = 0; i < op->u.frames.count; i++ )
    {
        hash = casm_frame_hash(c->d, casm_pool_first() + op->u.frames.first + i);
        if ( raw_copy_to_guest((void *)(op->u.frames.addr + i * sizeof(hash)), &hash, sizeof(hash)) )
            return -EFAULT;
    }

    return 0;
}

/* Under the domctl lock. @op is copied back to dom0 if 0 is returned. -ERESTART: the hypercall is to be continued. */
long casm_do_domctl(struct domain *d, struct casm_domctl *op)
{
    struct casm_domain *c = d->arch.casm;

    if ( op->op == CASM_OP_host_info )
    {
        memset(&op->u, 0, sizeof(op->u));
        op->u.host.abi = CASM_ABI_VERSION;
        op->u.host.cpupool = casm_cpupool;
        op->u.host.hook_switches = ((1u << (CASM_CLS_BRANCHES + 1)) - 1) & ~1u;
        op->u.host.counter = casm_counter_kind(&op->u.host.counter_why);
        op->u.host.isolation = casm_isolation();
        casm_pool_info(op);
        return 0;
    }

    if ( op->abi != CASM_ABI_VERSION )
        return -EINVAL;

    if ( op->op == CASM_OP_set_cpupool )
    {
        casm_cpupool = op->u.pool.cpupool;
        return 0;
    }

    if ( op->op == CASM_OP_cpu_identity )
        return casm_cpu_identity(op);

    if ( !c )
        return -EOPNOTSUPP;

    switch ( op->op )
    {
    case CASM_OP_attach:
        return attach(c, op);

    case CASM_OP_start:
        return start_run(c, op);

    case CASM_OP_stop:
        return stop_run(c);

    case CASM_OP_status:
        return status(c, op);

    case CASM_OP_kick:
        kick(c);
        return 0;

    case CASM_OP_frames:
        return frames(c, op);

    case CASM_OP_detach:
        return detach(c);

    default:
        return -ENOSYS;
    }
}
