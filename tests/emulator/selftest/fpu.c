/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CR0.TS: each instruction that uses x87, MMX, SSE or AVX state, or saves or loads it, raises #NM, and no other does (SDM 3A
 * 2.5). A hypervisor that switches this state lazily depends on it: what does not fault works on the state of someone else.
 * FWAIT does so only if CR0.MP is set too, as entry.S leaves it.
 */
#include "machine.h"

#define CR4_OSXSAVE (1ul << 18)
#define XCR0_X87_SSE 3u
#define XCR0_AVX 4u

static uint32_t features(void)
{
    uint32_t a, b, c, d, last_leaf, found = 0;

    cpuid(1, 0, &a, &b, &c, &d);
    found |= c >> 20 & 1 ? HAS_SSE42 : 0;
    found |= c >> 26 & 1 ? HAS_XSAVE : 0;
    found |= c >> 28 & 1 ? HAS_AVX : 0;
    found |= c >> 23 & 1 ? HAS_POPCNT : 0;
    cpuid(0, 0, &last_leaf, &b, &c, &d);
    if ( last_leaf >= 7 )
    {
        cpuid(7, 0, &a, &b, &c, &d);
        found |= b >> 3 & 1 ? HAS_BMI : 0;
        found |= b >> 5 & 1 ? HAS_AVX2 : 0;
    }
    if ( found & HAS_XSAVE )
    {
        cpuid(0xd, 1, &a, &b, &c, &d);
        found |= a & 1 ? HAS_XSAVEOPT : 0;
    }
    cpuid(0x80000001, 0, &a, &b, &c, &d);
    found |= c >> 6 & 1 ? HAS_SSE4A : 0;
    return found;
}

static void enable_xsave(uint32_t found)
{
    asm volatile("mov %%cr4, %%rax; or %0, %%rax; mov %%rax, %%cr4" : : "r"(CR4_OSXSAVE) : "rax");
    asm volatile("xsetbv" : : "c"(0), "a"(XCR0_X87_SSE | (found & HAS_AVX ? XCR0_AVX : 0)), "d"(0));
}

/* Runs it with these of CR0's bits MP and TS; returns how often it raised #NM. */
static unsigned int faults_of(const struct fpu_program *program, uint64_t bits)
{
    unsigned int before = traps.no_fpu;
    uint64_t cr0;

    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    asm volatile("mov %0, %%cr0" : : "r"((cr0 & ~(CR0_MP | CR0_TS)) | bits));
    run_user(program->code, 0, FLAGS);
    asm volatile("mov %0, %%cr0" : : "r"(cr0));
    return traps.no_fpu - before;
}

void test_fpu(void)
{
    const uint32_t found = features();
    unsigned int skipped = 0;

    say("FPU features %x\n", (uint64_t)found);
    if ( found & HAS_XSAVE )
        enable_xsave(found);
    for ( const struct fpu_program *program = fpu_programs; program < fpu_programs_end; program++ )
    {
        if ( program->needs & ~found )
        {
            skipped++;
            continue;
        }
        say("CR0.TS, %s; ", program->name);
        check("device not available", faults_of(program, CR0_MP | CR0_TS), program->faults);
        check("and without CR0.TS", faults_of(program, CR0_MP), 0);
    }
    say("CR0.TS without CR0.MP, fwait; ");
    check("device not available", faults_of(fpu_programs_fwait, CR0_TS), 0);
    say("skipped: %u instructions that this processor has not\n", (uint64_t)skipped);
}
