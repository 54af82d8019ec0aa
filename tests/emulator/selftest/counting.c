/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The count is exact, whatever happens in between. */
#include "machine.h"

#define DR7_EXECUTE 1u               /* breakpoint 0, on execution */
#define DR7_WRITE (1u | 0xdu << 16)  /* breakpoint 0, on writes of 4 bytes */
#define TIMERS_MIN 10u
#define TIMER_ROUNDS_MAX 1000u

uint64_t count_of(const void *program, uint64_t argument, uint64_t rflags, uint32_t bits)
{
    counter_start(0, bits);
    run_user(program, argument, rflags);
    return counter_stop();
}

static uint64_t kernel_count(uint64_t n, uint32_t bits)
{
    counter_start(0, bits);
    kernel_branches(n);
    return counter_stop();
}

static void test_levels(void)
{
    check("kernel loop, kernel counted", kernel_count(500, COUNT_KERNEL), 500);
    check("kernel loop, user counted", kernel_count(500, COUNT_USER), 0);
    check("user loop, user counted", count_of(u_loop, 12345, FLAGS, COUNT_USER), 12345);
    check("user loop, kernel counted", count_of(u_loop, 12345, FLAGS, COUNT_KERNEL), 0);
    check("user loop, nothing counted", count_of(u_loop, 1000, FLAGS, 0), 0);
    check("user loop, both counted", count_of(u_loop, 12345, FLAGS, COUNT_USER | COUNT_KERNEL), 12345);
    counter_start(0, COUNT_USER | COUNT_KERNEL);
    kernel_branches(500);
    run_user(u_loop, 77, FLAGS);
    check("kernel and user loop, both counted", counter_stop(), 577);

    event ^= 1;
    check("another event is not counted", count_of(u_loop, 99, FLAGS, COUNT_USER), 0);
    event ^= 1;
}

static void test_several_counters(void)
{
    uint64_t user = event | COUNT_USER | ENABLE, both = event | COUNT_USER | COUNT_KERNEL | ENABLE,
             kernel = event | COUNT_KERNEL | ENABLE;

    wrmsr(count_msr(0), 10);
    wrmsr(count_msr(1), 20);
    wrmsr(count_msr(2), 30);
    /* From here on without a branch of our own: they would be counted. */
    wrmsr(select_msr(0), user);
    wrmsr(select_msr(1), both);
    wrmsr(select_msr(2), kernel);
    run_user(u_loop, 100, FLAGS);
    wrmsr(select_msr(0), 0);
    run_user(u_loop, 11, FLAGS);
    kernel_branches(7);
    wrmsr(select_msr(1), 0);
    wrmsr(select_msr(2), 0);
    check("three counters: user, stopped early", rdmsr(count_msr(0)), 10 + 100);
    check("three counters: both", rdmsr(count_msr(1)), 20 + 100 + 11 + 7);
    check("three counters: kernel", rdmsr(count_msr(2)), 30 + 7);
}

static void test_reading(void)
{
    counter_start(0, COUNT_USER);
    check("RDPMC at CPL 3 before each branch: wrong", run_user(u_rdpmc, 0, FLAGS), 0);
    check("RDMSR and RDPMC", counter_stop(), rdpmc(0));
    wrmsr(count_msr(0), ~0ull);
    check("48 bits", rdmsr(count_msr(0)), COUNTER_MASK);
    counter_start(-5ull, COUNT_USER);
    run_user(u_loop, 100, FLAGS);
    check("goes on from 0 after an overflow", counter_stop(), 95);
    check("  without an interrupt, if none is wanted", traps.nmis, 0);
    if ( amd )
        return;
    check("  status", rdmsr(MSR_GLOBAL_STATUS), 1);
    wrmsr(MSR_GLOBAL_OVF_CTRL, 1);
    check("  cleared", rdmsr(MSR_GLOBAL_STATUS), 0);
}

void test_counting(void)
{
    static const unsigned int loops[] = { 1, 1000, 1000003 };

    check("no conditional branch", count_of(u_none, 0, FLAGS, COUNT_USER), 0);
    for ( unsigned int i = 0; i < 3; i++ )
        check("loop", count_of(u_loop, loops[i], FLAGS, COUNT_USER), loops[i]);
    check("each conditional branch", count_of(u_mix, 0, FLAGS, COUNT_USER), BRANCHES(u_mix));
    test_levels();
    test_several_counters();
    test_reading();
}

