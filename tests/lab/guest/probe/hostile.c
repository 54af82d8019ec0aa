/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that means harm: hypercalls with arguments that are wrong in every way, nonsense in the rings that dom0 reads, in
 * grant entries and in the shared page, privileged instructions. All of it follows from the seed and from what Xen answers.
 *
 * Attacks that would soon end the guest itself (shutdown, other callbacks, page tables gone) are rare, so that the others
 * get their turn.
 */
#include "attacks.h"

#define HYPERCALLS 64u
#define GRANT_FRAMES 4u

/* Spare pages: arguments live in the first ones, code in the next, the others are there to be given to Xen. */
#define ARGUMENT_PAGES 4u
#define CODE_PAGE 4u
#define CALLS_PAGE 5u
#define GRANT_PAGES 8u /* and the next GRANT_FRAMES - 1 */
#define VICTIM_PAGES 16u

static uint64_t state;
static unsigned int rare; /* one in so many */

static uint64_t random64(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull;
}

static unsigned int below(unsigned int n)
{
    return random64() % n;
}

static bool one_in(unsigned int n)
{
    return below(n) == 0;
}

static void *victim(void)
{
    return page_of(VICTIM_PAGES + below(SPARE_PAGES - VICTIM_PAGES));
}

/* A value that some check somewhere may have been written for, or not. */
static uint64_t odd_value(void)
{
    switch ( below(16) )
    {
    case 0: return 0;
    case 1: return below(8);
    case 2: return below(256);
    case 3: return ~0ull;
    case 4: return 1ull << below(64);
    case 5: return (1ull << below(64)) - 1;
    case 6: return random64();
    case 7: return random64() >> below(64);
    case 8: return (unsigned long)shared + below(PAGE);
    case 9: return HYPERVISOR_VIRT_START + random64() % (HYPERVISOR_VIRT_END - HYPERVISOR_VIRT_START);
    case 10: return 0xffff82d040000000ull + below(1u << 24); /* Xen's own text and data */
    case 11: return (unsigned long)start + below(PAGE);
    case 12: return mfn_of(victim());
    case 13: return start->pt_base + below(3 * PAGE);
    case 14: return DOMID_SELF;
    default: return (unsigned long)page_of(below(ARGUMENT_PAGES)) + (below(PAGE) & ~7u);
    }
}

/* Memory that a pointer argument may point to: a structure of odd values. */
static unsigned long argument(void)
{
    uint64_t *p = page_of(below(ARGUMENT_PAGES));
    unsigned int i, at = below(PAGE / 8 - 40);

    if ( one_in(4) )
        return odd_value();
    for ( i = 0; i < 40; i++ )
        p[at + i] = one_in(2) ? odd_value() : odd_value() & 0xffffffff00000000ull >> 32;
    if ( one_in(16) )
        at = PAGE / 8 - 1; /* the structure runs out of its page */
    return (unsigned long)(p + at);
}

struct call {
    unsigned long nr, args[5];
};

/* Would this end the guest, or leave it without what it needs to go on? */
static bool deadly(const struct call *c)
{
    unsigned long op = c->args[0];

    switch ( c->nr )
    {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_set_gdt:
    case __HYPERVISOR_stack_switch:
    case __HYPERVISOR_mmu_update:
    case __HYPERVISOR_update_va_mapping:
    case __HYPERVISOR_mmuext_op:
    case __HYPERVISOR_update_descriptor:
    case __HYPERVISOR_multicall:
        return true;
    case __HYPERVISOR_sched_op:
        return op == SCHEDOP_shutdown || op == SCHEDOP_block || op == SCHEDOP_poll;
    case __HYPERVISOR_vcpu_op:
        return op == VCPUOP_down || op == VCPUOP_register_vcpu_info;
    case __HYPERVISOR_memory_op:
        return op == XENMEM_decrease_reservation;
    default:
        return false;
    }
}

