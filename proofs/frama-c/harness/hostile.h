/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an attacker gives, for Frama-C.
 *
 * A value that nobody knows is a read of a volatile object: Eva takes any value of the type for it, another one at each read.
 *
 * Memory that changes while it is read (a page of dom0, the feed ring) is read through ordinary pointers too, by memcpy() for
 * one. Eva would learn from a first read of such a place what a second one finds. So a pointer to it points to one of two
 * objects, and Eva does not know to which: a place that is not known is learnt nothing about, nothing stored there is relied on,
 * and both hold any bytes. Mutants that read twice, of each harness with such memory, show that this is so.
 */
#ifndef CASM_PROOFS_HOSTILE_H
#define CASM_PROOFS_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <__fc_builtin.h>

extern volatile uint8_t any_u8;
extern volatile uint16_t any_u16;
extern volatile uint32_t any_u32;
extern volatile uint64_t any_u64;
extern volatile int any_int;

/* One of the two, without a branch that would tell them apart. */
static void *one_of(void *a, void *b)
{
    void *both[2] = { a, b };

    return both[Frama_C_unsigned_int_interval(0, 1)];
}

/* Printed by Eva only if the end of a step is reached. */
#define THE_END(step) Frama_C_show_each_end_##step()

#endif /* CASM_PROOFS_HOSTILE_H */
