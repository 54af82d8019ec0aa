/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An overflow interrupts exactly once, at the branch that overflows or as late as the emulator was asked to make it
 * (skid=, iskid= on the command line), and the counter in its handler says at which branch it is. That is so for conditional
 * branches and for all branches (the variable event); in the count of all branches are also the traps from CPL 3.
 */
#include "machine.h"

#define LONG_ROUNDS 400u
#define COUNTS 8192u /* more than u_long has branches */

/* What runs: u_long or u_jumps. */
static const char *program;

/* A single-step trace of it, as the reference: for each count the steps that were seen with it. */
static struct { uint64_t rip, count; } steps[65536];
static unsigned int n_steps, first_step[COUNTS + 1], unexpected;
static uint64_t last_count, branches;

/* Where NMIs came. */
static struct { uint64_t rip, count; } nmis[COUNTS];
static unsigned int n_nmis, rearm;

/* How many branches are in this count; ended: the program's INT 0x80 is in it too. */
static uint64_t without_traps(uint64_t count, bool ended)
{
    return event == event_all ? count - traps.from_user - ended : count;
}

/* Runs the program with a counter that starts here; returns where it ended, without traps. */
static uint64_t run(uint64_t start, uint64_t rounds, uint64_t rflags, uint32_t bits)
{
    traps.nmis = traps.from_user = 0;
    counter_start(start, bits);
    run_user(program, rounds, rflags);
    return without_traps(counter_stop(), true) & COUNTER_MASK;
}

static void add_step(uint64_t rip)
{
    uint64_t count = without_traps(rdmsr(count_msr(0)), false);

    if ( n_steps >= sizeof(steps) / sizeof(steps[0]) || count >= COUNTS )
        return;
    if ( count != last_count && count != last_count + 1 )
        unexpected++;
    if ( count != last_count || !n_steps )
        first_step[count] = n_steps;
    last_count = count;
    steps[n_steps].rip = rip;
    steps[n_steps].count = count;
    n_steps++;
}

enum place { PLACE_WRONG, PLACE_AFTER_BRANCH, PLACE_LATER };

/* Is the program at this address at some time between this branch and the next? */
static enum place place_of(uint64_t rip, uint64_t count)
{
    unsigned int i;

    if ( count > branches )
        return PLACE_WRONG;
    for ( i = first_step[count]; i < n_steps && steps[i].count == count; i++ )
        if ( steps[i].rip == rip )
            return i == first_step[count] ? PLACE_AFTER_BRANCH : PLACE_LATER;
    return PLACE_WRONG;
}

/* False: the counts are no reference. */
static bool trace(void)
{
    n_steps = unexpected = 0;
    last_count = 0;
    on_debug_trap = add_step;
    branches = run(0, LONG_ROUNDS, FLAGS | FLAG_TF, COUNT_USER);
    on_debug_trap = NULL;
    check("trace: counts that are not one more", unexpected, 0);
    check("trace: the last count", last_count, branches);
    check("the same without single steps", run(0, LONG_ROUNDS, FLAGS, COUNT_USER), branches);
    return branches && branches < COUNTS;
}

static uint64_t mixed(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x9e3779b97f4a7c15ull;
}

/* At what distances from now the counter overflows: all small ones, then some. */
static void test_distances(uint64_t skid, uint64_t iskid)
{
    uint64_t at, after, hash = 0;
    unsigned int not_once = 0, wrong = 0, late = 0, later = 0, in_kernel = 0, latest = 0;

    for ( at = 1; at < branches; at += at < 300 ? 1 : 7 )
    {
        if ( ((run(-at, LONG_ROUNDS, FLAGS, COUNT_USER | INTERRUPT) + at) & COUNTER_MASK) != branches )
            wrong++;
        if ( traps.nmis != 1 )
        {
            not_once++;
            continue;
        }
        after = traps.count - (event == event_all); /* this interrupt, or the program's INT 0x80 before it */
        hash = mixed(mixed(hash, after), traps.rip);
        late += after != 0;
        latest = after > latest ? after : latest;
        if ( !(traps.cs & 3) )
        {
            in_kernel++; /* the program ended while the interrupt was on its way */
            continue;
        }
        switch ( place_of(traps.rip, at + after) )
        {
        case PLACE_WRONG: wrong++; break;
        case PLACE_LATER: later++; break;
        case PLACE_AFTER_BRANCH: break;
        }
    }
    check("overflow at each distance: not one interrupt", not_once, 0);
    check("  wrong place or count", wrong, 0);
    check("  interrupts are late", late > 0, skid > 0 || iskid > 0);
    check("  later than they may be", latest > skid + (iskid > 0), 0); /* the last instruction may be a branch */
    check("  within a stretch without branches", later > 0, iskid > 0);
    if ( !skid && !iskid )
        check("  after the program", in_kernel, 0);
    say("     late %u, at most %u, within a stretch %u, after the program %u, hash %x\n", (uint64_t)late, (uint64_t)latest,
        (uint64_t)later, (uint64_t)in_kernel, hash);
}