static struct call random_call(void)
{
    static const uint8_t favourites[] = {
        __HYPERVISOR_memory_op, __HYPERVISOR_event_channel_op, __HYPERVISOR_grant_table_op, __HYPERVISOR_xen_version,
        __HYPERVISOR_vcpu_op, __HYPERVISOR_physdev_op, __HYPERVISOR_mmuext_op, __HYPERVISOR_mmu_update,
        __HYPERVISOR_console_io, __HYPERVISOR_set_timer_op, __HYPERVISOR_sched_op, __HYPERVISOR_vm_assist,
        __HYPERVISOR_update_va_mapping, __HYPERVISOR_set_segment_base, __HYPERVISOR_get_debugreg,
        __HYPERVISOR_domctl, __HYPERVISOR_sysctl,
    };
    struct call c = { .nr = one_in(2) ? favourites[below(sizeof(favourites))] : below(HYPERCALLS) };
    unsigned int i;

    if ( one_in(50) )
        c.nr = odd_value();
    do
    {
        c.args[0] = one_in(3) ? odd_value() : below(16);
        for ( i = 1; i < 5; i++ )
            c.args[i] = one_in(2) ? argument() : odd_value();
        if ( c.nr == __HYPERVISOR_xen_version || c.nr == __HYPERVISOR_memory_op )
            c.args[1] = argument();
    } while ( deadly(&c) && !one_in(rare) && (c.nr = below(HYPERCALLS), true) );

    return c;
}

/* Of lists of operations, 0 says that there was none, or that each has a result of its own: only the aimed ones look at that. */
static void tally_random(uint64_t nr, const uint64_t *args, long rc)
{
    bool list = nr == __HYPERVISOR_grant_table_op || nr == __HYPERVISOR_multicall || nr == __HYPERVISOR_mmuext_op ||
                nr == __HYPERVISOR_mmu_update;

    if ( rc || !list )
        tally_call(nr, args[0], rc);
}

static void attack_call(void)
{
    struct call c = random_call();
    long rc = hypercall(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4]);

    tally_random(c.nr, c.args, rc);
    see(rc);
}

static void attack_multicall(void)
{
    struct multicall_entry *calls = page_of(CALLS_PAGE);
    static struct call made[16]; /* a debug Xen leaves nothing in the list but the results */
    unsigned int n = 1 + below(16), i, k;
    long rc;

    for ( i = 0; i < n; i++ )
    {
        made[i] = random_call();
        calls[i].op = made[i].nr;
        for ( k = 0; k < 5; k++ )
            calls[i].args[k] = made[i].args[k];
    }
    if ( one_in(rare) ) /* entries of zeros then: no exception table any more */
        n = odd_value();
    /* A place of the guest's own would be full of zeros, which are set_trap_table(NULL). */
    rc = HYPERCALL(__HYPERVISOR_multicall, one_in(16) ? 0xffff82d040000000ul + below(1u << 24) : (unsigned long)calls, n, 0);
    tally_way(WAY_MULTICALL, !rc);
    see(rc);
    for ( i = 0; i < n && i < 16 && !rc; i++ )
        tally_random(made[i].nr, made[i].args, calls[i].result);
}

/* Mappings of our own frames, of others' and of none, at places that we can do without. */
static void attack_mapping(void)
{
    uint64_t pte = (one_in(2) ? mfn_of(victim()) << 12 : odd_value() & ~0xfffull) | (random64() & 0xfff);
    uint64_t flags = one_in(4) ? odd_value() : below(4);

    long rc;

    if ( one_in(8) )
        pte |= 1ull << 63;
    rc = HYPERCALL(__HYPERVISOR_update_va_mapping, victim(), pte, flags);
    tally_way(WAY_MAPPING, !rc);
    see(rc);
}

/* A frame that is given back and asked for again. */
static void attack_memory(void)
{
    void *va = victim();
    xen_pfn_t frame = one_in(8) ? odd_value() : mfn_of(va);
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    long given, got;

    see(HYPERCALL(__HYPERVISOR_update_va_mapping, va, 0, UVMF_INVLPG));
    set_xen_guest_handle(r.extent_start, &frame);
    see(given = HYPERCALL(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r, 0));
    frame = (unsigned long)va / PAGE;
    see(got = HYPERCALL(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, 0));
    tally_way(WAY_FRAME, given == 1 && got == 1);
    see(map(va, frame));
}

/* The domain whose frames are meant: seldom another. */
static domid_t whose(void)
{
    return one_in(10) ? odd_value() : DOMID_SELF;
}

