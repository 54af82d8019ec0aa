/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: driver of the counters of branches retired in CPL3.
 *
 * Events: AMD PPR "PMCx0D1 Retired Conditional Branch Instructions", "PMCx0C2 Retired Branch Instructions"; Intel SDM vol. 3
 * ch. 20, BR_INST_RETIRED.CONDITIONAL (0xC4/0x01), .COND (0xC4/0x11) from Ice Lake on, .ALL_BRANCHES (0xC4/0x00). The first
 * must be exact; whether it is on a given host is for dom0 to find out (casmotion doctor). Interrupts come on Xen's own PMU
 * vector, not as an NMI.
 */
#include <xen/lib.h>
#include <xen/percpu.h>
#include <xen/sched.h>
#include <xen/smp.h>
#include <xen/watchdog.h>
#include <asm/apic.h>
#include <asm/casm.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/vpmu.h>
#include <irq_vectors.h>
#include <public/pmu.h>
#include <xen/xenoprof.h>

#include "counter.h"

#define CASM_PMU_OWNER 3 /* besides PMU_OWNER_* of xenoprof.h */

#define SEL_USR    (1u << 16)
#define SEL_INT    (1u << 20)
#define SEL_EN     (1u << 22)
#define SPEC_LOCK_MAP_DISABLE (1ull << 54) /* of MSR_AMD64_LS_CFG: speculative lock map, which makes Zen count too much */

static DEFINE_PER_CPU(struct casm_counter_state *, loaded);
/* What we changed, and casm_counter_release() undoes. */
static DEFINE_PER_CPU(bool, used);         /* the interrupt's vector */
static DEFINE_PER_CPU(bool, lock_map_off);
static DEFINE_PER_CPU(uint64_t, enabled);  /* counters, in Intel's global register */

static struct {
    unsigned int kind;     /* enum casm_counter */
    unsigned int msr_sel, msr_ctr, msr_step; /* of counter 0, and to the next one */
    uint64_t event[CASM_EVENTS];
    unsigned int shift;    /* 64 - width of the counter */
    bool probed;
    bool ours;             /* casm_counter_acquire() succeeded */
} hw __read_mostly;

/* Models with BR_INST_RETIRED.COND (umask 0x11): Ice Lake and later big cores. */
static bool intel_umask_11(void)
{
    static const uint8_t models[] = {
        0x6a, 0x6c, 0x7d, 0x7e, 0x8c, 0x8d, 0xa7, /* Ice Lake, Tiger Lake, Rocket Lake */
        0x8f, 0xcf, 0x97, 0x9a, 0xb7, 0xba, 0xbf, /* Sapphire and Emerald Rapids, Alder and Raptor Lake (P cores) */
        0xaa, 0xac, 0xad, 0xae, 0xbd, 0xc5, 0xc6, /* Meteor Lake, Granite Rapids, Lunar and Arrow Lake */
    };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(models); i++ )
        if ( boot_cpu_data.x86_model == models[i] )
            return true;

    return false;
}

static void probe_amd(void)
{
    /* From family 17h on documented; what an older one counts there is for the self-test to judge. */
    if ( boot_cpu_data.x86 < 0x10 )
        return;
    hw.event[CASM_EVENT_CONDITIONAL] = 0xd1;
    hw.event[CASM_EVENT_ANY] = 0xc2;
    hw.shift = 64 - 48;
    if ( cpuid_ecx(0x80000001) & (1u << 23) ) /* PerfCtrExtCore */
    {
        hw.kind = CASM_COUNTER_AMD_CORE;
        hw.msr_sel = MSR_AMD_FAM15H_EVNTSEL0;
        hw.msr_ctr = MSR_AMD_FAM15H_PERFCTR0;
        hw.msr_step = 2;
    }
    else
    {
        hw.kind = CASM_COUNTER_AMD;
        hw.msr_sel = MSR_K7_EVNTSEL0;
        hw.msr_ctr = MSR_K7_PERFCTR0;
        hw.msr_step = 1;
    }
}

