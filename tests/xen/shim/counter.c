/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The branch counters of the shim: count what the test says the guest retired (shim.branches, shim.transfers). */
#include "shim.h"
#include <casm/casm_abi.h>
#include "counter.h"

#define CHECK(condition) do { if ( !(condition) ) __builtin_trap(); } while ( false )

unsigned int casm_counter_kind(unsigned int *why)
{
    *why = shim.counter_busy ? CASM_COUNTER_VPMU : CASM_COUNTER_READY;

    return CASM_COUNTER_AMD;
}

int casm_counter_acquire(void)
{
    if ( shim.counter_busy )
        return -EBUSY;
    CHECK(!shim.counter_owned);
    shim.counter_owned = true;

    return 0;
}

void casm_counter_release(void)
{
    CHECK(shim.counter_owned);
    shim_needs_irqs("casm_counter_release");
    shim.counter_owned = false;
}

void casm_counter_load(struct casm_counter_state *s)
{
    s->loaded = s->on;
}

void casm_counter_save(struct casm_counter_state *s)
{
    s->loaded = false;
}

uint64_t casm_counter_read(const struct casm_counter_state *s, enum casm_event event)
{
    return !s->on ? 0 : event == CASM_EVENT_CONDITIONAL ? shim.branches : shim.transfers;
}

void casm_counter_arm(struct casm_counter_state *s, enum casm_event event, uint64_t distance)
{
    s->event[event].due = distance ? casm_counter_read(s, event) + distance : 0;
    if ( event == CASM_EVENT_CONDITIONAL )
        shim.overflow_at = s->event[event].due;
    else
        shim.transfers_overflow_at = s->event[event].due;
}
