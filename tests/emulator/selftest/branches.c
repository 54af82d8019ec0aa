/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event "retired branches" counts near branches of each kind, and each exception and interrupt that is taken at CPL 3; and
 * conditional branches are counted at the same time, without any of that.
 */
#include "machine.h"

#define ENDING 1u /* INT 0x80, which ends a program, is an interrupt taken at CPL 3 */
#define LONG_ROUNDS 400u
#define TIMERS_MIN 10u
#define TIMER_ROUNDS_MAX 1000u

/* Runs a program with a counter for each event; what it took at CPL 3 is in traps.from_user. */
static void count_both(const void *program, uint64_t argument, uint64_t rflags, unsigned int conditional, unsigned int all)
{
    traps.from_user = 0;
    wrmsr(count_msr(conditional), 0);
    wrmsr(count_msr(all), 0);
    wrmsr(select_msr(conditional), event_conditional | COUNT_USER | ENABLE);
    wrmsr(select_msr(all), event_all | COUNT_USER | ENABLE);
    run_user(program, argument, rflags);
    wrmsr(select_msr(conditional), 0);
    wrmsr(select_msr(all), 0);
}

static void check_both(const char *what, const void *program, uint64_t argument, uint64_t conditional, uint64_t all)
{
    static const unsigned int counters[][2] = { { 0, 1 }, { 1, 0 }, { 3, 2 } };
    unsigned int wrong = 0;

    for ( unsigned int i = 0; i < 3; i++ )
    {
        count_both(program, argument, FLAGS, counters[i][0], counters[i][1]);
        wrong += traps.from_user != 0;
        check(what, rdmsr(count_msr(counters[i][0])), conditional);
        check("  all branches", rdmsr(count_msr(counters[i][1])), all + ENDING);
    }
    check("  traps", wrong, 0);
    count_both(program, argument, FLAGS | FLAG_TF, 0, 1);
    check("  single steps", rdmsr(count_msr(0)), conditional);
    check("  single steps, all branches", rdmsr(count_msr(1)) - traps.from_user, all + ENDING);
    check("  single steps: traps", traps.from_user > all, 1);
}

static void test_programs(void)
{
    const uint64_t rounds = LONG_ROUNDS;
    uint64_t conditional;

    event = event_all;
    check("all branches: loop", count_of(u_loop, 1000003, FLAGS, COUNT_USER), 1000003 + ENDING);
    counter_start(0, COUNT_USER);
    check("all branches: RDPMC at CPL 3 before each branch: wrong", run_user(u_rdpmc, 0, FLAGS), 0);
    check("all branches: RDMSR and RDPMC", counter_stop(), rdpmc(0));
    conditional = count_of(u_long, rounds, FLAGS, COUNT_USER) - 2 * rounds - ENDING;
    event = event_conditional;

    check_both("both events: loop", u_loop, 1001, 1001, 1001);
    check_both("both events: no conditional branch", u_none, 0, 0, ALL_BRANCHES(u_none));
    check_both("both events: each conditional branch", u_mix, 0, BRANCHES(u_mix), BRANCHES(u_mix));
    check_both("both events: each near transfer", u_transfers, 0, BRANCHES(u_transfers), ALL_BRANCHES(u_transfers));
    check_both("both events: each far transfer", u_far, 0, 0, 0);
    check_both("both events: jumps", u_jumps, rounds, 0, 4 * rounds);
    check_both("both events: calls", u_long, rounds, conditional, conditional + 2 * rounds);
    check_both("both events: self-modifying", u_modifying, 0, BRANCHES(u_modifying), BRANCHES(u_modifying));
    check_both("both events: device reads", u_mmio, (uint64_t)&APIC[0x20 / 4], BRANCHES(u_mmio), BRANCHES(u_mmio));
}

/* Five branches at CPL 0, one of them conditional, and an IRET; counted by counter 0. */
static uint64_t kernel_transfers(uint64_t select)
{
    uint32_t low = (uint32_t)select, high = (uint32_t)(select >> 32);

    wrmsr(count_msr(0), 0);
    asm volatile("wrmsr\n"
                 "        call    1f\n"
                 "        jmp     2f\n"
                 "1:      ret\n"
                 "2:      lea     3f(%%rip), %%r8\n"
                 "        jmp     *%%r8\n"
                 "3:      mov     %%rsp, %%r9\n"
                 "        pushq   $0x10\n"
                 "        pushq   %%r9\n"
                 "        pushfq\n"
                 "        pushq   $8\n"
                 "        lea     4f(%%rip), %%r8\n"
                 "        pushq   %%r8\n"
                 "        iretq\n"
                 "4:      xor     %%edx, %%edx\n"
                 "        xor     %%eax, %%eax\n"
                 "        jz      5f\n"
                 "5:      wrmsr"
                 : "+a"(low), "+d"(high)
                 : "c"(select_msr(0))
                 : "r8", "r9", "memory", "cc");
    return rdmsr(count_msr(0));
}

