/* SPDX-License-Identifier: GPL-2.0-only */
#include "casm_match.h"

enum { ENDED = 0, SEARCHING };

#define BRANCHES_LIMIT (1ULL << 63)
#define TRANSFERS_LIMIT (1ULL << 62)

static struct casm_tm_act fail(struct casm_match *m, uint8_t why, uint8_t mismatch)
{
    struct casm_tm_act act;

    act.value = 0;
    act.what = CASM_TM_FAIL;
    act.why = why;
    act.mismatch = mismatch;
    act.flags = 0;
    m->state = ENDED;
    return act;
}

static struct casm_tm_act action(struct casm_match *m, uint8_t what, uint64_t value, uint8_t flags)
{
    struct casm_tm_act act;

    act.value = value;
    act.what = what;
    act.why = CASM_TM_OK;
    act.mismatch = 0;
    act.flags = flags;
    m->armed = what;
    if ( what == CASM_TM_DELIVER )
        m->state = ENDED;
    return act;
}

void casm_match_default_limits(struct casm_match_limits *limits)
{
    limits->margin_branches = CASM_MATCH_MARGIN_DEFAULT;
    limits->rearm_min = CASM_MATCH_REARM_MIN_DEFAULT;
    limits->overflow_max = CASM_MATCH_OVERFLOW_MAX_DEFAULT;
    limits->max_hits = CASM_MATCH_MAX_HITS_DEFAULT;
    limits->slack_shift = CASM_MATCH_SLACK_SHIFT_DEFAULT;
}

static int check_target(const struct casm_tm_point *t)
{
    if ( t->kind != CASM_TM_CANONICAL && t->kind != CASM_TM_BY_STATE )
        return CASM_TM_WHY_BAD_KIND;
    if ( t->branches >= BRANCHES_LIMIT || t->transfers >= TRANSFERS_LIMIT )
        return CASM_TM_WHY_BAD_BRANCHES;
    if ( !casm_tm_guest_address(t->rip) )
        return CASM_TM_WHY_BAD_ADDRESS;
    if ( t->kind == CASM_TM_BY_STATE )
        return t->from ? CASM_TM_WHY_BAD_ADDRESS : CASM_TM_OK;
    if ( !t->branches || t->transfers )
        return CASM_TM_WHY_BAD_BRANCHES;
    return casm_tm_guest_address(t->from) ? CASM_TM_OK : CASM_TM_WHY_BAD_ADDRESS;
}

int casm_match_begin(struct casm_match *m, const struct casm_tm_point *target, const struct casm_match_limits *limits)
{
    const struct casm_match none = { .state = ENDED };
    int bad;

    *m = none;
    if ( limits )
        m->limits = *limits;
    else
        casm_match_default_limits(&m->limits);
    m->target = *target;
    if ( !m->limits.margin_branches || !m->limits.overflow_max || !m->limits.max_hits || m->limits.slack_shift > 63 )
        return CASM_TM_WHY_BAD_LIMITS;
    bad = check_target(target);
    if ( !bad )
        m->state = SEARCHING;
    return bad;
}

static uint8_t compare(const struct casm_tm_point *t, const struct casm_tm_obs *obs)
{
    uint8_t diff = 0;

    if ( obs->rip != t->rip )
        diff |= CASM_TM_DIFF_RIP;
    if ( obs->rcx != t->rcx )
        diff |= CASM_TM_DIFF_RCX;
    if ( obs->rsp != t->rsp )
        diff |= CASM_TM_DIFF_RSP;
    if ( obs->hash != t->hash )
        diff |= CASM_TM_DIFF_HASH;
    return diff;
}

/* Runs on, for branches in the unit of `now`; m->programmed is in it too. */
static struct casm_tm_act overflow(struct casm_match *m, uint64_t now, uint64_t distance, uint8_t flags)
{
    if ( distance > m->limits.overflow_max )
        distance = m->limits.overflow_max;
    m->programmed = now + distance;
    m->programmed_flags = flags;
    m->overflows++;
    return action(m, CASM_TM_OVERFLOW, distance, flags);
}

/* Goes on towards a point `missing` branches away; near it, to the instruction at `address`. */
static struct casm_tm_act approach(struct casm_match *m, const struct casm_tm_obs *obs, uint64_t missing, uint64_t address)
{
    const struct casm_match_limits *l = &m->limits;
    uint8_t there = obs->rip == address && obs->reason != CASM_TM_BEGIN;