/* Page tables by mmuext_op: pin, unpin, and everything else on a frame of ours or of nobody. */
static void attack_mmuext(void)
{
    struct mmuext_op op = { .cmd = one_in(10) ? odd_value() : below(21) };
    uint64_t count;
    long rc;

    /* A new base pointer or LDT ends the guest. */
    if ( (op.cmd == MMUEXT_NEW_BASEPTR || op.cmd == MMUEXT_SET_LDT) && !one_in(rare) )
        op.cmd = MMUEXT_TLB_FLUSH_LOCAL;
    op.arg1.mfn = one_in(2) ? mfn_of(victim()) : odd_value();
    op.arg2.src_mfn = one_in(2) ? mfn_of(victim()) : odd_value();
    count = one_in(10) ? odd_value() : 1;
    rc = hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&op, count, 0, whose(), mix);
    tally_way(WAY_MMUEXT, !rc);
    if ( count == 1 ) /* of none, or of more, the result says nothing about this one */
        tally_call(__HYPERVISOR_mmuext_op, op.cmd, rc);
    see(rc);
}

static void attack_mmu_update(void)
{
    struct mmu_update u = {
        .ptr = (one_in(2) ? mfn_of(victim()) << 12 : odd_value()) + 8 * below(512),
        .val = one_in(2) ? mfn_of(victim()) << 12 | below(4096) : odd_value(),
    };

    long rc;

    u.ptr = (u.ptr & ~7ull) | below(4);
    rc = hypercall(__HYPERVISOR_mmu_update, (unsigned long)&u, one_in(10) ? odd_value() : 1, 0, whose(), mix);
    tally_way(WAY_MMU_UPDATE, !rc);
    tally_call(__HYPERVISOR_mmu_update, 0, rc);
    see(rc);
}

/* Indexes and data of the rings that xenconsoled and xenstored read, then a notification. */
static void attack_rings(void)
{
    volatile uint32_t *indexes[] = { &console->in_cons, &console->in_prod, &console->out_cons, &console->out_prod,
                                     &store->req_cons, &store->req_prod, &store->rsp_cons, &store->rsp_prod };
    struct evtchn_send send = { .port = one_in(2) ? start->console.domU.evtchn : start->store_evtchn };
    unsigned int n = 1 + below(4);
    uint8_t *page = one_in(2) ? (uint8_t *)console : (uint8_t *)store;
    static uint32_t out_cons, rsp_prod;

    /* What the back ends made of the last ones. Indexes that the guest itself did not write last. */
    tally_way(WAY_CONSOLE_RING, console->out_cons != out_cons);
    tally_way(WAY_STORE_RING, store->rsp_prod != rsp_prod);
    tally_way(WAY_STORE_NONSENSE, store->error != 0);
    while ( n-- )
        *indexes[below(8)] = one_in(2) ? odd_value() : *indexes[below(8)] + below(2048);
    for ( n = below(64); n; n-- )
        page[below(PAGE)] = random64();
    if ( one_in(4) ) /* a request that looks like one */
    {
        struct xsd_sockmsg m = { .type = one_in(4) ? odd_value() : below(24), .req_id = random64(),
                                 .tx_id = one_in(2) ? 0 : odd_value(), .len = one_in(2) ? below(64) : odd_value() };
        const uint8_t *bytes = (const uint8_t *)&m;

        for ( n = 0; n < sizeof(m); n++ )
            store->req[MASK_XENSTORE_IDX(store->req_prod + n)] = bytes[n];
        store->req_prod += sizeof(m) + below(64);
    }
    see(HYPERCALL(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send, 0));
    out_cons = console->out_cons;
    rsp_prod = store->rsp_prod;
}

static bool grants_mapped; /* the table is Xen's, not a page of ours */

static void attack_grants(void)
{
    struct grant_entry_v1 *table = page_of(GRANT_PAGES);
    unsigned int n;

    for ( n = 1 + below(8); n; n-- )
    {
        volatile struct grant_entry_v1 *entry = &table[below(GRANT_FRAMES * PAGE / sizeof(*table))];
        uint32_t frame = one_in(2) ? mfn_of(victim()) : odd_value();

        *entry = (struct grant_entry_v1){ .flags = random64(), .domid = one_in(2) ? 0 : odd_value(), .frame = frame };
        tally_way(WAY_GRANT_ENTRY, grants_mapped && entry->frame == frame);
    }
}

static void attack_shared_page(void)
{
    uint8_t *bytes = (uint8_t *)shared;
    unsigned int n;

    for ( n = 1 + below(8); n; n-- )
        bytes[below(one_in(2) ? 64 : PAGE)] = random64();
}

