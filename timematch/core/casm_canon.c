/* SPDX-License-Identifier: GPL-2.0-only */
#include "casm_canon.h"

enum { ENDED = 0, FIRST, STEPPING };

#define BRANCHES_LIMIT (1ULL << 63)
#define TRANSFERS_LIMIT (1ULL << 62)
#define MAX_STEPS_LIMIT (1u << 30)

static struct casm_tm_act action(uint8_t what, uint64_t value, uint8_t flags)
{
    struct casm_tm_act act;

    act.value = value;
    act.what = what;
    act.why = CASM_TM_OK;
    act.mismatch = 0;
    act.flags = flags;
    return act;
}

static struct casm_tm_act fail(struct casm_canon *c, uint8_t why)
{
    struct casm_tm_act act = action(CASM_TM_FAIL, 0, 0);

    act.why = why;
    c->state = ENDED;
    return act;
}

static struct casm_tm_act deliver(struct casm_canon *c, const struct casm_tm_obs *obs, uint8_t kind, uint64_t from)
{
    c->point.kind = kind;
    c->point.branches = obs->branches;
    c->point.from = from;
    c->point.rip = obs->rip;
    c->point.rcx = obs->rcx;
    c->point.rsp = obs->rsp;
    c->point.hash = obs->hash;
    c->point.transfers = kind == CASM_TM_BY_STATE ? c->transfers : 0;
    c->state = ENDED;
    return action(CASM_TM_DELIVER, 0, 0);
}

int casm_canon_begin(struct casm_canon *c, const struct casm_canon_limits *limits)
{
    const struct casm_canon none = { .state = ENDED };
    uint32_t max_steps = limits ? limits->max_steps : CASM_CANON_MAX_STEPS_DEFAULT;

    *c = none;
    if ( !max_steps || max_steps > MAX_STEPS_LIMIT )
        return CASM_TM_WHY_BAD_LIMITS;
    c->max_steps = max_steps;
    c->state = FIRST;
    return CASM_TM_OK;
}

/* Whether the log may hold a point here. */
static int nameable(const struct casm_tm_obs *obs)
{
    return casm_tm_guest_address(obs->rip) && obs->branches < BRANCHES_LIMIT;
}

/* Whether a breakpoint may not hit at the boundary right after this instruction. */
static int casts_shadow(uint8_t cls)
{
    return cls == CASM_INSN_LOAD_SS || cls == CASM_INSN_IRET;
}

/* Whether the last action ran a REP string instruction that may have done some of its rounds: no breakpoint hits between them. */
static int within_rep(const struct casm_canon *c, const struct casm_tm_obs *obs)
{
    return c->last_cls == CASM_INSN_REP_STRING && obs->rip == c->last_rip;
}

/* Whether one instruction of this class can retire as a conditional branch. */
static int may_branch(uint8_t cls)
{
    return cls == CASM_INSN_COND_BRANCH || cls == CASM_INSN_LOOP || cls == CASM_INSN_UNKNOWN;
}

/* Runs the instruction at RIP. */
static struct casm_tm_act run_one(struct casm_canon *c, const struct casm_tm_obs *obs, const struct casm_insn *insn)
{
    uint64_t behind = obs->rip + insn->length;
    uint8_t cls = insn->cls, known = insn->length, flags = 0;

    if ( cls == CASM_INSN_LOAD_SS )
    {
        /* The trap may come only after the next instruction: that one decides. */
        cls = insn->after_cls;
        if ( cls == CASM_INSN_IRET || cls == CASM_INSN_UNKNOWN )
            return fail(c, CASM_TM_WHY_NO_POINT);
        known = insn->length && insn->after_length;
        behind += insn->after_length;
    }
    c->last_cls = insn->cls;
    c->last_rip = obs->rip;
    c->last_branches = obs->branches;
    if ( known && (cls == CASM_INSN_REP_STRING || cls == CASM_INSN_PUSHF || cls == CASM_INSN_POPF) &&
         casm_tm_guest_address(behind) )
    {
        c->breaks++;
        c->armed = CASM_TM_BREAK;
        c->breakpoint = behind;
        return action(CASM_TM_BREAK, behind, 0);
    }
    if ( cls == CASM_INSN_IRET )
        flags = CASM_TM_FLAG_TF_GUEST;
    c->steps++;
    c->armed = CASM_TM_SINGLE;
    return action(CASM_TM_SINGLE, 0, flags);
}

struct casm_tm_act casm_canon_next(struct casm_canon *c, const struct casm_tm_obs *obs, const struct casm_insn *insn)
{
    if ( c->state == ENDED )
        return fail(c, CASM_TM_WHY_ENDED);

    if ( c->state == FIRST )
    {
        c->state = STEPPING;
        c->shadow = 1;
        c->transfers = obs->transfers < TRANSFERS_LIMIT ? obs->transfers : 0;
    }
    else
    {
        uint64_t grown = obs->branches - c->last_branches;

        if ( obs->branches < c->last_branches )
            return fail(c, CASM_TM_WHY_COUNTER);
        if ( c->armed == CASM_TM_SINGLE && obs->reason == CASM_TM_STEP )
        {
            /* One instruction ran; after one that loads SS perhaps two, of which one may have been a branch. */
            if ( grown > 1 )
                return fail(c, CASM_TM_WHY_COUNTER);
            if ( grown && !c->shadow && may_branch(c->last_cls) && casm_tm_guest_address(c->last_rip) && nameable(obs) )
                return deliver(c, obs, CASM_TM_CANONICAL, c->last_rip);
            if ( grown ? !may_branch(c->last_cls) && c->last_cls != CASM_INSN_LOAD_SS : c->last_cls == CASM_INSN_COND_BRANCH )
                c->suspects++;
            c->shadow = casts_shadow(c->last_cls) || within_rep(c, obs);
        }
        else if ( c->armed == CASM_TM_BREAK && obs->rip == c->breakpoint )
        {
            /* Hit, or an interrupt came first at the same boundary. */
            if ( grown )
                c->suspects++;
            c->shadow = 0;
        }
        else if ( grown || obs->rip != c->last_rip || within_rep(c, obs) )
            c->shadow = 1; /* something ran that was not seen, or some rounds of a REP */
        /* Else nothing ran: the shadow, if there is one, is still there. */
    }

    if ( c->steps + c->breaks >= c->max_steps )
    {
        if ( !c->shadow && nameable(obs) )
            return deliver(c, obs, CASM_TM_BY_STATE, 0);
        if ( c->steps + c->breaks >= c->max_steps + CASM_CANON_GRACE_STEPS )
            return fail(c, CASM_TM_WHY_NO_POINT);
    }
    return run_one(c, obs, insn);
}