static void probe_intel(void)
{
    uint32_t eax = boot_cpu_data.cpuid_level >= 0xa ? cpuid_eax(0xa) : 0;
    unsigned int width = (eax >> 16) & 0xff;

    /* Version 2 brought the global registers; the counters must exist and be wide enough to be armed. */
    if ( boot_cpu_data.x86 != 6 || (eax & 0xff) < 2 || ((eax >> 8) & 0xff) < CASM_EVENTS || width < 40 || width > 48 )
        return;
    hw.kind = CASM_COUNTER_INTEL;
    hw.event[CASM_EVENT_CONDITIONAL] = intel_umask_11() ? 0x11c4 : 0x01c4;
    hw.event[CASM_EVENT_ANY] = 0x00c4;
    hw.shift = 64 - width;
    hw.msr_sel = MSR_P6_EVNTSEL(0);
    hw.msr_ctr = MSR_P6_PERFCTR(0);
    hw.msr_step = 1;
}

/* Whether another user has it is known by asking for it. */
static bool in_use(void)
{
    if ( hw.ours )
        return false;
    if ( !acquire_pmu_ownership(CASM_PMU_OWNER) )
        return true;
    release_pmu_ownership(CASM_PMU_OWNER);

    return false;
}

unsigned int casm_counter_kind(unsigned int *why)
{
    if ( !hw.probed )
    {
        if ( boot_cpu_data.x86_vendor & (X86_VENDOR_AMD | X86_VENDOR_HYGON) )
            probe_amd();
        else if ( boot_cpu_data.x86_vendor == X86_VENDOR_INTEL )
            probe_intel();
        hw.probed = true;
    }

    *why = !hw.kind ? CASM_COUNTER_NO_EVENT :
           watchdog_enabled() ? CASM_COUNTER_WATCHDOG :
           vpmu_mode != XENPMU_MODE_OFF ? CASM_COUNTER_VPMU :
           in_use() ? CASM_COUNTER_IN_USE : CASM_COUNTER_READY;

    return hw.kind;
}

int casm_counter_acquire(void)
{
    unsigned int why;

    if ( !casm_counter_kind(&why) )
        return -ENODEV;

    if ( why != CASM_COUNTER_READY || !acquire_pmu_ownership(CASM_PMU_OWNER) )
        return -EBUSY;
    hw.ours = true;

    return 0;
}

static void cf_check give_back(void *unused)
{
    uint64_t val;

    if ( !this_cpu(used) )
        return;
    this_cpu(used) = false;
    apic_write(APIC_LVTPC, PMU_APIC_VECTOR | APIC_LVT_MASKED);
    if ( this_cpu(enabled) )
    {
        rdmsrl(MSR_CORE_PERF_GLOBAL_CTRL, val);
        wrmsrl(MSR_CORE_PERF_GLOBAL_CTRL, val & ~this_cpu(enabled));
        this_cpu(enabled) = 0;
    }
    if ( this_cpu(lock_map_off) && !rdmsr_safe(MSR_AMD64_LS_CFG, val) )
        wrmsr_safe(MSR_AMD64_LS_CFG, val & ~SPEC_LOCK_MAP_DISABLE);
    this_cpu(lock_map_off) = false;
}

void casm_counter_release(void)
{
    on_each_cpu(give_back, NULL, 1);
    hw.ours = false;
    release_pmu_ownership(CASM_PMU_OWNER);
}

#ifndef casm_rdpmc /* the unit test has a processor of its own */
static inline uint64_t casm_rdpmc(unsigned int counter)
{
    uint32_t low, high;

    asm volatile ( "rdpmc" : "=a" (low), "=d" (high) : "c" (counter) );

    return low | ((uint64_t)high << 32);
}
#endif

/* The register's content, sign-extended: negative while an overflow is to come. */
static int64_t register_value(unsigned int event)
{
    return (int64_t)(casm_rdpmc(event) << hw.shift) >> hw.shift;
}

