/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment register whose descriptor is taken away behind it, in three ways. The processor does not mind before the
 * register is loaded again; when Xen does that, the guest gets a failsafe callback. Where it comes is printed: the number of rounds of a
 * loop that does not enter Xen.
 */
#include "probe.h"

#define SELECTOR_GDT  0x0bu /* index 1, RPL 3 */
#define SELECTOR_LDT  0x0fu
#define DATA_SEGMENT  0x00cff3000000fffful /* flat, present, DPL 3, writable, accessed */
#define LOOP_ROUNDS   100000000u
#define CAUGHT        256u                 /* what try_run() returns after a failsafe callback */

enum page { GDT, OTHER_GDT, LDT, NR_PAGES };
enum way { DESCRIPTOR_CLEARED, GDT_MOVED, LDT_GONE, NR_WAYS };
static const char *const names[NR_WAYS] = { "descriptor cleared", "GDT moved", "LDT gone" };

static enum way way;
static volatile uint64_t loops;
static long failed;

static uint64_t *table(enum page page)
{
    return page_of(page);
}

/* Xen takes a page for a table only if it is nowhere mapped writable. */
static void map_as(enum page page, uint64_t flags)
{
    failed |= HYPERCALL(__HYPERVISOR_update_va_mapping, table(page), mfn_of(table(page)) << 12 | flags, UVMF_INVLPG);
}
#define READ_ONLY 5u
#define WRITABLE  7u

static long set_gdt_to(enum page page)
{
    uint64_t frame = mfn_of(table(page));

    return HYPERCALL(__HYPERVISOR_set_gdt, &frame, 512, 0);
}

static void set_gdt(enum page page)
{
    failed |= set_gdt_to(page);
}

static void set_ldt(unsigned int entries)
{
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (unsigned long)table(LDT), .arg2.nr_ents = entries };

    failed |= hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF, mix);
}

static void prepare(void)
{
    unsigned int i;

    for ( i = 0; i < NR_PAGES; i++ )
    {
        map_as(i, WRITABLE);
        memset(table(i), 0, PAGE);
        if ( i != OTHER_GDT )
            table(i)[1] = DATA_SEGMENT;
        map_as(i, READ_ONLY);
    }
    set_gdt(GDT);
    set_ldt(512);
}

static void give_back(void)
{
    uint64_t nothing = 0;
    unsigned int i;

    set_ldt(0);
    failed |= HYPERCALL(__HYPERVISOR_set_gdt, &nothing, 0, 0);
    for ( i = 0; i < NR_PAGES; i++ )
        map_as(i, WRITABLE);
}

static void take_away(void)
{
    switch ( way )
    {
    case DESCRIPTOR_CLEARED:
        failed |= HYPERCALL(__HYPERVISOR_update_descriptor, mfn_of(table(GDT)) * PAGE + 8, 0, 0);
        break;
    case GDT_MOVED:
        set_gdt(OTHER_GDT);
        break;
    case LDT_GONE:
        set_ldt(0);
        break;
    default:
        break;
    }
}

static void load_and_loop(void)
{
    asm volatile("mov %0, %%es" : : "r"(way < LDT_GONE ? SELECTOR_GDT : SELECTOR_LDT));
    take_away();
    for ( loops = 0; loops < LOOP_ROUNDS; )
        loops++;
    asm volatile("mov %0, %%es" : : "r"(0));
}

/* A stack segment of 16 bits, in a table that exists and in a page that is to be one. */
static void ask_for_16_bits(void)
{
    const uint64_t stack16 = DATA_SEGMENT & ~(1ul << 54);
    long update, table_of_it;

    failed = 0;
    prepare();
    update = HYPERCALL(__HYPERVISOR_update_descriptor, mfn_of(table(GDT)) * PAGE + 8, stack16, 0);
    give_back();
    table(GDT)[1] = stack16;
    map_as(GDT, READ_ONLY);
    table_of_it = set_gdt_to(GDT);
    give_back();
    see(update);
    see(table_of_it);
    print_number("segments: 16 bits, update refused with ", -update);
    print_number("segments: 16 bits, table refused with ", -table_of_it);
}

void look_at_segments(uint64_t rounds)
{
    uint16_t es;

    if ( rounds )
        ask_for_16_bits();

    for ( ; rounds; rounds-- )
        for ( way = 0; way < NR_WAYS; way++ )
        {
            int result;

            failed = 0;
            loops = ~0ul;
            prepare();
            result = try_run((const void *)load_and_loop);
            asm volatile("mov %%es, %0" : "=m"(es));
            see(loops);
            see(es);
            give_back();
            print("segments: ");
            print(names[way]);
            print(failed ? ": not done" : result == CAUGHT ? ": failsafe callback" : result ? ": exception" : ": nothing");
            print_number(", es ", es);
            if ( loops + 1 )
                print_number("segments: loops ", loops);
        }
}
