/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops at kernel level that do not enter Xen and end when a timer event was handled. How often each went round depends on
 * when the event came: a replay must print the same numbers. Lines that start with "time:" say how late events came.
 */
#include "probe.h"

#define TIMER_NS (3 * NSEC_PER_MSEC)
#define AGAIN_NS (1 * NSEC_PER_MSEC) /* for an event that came before the loop began; twice as long each time */
#define COPY_PAGE 32u                /* the spare pages from here on are copied */
#define COPY_BYTES (16 * PAGE)

static bool waiting, jumping;
static uint64_t due_ns, late_ns, worst_ns, again_ns;

static void arm(uint64_t ns)
{
    due_ns = now_ns() + ns;
    HYPERCALL(__HYPERVISOR_set_timer_op, due_ns, 0, 0);
}

extern const char jump_in_place[], jump_left[];

void loops_upcall(struct trap_frame *frame)
{
    uint64_t now;

    if ( !waiting )
        return;
    now = now_ns();
    if ( now < due_ns )
        return; /* another event */
    late_ns = now - due_ns;
    if ( late_ns > worst_ns )
        worst_ns = late_ns;
    if ( jumping && frame->rip != (uint64_t)jump_in_place )
    {
        /* With a point at each instruction, the way back to the loop can be longer than any fixed time. */
        arm(again_ns);
        again_ns *= 2;
        return;
    }
    if ( jumping )
        frame->rip = (uint64_t)jump_left;
    waiting = false;
}

/* Each: goes round until waiting is false; returns how often. */
static uint64_t branches(void)
{
    uint64_t n = 0;

    asm volatile("1: inc %0\n\tcmpb $0, %1\n\tjne 1b" : "+r"(n) : "m"(waiting) : "cc", "memory");
    return n;
}

static uint64_t no_branches(void)
{
    uint64_t n = 0, to;

    asm volatile("lea 2f(%%rip), %%rdx\n\tlea 1f(%%rip), %1\n"
                 "1: inc %0\n\tcmpb $0, %2\n\tcmove %%rdx, %1\n\tjmp *%1\n2:"
                 : "+r"(n), "=&r"(to) : "m"(waiting) : "rdx", "cc", "memory");
    return n;
}

static uint64_t jump(void)
{
    asm volatile(".globl jump_in_place, jump_left\njump_in_place: jmp jump_in_place\njump_left:" : : : "memory");
    return 1;
}

static uint64_t copies(void)
{
    uint64_t n = 0;

    for ( ; *(volatile bool *)&waiting; n++ )
        memcpy(page_of(COPY_PAGE), page_of(COPY_PAGE - COPY_BYTES / PAGE), COPY_BYTES);
    return n;
}

static uint64_t counted(void)
{
    uint64_t n = 0;

    for ( ; *(volatile bool *)&waiting; n++ )
        asm volatile("mov $300, %%ecx\n1: loop 1b" : : : "rcx");
    return n;
}

static uint64_t calls_to(uint64_t depth)
{
    return depth ? 1 + calls_to(depth - 1) * *(volatile bool *)&waiting : 0;
}

static uint64_t calls(void)
{
    uint64_t n = 0;

    for ( ; *(volatile bool *)&waiting; n++ )
        see(calls_to(20));
    return n;
}

void time_points(uint64_t rounds)
{
    static const struct { const char *name, *time; uint64_t (*run)(void); } kinds[] = {
        { "loops: branches ", "time: branches, worst ns ", branches },
        { "loops: no branches ", "time: no branches, worst ns ", no_branches },
        { "loops: jump in place ", "time: jump in place, worst ns ", jump },
        { "loops: copies ", "time: copies, worst ns ", copies },
        { "loops: counted ", "time: counted, worst ns ", counted },
        { "loops: calls ", "time: calls, worst ns ", calls },
    };

    for ( unsigned int k = 0; rounds && k < sizeof(kinds) / sizeof(kinds[0]); k++ )
    {
        uint64_t total = 0;

        worst_ns = 0;
        for ( uint64_t i = 0; i < rounds; i++ )
        {
            /* Before the event can come: one that finds the guest on its way to the loop must not be the last. */
            jumping = kinds[k].run == jump;
            waiting = true;
            again_ns = AGAIN_NS;
            arm(TIMER_NS);
            upcalls(true);
            total += kinds[k].run();
            upcalls(false);
        }
        print_number(kinds[k].name, total);
        print_number(kinds[k].time, worst_ns);
    }
}
