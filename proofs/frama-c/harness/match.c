/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * casm_match_begin(), casm_match_next(): any limits, any target of a log, any observations in any order and number.
 */
#include "observation.h"
#include "core/casm_match.c"

/* Beyond the absence of undefined behaviour: a breakpoint is never set in Xen's part of the address space. */
/*@ requires breakpoint_in_the_guests_part:
        what == CASM_TM_BREAK ==> (value <= 0x00007fffffffffff || value >= 0xffff880000000000); */
static struct casm_tm_act action(struct casm_match *m, uint8_t what, uint64_t value, uint8_t flags);

static void next(struct casm_match *m)
{
    struct casm_tm_obs obs;
    struct casm_tm_act act;

    any_observation(&obs);
    act = casm_match_next(m, &obs);
    //@ check CASM_TM_OVERFLOW <= act.what <= CASM_TM_FAIL;
    use(&act);
}

static void ended(struct casm_match *m)
{
    struct casm_tm_obs obs;
    struct casm_tm_act act;

    any_observation(&obs);
    act = casm_match_next(m, &obs);
    //@ check act.what == CASM_TM_FAIL && act.why == CASM_TM_WHY_ENDED;
}

static void search(struct casm_match *m)
{
    while ( any_int )
        next(m);
}

static void replay(struct casm_match *m, uint64_t rip, uint64_t from)
{
    struct casm_match_limits limits = { any_u32, any_u32, any_u32, any_u32, any_u32 };
    struct casm_tm_point target = { any_u64, from, rip, any_u64, any_u64, any_u64, any_u64, any_u8 };

    if ( casm_match_begin(m, &target, any_int ? &limits : NULL) )
        ended(m);
    else
        search(m);
}

/* All targets, in pieces: Eva holds intervals, and the guest's part of the address space is none. */
void replaying(void)
{
    struct casm_match m;

    replay(&m, low_address(), low_address());
    replay(&m, low_address(), foreign_address());
    replay(&m, low_address(), high_address());
    replay(&m, high_address(), low_address());
    replay(&m, high_address(), foreign_address());
    replay(&m, high_address(), high_address());
    replay(&m, foreign_address(), any_u64);
    THE_END(replaying);
}

void never_begun(void)
{
    struct casm_match m = {};

    ended(&m);
    THE_END(never_begun);
}