    if ( missing > (uint64_t)l->margin_branches + l->rearm_min )
        return overflow(m, obs->branches, missing - l->margin_branches, 0);
    if ( m->hits >= l->max_hits )
        return fail(m, CASM_TM_WHY_TOO_MANY_HITS, 0);
    m->passing = there && obs->reason == CASM_TM_BREAKPOINT;
    return action(m, CASM_TM_BREAK, address, there ? CASM_TM_FLAG_RF : 0);
}

static struct casm_tm_act canonical(struct casm_match *m, const struct casm_tm_obs *obs, uint8_t passed, uint64_t grown)
{
    const struct casm_tm_point *t = &m->target;
    uint64_t missing = t->branches - obs->branches;

    if ( m->armed == CASM_TM_SINGLE && obs->reason == CASM_TM_STEP )
    {
        /* It began at `from`, one branch before the point, and ran one instruction. */
        uint8_t diff = compare(t, obs);

        if ( grown > 1 )
            return fail(m, CASM_TM_WHY_COUNTER, 0);
        if ( !grown )
            return fail(m, CASM_TM_WHY_NO_BRANCH, 0);
        return diff ? fail(m, CASM_TM_WHY_MISMATCH, diff) : action(m, CASM_TM_DELIVER, 0, 0);
    }
    /*
     * No other way of coming to a boundary with that many branches tells whether it is the first one: the registers may be
     * equal at a later one.
     */
    if ( obs->branches >= t->branches )
        return fail(m, CASM_TM_WHY_OVERSHOT, 0);
    if ( passed && obs->reason == CASM_TM_BREAKPOINT && obs->rip == t->from && !grown )
        return fail(m, CASM_TM_WHY_NO_BRANCH, 0);
    if ( missing == 1 && obs->rip == t->from )
    {
        m->steps++;
        return action(m, CASM_TM_SINGLE, 0, 0);
    }
    return approach(m, obs, missing, t->from);
}

static struct casm_tm_act by_state(struct casm_match *m, const struct casm_tm_obs *obs)
{
    const struct casm_tm_point *t = &m->target;
    const struct casm_match_limits *l = &m->limits;
    uint64_t slack = 2 * (uint64_t)l->margin_branches + (t->transfers >> l->slack_shift);
    struct casm_tm_act act;

    if ( obs->branches > t->branches )
        return fail(m, CASM_TM_WHY_OVERSHOT, 0);
    /* A boundary with these registers that lies before the slack is not the one. Nothing overflows: both counts are below 2^62. */
    if ( obs->transfers < t->transfers && t->transfers - obs->transfers > slack + l->rearm_min )
        return overflow(m, obs->transfers, t->transfers - obs->transfers - slack, CASM_TM_FLAG_TRANSFERS);
    if ( obs->branches == t->branches && !compare(t, obs) )
        return action(m, CASM_TM_DELIVER, 0, 0);
    /* A loop without conditional branches may never come to a boundary that tells more. Our own exits are counted as transfers. */
    if ( t->transfers && obs->transfers > t->transfers &&
         obs->transfers - t->transfers > slack + CASM_MATCH_TOO_FAR + m->hits + m->interrupts )
        return fail(m, CASM_TM_WHY_OVERSHOT, 0);
    act = approach(m, obs, t->branches - obs->branches, t->rip);
    /* Earlier rounds of a loop are other boundaries; interrupts of the recording, which made the target's count larger, are not. */
    if ( act.what == CASM_TM_BREAK && obs->branches == t->branches && obs->rip == t->rip &&
         obs->transfers + (t->transfers >> l->slack_shift) >= t->transfers )
        act.mismatch = compare(t, obs);
    return act;
}

struct casm_tm_act casm_match_next(struct casm_match *m, const struct casm_tm_obs *obs)
{
    uint64_t grown = obs->branches - m->last_branches;
    uint8_t passed = m->passing;

    if ( m->state == ENDED )
        return fail(m, CASM_TM_WHY_ENDED, 0);
    if ( obs->branches < m->last_branches )
        return fail(m, CASM_TM_WHY_COUNTER, 0);
    m->last_branches = obs->branches;
    m->passing = 0;
    if ( obs->reason == CASM_TM_BREAKPOINT )
        m->hits++;
    else if ( obs->reason == CASM_TM_INTERRUPT )
    {
        uint64_t count = m->programmed_flags & CASM_TM_FLAG_TRANSFERS ? obs->transfers : obs->branches;

        m->interrupts++;
        if ( m->armed == CASM_TM_OVERFLOW && count >= m->programmed )
        {
            uint64_t late = count - m->programmed;

            if ( late > m->worst_late_branches )
                m->worst_late_branches = late;
        }
    }
    return m->target.kind == CASM_TM_CANONICAL ? canonical(m, obs, passed, grown) : by_state(m, obs);
}
