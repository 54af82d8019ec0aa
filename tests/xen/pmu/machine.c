/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See machine.h. The driver under test is part of this file, so that its probe can be undone. */
#include "machine.h"
#include "casm/counter.c"

#include <stdio.h>

struct pmu pmu;
struct cpuinfo boot_cpu_data;
unsigned int vpmu_mode;

#define CHECK(condition)                                                       \
    do {                                                                       \
        if ( !(condition) )                                                    \
        {                                                                      \
            fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);    \
            abort();                                                           \
        }                                                                      \
    } while ( false )

#define LVT_MASKED APIC_LVT_MASKED

static uint64_t mask(void)
{
    return (1ull << pmu.width) - 1;
}

static bool intel(void)
{
    return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL;
}

void pmu_reset(unsigned int vendor, unsigned int family)
{
    memset(&pmu, 0, sizeof(pmu));
    memset(&hw, 0, sizeof(hw));
    this_cpu(loaded) = NULL;
    this_cpu(lock_map_off) = false;
    this_cpu(used) = false;
    this_cpu(enabled) = 0;
    vpmu_mode = XENPMU_MODE_OFF;
    boot_cpu_data = (struct cpuinfo){ .x86_vendor = vendor, .x86 = family, .cpuid_level = 0x16 };
    pmu.width = 48;
    pmu.lvtpc = LVT_MASKED;
    if ( intel() )
    {
        pmu.cpuid_a = 4 | 4 << 8 | 48 << 16;
        pmu.sel_msr = MSR_P6_EVNTSEL(0);
        pmu.ctr_msr = MSR_P6_PERFCTR(0);
        pmu.msr_step = 1;
    }
    else
    {
        pmu.cpuid_ext_ecx = 1u << 23;
        pmu.sel_msr = MSR_AMD_FAM15H_EVNTSEL0;
        pmu.ctr_msr = MSR_AMD_FAM15H_PERFCTR0;
        pmu.msr_step = 2;
        pmu.has_ls_cfg = true;
    }
}

uint32_t cpuid_eax(uint32_t leaf)
{
    CHECK(leaf == 0xa);
    return pmu.cpuid_a;
}

uint32_t cpuid_ecx(uint32_t leaf)
{
    CHECK(leaf == 0x80000001);
    return pmu.cpuid_ext_ecx;
}

uint64_t pmu_read(unsigned int msr)
{
    if ( msr == MSR_AMD64_LS_CFG )
        return pmu.ls_cfg;
    CHECK(intel() && msr == MSR_CORE_PERF_GLOBAL_CTRL);
    return pmu.global_ctrl;
}

void pmu_write(unsigned int msr, uint64_t val)
{
    if ( msr == MSR_AMD64_LS_CFG )
        pmu.ls_cfg = val;
    else if ( msr == pmu.sel_msr || msr == pmu.sel_msr + pmu.msr_step )
    {
        CHECK(val <= UINT32_MAX);
        *(msr == pmu.sel_msr ? &pmu.sel : &pmu.sel_1) = val;
        pmu.writes++;
    }
    else if ( msr == pmu.ctr_msr || msr == pmu.ctr_msr + pmu.msr_step )
    {
        CHECK(!((msr == pmu.ctr_msr ? pmu.sel : pmu.sel_1) & SEL_EN));
        CHECK(intel() ? val <= UINT32_MAX : val <= mask());
        *(msr == pmu.ctr_msr ? &pmu.ctr : &pmu.ctr_1) = intel() ? (uint64_t)(int32_t)val & mask() : val;
        pmu.writes++;
    }
    else
    {
        CHECK(intel() && (msr == MSR_CORE_PERF_GLOBAL_CTRL || msr == MSR_CORE_PERF_GLOBAL_OVF_CTRL));
        if ( msr == MSR_CORE_PERF_GLOBAL_CTRL )
            pmu.global_ctrl = val;
    }
}

uint64_t pmu_rdpmc(unsigned int counter)
{
    CHECK(counter < 2);
    return counter ? pmu.ctr_1 : pmu.ctr;
}

void apic_write(unsigned int reg, uint32_t val)
{
    CHECK(reg == APIC_LVTPC && (val & 0xff) == PMU_APIC_VECTOR);
    pmu.lvtpc = val;
}

bool watchdog_enabled(void)
{
    return pmu.watchdog;
}

int acquire_pmu_ownership(int owner)
{
    if ( pmu.profiler )
        return 0;
    pmu.owner = owner;
    return 1;
}

void release_pmu_ownership(int owner)
{
    CHECK(pmu.owner == owner);
    pmu.owner = 0;
}

static void count(unsigned int counter, uint64_t n)
{
    uint64_t sel = counter ? pmu.sel_1 : pmu.sel, *ctr = counter ? &pmu.ctr_1 : &pmu.ctr, before = *ctr;

    if ( !(sel & SEL_EN) || !(sel & SEL_USR) || (intel() && !(pmu.global_ctrl & (1u << counter))) )
        return;
    *ctr = (before + n) & mask();
    if ( *ctr >= before || !(sel & SEL_INT) || (pmu.lvtpc & LVT_MASKED) )
        return;
    pmu.interrupts++;
    if ( intel() )
        pmu.lvtpc |= LVT_MASKED;
}

void pmu_jump(uint64_t jumps)
{
    count(1, jumps);
}

void pmu_retire(uint64_t branches)
{
    count(0, branches);
    count(1, branches);
}
