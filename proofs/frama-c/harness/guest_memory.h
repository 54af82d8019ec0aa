/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's memory behind its virtual addresses, and dom0's: any bytes, any of which may be missing. What is demanded of a caller
 * is that its own buffer has the bytes, and that each of those that the guest gets was written.
 */
#ifndef CASM_PROOFS_GUEST_MEMORY_H
#define CASM_PROOFS_GUEST_MEMORY_H

#include "xen.h"

/*@ requires n == 0 || \valid((uint8_t *)to + (0 .. n - 1));
    assigns ((uint8_t *)to)[0 .. n - 1] \from n;
    assigns \result \from n;
    ensures n == 0 || \initialized((uint8_t *)to + (0 .. n - 1));
    ensures \result <= n; */
unsigned int copy_from_guest_pv(void *to, const void *from, unsigned int n);

/*@ requires n == 0 || \valid_read((uint8_t *)from + (0 .. n - 1));
    requires n == 0 || \initialized((uint8_t *)from + (0 .. n - 1));
    assigns \result \from n;
    ensures \result <= n; */
unsigned int copy_to_guest_pv(void *to, const void *from, unsigned int n);

/*@ requires n == 0 || \valid_read((uint8_t *)from + (0 .. n - 1));
    requires n == 0 || \initialized((uint8_t *)from + (0 .. n - 1));
    assigns \result \from n;
    ensures \result <= n; */
unsigned int raw_copy_to_guest(void *to, const void *from, unsigned int n);

#endif /* CASM_PROOFS_GUEST_MEMORY_H */
