/* SPDX-License-Identifier: GPL-2.0-only */
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <asm/casm.h>
#include <asm/desc.h>
#include <asm/processor.h>
#include <asm/uaccess.h>

#include "debugtrap.h"
#include "private.h"
#include "timepoint.h"
#include "../pv/emulate.h" /* pv_emul_read_descriptor() */

/* --- Observations and actions --- */

static void observe(const struct casm_domain *c, struct cpu_user_regs *regs, struct casm_tm_obs *obs)
{
    const struct casm_timepoint *tp = &c->tp;

    obs->branches = casm_counter_read(&tp->counter, CASM_EVENT_CONDITIONAL) - tp->entry_count;
    obs->transfers = tp->transfers_known ? casm_counter_read(&tp->counter, CASM_EVENT_ANY) - tp->transfers : 0;
    casm_leave_by_iret(regs);
    obs->rip = regs->rip;
    obs->rcx = regs->rcx;
    obs->rsp = regs->rsp;
    obs->hash = casm_regs_hash(c->hash, regs, current);
    obs->reason = tp->reason;
}

/* An entry, or a point: what has been counted until then would only add to the error of what follows. */
static void mark(struct casm_timepoint *tp)
{
    tp->transfers = casm_counter_read(&tp->counter, CASM_EVENT_ANY);
    tp->transfers_known = true;
}

static void arm_overflow(struct casm_timepoint *tp, uint64_t distance, enum casm_event event)
{
    casm_counter_arm(&tp->counter, CASM_EVENT_CONDITIONAL, event == CASM_EVENT_CONDITIONAL ? distance : 0);
    casm_counter_arm(&tp->counter, CASM_EVENT_ANY, event == CASM_EVENT_ANY ? distance : 0);
}

/* Nothing of ours stays in the processor, or in the guest's flags. */
static void disarm(struct casm_timepoint *tp, struct cpu_user_regs *regs)
{
    casm_step_off(tp, regs, false);
    casm_break_off(current, tp);
    arm_overflow(tp, 0, CASM_EVENT_CONDITIONAL);
    tp->reason = CASM_TM_INTERRUPT;
    tp->fetched = false;
}

static void arm(struct casm_timepoint *tp, struct cpu_user_regs *regs, const struct casm_tm_act *act)
{
    bool hit = tp->reason == CASM_TM_BREAKPOINT;

    tp->reason = CASM_TM_INTERRUPT;
    tp->fetched = false;
    if ( act->what != CASM_TM_OVERFLOW )
        arm_overflow(tp, 0, CASM_EVENT_CONDITIONAL);
    if ( act->what != CASM_TM_BREAK )
        casm_break_off(current, tp);

    if ( act->what == CASM_TM_OVERFLOW )
        arm_overflow(tp, act->value, act->flags & CASM_TM_FLAG_TRANSFERS ? CASM_EVENT_ANY : CASM_EVENT_CONDITIONAL);
    else if ( act->what == CASM_TM_BREAK )
    {
        casm_break_on(current, tp, act->value);
        if ( hit || (act->flags & CASM_TM_FLAG_RF) )
            regs->rflags |= X86_EFLAGS_RF;
    }
    else if ( act->what == CASM_TM_SINGLE )
        casm_step_on(tp, regs, act->flags & CASM_TM_FLAG_TF_GUEST);
}

static void account(struct casm_apoint_stats *st, unsigned int kind, uint64_t trips)
{
    uint64_t limit = 1;
    unsigned int i;

    if ( kind == CASM_APOINT_CANONICAL )
        st->canonical++;
    else
        st->by_state++;
    if ( trips > st->steps_max )
        st->steps_max = trips;
    for ( i = 0; i < ARRAY_SIZE(st->steps_count) - 1 && trips > limit; i++ )
        limit *= 4;
    st->steps_count[i]++;
}

struct apoint {
    struct casm_rec rec;
    uint64_t w[3];
    uint64_t state[3]; /* from (by state: transfers), RCX, RSP */
};

static void describe(struct apoint *ap, const struct casm_tm_point *point)
{
    ap->rec = (struct casm_rec){ .cls = CASM_CLS_APOINT, .kind = point->kind, .check = sizeof(ap->state) };
    ap->w[0] = point->branches;
    ap->w[1] = point->rip;
    ap->w[2] = point->hash;
    if ( point->kind == CASM_APOINT_CANONICAL )
        ap->state[0] = point->from;
    else
        ap->state[0] = point->transfers ? point->transfers | CASM_APOINT_TRANSFERS : 0;
    ap->state[1] = point->rcx;
    ap->state[2] = point->rsp;
}

