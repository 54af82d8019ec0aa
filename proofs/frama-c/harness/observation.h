/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CASM_PROOFS_OBSERVATION_H
#define CASM_PROOFS_OBSERVATION_H

#include "casm_tm.h"
#include "hostile.h"

/* A guest that does what it likes, on a counter that counts what it likes. */
static void any_observation(struct casm_tm_obs *obs)
{
    obs->branches = any_u64;
    obs->rip = any_u64;
    obs->rcx = any_u64;
    obs->rsp = any_u64;
    obs->hash = any_u64;
    obs->transfers = any_u64;
    obs->reason = any_u8;
}

/* The caller looks at all of an answer. */
static uint64_t use(const struct casm_tm_act *act)
{
    return act->value + act->what + act->why + act->mismatch + act->flags;
}

/* The two parts of the address space that are the guest's, and the one between them. */
static uint64_t low_address(void)
{
    return Frama_C_unsigned_long_interval(0, 0x00007fffffffffff);
}

static uint64_t high_address(void)
{
    return Frama_C_unsigned_long_interval(0xffff880000000000, 0xffffffffffffffff);
}

static uint64_t foreign_address(void)
{
    return Frama_C_unsigned_long_interval(0x0000800000000000, 0xffff87ffffffffff);
}

#endif /* CASM_PROOFS_OBSERVATION_H */
