/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * casm_insn_classify(): any bytes at RIP, any number of them, any size of code segment. The bytes end where an array ends, so
 * that one byte too many is noticed; they may change between two reads.
 */
#include "hostile.h"
#include "core/casm_insn.c"

/*@ requires n <= CASM_INSN_MAX_BYTES;
    requires n == 0 || \valid_read(bytes + (0 .. n - 1));
    requires \valid(p);
    assigns p->opcode_at, p->rep, p->addr_size, \result \from bytes[0 .. n - 1], n, bits;
    ensures \initialized(&p->opcode_at) && \initialized(&p->rep) && \initialized(&p->addr_size);
    ensures (\result == 0 && p->opcode_at == n) || (\result == 1 && p->opcode_at < n);
    ensures p->rep <= 1 && p->addr_size <= 1; */
static int parse_prefixes(struct prefixes *p, const uint8_t *bytes, unsigned int n, unsigned int bits);

/*@ requires n <= CASM_INSN_MAX_BYTES;
    requires n == 0 || \valid_read(bytes + (0 .. n - 1));
    requires \valid(length);
    assigns *length, \result \from bytes[0 .. n - 1], n, bits;
    ensures \initialized(length);
    ensures *length <= CASM_INSN_MAX_BYTES;
    ensures \result <= CASM_INSN_LOAD_SS; */
static uint8_t classify(const uint8_t *bytes, unsigned int n, unsigned int bits, uint8_t *length);

static uint8_t memory[CASM_INSN_FETCH_BYTES], same_memory[CASM_INSN_FETCH_BYTES];

/* The last @n bytes; NULL if there are none. */
static const uint8_t *last_bytes(unsigned int n)
{
    Frama_C_make_unknown((char *)memory, sizeof(memory));
    Frama_C_make_unknown((char *)same_memory, sizeof(same_memory));

    return n ? (const uint8_t *)one_of(memory, same_memory) + CASM_INSN_FETCH_BYTES - n : NULL;
}

void prefixes(void)
{
    struct prefixes p;
    unsigned int n;

    //@ loop unroll 16;
    for ( n = 0; n <= CASM_INSN_MAX_BYTES; n++ )
        parse_prefixes(&p, last_bytes(n), n, any_u32);
    THE_END(prefixes);
}

void instruction(void)
{
    uint8_t length;
    unsigned int n;

    //@ loop unroll 16;
    for ( n = 0; n <= CASM_INSN_MAX_BYTES; n++ )
        classify(last_bytes(n), n, any_u32, &length);
    THE_END(instruction);
}

void run_of_instructions(void)
{
    struct casm_insn insn;
    unsigned int n;

    //@ loop unroll 32;
    for ( n = 0; n <= CASM_INSN_FETCH_BYTES; n++ )
        casm_insn_classify(&insn, last_bytes(n), n, any_u32);
    /* More than it looks at. */
    n = Frama_C_unsigned_int_interval(CASM_INSN_FETCH_BYTES, UINT32_MAX);
    casm_insn_classify(&insn, last_bytes(CASM_INSN_FETCH_BYTES), n, any_u32);
    //@ check insn.after_cls != CASM_INSN_LOAD_SS;
    THE_END(run_of_instructions);
}
