/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * casm_canon_begin(), casm_canon_next(): any limits, any observations in any order and number, any classes and lengths of the
 * instruction there.
 */
#include "observation.h"
#include "core/casm_canon.c"

static void next(struct casm_canon *c)
{
    struct casm_insn insn = { any_u8, any_u8, any_u8, any_u8 };
    struct casm_tm_obs obs;
    struct casm_tm_act act;

    any_observation(&obs);
    act = casm_canon_next(c, &obs, &insn);
    //@ check CASM_TM_BREAK <= act.what <= CASM_TM_FAIL;
    use(&act);
}

static void ended(struct casm_canon *c)
{
    struct casm_insn insn = {};
    struct casm_tm_obs obs;
    struct casm_tm_act act;

    any_observation(&obs);
    act = casm_canon_next(c, &obs, &insn);
    //@ check act.what == CASM_TM_FAIL && act.why == CASM_TM_WHY_ENDED;
}

void recording(void)
{
    struct casm_canon_limits limits = { any_u32 };
    struct casm_canon c;

    if ( casm_canon_begin(&c, any_int ? &limits : NULL) )
        ended(&c);
    else
        while ( any_int )
            next(&c);
    THE_END(recording);
}

void never_begun(void)
{
    struct casm_canon c = {};

    ended(&c);
    THE_END(never_begun);
}