static void attack_instruction(void)
{
    uint64_t values[] = { odd_value(), odd_value(), odd_value(), odd_value(), odd_value() };
    uint8_t prefix = one_in(8) ? (const uint8_t[]){ 0x66, 0xf0, 0xf2, 0xf3, 0x67, 0x2e }[below(6)] : 0;

    run_instruction(below(instructions_count), values, prefix);
}

/* Anything at all. Rarely survived. */
static void attack_with_noise(void)
{
    uint8_t *code = page_of(CODE_PAGE);
    unsigned int i;
    int vector;

    for ( i = 0; i < 16; i++ )
        code[i] = random64();
    code[i] = 0xc3;
    see(vector = try_run(code));
    tally_way(WAY_NOISE, !vector);
}

static void map_grant_table(void)
{
    static xen_pfn_t frames[GRANT_FRAMES];
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = GRANT_FRAMES };
    unsigned int i;

    set_xen_guest_handle(setup.frame_list, frames);
    see(HYPERCALL(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1));
    for ( i = 0; i < GRANT_FRAMES && !setup.status; i++ )
    {
        int rc = map(page_of(GRANT_PAGES + i), frames[i]);

        grants_mapped = !rc;
        see(rc);
    }
}

static void named(long rc)
{
    tally_way(WAY_ID, rc >= 0);
    see(rc);
}

/* Who am I, and who else is there? The answers must not depend on the id that the domain happens to have. */
static void ask_for_ids(void)
{
    domid_t id;

    for ( id = 0; id < 64; id++ )
    {
        struct evtchn_alloc_unbound port = { .dom = id };
        struct gnttab_query_size size = { .dom = id };
        struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
        struct xen_memory_reservation none = { .domid = id };

        named(HYPERCALL(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &port, 0));
        see(HYPERCALL(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size, 1));
        named(size.status);
        see(HYPERCALL(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &none, 0));
        named(hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&flush, 1, 0, id, mix));
    }
}

/* So that what is printed comes through: indexes as the back end has them, once an event has brought these. */
static void mend_console(void)
{
    struct evtchn_bind_virq timer = { .virq = VIRQ_TIMER, .vcpu = 0 };

    set_handlers();
    see(HYPERCALL(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &timer, 0)); /* it may have been closed */
    pause_for(10 * NSEC_PER_MSEC);
    console->out_prod = console->out_cons;
}

/* Is what was printed read? The back end may take a fifth of a second, as it limits a guest's rate; it may also never. */
static bool console_is_read(void)
{
    uint64_t until = now_ns() + 2000 * NSEC_PER_MSEC;

    while ( console->out_cons != console->out_prod && now_ns() < until )
        pause_for(10 * NSEC_PER_MSEC);
    return console->out_cons == console->out_prod;
}

void hostile(uint64_t seed, uint64_t steps, unsigned int rarity)
{
    struct sched_poll poll = { .timeout = 0 };

    rare = rarity;
    state = (seed + 1) * 0x9e3779b97f4a7c15ull;
    aimed_attacks();
    map_grant_table();
    ask_for_ids();
    print_tally(); /* as far as it goes: some attack may end the guest */
    see(console_is_read());                        /* what is not, attacks on the ring would change */
    memset(console->out, 0, sizeof(console->out)); /* ... and what is, they would show again */
    for ( ; steps; steps-- )
    {
        switch ( below(16) )
        {
        case 0: case 1: attack_multicall(); break;
        case 2: attack_mapping(); break;
        case 3: attack_memory(); break;
        case 4: attack_mmuext(); break;
        case 5: attack_mmu_update(); break;
        case 6: attack_rings(); break;
        case 7: attack_grants(); attack_shared_page(); break;
        case 8: case 9: case 10: attack_instruction(); break;
        default: attack_call(); break;
        }
        if ( one_in(64) )
        {
            poll.timeout = now_ns() + below(2000000);
            see(HYPERCALL(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, 0));
        }
        if ( one_in(100 * rare) )
            attack_with_noise();
        if ( one_in(32) ) /* some attack may have taken them away */
            set_handlers();
        upcalls(one_in(4));
    }
    upcalls(false);
    mend_console();
    print("attack: at the end\n");
    if ( console_is_read() ) /* its event channel may have been closed */
        print_tally();
}
