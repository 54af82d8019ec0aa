/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe: a PV kernel of a few pages, for tests that need a guest which does one thing, starts in no time, and lets
 * everything that it sees show in its registers at its next entry into Xen.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040d00
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define PAGE 4096ul
#define NSEC_PER_MSEC 1000000ull

/* Everything that was seen goes in here, and rides in r8 of each hypercall. */
extern uint64_t mix;
static inline void see(uint64_t value)
{
    mix = (mix ^ value) * 0x9e3779b97f4a7c15ull;
    mix ^= mix >> 29;
}

static inline long hypercall(unsigned long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
                             unsigned long e)
{
    register unsigned long r10 asm("r10") = d;
    register unsigned long r8 asm("r8") = e;
    unsigned long ret = nr;

    asm volatile("syscall" : "+a"(ret), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8) : : "rcx", "r11", "memory");
    return ret;
}
#define HYPERCALL(nr, a, b, c) hypercall(nr, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), 0, mix)

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (uint64_t)high << 32;
}

/* --- main.c --- */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

extern struct start_info *start;
extern struct shared_info *shared;              /* our mapping of it */
extern struct xencons_interface *console;
extern struct xenstore_domain_interface *store;
extern uint64_t events_seen;

uint64_t option(const char *name, uint64_t otherwise); /* name=NUMBER on the command line */
bool word(const char *name);                           /* on the command line? */
void print(const char *text);
void print_number(const char *text, uint64_t value);
uint64_t now_ns(void);                                 /* Xen's system time */
void set_timer(uint64_t ns_from_now);
void sleep_until_event(uint64_t ns_at_most);
void pause_for(uint64_t ns);
void power_off(void) __attribute__((noreturn));
void *page_of(unsigned int index);                     /* spare pages, 0 to SPARE_PAGES - 1 */
#define SPARE_PAGES 64u
static inline uint64_t mfn_of(const void *va)          /* all memory is mapped at its PFN */
{
    return ((const uint64_t *)start->mfn_list)[(unsigned long)va / PAGE];
}
int map(void *va, uint64_t mfn);
void upcalls(bool on);
void set_handlers(void);                               /* of exceptions and events */

/* --- head.S --- */
int try_run(const void *code);
/* What a handler finds on its stack, and goes back to. */
struct trap_frame {
    uint64_t r10, r9, r8, rdi, rsi, rdx, rax, rcx, r11, rip, cs, rflags, rsp, ss;
};
#define FLAG_TF 0x100u

/* --- loops.c, flags.c: code that hardly enters Xen, and code that looks for a trap flag that is not its own --- */
void time_points(uint64_t rounds);
void loops_upcall(struct trap_frame *frame); /* in each upcall */
void look_at_flags(uint64_t rounds);
void flags_upcall(const struct trap_frame *frame);

/* --- processor.c --- */
void look_at_processor(uint64_t rounds);

/* --- segments.c --- */
void look_at_segments(uint64_t rounds);

/* --- hostile.c --- */
/* rarity: one attack in so many is one that the guest itself is likely to die of. */
void hostile(uint64_t seed, uint64_t steps, unsigned int rarity);

/* --- steal.c --- */
/* Bit n of which: the n-th attack. */
void steal(uint64_t which);

#endif /* PROBE_H */