/* Would the exit test for upcalls deliver one now? */
static bool upcall_due(const struct vcpu *v)
{
    return vcpu_info(v, evtchn_upcall_pending) && !vcpu_info(v, evtchn_upcall_mask);
}

/* --- Recording --- */

static bool dense_here(const struct casm_timepoint *tp, const struct cpu_user_regs *regs)
{
    return unlikely(tp->dense_every) && regs->rip >= tp->dense_first && regs->rip <= tp->dense_last;
}

static void canon_begin(struct casm_timepoint *tp, const struct cpu_user_regs *regs)
{
    struct casm_canon_limits limits = { .max_steps = CASM_CANON_MAX_STEPS_DEFAULT };

    /* Elsewhere names by state would only be worse: two calls of a function, one after the other, may have equal registers. */
    if ( dense_here(tp, regs) )
        limits.max_steps = tp->dense_every;
    casm_canon_begin(&tp->canon, &limits);
    tp->active = true;
}

/* The instruction at RIP. Guest memory is read with interrupts on: a page fault in Xen needs them so. */
static void fetch(struct casm_timepoint *tp, const struct cpu_user_regs *regs)
{
    uint8_t bytes[CASM_INSN_FETCH_BYTES];
    unsigned int n = sizeof(bytes), bits = 64, ar;
    unsigned long base = 0, limit;

    local_irq_enable();
    tp->flat = true;
    if ( regs->cs != FLAT_KERNEL_CS64 && regs->cs != FLAT_USER_CS64 )
    {
        tp->flat = pv_emul_read_descriptor(regs->cs, current, &base, &limit, &ar, true);
        bits = ar & _SEGMENT_L ? 64 : ar & _SEGMENT_DB ? 32 : 16;
        if ( bits != 64 && base )
            tp->flat = false; /* a breakpoint takes a linear address */
    }
    if ( copy_from_guest_pv(bytes, (const void __user *)regs->rip, n) )
    {
        n = min_t(unsigned int, n, PAGE_SIZE - (regs->rip & (PAGE_SIZE - 1)));
        if ( copy_from_guest_pv(bytes, (const void __user *)regs->rip, n) )
            n = 0;
    }
    casm_insn_classify(&tp->insn, bytes, n, bits);
    tp->fetched = true;
    local_irq_disable();
}

static unsigned int record_point(struct casm_domain *c, struct cpu_user_regs *regs)
{
    struct casm_timepoint *tp = &c->tp;
    const struct casm_canon *canon = &tp->canon;
    struct apoint ap;

    describe(&ap, &canon->point);
    c->hash = canon->point.hash;
    c->applied[CASM_CLS_APOINT]++;
    casm_put_blob(c, ap.rec, ap.w, 3, ap.state, sizeof(ap.state));
    account(&tp->stats, canon->point.kind, canon->steps + canon->breaks);
    mark(tp);

    tp->active = false;
    tp->due = false;
    disarm(tp, regs);
    regs->rflags &= ~(uint64_t)X86_EFLAGS_RF; /* an upcall's frame shows it, and it tells how Xen was entered */
    c->point = CASM_POINT_OPEN;

    return CASM_EXIT_AGAIN;
}

static unsigned int record_exit(struct casm_domain *c, struct cpu_user_regs *regs)
{
    struct casm_timepoint *tp = &c->tp;
    struct casm_tm_obs obs;
    struct casm_tm_act act;

    if ( !tp->active && !(tp->due && read_atomic(&c->npending)) && !casm_stopping(c) && !dense_here(tp, regs) )
        return CASM_EXIT_SKIP;
    /* Before the first entry there is no ordinal to count from. */
    if ( !c->ordinal || casm_traps_at_once(tp, regs) )
        return CASM_EXIT_SKIP;
    if ( !casm_room(c) )
        return CASM_EXIT_AGAIN;
    if ( !tp->active )
        canon_begin(tp, regs);
    casm_step_off(tp, regs, tp->reason == CASM_TM_STEP);
    if ( !tp->fetched )
    {
        fetch(tp, regs);
        return CASM_EXIT_AGAIN;
    }
    if ( !tp->flat )
    {
        tp->active = false;
        tp->transfers_known = false;
        disarm(tp, regs);
        return CASM_EXIT_SKIP;
    }

    observe(c, regs, &obs);
    act = casm_canon_next(&tp->canon, &obs, &tp->insn);
    if ( obs.reason == CASM_TM_STEP )
        tp->stats.steps++;
    else if ( obs.reason == CASM_TM_BREAKPOINT )
        tp->stats.hits++;

    if ( act.what == CASM_TM_DELIVER )
        return record_point(c, regs);
    if ( act.what == CASM_TM_FAIL )
    {
        tp->active = false; /* again at a later interrupt */
        tp->transfers_known = false;
        disarm(tp, regs);
        return CASM_EXIT_SKIP;
    }
    arm(tp, regs, &act);

    return CASM_EXIT_SKIP;
}

