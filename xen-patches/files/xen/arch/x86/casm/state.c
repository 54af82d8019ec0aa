/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: the states of a recordable domain.
 *
 * What is done with a domain is one word. dom0 asks for a stop while the vCPU logs, ends, or diverges on another processor: who comes
 * second finds a transition that does not exist, and nothing is left of what he asked for.
 */
#include <xen/lib.h>
#include <xen/sched.h>

#include "private.h"

#define TO(s) (1u << CASM_STATE_##s)
static const uint16_t transitions[CASM_STATES] = {
    [CASM_STATE_IDLE]     = TO(STARTING),
    [CASM_STATE_STARTING] = TO(IDLE) | TO(RECORD) | TO(REPLAY),
    [CASM_STATE_RECORD]   = TO(STOPPING) | TO(CRASHING) | TO(FREE),
    [CASM_STATE_STOPPING] = TO(CRASHING) | TO(FREE),
    [CASM_STATE_CRASHING] = TO(FREE),
    [CASM_STATE_FREE]     = 0,
    [CASM_STATE_REPLAY]   = TO(CRASHING) | TO(REPLAYED) | TO(DIVERGED),
    [CASM_STATE_REPLAYED] = 0,
    [CASM_STATE_DIVERGED] = 0,
};
#undef TO

bool casm_set_state(struct casm_domain *c, enum casm_state to)
{
    unsigned int from = read_atomic(&c->state), seen;

    while ( from < CASM_STATES && to < CASM_STATES && (transitions[from] & (1u << to)) )
    {
        seen = cmpxchg(&c->state, from, to);
        if ( seen == from )
            return true;
        from = seen;
    }

    return false;
}

unsigned int casm_told_mode(const struct casm_domain *c)
{
    switch ( read_atomic(&c->state) )
    {
    case CASM_STATE_IDLE:
    case CASM_STATE_STARTING:
        return CASM_MODE_IDLE;

    case CASM_STATE_RECORD:
    case CASM_STATE_STOPPING:
        return CASM_MODE_RECORD;

    case CASM_STATE_REPLAY:
        return CASM_MODE_REPLAY;

    case CASM_STATE_DIVERGED:
        return CASM_MODE_DIVERGED;

    default: /* CRASHING, FREE, REPLAYED */
        return CASM_MODE_ENDED;
    }
}
