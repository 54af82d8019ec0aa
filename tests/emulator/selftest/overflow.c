/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An overflow interrupts exactly once, at the branch that overflows or as late as the emulator was asked to make it
 * (skid=, iskid= on the command line), and the counter in its handler says at which branch it is.
 */
#include "machine.h"

#define LONG_ROUNDS 400u
#define COUNTS 8192u /* more than u_long has branches */

/* A single-step trace of u_long, as the reference: for each count the steps that were seen with it. */
static struct { uint64_t rip, count; } steps[65536];
static unsigned int n_steps, first_step[COUNTS + 1], unexpected;
static uint64_t last_count, branches;

/* Where NMIs came. */
static struct { uint64_t rip, count; } nmis[COUNTS];
static unsigned int n_nmis, rearm;

static void add_step(uint64_t rip)
{
    uint64_t count = rdmsr(count_msr(0));

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

static void trace(void)
{
    on_debug_trap = add_step;
    branches = count_of(u_long, LONG_ROUNDS, FLAGS | FLAG_TF, COUNT_USER);
    on_debug_trap = NULL;
    check("trace: counts that are not one more", unexpected, 0);
    check("trace: the last count", last_count, branches);
    check("the same without single steps", count_of(u_long, LONG_ROUNDS, FLAGS, COUNT_USER), branches);
}

static uint64_t mixed(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x9e3779b97f4a7c15ull;
}

/* At what distances from now the counter overflows: all small ones, then some. */
static void test_distances(uint64_t skid, uint64_t iskid)
{
    uint64_t at, hash = 0;
    unsigned int not_once = 0, wrong = 0, late = 0, later = 0, in_kernel = 0, latest = 0;

    for ( at = 1; at < branches; at += at < 300 ? 1 : 7 )
    {
        traps.nmis = 0;
        counter_start(-at, COUNT_USER | INTERRUPT);
        run_user(u_long, LONG_ROUNDS, FLAGS);
        if ( ((counter_stop() + at) & COUNTER_MASK) != branches )
            wrong++;
        if ( traps.nmis != 1 )
        {
            not_once++;
            continue;
        }
        hash = mixed(mixed(hash, traps.count), traps.rip);
        late += traps.count != 0;
        latest = traps.count > latest ? traps.count : latest;
        if ( !(traps.cs & 3) )
        {
            in_kernel++; /* the program ended while the interrupt was on its way */
            continue;
        }
        switch ( place_of(traps.rip, at + traps.count) )
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
    uint64_t n = count_of(u_long, rounds, FLAGS, COUNT_USER);

    rearm = every;
    n_nmis = 0;
    on_nmi = keep_and_rearm;
    counter_start(-(uint64_t)every, COUNT_USER | INTERRUPT);
    run_user(u_long, rounds, FLAGS);
    counter_stop();
    on_nmi = NULL;
    if ( exact )
    {
        check("armed again by each interrupt", n_nmis, n / every);
        for ( i = 0; i < n_nmis; i++ )
            wrong += place_of(nmis[i].rip, (uint64_t)(i + 1) * every) != PLACE_AFTER_BRANCH;
        check("  wrong places", wrong, rounds < LONG_ROUNDS && every == 1); /* after its last branch it ends otherwise */
    }
    else
        check("armed again by each interrupt: some came", n_nmis > 0 && n_nmis <= n / every, 1);
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
    run_user(u_long, LONG_ROUNDS, FLAGS | FLAG_IF);
    counter_stop();
    check("vector, interrupts on: taken", traps.interrupts, 1);
    if ( exact )
        check("  right after the branch", place_of(traps.rip, 100), PLACE_AFTER_BRANCH);
    check("  its entry is masked by it", traps.lvt_masked, !amd);
    traps.interrupts = 0;
    counter_start(-100ull, COUNT_USER | INTERRUPT);
    run_user(u_long, LONG_ROUNDS, FLAGS);
    counter_stop();
    check("vector, interrupts off: waits", traps.interrupts, 0);
    asm volatile("sti; nop; nop; cli");
    check("  ... until they are on", traps.interrupts, 1);

    APIC[APIC_LVT_COUNTER] = APIC_MASKED | APIC_NMI;
    counter_start(-100ull, COUNT_USER | INTERRUPT);
    run_user(u_long, LONG_ROUNDS, FLAGS);
    counter_stop();
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

void test_overflow(void)
{
    uint64_t skid = option("skid", 0), iskid = option("iskid", 0);
    bool exact = !skid && !iskid;

    trace();
    test_distances(skid, iskid);
    test_rearmed(10, LONG_ROUNDS, exact);
    test_rearmed(1, 20, exact);
    test_delivery(exact);
    test_kernel_overflow();
}