static void cf_check timer_fn(void *data)
{
    struct casm_domain *c = data;
    struct casm_timepoint *tp = &c->tp;
    s_time_t now = NOW(), at;

    if ( !read_atomic(&c->npending) )
        return;
    at = c->pending_since + tp->max_delay_ns;
    if ( now < at )
        set_timer(&tp->timer, at);
    else
    {
        tp->due = true;
        vcpu_kick(c->d->vcpu[0]);
    }
}

void casm_tp_signal(struct casm_domain *c)
{
    struct casm_timepoint *tp = &c->tp;
    const struct vcpu *v = c->d->vcpu[0];

    /* A vCPU that sleeps wakes up for it, at an S-point. */
    if ( tp->on && casm_recording(c) && !test_bit(_VPF_blocked, &v->pause_flags) )
        set_timer(&tp->timer, NOW() + tp->max_delay_ns);
}

/* --- Replay --- */

/* Is the next record a point? Then looks for it. */
static bool match_begin(struct casm_domain *c)
{
    struct casm_timepoint *tp = &c->tp;
    struct casm_tm_point point = {};
    struct casm_rec next;
    struct apoint ap;
    int why;

    if ( !casm_peek(c, &next) || next.cls != CASM_CLS_APOINT )
        return false;
    if ( next.check != sizeof(ap.state) )
    {
        casm_diverge(c, &next, NULL, NULL, NULL, 0);
        return false;
    }
    if ( !casm_peek_payload(c, ap.w, sizeof(ap.w), 8) ||
         !casm_peek_payload(c, ap.state, sizeof(ap.state), 8 + sizeof(ap.w)) )
    {
        /* casm_room() lets us get here only at the feed's end: the log was cut. */
        c->end_reason = CASM_END_NONE;
        casm_stop_vcpu(c, CASM_STATE_REPLAYED);
        return false;
    }
    point.kind = next.kind;
    point.branches = ap.w[0];
    point.rip = ap.w[1];
    point.hash = ap.w[2];
    if ( point.kind == CASM_APOINT_CANONICAL )
        point.from = ap.state[0];
    else
        point.transfers = ap.state[0] ? ap.state[0] ^ CASM_APOINT_TRANSFERS : 0; /* else refused: too many */
    point.rcx = ap.state[1];
    point.rsp = ap.state[2];
    why = casm_match_begin(&tp->match, &point, &tp->limits);
    if ( why )
    {
        casm_diverge(c, &next, ap.w, NULL, NULL, 3);
        return false;
    }
    tp->active = true;
    tp->passed = false;
    tp->near.mismatch = 0;
    tp->reason = CASM_TM_BEGIN;

    return true;
}

static void remember(struct casm_timepoint *tp, const struct casm_tm_obs *obs, const struct cpu_user_regs *regs, uint8_t mismatch)
{
    /* RCX and RSP are in the hash too: a smaller set is a smaller number. */
    if ( tp->near.mismatch && mismatch > tp->near.mismatch )
        return;
    tp->near.mismatch = mismatch;
    tp->near.hash = obs->hash;
    tp->near.regs = *regs;
}

static void diverge(struct casm_domain *c, const struct casm_tm_point *here, const struct cpu_user_regs *regs)
{
    struct apoint expected, actual;

    describe(&expected, &c->tp.match.target);
    describe(&actual, here);
    casm_diverge_at(c, &expected.rec, expected.w, &actual.rec, actual.w, 3, regs);
}

