/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a processor can keep from a program: CPUID (faulting of Intel, CpuidUserDis of AMD), and SGDT, SIDT, SLDT, STR, SMSW
 * (UMIP). Off, nothing faults; on, everything does at CPL 3, with error code 0 at the instruction, and nothing at CPL 0.
 */
#include "machine.h"

#define MSR_PLATFORM_INFO 0xce
#define MSR_MISC_FEATURES 0x140
#define MSR_HWCR 0xc0010015
#define CR4_UMIP (1ul << 11)

static bool has_cpuid_faults(void)
{
    uint32_t a, b, c, d;

    if ( !amd )
        return rdmsr(MSR_PLATFORM_INFO) >> 31 & 1;
    cpuid(0x80000000, 0, &a, &b, &c, &d);
    if ( a < 0x80000021 )
        return false;
    cpuid(0x80000021, 0, &a, &b, &c, &d);
    return a >> 17 & 1;
}

static bool has_umip(void)
{
    uint32_t a, b, c, d;

    cpuid(0, 0, &a, &b, &c, &d);
    if ( a < 7 )
        return false;
    cpuid(7, 0, &a, &b, &c, &d);
    return c >> 2 & 1;
}

/* Runs it at CPL 3; the handler of #GP goes on behind it. */
static unsigned int faults_of(const struct hidden_program *program)
{
    unsigned int before = traps.protection_faults;

    traps.skip_bytes = program->bytes;
    run_user(program->code, 0, FLAGS);
    traps.skip_bytes = 0;
    return traps.protection_faults - before;
}

static void check_programs(bool cpuid_faults, bool umip)
{
    for ( const struct hidden_program *program = hidden_programs; program < hidden_programs_end; program++ )
    {
        say("%s, CPUID faults %u, UMIP %u; ", program->name, (uint64_t)cpuid_faults, (uint64_t)umip);
        check("protection faults", faults_of(program), program->umip ? umip : cpuid_faults);
    }
}

static void set_umip(bool on)
{
    uint64_t cr4;

    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    asm volatile("mov %0, %%cr4" : : "r"(on ? cr4 | CR4_UMIP : cr4 & ~CR4_UMIP));
}

void test_isolation(void)
{
    const uint32_t index = amd ? MSR_HWCR : MSR_MISC_FEATURES;
    const uint64_t bit = amd ? 1ull << 35 : 1;
    uint32_t a, b, c, d;

    say("CPUID can fault: %u\n", (uint64_t)has_cpuid_faults());
    say("UMIP: %u\n", (uint64_t)has_umip());
    check_programs(false, false);
    if ( has_umip() )
    {
        set_umip(true);
        check_programs(false, true);
        set_umip(false);
    }
    if ( has_cpuid_faults() )
    {
        check("the bit is clear", rdmsr(index) & bit, 0);
        wrmsr(index, rdmsr(index) | bit);
        check("and can be set", rdmsr(index) & bit, bit);
        check_programs(true, false);
        cpuid(1, 0, &a, &b, &c, &d); /* a fault here ends the test */
        wrmsr(index, rdmsr(index) & ~bit);
    }
    else
    {
        wrmsr(index, bit);
        check("without the feature the bit cannot be set", rdmsr(index) & bit, 0);
    }
    check_programs(false, false);
}