static void program(struct casm_counter_state *s, unsigned int event, uint64_t count)
{
    uint64_t due = s->event[event].due, distance = due > count ? due - count : due ? 1 : 0;
    unsigned int sel = hw.msr_sel + event * hw.msr_step;

    s->event[event].base = count + distance;
    wrmsrl(sel, 0);
    /* Intel's legacy register takes 32 bits and extends the sign; AMD's takes what it has. */
    wrmsrl(hw.msr_ctr + event * hw.msr_step,
           hw.kind == CASM_COUNTER_INTEL ? (uint32_t)-distance : -distance & (~0ull >> hw.shift));
    wrmsrl(sel, hw.event[event] | SEL_USR | SEL_EN | (distance ? SEL_INT : 0));
}

#define ALL_COUNTERS ((1u << CASM_EVENTS) - 1)

void casm_counter_load(struct casm_counter_state *s)
{
    unsigned int event;
    uint64_t val;

    if ( !s->on )
        return;

    if ( (boot_cpu_data.x86_vendor & (X86_VENDOR_AMD | X86_VENDOR_HYGON)) && boot_cpu_data.x86 >= 0x17 &&
         !this_cpu(lock_map_off) && !rdmsr_safe(MSR_AMD64_LS_CFG, val) && !(val & SPEC_LOCK_MAP_DISABLE) )
    {
        wrmsr_safe(MSR_AMD64_LS_CFG, val | SPEC_LOCK_MAP_DISABLE);
        this_cpu(lock_map_off) = true;
    }

    this_cpu(used) = true;
    apic_write(APIC_LVTPC, PMU_APIC_VECTOR);
    if ( hw.kind == CASM_COUNTER_INTEL )
    {
        rdmsrl(MSR_CORE_PERF_GLOBAL_CTRL, val);
        this_cpu(enabled) |= ALL_COUNTERS & ~val;
        wrmsrl(MSR_CORE_PERF_GLOBAL_OVF_CTRL, ALL_COUNTERS);
        wrmsrl(MSR_CORE_PERF_GLOBAL_CTRL, val | ALL_COUNTERS);
    }
    this_cpu(loaded) = s;
    s->loaded = true;
    for ( event = 0; event < CASM_EVENTS; event++ )
        program(s, event, s->event[event].base);
}

void casm_counter_save(struct casm_counter_state *s)
{
    unsigned int event;

    if ( !s->loaded )
        return;

    for ( event = 0; event < CASM_EVENTS; event++ )
    {
        s->event[event].base += register_value(event);
        wrmsrl(hw.msr_sel + event * hw.msr_step, 0);
    }
    s->loaded = false;
    this_cpu(loaded) = NULL;
}

uint64_t casm_counter_read(const struct casm_counter_state *s, enum casm_event event)
{
    uint64_t base = s->event[event].base;

    /* While the vCPU is on another pCPU, dom0 gets the count of its last context switch. */
    return s->loaded && this_cpu(loaded) == s ? base + register_value(event) : base;
}

void casm_counter_arm(struct casm_counter_state *s, enum casm_event event, uint64_t distance)
{
    uint64_t count;

    if ( !distance && !s->event[event].due )
        return;
    count = casm_counter_read(s, event);
    s->event[event].due = distance ? count + distance : 0;
    if ( s->loaded ) /* else it is done when it is; and once given back, the counters are not ours to write */
        program(s, event, count);
}

/* From pmu_apic_interrupt(). Was it one of our counters'? What to do about it is decided at the exit that follows. */
bool casm_counter_interrupt(void)
{
    if ( !this_cpu(loaded) )
        return false;

    if ( hw.kind == CASM_COUNTER_INTEL )
        wrmsrl(MSR_CORE_PERF_GLOBAL_OVF_CTRL, ALL_COUNTERS);
    apic_write(APIC_LVTPC, PMU_APIC_VECTOR); /* Intel masks it when it delivers */

    return true;
}
