/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that Xen emulates or refuses, and some that it need not know of: run with registers that the caller chose. */
#include "attacks.h"

#define CODE_PAGE 4u

struct instruction {
    const char *name;
    uint8_t length, bytes[7];
    uint8_t expect;
    uint64_t rax, rcx; /* so that it is done, if it can be */
};

#define SCRATCH (~0ull) /* the address of a page of ours */

/* DONE: it runs to its end at least once; REFUSED: it raises an exception, always. */
static const struct instruction instructions[] = {
    { "rdtsc", 2, { 0x0f, 0x31 }, DONE, 0, 0 },
    { "rdtscp", 3, { 0x0f, 0x01, 0xf9 }, EITHER, 0, 0 },
    { "rdpmc", 2, { 0x0f, 0x33 }, EITHER, 0, 0 },
    { "rdmsr", 2, { 0x0f, 0x32 }, BOTH, 0, 0x1b },
    { "wrmsr", 2, { 0x0f, 0x30 }, BOTH, 0, 0xc0000100 },
    { "cpuid", 2, { 0x0f, 0xa2 }, DONE, 0, 0 },
    { "forced cpuid", 7, { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 }, DONE, 0, 0 },
    { "in", 1, { 0xec }, EITHER, 0, 0 },
    { "out", 1, { 0xee }, EITHER, 0, 0 },
    { "ins", 1, { 0x6c }, EITHER, 0, 0 },
    { "outs", 1, { 0x6e }, EITHER, 0, 0 },
    { "cli", 1, { 0xfa }, EITHER, 0, 0 },
    { "sti", 1, { 0xfb }, EITHER, 0, 0 },
    { "mov cr0,rax", 3, { 0x0f, 0x20, 0xc0 }, DONE, 0, 0 },
    { "mov rax,cr0", 3, { 0x0f, 0x22, 0xc0 }, EITHER, 0, 0 },
    { "mov cr2,rax", 3, { 0x0f, 0x20, 0xd0 }, DONE, 0, 0 },
    { "mov rax,cr2", 3, { 0x0f, 0x22, 0xd0 }, DONE, 0, 0 },
    { "mov cr3,rax", 3, { 0x0f, 0x20, 0xd8 }, DONE, 0, 0 },
    { "mov cr4,rax", 3, { 0x0f, 0x20, 0xe0 }, DONE, 0, 0 },
    { "mov rax,cr4", 3, { 0x0f, 0x22, 0xe0 }, EITHER, 0, 0 },
    { "clts", 2, { 0x0f, 0x06 }, DONE, 0, 0 },
    { "mov dr7,rax", 3, { 0x0f, 0x21, 0xf8 }, DONE, 0, 0 },
    { "mov rax,dr0", 3, { 0x0f, 0x23, 0xc0 }, BOTH, 0, 0 },
    { "wbinvd", 2, { 0x0f, 0x09 }, DONE, 0, 0 },
    { "xgetbv", 3, { 0x0f, 0x01, 0xd0 }, EITHER, 0, 0 },
    { "xsetbv", 3, { 0x0f, 0x01, 0xd1 }, EITHER, 0, 0 },
    /* Trapped and emulated where the processor has UMIP, answered by it where not. */
    { "sgdt", 3, { 0x0f, 0x01, 0x00 }, BOTH, SCRATCH, 0 },
    { "sidt", 3, { 0x0f, 0x01, 0x08 }, BOTH, SCRATCH, 0 },
    { "sldt", 3, { 0x0f, 0x00, 0x00 }, BOTH, SCRATCH, 0 },
    { "str", 3, { 0x0f, 0x00, 0x08 }, BOTH, SCRATCH, 0 },
    { "smsw", 3, { 0x0f, 0x01, 0x20 }, BOTH, SCRATCH, 0 },
    { "sldt rax", 3, { 0x0f, 0x00, 0xc0 }, DONE, 0, 0 },
    { "str rax", 3, { 0x0f, 0x00, 0xc8 }, DONE, 0, 0 },
    { "smsw rax", 3, { 0x0f, 0x01, 0xe0 }, DONE, 0, 0 },
    { "lmsw", 3, { 0x0f, 0x01, 0xf0 }, EITHER, 0, 0 },
    { "int 80", 2, { 0xcd, 0x80 }, REFUSED, 0, 0 },
    { "int 20", 2, { 0xcd, 0x20 }, REFUSED, 0, 0 },
    { "icebp", 1, { 0xf1 }, REFUSED, 0, 0 },
    { "int3", 1, { 0xcc }, REFUSED, 0, 0 },
    { "ud2", 2, { 0x0f, 0x0b }, REFUSED, 0, 0 },
    { "invlpg", 3, { 0x0f, 0x01, 0x38 }, REFUSED, SCRATCH, 0 },
    { "lgdt", 3, { 0x0f, 0x01, 0x10 }, REFUSED, 0, 0 },
    { "sysenter", 2, { 0x0f, 0x34 }, EITHER, 0, 0 },
    { "lldt", 3, { 0x0f, 0x00, 0xd0 }, REFUSED, 0, 0 },
    { "mov eax,fs", 2, { 0x8e, 0xe0 }, DONE, 0, 0 },
    { "mov eax,ds", 2, { 0x8e, 0xd8 }, DONE, 0, 0 },
    { "swapgs", 3, { 0x0f, 0x01, 0xf8 }, REFUSED, 0, 0 },
    { "sysret", 2, { 0x0f, 0x07 }, REFUSED, 0, 0 },
    { "load", 3, { 0x48, 0x8b, 0x00 }, BOTH, SCRATCH, 0 },
    { "store", 3, { 0x48, 0x89, 0x00 }, BOTH, SCRATCH, 0 },
};
const unsigned int instructions_count = sizeof(instructions) / sizeof(instructions[0]);

void run_instruction(unsigned int which, const uint64_t values[5], uint8_t prefix)
{
    static const uint8_t registers[] = { 0 /* rax */, 1 /* rcx */, 2 /* rdx */, 6 /* rsi */, 7 /* rdi */ };
    const struct instruction *in = &instructions[which];
    uint8_t *code = page_of(CODE_PAGE), *at = code;
    unsigned int i;
    int vector;

    for ( i = 0; i < 5; i++ ) /* movabs $value, %register */
    {
        *at++ = 0x48;
        *at++ = 0xb8 + registers[i];
        memcpy(at, &values[i], 8);
        at += 8;
    }
    if ( prefix )
        *at++ = prefix;
    memcpy(at, in->bytes, in->length);
    at += in->length;
    *at = 0xc3;
    vector = try_run(code) - 1;
    tally_instruction(which, in->name, in->expect, vector);
    see(vector);
    /* RDTSC and the like have left their results in registers that the entry already hashed. */
}

void each_instruction(void)
{
    unsigned int i;

    for ( i = 0; i < instructions_count; i++ )
    {
        const struct instruction *in = &instructions[i];
        uint64_t values[5] = { in->rax == SCRATCH ? (unsigned long)page_of(CODE_PAGE + 1) : in->rax, in->rcx };
        const uint64_t odd[5] = { 0x0000800000000000ull, 0xdeadbeef, 1, 1, 1 };

        run_instruction(i, values, 0);
        if ( in->expect == BOTH )
            run_instruction(i, odd, 0);
    }
}