/* Where it was passed, if anywhere; the registers are those of there. */
static bool lost_near(struct casm_domain *c)
{
    struct casm_tm_point there = c->tp.match.target;

    if ( !c->tp.near.mismatch )
        return false;
    there.hash = c->tp.near.hash;
    diverge(c, &there, &c->tp.near.regs);

    return true;
}

static void lost(struct casm_domain *c, const struct casm_tm_obs *obs)
{
    const struct casm_tm_point *target = &c->tp.match.target;
    struct casm_tm_point here = { .kind = target->kind, .branches = obs->branches, .rip = obs->rip, .hash = obs->hash };

    /* The point's registers with another count: not the guest is to blame. */
    if ( (obs->rip == target->rip && obs->hash == target->hash) || !lost_near(c) )
        diverge(c, &here, guest_cpu_user_regs());
}

static unsigned int replay_point(struct casm_domain *c, struct cpu_user_regs *regs, const struct casm_tm_obs *obs)
{
    struct casm_timepoint *tp = &c->tp;
    const struct casm_match *m = &tp->match;
    struct apoint here, log;

    describe(&here, &m->target);
    log = here;
    c->applied[CASM_CLS_APOINT]++;
    /* The header is a copy of ours since match_begin(), so the blob's length is still the one checked there. */
    if ( !casm_take_blob(c, &log.rec, log.w, 3, log.state, sizeof(log.state)) )
        return CASM_EXIT_AGAIN;
    /* What was looked for is what the log still says, and what the guest is at. */
    if ( log.rec.kind != here.rec.kind || memcmp(log.w, here.w, sizeof(log.w)) ||
         memcmp(log.state, here.state, sizeof(log.state)) || obs->hash != here.w[2] )
    {
        lost(c, obs);
        return CASM_EXIT_AGAIN;
    }
    c->hash = obs->hash;
    account(&tp->stats, here.rec.kind, m->steps + m->hits);
    mark(tp);
    tp->stats.overflows += m->overflows;
    if ( m->worst_late_branches > tp->stats.late_max_branches )
        tp->stats.late_max_branches = m->worst_late_branches;

    tp->active = false;
    disarm(tp, regs);
    regs->rflags &= ~(uint64_t)X86_EFLAGS_RF;
    /* The next point may be this very boundary: by way of the exit tests, so that no log can make us recurse. */
    c->point = CASM_POINT_OPEN;

    return CASM_EXIT_AGAIN;
}

static unsigned int replay_exit(struct casm_domain *c, struct cpu_user_regs *regs)
{
    struct casm_timepoint *tp = &c->tp;
    struct casm_tm_obs obs;
    struct casm_tm_act act;

    /* First: points alone can empty the feed, and the guest must not run on before it is known if the next record is one. */
    if ( !casm_room(c) )
        return CASM_EXIT_AGAIN;
    if ( casm_traps_at_once(tp, regs) )
        return CASM_EXIT_SKIP;
    if ( !tp->active && !match_begin(c) )
        return casm_replaying(c) ? CASM_EXIT_SKIP : CASM_EXIT_AGAIN;

    casm_step_off(tp, regs, tp->reason == CASM_TM_STEP);
    observe(c, regs, &obs);
    if ( (tp->reason == CASM_TM_BEGIN && tp->match.target.kind == CASM_APOINT_BY_STATE &&
          regs->rip == tp->match.target.rip) ||
         (tp->passed && tp->reason == CASM_TM_INTERRUPT && regs->rip == tp->match.target.rip &&
          (regs->rflags & X86_EFLAGS_RF)) ) /* interrupted before the instruction there has run */
    {
        /*
         * The recording went on by one instruction at least. This boundary may have the same registers and other memory:
         * pass it, and let the first one behind it be the first candidate.
         */
        act = (struct casm_tm_act){ .what = CASM_TM_BREAK, .value = regs->rip, .flags = CASM_TM_FLAG_RF };
        arm(tp, regs, &act);
        tp->passed = true;
        return CASM_EXIT_SKIP;
    }
    if ( tp->passed && obs.reason == CASM_TM_BREAKPOINT )
        obs.reason = CASM_TM_INTERRUPT; /* the machine has not asked for it */
    tp->passed = false;
    act = casm_match_next(&tp->match, &obs);
    if ( obs.reason == CASM_TM_STEP )
        tp->stats.steps++;
    else if ( obs.reason == CASM_TM_BREAKPOINT )
        tp->stats.hits++;

    if ( act.what == CASM_TM_DELIVER )
        return replay_point(c, regs, &obs);
    if ( act.what == CASM_TM_FAIL )
    {
        disarm(tp, regs);
        lost(c, &obs);
        return CASM_EXIT_AGAIN;
    }
    if ( act.mismatch )
        remember(tp, &obs, regs, act.mismatch);
    arm(tp, regs, &act);

    return CASM_EXIT_SKIP;
}

