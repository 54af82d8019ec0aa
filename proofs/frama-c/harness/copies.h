/* SPDX-License-Identifier: GPL-2.0-only */
/* Contracts of stream.c's copies, which harness stream proves of their bodies. */
#ifndef CASM_PROOFS_COPIES_H
#define CASM_PROOFS_COPIES_H

/*@ requires 1 <= len <= CASM_BLOB_MAX_BYTES;
    requires s->mask == RING_BYTES - 1 && pos % 8 == 0;
    requires \valid_read((uint8_t *)s->data + (0 .. RING_BYTES - 1));
    requires \valid((uint8_t *)to + (0 .. len - 1));
    assigns ((uint8_t *)to)[0 .. len - 1] \from s->data[0 .. RING_BYTES / 8 - 1], pos, len;
    ensures \initialized((uint8_t *)to + (0 .. len - 1)); */
static void copy_out(const struct casm_stream *s, uint64_t pos, void *to, unsigned int len);

/*@ requires 1 <= len <= CASM_BLOB_MAX_BYTES;
    requires s->mask == RING_BYTES - 1 && pos % 8 == 0;
    requires \valid((uint8_t *)s->data + (0 .. RING_BYTES - 1));
    requires \valid_read((uint8_t *)from + (0 .. len - 1));
    assigns s->data[0 .. RING_BYTES / 8 - 1] \from ((uint8_t *)from)[0 .. len - 1], pos, len; */
static void copy_in(const struct casm_stream *s, uint64_t pos, const void *from, unsigned int len);

#endif /* CASM_PROOFS_COPIES_H */