static void test_levels(void)
{
    uint32_t select = select_msr(0);

    check("all branches: kernel transfers, kernel counted", kernel_transfers(event_all | COUNT_KERNEL | ENABLE), 5);
    check("all branches: kernel transfers, both", kernel_transfers(event_all | COUNT_KERNEL | COUNT_USER | ENABLE), 5);
    check("all branches: kernel transfers, user counted", kernel_transfers(event_all | COUNT_USER | ENABLE), 0);
    check("kernel transfers, conditional branches", kernel_transfers(event_conditional | COUNT_KERNEL | ENABLE), 1);

    wrmsr(count_msr(0), 0);
    wrmsr(select, event_all | COUNT_USER | COUNT_KERNEL | ENABLE);
    run_user(u_transfers, 0, FLAGS);
    wrmsr(select, 0);
    /* And the call of run_user() and its return. */
    check("all branches: user transfers, both counted", rdmsr(count_msr(0)), ALL_BRANCHES(u_transfers) + ENDING + 2);

    event = event_all;
    map_small_pages(true);
    page_absent(SMALL_PAGES);
    traps.page_faults = 0;
    counter_start(0, COUNT_USER);
    *(volatile uint8_t *)SMALL_PAGES = 1;
    check("all branches: page fault in the kernel, user counted", counter_stop(), 0);
    check("  page faults", traps.page_faults, 1);
    event = event_conditional;
}

/* Each fault counts once, and the branch it is in only when it retires. */
static void test_faulting(void)
{
    const uint64_t at = SMALL_PAGES;

    map_small_pages(false);
    traps.page_faults = 0;
    count_both(u_touch, SMALL_PAGES, FLAGS, 0, 1);
    check("page faults, conditional branches", rdmsr(count_msr(0)), BRANCHES(u_touch));
    check("  all branches", rdmsr(count_msr(1)), BRANCHES(u_touch) + 50 + ENDING);
    check("  page faults", traps.page_faults, 50);

    map_small_pages(true);
    *(uint64_t *)(at + 4096) = (uint64_t)u_faulting_return;
    *(uint64_t *)(at + 8192) = (uint64_t)u_faulting_jump;
    *(uint64_t *)(at + 12288) = (uint64_t)u_faulting_call;
    for ( unsigned int i = 0; i < 4; i++ )
        page_absent(at + i * 4096);
    traps.page_faults = 0;
    event = event_all;
    check("all branches: page faults in transfers", count_of(u_faulting, at, FLAGS, COUNT_USER), 4 + 4 + ENDING);
    event = event_conditional;
    check("  page faults", traps.page_faults, 4);
    for ( unsigned int i = 0; i < 4; i++ )
        check("  count at the fault", traps.fault_count[i], i + i + 1);
}

static void test_straddling(void)
{
    const uint64_t at = 0x700000;

    map_small_pages(true);
    memcpy((void *)at, u_straddling, 3 * 4096);
    for ( unsigned int i = 0; i < 3; i++ )
        page_absent(at + i * 4096);
    traps.page_faults = 0;
    event = event_all;
    check("all branches: branches across absent pages", count_of((void *)at, 10, FLAGS, COUNT_USER), 19 + 10 + 3 + ENDING);
    event = event_conditional;
    check("  page faults", traps.page_faults, 3);
    check("  count at the fault on its tail", traps.fault_count[1], 1 + 2);
    check("  count at the fault on its target", traps.fault_count[2], 2 + 3);
}

static void test_timer(void)
{
    unsigned int rounds = 0, wrong = 0, before = traps.timers;

    APIC[APIC_TIMER_DIVIDE] = 0xb;
    APIC[APIC_LVT_TIMER] = APIC_PERIODIC | VECTOR_TIMER;
    APIC[APIC_TIMER_COUNT] = 20000;
    while ( traps.timers - before < TIMERS_MIN && rounds++ < TIMER_ROUNDS_MAX )
    {
        count_both(u_loop, 1000000, FLAGS | FLAG_IF, 0, 1);
        wrong += rdmsr(count_msr(0)) != 1000000 || rdmsr(count_msr(1)) != 1000000 + traps.from_user + ENDING;
    }
    APIC[APIC_LVT_TIMER] = APIC_MASKED;
    APIC[APIC_TIMER_COUNT] = 0;
    check("timer interrupts, both events: wrong counts", wrong, 0);
    check("  enough came", traps.timers - before >= TIMERS_MIN, 1);
}

void test_branches(void)
{
    test_programs();
    test_levels();
    test_faulting();
    test_straddling();
    test_timer();
}
