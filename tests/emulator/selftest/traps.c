/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The self-test's exceptions and interrupts: counted, and what they saw kept. */
#include "machine.h"

#define KERNEL_CS 8ull
#define TSS_SELECTOR 0x28
#define IST_NMI 1u /* so that an NMI at the first instruction of another handler does no harm */
#define IST_DB 2u
#define DR6_NOTHING 0xffff0ff0ul
#define DR6_B0 1ul
#define DR6_BS 0x4000ul

struct traps traps;
void (*on_debug_trap)(uint64_t rip);
void (*on_nmi)(uint64_t rip, uint64_t count);

static struct { uint64_t low, high; } idt[256];
static uint32_t tss[26];
static uint8_t nmi_stack[16384] __attribute__((aligned(16))), debug_stack[16384] __attribute__((aligned(16))),
    trap_stack[16384] __attribute__((aligned(16)));

extern uint64_t tss_descriptor[], small_page_table[];
extern char vector_0[], vector_1[], vector_2[], vector_3[], vector_6[], vector_7[], vector_8[], vector_13[], vector_14[],
    vector_0x40[], vector_0x41[], vector_0xff[], vector_0x80[];

/* An overflow is acknowledged, and Intel's LVT entry, which masked itself, opened. */
static void counter_interrupt(const struct frame *f, uint32_t lvt)
{
    traps.rip = f->rip;
    traps.cs = f->cs;
    traps.count = rdmsr(count_msr(0));
    traps.lvt_masked = APIC[APIC_LVT_COUNTER] & APIC_MASKED;
    if ( amd )
        return;
    wrmsr(MSR_GLOBAL_OVF_CTRL, rdmsr(MSR_GLOBAL_STATUS));
    APIC[APIC_LVT_COUNTER] = lvt;
}

static bool page_fault(uint64_t error)
{
    uint64_t address;

    asm volatile("mov %%cr2, %0" : "=r"(address));
    if ( address < SMALL_PAGES || address >= SMALL_PAGES_END || small_page_table[address >> 12 & 511] & 1 )
        return false;
    if ( traps.page_faults < sizeof(traps.fault_count) / sizeof(traps.fault_count[0]) )
        traps.fault_count[traps.page_faults] = rdmsr(count_msr(0));
    traps.page_faults++;
    traps.fault_error = error;
    small_page_table[address >> 12 & 511] |= 1;
    return true;
}

static void debug_trap(struct frame *f)
{
    uint64_t dr6;

    asm volatile("mov %%dr6, %0" : "=r"(dr6));
    traps.debug_traps++;
    traps.watched += dr6 & DR6_B0 ? 1 : 0;
    traps.watched_steps += (dr6 & (DR6_B0 | DR6_BS)) == (DR6_B0 | DR6_BS);
    if ( traps.resume )
        f->rflags |= 0x10000;
    if ( on_debug_trap )
        on_debug_trap(f->rip);
    asm volatile("mov %0, %%dr6" : : "r"(DR6_NOTHING));
}

static bool no_fpu(void)
{
    uint64_t cr0;

    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    asm volatile("clts");
    traps.no_fpu++;
    return cr0 & CR0_TS;
}

void trap(struct frame *f)
{
    traps.from_user += (f->cs & 3) == 3;
    switch ( f->vector )
    {
    case VECTOR_DB:
        debug_trap(f);
        return;
    case VECTOR_NMI:
        traps.nmis++;
        counter_interrupt(f, APIC_NMI);
        if ( on_nmi )
            on_nmi(traps.rip, traps.count);
        if ( traps.resume_at )
            f->rip = traps.resume_at;
        return;
    case VECTOR_NM:
        if ( !no_fpu() )
            break;
        return;
    case VECTOR_GP:
        if ( !traps.skip_bytes || f->error || (f->cs & 3) != 3 )
            break;
        traps.protection_faults++;
        f->rip += traps.skip_bytes;
        return;
    case VECTOR_PF:
        if ( page_fault(f->error) )
            return;
        break;
    case VECTOR_COUNTER:
        traps.interrupts++;
        counter_interrupt(f, VECTOR_COUNTER);
        APIC[APIC_EOI] = 0;
        return;
    case VECTOR_TIMER:
        traps.timers++;
        APIC[APIC_EOI] = 0;
        return;
    case VECTOR_SPURIOUS: return;
    }
    say("FAIL unexpected trap %u, error %x, at %x:%x\n", f->vector, f->error, f->cs, f->rip);
    check("unexpected traps", 1, 0);
    finish();
}

static void gate(unsigned int vector, const char *handler, unsigned int level, unsigned int stack)
{
    uint64_t address = (uint64_t)handler;

    idt[vector].low = (address & 0xffff) | KERNEL_CS << 16 | (uint64_t)stack << 32 | 0x8eull << 40 | (uint64_t)level << 45 |
                      (address >> 16 & 0xffff) << 48;
    idt[vector].high = address >> 32;
}

void traps_set_up(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr = { sizeof(idt) - 1, (uint64_t)idt };
    uint64_t base = (uint64_t)tss;

    tss_descriptor[0] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    tss_descriptor[1] = base >> 32;
    *(uint64_t *)&tss[1] = (uint64_t)trap_stack + sizeof(trap_stack);
    *(uint64_t *)&tss[9] = (uint64_t)nmi_stack + sizeof(nmi_stack);
    *(uint64_t *)&tss[11] = (uint64_t)debug_stack + sizeof(debug_stack);
    gate(0, vector_0, 0, 0);
    gate(VECTOR_DB, vector_1, 0, IST_DB);
    gate(VECTOR_NMI, vector_2, 0, IST_NMI);
    gate(3, vector_3, 3, 0);
    gate(6, vector_6, 0, 0);
    gate(VECTOR_NM, vector_7, 0, 0);
    gate(8, vector_8, 0, 0);
    gate(13, vector_13, 0, 0);
    gate(VECTOR_PF, vector_14, 0, 0);
    gate(VECTOR_COUNTER, vector_0x40, 0, 0);
    gate(VECTOR_TIMER, vector_0x41, 0, 0);
    gate(VECTOR_SPURIOUS, vector_0xff, 0, 0);
    gate(0x80, vector_0x80, 3, 0);
    asm volatile("lidt %0" : : "m"(idtr));
    asm volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    wrmsr(MSR_STAR, 0x13ull << 48 | KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)system_call);
    wrmsr(MSR_FMASK, FLAG_TF | FLAG_IF);
    APIC[APIC_SPURIOUS] = 0x100 | VECTOR_SPURIOUS;
    APIC[APIC_LVT_COUNTER] = APIC_NMI;
    APIC[APIC_LVT_LINT0] = APIC_MASKED;
}
