/* SPDX-License-Identifier: GPL-2.0-only */
#include "casm_insn.h"

/* What the prefixes of one instruction say, and where its opcode is. */
struct prefixes {
    unsigned int opcode_at;
    uint8_t rep;       /* F2 or F3 */
    uint8_t addr_size; /* 67 */
};

/* Result: 0 if the bytes end within the prefixes. */
static int parse_prefixes(struct prefixes *p, const uint8_t *bytes, unsigned int n, unsigned int bits)
{
    unsigned int i;

    p->rep = 0;
    p->addr_size = 0;
    for ( i = 0; i < n; i++ )
    {
        switch ( bytes[i] )
        {
        case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: /* segments */
        case 0x66: case 0xf0:
            continue;
        case 0x67:
            p->addr_size = 1;
            continue;
        case 0xf2: case 0xf3:
            p->rep = 1;
            continue;
        default:
            break;
        }
        /* REX: one that is not directly before the opcode is ignored by the CPU, and is no end of the prefixes. */
        if ( bits == 64 && (bytes[i] & 0xf0) == 0x40 )
            continue;
        break;
    }
    p->opcode_at = i;
    return i < n;
}

/*
 * Length of a ModRM byte with the SIB byte and displacement that follow, from bytes[0]; 0: the bytes do not suffice to tell.
 * The displacement itself need not be there.
 */
static unsigned int modrm_length(const uint8_t *bytes, unsigned int n, unsigned int addr_bits)
{
    unsigned int mod, rm;

    if ( !n )
        return 0;
    mod = bytes[0] >> 6;
    rm = bytes[0] & 7;
    if ( mod == 3 )
        return 1;
    if ( addr_bits == 16 )
        return mod == 1 ? 2 : mod == 2 ? 3 : rm == 6 ? 3 : 1;
    if ( rm == 4 )
    {
        if ( mod == 1 )
            return 3;
        if ( mod == 2 )
            return 6;
        if ( n < 2 )
            return 0;
        return (bytes[1] & 7) == 5 ? 6 : 2;
    }
    return mod == 1 ? 2 : mod == 2 ? 5 : rm == 5 ? 5 : 1;
}

static unsigned int addr_bits(const struct prefixes *p, unsigned int bits)
{
    if ( !p->addr_size )
        return bits;
    return bits == 32 ? 16 : 32;
}

static int is_string(uint8_t opcode)
{
    return (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);
}

/* One instruction; n is at most CASM_INSN_MAX_BYTES. */
static uint8_t classify(const uint8_t *bytes, unsigned int n, unsigned int bits, uint8_t *length)
{
    struct prefixes p;
    unsigned int at, modrm = 0;
    uint8_t opcode, cls = CASM_INSN_PLAIN;

    *length = 0;
    if ( !parse_prefixes(&p, bytes, n, bits) )
        /* As many prefixes as an instruction has bytes are an invalid instruction, whatever comes. */
        return n == CASM_INSN_MAX_BYTES ? CASM_INSN_PLAIN : CASM_INSN_UNKNOWN;
    at = p.opcode_at;
    opcode = bytes[at++];

    if ( opcode == 0x0f )
    {
        if ( at == n )
            return n == CASM_INSN_MAX_BYTES ? CASM_INSN_PLAIN : CASM_INSN_UNKNOWN;
        opcode = bytes[at++];
        if ( (opcode & 0xf0) == 0x80 )
            return CASM_INSN_COND_BRANCH;
        if ( opcode != 0xb2 )
            return CASM_INSN_PLAIN;
        if ( at == n )
            return n == CASM_INSN_MAX_BYTES ? CASM_INSN_PLAIN : CASM_INSN_UNKNOWN;
        if ( bytes[at] >= 0xc0 )
            return CASM_INSN_PLAIN; /* LSS of a register is invalid */
        cls = CASM_INSN_LOAD_SS;
        modrm = 1;
    }
    else if ( (opcode & 0xf0) == 0x70 )
        return CASM_INSN_COND_BRANCH;
    else if ( opcode >= 0xe0 && opcode <= 0xe3 )
        return CASM_INSN_LOOP;
    else if ( opcode == 0x8e )
    {
        if ( at == n )
            return n == CASM_INSN_MAX_BYTES ? CASM_INSN_PLAIN : CASM_INSN_UNKNOWN;
        if ( ((bytes[at] >> 3) & 7) != 2 )
            return CASM_INSN_PLAIN;
        cls = CASM_INSN_LOAD_SS;
        modrm = 1;
    }
    else if ( opcode == 0x17 && bits != 64 )
        cls = CASM_INSN_LOAD_SS;
    else if ( opcode == 0x9c )
        cls = CASM_INSN_PUSHF;
    else if ( opcode == 0x9d )
        cls = CASM_INSN_POPF;
    else if ( opcode == 0xcf )
        cls = CASM_INSN_IRET;
    else if ( p.rep && is_string(opcode) )
        cls = CASM_INSN_REP_STRING;
    else
        return CASM_INSN_PLAIN;

    if ( modrm )
    {
        modrm = modrm_length(bytes + at, n - at, addr_bits(&p, bits));
        if ( !modrm )
            return cls; /* the SIB byte is not there: the class is certain, the length is not */
        at += modrm;
        if ( at > CASM_INSN_MAX_BYTES )
            return CASM_INSN_PLAIN; /* too long: invalid */
    }
    *length = (uint8_t)at;
    return cls;
}

void casm_insn_classify(struct casm_insn *insn, const uint8_t *bytes, unsigned int n, unsigned int bits)
{
    unsigned int at, rest;

    insn->cls = CASM_INSN_UNKNOWN;
    insn->length = 0;
    insn->after_cls = CASM_INSN_UNKNOWN;
    insn->after_length = 0;
    if ( bits != 64 && bits != 32 && bits != 16 )
        return;
    if ( n > CASM_INSN_FETCH_BYTES )
        n = CASM_INSN_FETCH_BYTES;
    insn->cls = classify(bytes, n < CASM_INSN_MAX_BYTES ? n : CASM_INSN_MAX_BYTES, bits, &insn->length);
    if ( insn->cls != CASM_INSN_LOAD_SS )
        return;

    for ( at = insn->length; insn->length && at < n; at += insn->after_length )
    {
        rest = n - at;
        insn->length = (uint8_t)at;
        insn->after_cls = classify(bytes + at, rest < CASM_INSN_MAX_BYTES ? rest : CASM_INSN_MAX_BYTES, bits,
                                   &insn->after_length);
        if ( insn->after_cls != CASM_INSN_LOAD_SS )
            return;
        if ( !insn->after_length )
            insn->length = 0; /* the run's end is not known */
    }
    /* The bytes end with the run. */
    if ( insn->length )
        insn->length = (uint8_t)at;
    insn->after_cls = CASM_INSN_UNKNOWN;
    insn->after_length = 0;
}