static void keep_and_rearm(uint64_t rip, uint64_t count)
{
    if ( n_nmis < COUNTS )
    {
        nmis[n_nmis].rip = rip;
        nmis[n_nmis].count = count;
        n_nmis++;
    }
    wrmsr(count_msr(0), -(uint64_t)rearm & COUNTER_MASK);
}

static void test_rearmed(unsigned int every, uint64_t rounds, bool exact)
{
    unsigned int i, wrong = 0;
    uint64_t n = run(0, rounds, FLAGS, COUNT_USER);

    rearm = every;
    n_nmis = 0;
    on_nmi = keep_and_rearm;
    run(-(uint64_t)every, rounds, FLAGS, COUNT_USER | INTERRUPT);
    on_nmi = NULL;
    if ( exact )
    {
        check("armed again by each interrupt", n_nmis, (n + (event == event_all)) / every); /* INT 0x80 counts */
        for ( i = 0; i < n / every; i++ )
            wrong += place_of(nmis[i].rip, (uint64_t)(i + 1) * every) != PLACE_AFTER_BRANCH;
        check("  wrong places", wrong, rounds < LONG_ROUNDS && every == 1); /* after its last branch it ends otherwise */
    }
    else
        check("armed again by each interrupt: some came", n_nmis > 0 && n_nmis <= (n + 1) / every, 1);
}

static void test_delivery(bool exact)
{
    traps.nmis = traps.debug_traps = 0;
    counter_start(-17ull, COUNT_USER | INTERRUPT);
    run_user(u_loop, 50, FLAGS | FLAG_TF);
    counter_stop();
    check("overflow of a single-stepped branch", traps.nmis, 1);
    check("  steps", traps.debug_traps, 100);

    APIC[APIC_LVT_COUNTER] = VECTOR_COUNTER;
    traps.interrupts = traps.nmis = 0;
    counter_start(-100ull, COUNT_USER | INTERRUPT);
    run_user(program, LONG_ROUNDS, FLAGS | FLAG_IF);
    counter_stop();
    check("vector, interrupts on: taken", traps.interrupts, 1);
    if ( exact )
        check("  right after the branch", place_of(traps.rip, 100), PLACE_AFTER_BRANCH);
    check("  its entry is masked by it", traps.lvt_masked, !amd);
    traps.interrupts = 0;
    run(-100ull, LONG_ROUNDS, FLAGS, COUNT_USER | INTERRUPT);
    check("vector, interrupts off: waits", traps.interrupts, 0);
    asm volatile("sti; nop; nop; cli");
    check("  ... until they are on", traps.interrupts, 1);

    APIC[APIC_LVT_COUNTER] = APIC_MASKED | APIC_NMI;
    run(-100ull, LONG_ROUNDS, FLAGS, COUNT_USER | INTERRUPT);
    check("masked: none", traps.nmis, 0);
    if ( !amd )
        wrmsr(MSR_GLOBAL_OVF_CTRL, 1);
    APIC[APIC_LVT_COUNTER] = APIC_NMI;
}

