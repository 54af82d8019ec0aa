/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The self-test's machine: a bare x86-64 processor with memory mapped to itself, a serial line, traps that are counted, and
 * user programs that run at CPL 3 until they execute INT 0x80.
 */
#ifndef SELFTEST_MACHINE_H
#define SELFTEST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "features.h"

/* Bits of an event select; and this processor's events "retired conditional branches" and "retired branches". */
#define COUNT_USER (1u << 16)
#define COUNT_KERNEL (1u << 17)
#define INTERRUPT (1u << 20)
#define ENABLE (1u << 22)
extern uint64_t event_conditional, event_all;
extern uint64_t event; /* the one that counter_start() selects */

#define COUNTER_MASK ((1ull << 48) - 1)
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_GLOBAL_STATUS 0x38e
#define MSR_GLOBAL_CTRL 0x38f
#define MSR_GLOBAL_OVF_CTRL 0x390

/* Flags of a user program */
#define FLAGS 0x002u
#define FLAG_TF 0x100u
#define FLAG_IF 0x200u

#define CR0_MP 2ul
#define CR0_TS 8ul

/* Interrupt vectors */
#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_NM 7
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_COUNTER 0x40
#define VECTOR_TIMER 0x41
#define VECTOR_SPURIOUS 0xff

/* Registers of the local APIC, as indexes of 32-bit words */
#define APIC_EOI (0xb0 / 4)
#define APIC_SPURIOUS (0xf0 / 4)
#define APIC_LVT_TIMER (0x320 / 4)
#define APIC_LVT_COUNTER (0x340 / 4)
#define APIC_LVT_LINT0 (0x350 / 4)
#define APIC_TIMER_COUNT (0x380 / 4)
#define APIC_TIMER_DIVIDE (0x3e0 / 4)
#define APIC_MASKED 0x10000u
#define APIC_NMI 0x400u
#define APIC_PERIODIC 0x20000u
#define APIC ((volatile uint32_t *)0xfee00000)
#define HPET_COUNTER 0xfed000f0ul

/* 2 MiB in pages of 4 KiB, each of which may be made absent; mapped to itself. */
#define SMALL_PAGES 0x600000ul
#define SMALL_PAGES_END 0x800000ul

static inline void outb(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %w1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;

    asm volatile("inb %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;

    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
    asm volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t rdpmc(uint32_t index)
{
    uint32_t low, high;

    asm volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss;
};

/* --- machine.c --- */
extern bool amd, core; /* vendor; AMD: the core MSRs exist */
void machine_set_up(void);
uint64_t option(const char *name, uint64_t otherwise); /* name=NUMBER on the command line */
void say(const char *format, ...);                     /* %d %u %x take 64 bits; %s */
void check(const char *what, uint64_t got, uint64_t expected);
void finish(void) __attribute__((noreturn));           /* ends the emulator: exit code 1 all well, 3 something failed */
void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d);
uint32_t select_msr(unsigned int counter);
uint32_t count_msr(unsigned int counter);
void counter_start(uint64_t value, uint32_t bits);     /* counter 0 */
uint64_t counter_stop(void);
void kernel_branches(uint64_t n);
void map_small_pages(bool present);
void page_absent(uint64_t address);                    /* present again after a fault */
void breakpoint(uint64_t address, uint32_t dr7);
void *memcpy(void *to, const void *from, size_t n);

/* --- traps.c --- */
struct traps {
    unsigned int nmis, interrupts, debug_traps, page_faults, timers, no_fpu, protection_faults;
    unsigned int from_user;           /* all of them, and not INT 0x80, that were taken at CPL 3 */
    uint64_t rip, cs, count;          /* of the last NMI or counter interrupt: where, and the counter in the handler */
    bool lvt_masked;                  /* the local APIC's entry was masked by the interrupt */
    uint64_t fault_count[256];        /* the counter at each page fault */
    uint64_t fault_error;             /* error code of the last page fault */
    unsigned int watched, watched_steps; /* debug traps for breakpoint 0, and those of them that end a single step */
    bool resume;                      /* a debug trap sets RF */
    uint64_t resume_at;               /* not 0: NMIs return to there */
    uint64_t skip_bytes;              /* not 0: a #GP(0) at CPL 3 goes on so many bytes behind the instruction */
};
extern struct traps traps;
void traps_set_up(void);
/* While on, each debug trap adds to the trace; see overflow.c. */
extern void (*on_debug_trap)(uint64_t rip);
/* Called in each NMI handler, after the acknowledgement. */
extern void (*on_nmi)(uint64_t rip, uint64_t count);

/* --- entry.S --- */
/* Runs a program at CPL 3 with RDI = argument; returns its RAX. */
uint64_t run_user(const void *program, uint64_t argument, uint64_t rflags);
extern const char system_call[]; /* SYSCALL's target: returns at once */

/* --- programs.S: see there; X_branches are the conditional branches that X retires, X_all its near branches --- */
extern const char u_none[], u_loop[], u_mix[], u_rdpmc[], u_touch[], u_mmio[], u_watched[], u_modifying[];
extern const char u_straddling[], u_long[], u_transfers[], u_far[], u_jumps[], u_stuck[], u_end[];
extern const char u_flags[], u_faulting[], u_faulting_return[], u_faulting_jump[], u_faulting_call[];
extern const char u_mix_branches[], u_touch_branches[], u_mmio_branches[], u_watched_branches[], u_modifying_branches[];
extern const char u_transfers_branches[], u_none_all[], u_transfers_all[];
#define BRANCHES(program) ((uint64_t)program##_branches)
#define ALL_BRANCHES(program) ((uint64_t)program##_all)

/* Programs of one instruction, and whether it faults while CR0.TS is set: once. */
struct fpu_program {
    const void *code;
    const char *name;
    uint32_t needs; /* HAS_ bits */
    uint32_t faults;
};
extern const struct fpu_program fpu_programs[], fpu_programs_fwait[], fpu_programs_end[];

/* Programs of one operation with a lock on memory at the argument. */
struct locked_program {
    const void *code;
    const char *name;
};
extern const struct locked_program locked_programs[], locked_programs_end[];

/* Programs of one instruction that can be forbidden at CPL 3; its length in bytes, and whether it is UMIP that does. */
struct hidden_program {
    const void *code;
    const char *name;
    uint64_t bytes, umip;
};
extern const struct hidden_program hidden_programs[], hidden_programs_end[];

/* --- counting.c, branches.c, overflow.c, fpu.c, locked.c --- */
uint64_t count_of(const void *program, uint64_t argument, uint64_t rflags, uint32_t bits);
void test_counting(void);
void test_faults(void);
void test_branches(void);
void test_overflow(void);
void test_fpu(void);
void test_isolation(void);
void test_locked(void);

#endif /* SELFTEST_MACHINE_H */
