/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * timepoint.c in a replay: entries, exits and points in any order and number, any feed, any registers, any counter. The machines
 * of timematch/core and the debug registers are the real ones.
 */
#include "domain.h"
#include "guest_memory.h"

#include "casm/state.c"
#include "casm/stream.c"
#include "casm/debugtrap.c"
#include "casm/timepoint.c"
#include "copies.h"

/* Harness bridge has it. */
unsigned int casm_bridge_text(const struct casm_bridge *b, uint32_t *seen, uint8_t *buf, unsigned int max)
{
    Frama_C_make_unknown((char *)buf, max);

    return Frama_C_unsigned_int_interval(0, max);
}

uint64_t casm_counter_read(const struct casm_counter_state *s, enum casm_event event) { return any_u64; }
void casm_counter_arm(struct casm_counter_state *s, enum casm_event event, uint64_t distance) {}

/* --- Harness consumers has these --- */
void casm_inject_logged(struct casm_domain *c) {}
void casm_drain(struct casm_domain *c) {}
uint64_t casm_regs_hash(uint64_t h, const struct cpu_user_regs *r, const struct vcpu *v) { return any_u64; }

static void trip(struct casm_domain *c)
{
    shim.regs.rip = any_u64;
    shim.regs.rcx = any_u64;
    shim.regs.rsp = any_u64;
    shim.regs.rflags = any_u64;
    c->tp.reason = any_u8;
    the_vcpu_info.evtchn_upcall_pending = any_u8;
    if ( any_int )
        casm_tp_entry(c);
    if ( any_int )
        casm_tp_exit(c);
    else
        casm_tp_leave(c);
}

void points(void)
{
    struct casm_domain *c = any_domain();

    shim.running = &the_vcpu;
    casm_match_default_limits(&c->tp.limits);
    c->tp.limits.margin_branches = any_u32;
    memset(&c->tp.match, 0, sizeof(c->tp.match)); /* nothing was looked for yet */
    c->state = CASM_STATE_REPLAY;
    while ( any_int )
        trip(c);
    THE_END(points);
}