/* --- Hooks --- */

unsigned int casm_tp_exit(struct casm_domain *c)
{
    struct cpu_user_regs *regs = guest_cpu_user_regs();

    if ( !c->tp.on )
    {
        struct casm_rec next;

        /* A log with A-points, and nothing to find them with: dom0 should not have started this. */
        if ( casm_replaying(c) && casm_peek(c, &next) && next.cls == CASM_CLS_APOINT )
        {
            casm_diverge(c, &next, NULL, NULL, NULL, 0);
            return CASM_EXIT_AGAIN;
        }
        return CASM_EXIT_SKIP;
    }

    return casm_recording(c) ? record_exit(c, regs) : replay_exit(c, regs);
}

unsigned int casm_tp_leave(struct casm_domain *c)
{
    struct casm_timepoint *tp = &c->tp;
    struct cpu_user_regs *regs = guest_cpu_user_regs();

    if ( !tp->on )
        return CASM_EXIT_DELIVER;

    if ( casm_recording(c) )
    {
        if ( !read_atomic(&c->npending) )
            tp->due = false;
        /* With an upcall to come, the guest is elsewhere at the next exit; and TF must not be in that frame. */
        if ( likely(!tp->dense_every) || upcall_due(current) )
            return CASM_EXIT_DELIVER;
        return record_exit(c, regs);
    }

    if ( upcall_due(current) )
        return CASM_EXIT_DELIVER;

    return replay_exit(c, regs);
}

void casm_tp_entry(struct casm_domain *c)
{
    struct casm_timepoint *tp = &c->tp;
    struct cpu_user_regs *regs = guest_cpu_user_regs();

    if ( unlikely(tp->active) )
    {
        casm_hide_step(regs);
        disarm(tp, regs);
        tp->active = false;
        if ( casm_replaying(c) && lost_near(c) )
            return;
    }
    tp->entry_count = casm_counter_read(&tp->counter, CASM_EVENT_CONDITIONAL);
    mark(tp);
}

int casm_tp_start(struct casm_domain *c, const struct casm_domctl *op)
{
    struct casm_timepoint *tp = &c->tp;
    int rc;

    tp->slot = -1;
    tp->reason = CASM_TM_INTERRUPT;
    if ( !(op->u.start.flags & CASM_START_COUNTER) )
        return op->u.start.dense_every ? -EINVAL : 0;
    if ( op->u.start.max_delay_ns > CASM_MAX_DELAY_NS || op->u.start.dense_every > CASM_MAX_DENSE_EVERY )
        return -EINVAL;

    rc = casm_counter_acquire();
    if ( rc )
        return rc;
    tp->owned = true;
    casm_match_default_limits(&tp->limits);
    tp->limits.overflow_max = CASM_COUNTER_ARM_MAX;
    if ( op->u.start.margin_branches )
        tp->limits.margin_branches = op->u.start.margin_branches;
    tp->max_delay_ns = op->u.start.max_delay_ns;
    tp->dense_every = op->u.start.dense_every;
    tp->dense_first = op->u.start.dense_first;
    tp->dense_last = op->u.start.dense_last;
    init_timer(&tp->timer, timer_fn, c, c->d->vcpu[0]->processor);
    tp->counter.on = true;
    tp->on = true;

    return 0;
}

void casm_tp_drop(struct casm_domain *c)
{
    if ( c->tp.active )
        disarm(&c->tp, guest_cpu_user_regs());
    c->tp.active = false;
}

void casm_tp_stop(struct casm_domain *c)
{
    struct casm_timepoint *tp = &c->tp;

    if ( !tp->owned )
        return;
    tp->on = false;
    tp->counter.on = false;
    casm_counter_save(&tp->counter); /* of the vCPU itself; of one that does not run, the context switch has done it */
    kill_timer(&tp->timer);
    casm_counter_release();
    tp->owned = false;
}
