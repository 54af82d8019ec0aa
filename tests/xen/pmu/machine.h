/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What counter.c needs of Xen, and a processor with two counters: MSRs, RDPMC, the local APIC's entry for its interrupt. Writes
 * that a processor would refuse abort.
 */
#ifndef CASMOTION_TESTS_PMU_H
#define CASMOTION_TESTS_PMU_H

#include "shim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers as in Xen's headers. */
#define X86_VENDOR_INTEL 1u
#define X86_VENDOR_AMD   2u
#define X86_VENDOR_HYGON 16u
#define MSR_P6_PERFCTR(n)   (0xc1u + (n))
#define MSR_P6_EVNTSEL(n)   (0x186u + (n))
#define MSR_CORE_PERF_GLOBAL_CTRL     0x38fu
#define MSR_CORE_PERF_GLOBAL_OVF_CTRL 0x390u
#define MSR_K7_EVNTSEL0         0xc0010000u
#define MSR_K7_PERFCTR0         0xc0010004u
#define MSR_AMD_FAM15H_EVNTSEL0 0xc0010200u
#define MSR_AMD_FAM15H_PERFCTR0 0xc0010201u
#define MSR_AMD64_LS_CFG        0xc0011020u
#define APIC_LVTPC      0x340u
#define PMU_APIC_VECTOR 0xf8u
#define APIC_LVT_MASKED (1u << 16)
#define XENPMU_MODE_OFF 0u

struct cpuinfo { unsigned int x86_vendor, x86, x86_model, cpuid_level; };
extern struct cpuinfo boot_cpu_data;
extern unsigned int vpmu_mode;

struct pmu {
    uint32_t cpuid_a;         /* EAX of leaf 0xa */
    uint32_t cpuid_ext_ecx;   /* ECX of leaf 0x80000001 */
    unsigned int width;       /* bits of the counters */
    uint64_t sel, ctr;        /* counter 0 */
    uint64_t sel_1, ctr_1;
    uint64_t global_ctrl, ls_cfg;
    unsigned int sel_msr, ctr_msr, msr_step; /* where they are on this processor */
    bool has_ls_cfg, watchdog, profiler;
    int owner;                /* of the counter; 0: nobody */
    uint32_t lvtpc;           /* bit 16: masked */
    unsigned int interrupts;  /* delivered */
    unsigned int writes;      /* of the counters' MSRs */
};
extern struct pmu pmu;

uint32_t cpuid_eax(uint32_t leaf);
uint32_t cpuid_ecx(uint32_t leaf);
uint64_t pmu_read(unsigned int msr);
void pmu_write(unsigned int msr, uint64_t val);
#define rdmsrl(msr, val) ((val) = pmu_read(msr))
#define wrmsrl(msr, val) pmu_write(msr, val)
#define rdmsr_safe(msr, val) (pmu.has_ls_cfg ? ((val) = pmu_read(msr), 0) : -EFAULT)
static inline int wrmsr_safe(unsigned int msr, uint64_t val)
{
    pmu_write(msr, val);
    return 0;
}
uint64_t pmu_rdpmc(unsigned int counter);
#define casm_rdpmc pmu_rdpmc
void apic_write(unsigned int reg, uint32_t val);
bool watchdog_enabled(void);
int acquire_pmu_ownership(int owner);
void release_pmu_ownership(int owner);
/* There is one. */
static inline void on_each_cpu(void (*func)(void *info), void *info, int wait)
{
    (void)wait;
    func(info);
}

/* The processor runs so many conditional branches in CPL3; so many jumps. */
void pmu_retire(uint64_t branches);
void pmu_jump(uint64_t jumps);
/* A processor of that kind, as after boot, and a driver that has seen none. */
void pmu_reset(unsigned int vendor, unsigned int family);

#ifdef __cplusplus
}
#endif

#endif /* CASMOTION_TESTS_PMU_H */