static void test_kernel_overflow(void)
{
    unsigned int at, i, wrong = 0;

    traps.nmis = 0;
    counter_start(-50ull, COUNT_KERNEL | INTERRUPT);
    kernel_branches(500);
    counter_stop();
    check("overflow in the kernel", traps.nmis, 1);
    check("  at CPL 0", traps.cs & 3, 0);
    for ( at = 1; at < 400; at += 3 )
    {
        traps.nmis = 0;
        counter_start(-(uint64_t)at, COUNT_USER | COUNT_KERNEL | INTERRUPT);
        for ( i = 0; i < 10; i++ )
        {
            kernel_branches(13 + i);
            run_user(u_loop, 20 + i, FLAGS);
        }
        wrong += counter_stop() >= 0x1000 || traps.nmis != 1;
    }
    check("overflow of a counter of both levels: not one", wrong, 0);
}

/* Two counters, of different events; each overflows once, far enough apart for two interrupts however late they are. */
static bool test_both_events(void)
{
    uint32_t bits = COUNT_USER | INTERRUPT | ENABLE;
    unsigned int wrong = 0, not_twice = 0;
    uint64_t at, late;

    for ( at = 1; at < 900; at += 9 )
    {
        traps.nmis = traps.from_user = 0;
        wrmsr(count_msr(0), -at & COUNTER_MASK);
        wrmsr(count_msr(1), -(late = 3000 - at) & COUNTER_MASK);
        wrmsr(select_msr(0), event_conditional | bits);
        wrmsr(select_msr(1), event_all | bits);
        run_user(u_long, LONG_ROUNDS, FLAGS);
        wrmsr(select_msr(0), 0);
        wrmsr(select_msr(1), 0);
        not_twice += traps.nmis != 2;
        /* All branches are the conditional ones, and a call and a return in each round. */
        wrong += rdmsr(count_msr(1)) + late - traps.from_user - 1 != rdmsr(count_msr(0)) + at + 2 * LONG_ROUNDS;
    }
    check("overflow of both events: not two interrupts", not_twice, 0);
    check("  wrong counts", wrong, 0);
    return not_twice == 0;
}

static void end_stuck(uint64_t rip, uint64_t count)
{
    (void)rip;
    if ( !(count >> 47) )
        traps.resume_at = (uint64_t)u_end;
}

/* An endless loop without conditional branches: all branches interrupt it, whatever waits for conditional ones. */
static void test_stuck(uint64_t skid, uint64_t iskid)
{
    uint32_t bits = COUNT_USER | INTERRUPT | ENABLE;

    for ( unsigned int both = 0; both < 2; both++ )
    {
        traps.nmis = 0;
        on_nmi = end_stuck;
        wrmsr(count_msr(0), -1000ull & COUNTER_MASK);
        wrmsr(count_msr(1), -1ull & COUNTER_MASK);
        wrmsr(select_msr(0), event_all | bits);
        wrmsr(select_msr(1), both ? event_conditional | bits : 0);
        run_user(u_stuck, 0, FLAGS);
        on_nmi = NULL;
        check("overflow in a loop of one jump: too late", traps.count - 1 > skid + (iskid > 0), 0);
        check("  in the loop", traps.rip, (uint64_t)u_end - 2);
        traps.resume_at = 0;
        wrmsr(select_msr(0), 0);
        wrmsr(select_msr(1), 0);
        check("  interrupts", traps.nmis, 1 + both);
    }
}

static void test_event(uint64_t counted, const char *runs, uint64_t skid, uint64_t iskid)
{
    bool exact = !skid && !iskid;

    event = counted;
    program = runs;
    if ( !trace() )
        return;
    test_distances(skid, iskid);
    if ( program == u_jumps )
        return;
    test_rearmed(10, LONG_ROUNDS, exact);
    test_rearmed(1, 20, exact);
    test_delivery(exact);
}

void test_overflow(void)
{
    uint64_t skid = option("skid", 0), iskid = option("iskid", 0);

    say("overflow of conditional branches\n");
    test_event(event_conditional, u_long, skid, iskid);
    test_kernel_overflow();
    say("overflow of all branches\n");
    test_event(event_all, u_long, skid, iskid);
    say("overflow of all branches, none of which is conditional\n");
    test_event(event_all, u_jumps, skid, iskid);
    event = event_conditional;
    if ( test_both_events() )
        test_stuck(skid, iskid);
}