/* A branch that lies in two absent pages and goes to a third: not counted before it retires, nor twice. */
static void test_straddling(void)
{
    const uint64_t at = 0x700000;

    map_small_pages(true);
    memcpy((void *)at, u_straddling, 3 * 4096);
    check("branch across pages", count_of((void *)at, 10, FLAGS, COUNT_USER), 19);
    for ( unsigned int i = 0; i < 3; i++ )
    {
        page_absent(at);
        page_absent(at + 4096);
        page_absent(at + 8192);
        traps.page_faults = 0;
        check("branch across absent pages", count_of((void *)at, 10, FLAGS, COUNT_USER), 19);
        check("  page faults", traps.page_faults, 3);
        check("  count at the fault on its tail", traps.fault_count[1], 0);
        check("  count at the fault on its target", traps.fault_count[2], 1);
    }
}

/* Timer interrupts, as many as come: they follow the emulator's clock, which may be slow. */
static void test_timer(void)
{
    unsigned int rounds = 0, wrong = 0;

    APIC[APIC_TIMER_DIVIDE] = 0xb;
    APIC[APIC_LVT_TIMER] = APIC_PERIODIC | VECTOR_TIMER;
    APIC[APIC_TIMER_COUNT] = 20000;
    while ( traps.timers < TIMERS_MIN && rounds++ < TIMER_ROUNDS_MAX )
        wrong += count_of(u_loop, 1000000, FLAGS | FLAG_IF, COUNT_USER) != 1000000;
    APIC[APIC_LVT_TIMER] = APIC_MASKED;
    APIC[APIC_TIMER_COUNT] = 0;
    check("timer interrupts: wrong counts", wrong, 0);
    check("  enough came", traps.timers >= TIMERS_MIN, 1);
}

void test_faults(void)
{
    unsigned int steps;
    uint64_t flags;

    map_small_pages(false);
    traps.page_faults = 0;
    check("page fault after each branch", count_of(u_touch, SMALL_PAGES, FLAGS, COUNT_USER), BRANCHES(u_touch));
    check("  page faults", traps.page_faults, 50);
    check("  count at the 11th", traps.fault_count[10], 20);
    test_straddling();

    /* Under -icount these make the emulator translate a block again, in its middle. */
    check("device reads: APIC", count_of(u_mmio, (uint64_t)&APIC[0x20 / 4], FLAGS, COUNT_USER), BRANCHES(u_mmio));
    check("device reads: HPET", count_of(u_mmio, HPET_COUNTER, FLAGS, COUNT_USER), BRANCHES(u_mmio));

    counter_start(0, COUNT_USER);
    check("self-modifying code: result", run_user(u_modifying, 0, FLAGS), 465);
    check("self-modifying code", counter_stop(), BRANCHES(u_modifying));

    traps.debug_traps = 0;
    check("single steps", count_of(u_mix, 0, FLAGS | FLAG_TF, COUNT_USER), BRANCHES(u_mix));
    check("  steps", traps.debug_traps > BRANCHES(u_mix), 1);
    check("single steps, no branch", count_of(u_none, 0, FLAGS | FLAG_TF, COUNT_USER), 0);
    flags = run_user(u_flags, 0, FLAGS);
    check("single steps: flags that an instruction leaves undefined", run_user(u_flags, 0, FLAGS | FLAG_TF), flags);
    check("single steps, self-modifying", count_of(u_modifying, 0, FLAGS | FLAG_TF, COUNT_USER), BRANCHES(u_modifying));

    traps.debug_traps = 0;
    breakpoint(SMALL_PAGES + 0x100, DR7_WRITE);
    check("data breakpoint", count_of(u_watched, SMALL_PAGES + 0x100, FLAGS, COUNT_USER), BRANCHES(u_watched));
    check("  hits", traps.debug_traps, 30);
    traps.debug_traps = 0;
    run_user(u_watched, SMALL_PAGES + 0x200, FLAGS | FLAG_TF);
    steps = traps.debug_traps;
    traps.debug_traps = traps.watched = traps.watched_steps = 0;
    check("single steps over a data breakpoint", count_of(u_watched, SMALL_PAGES + 0x100, FLAGS | FLAG_TF, COUNT_USER),
          BRANCHES(u_watched));
    check("  steps", traps.debug_traps, steps);
    check("  hits", traps.watched, 30);
    check("  in one trap with the step", traps.watched_steps, 30);
    traps.debug_traps = 0;
    traps.resume = true;
    breakpoint((uint64_t)u_loop + 3, DR7_EXECUTE);
    check("breakpoint on the branch", count_of(u_loop, 200, FLAGS, COUNT_USER), 200);
    check("  hits", traps.debug_traps, 200);
    traps.resume = false;
    breakpoint(0, 0);

    test_timer();
}
