/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: hashes of registers and memory. Freestanding. Not cryptographic: they find accidents, not adversaries.
 */
#ifndef CASM_DIGEST_H
#define CASM_DIGEST_H

#define CASM_HASH_SEED 0xcbf29ce484222325ull
#define CASM_HASH_MULT 0x9fb21c651e98df25ull /* odd, so that the step is a bijection of h for each x, and of x for each h */

/* The shift carries high bits down: without it a difference in bit 63 would never reach the others. */
static inline uint64_t casm_mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * CASM_HASH_MULT;
    return h ^ (h >> 32);
}

/* True if the 4096 bytes at @page are zero. One instruction per 8 bytes. */
bool casm_page_is_zero(const uint64_t *page);

/* Hash of 4096 bytes: four lanes, four instructions per 8 bytes. */
uint64_t casm_page_hash(const uint64_t *page);

#endif /* CASM_DIGEST_H */
