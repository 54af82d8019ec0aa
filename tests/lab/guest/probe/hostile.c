/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that means harm: hypercalls with arguments that are wrong in every way, nonsense in the rings that dom0 reads, in
 * grant entries and in the shared page, privileged instructions. All of it follows from the seed and from what Xen answers.
 *
 * Attacks that would soon end the guest itself (shutdown, other callbacks, page tables gone) are rare, so that the others
 * get their turn.
 */
#include "probe.h"

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

static void attack_call(void)
{
    struct call c = random_call();

    see(hypercall(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4]));
}

static void attack_multicall(void)
{
    struct multicall_entry *calls = page_of(CALLS_PAGE);
    unsigned int n = 1 + below(16), i, k;

    for ( i = 0; i < n; i++ )
    {
        struct call c = random_call();

        calls[i].op = c.nr;
        for ( k = 0; k < 5; k++ )
            calls[i].args[k] = c.args[k];
    }
    if ( one_in(rare) ) /* entries of zeros then: no exception table any more */
        n = odd_value();
    see(HYPERCALL(__HYPERVISOR_multicall, calls, n, 0));
}

/* Mappings of our own frames, of others' and of none, at places that we can do without. */
static void attack_mapping(void)
{
    uint64_t pte = (one_in(2) ? mfn_of(victim()) << 12 : odd_value() & ~0xfffull) | (random64() & 0xfff);
    uint64_t flags = one_in(4) ? odd_value() : below(4);

    if ( one_in(8) )
        pte |= 1ull << 63;
    see(HYPERCALL(__HYPERVISOR_update_va_mapping, victim(), pte, flags));
}

/* A frame that is given back and asked for again. */
static void attack_memory(void)
{
    void *va = victim();
    xen_pfn_t frame = one_in(8) ? odd_value() : mfn_of(va);
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    see(HYPERCALL(__HYPERVISOR_update_va_mapping, va, 0, UVMF_INVLPG));
    set_xen_guest_handle(r.extent_start, &frame);
    see(HYPERCALL(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r, 0));
    frame = (unsigned long)va / PAGE;
    see(HYPERCALL(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, 0));
    see(map(va, frame));
}

/* Page tables by mmuext_op: pin, unpin, and everything else on a frame of ours or of nobody. */
static void attack_mmuext(void)
{
    struct mmuext_op op = { .cmd = one_in(10) ? odd_value() : below(20) };

    /* A new base pointer or LDT ends the guest. */
    if ( (op.cmd == MMUEXT_NEW_BASEPTR || op.cmd == MMUEXT_SET_LDT) && !one_in(rare) )
        op.cmd = MMUEXT_TLB_FLUSH_LOCAL;
    op.arg1.mfn = one_in(2) ? mfn_of(victim()) : odd_value();
    op.arg2.src_mfn = one_in(2) ? mfn_of(victim()) : odd_value();
    see(HYPERCALL(__HYPERVISOR_mmuext_op, &op, one_in(10) ? odd_value() : 1, 0));
}

static void attack_mmu_update(void)
{
    struct mmu_update u = {
        .ptr = (one_in(2) ? mfn_of(victim()) << 12 : odd_value()) + 8 * below(512),
        .val = one_in(2) ? mfn_of(victim()) << 12 | below(4096) : odd_value(),
    };

    u.ptr = (u.ptr & ~7ull) | below(4);
    see(HYPERCALL(__HYPERVISOR_mmu_update, &u, one_in(10) ? odd_value() : 1, 0));
}

/* Indexes and data of the rings that xenconsoled and xenstored read, then a notification. */
static void attack_rings(void)
{
    volatile uint32_t *indexes[] = { &console->in_cons, &console->in_prod, &console->out_cons, &console->out_prod,
                                     &store->req_cons, &store->req_prod, &store->rsp_cons, &store->rsp_prod };
    struct evtchn_send send = { .port = one_in(2) ? start->console.domU.evtchn : start->store_evtchn };
    unsigned int n = 1 + below(4);
    uint8_t *page = one_in(2) ? (uint8_t *)console : (uint8_t *)store;

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
}

static void attack_grants(void)
{
    struct grant_entry_v1 *table = page_of(GRANT_PAGES);
    unsigned int n;

    for ( n = 1 + below(8); n; n-- )
        table[below(GRANT_FRAMES * PAGE / sizeof(*table))] =
            (struct grant_entry_v1){ .flags = random64(), .domid = one_in(2) ? 0 : odd_value(),
                                     .frame = one_in(2) ? mfn_of(victim()) : odd_value() };
}

static void attack_shared_page(void)
{
    uint8_t *bytes = (uint8_t *)shared;
    unsigned int n;

    for ( n = 1 + below(8); n; n-- )
        bytes[below(one_in(2) ? 64 : PAGE)] = random64();
}

/* Instructions that Xen emulates or refuses, with odd values in the registers that they use. */
static void attack_instruction(void)
{
    static const struct { uint8_t length, bytes[7]; } instructions[] = {
        { 2, { 0x0f, 0x31 } } /* rdtsc */, { 3, { 0x0f, 0x01, 0xf9 } } /* rdtscp */, { 2, { 0x0f, 0x33 } } /* rdpmc */,
        { 2, { 0x0f, 0x32 } } /* rdmsr */, { 2, { 0x0f, 0x30 } } /* wrmsr */, { 2, { 0x0f, 0xa2 } } /* cpuid */,
        { 7, { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 } } /* forced cpuid */, { 1, { 0xec } } /* in */,
        { 1, { 0xee } } /* out */, { 1, { 0x6c } } /* ins */, { 1, { 0x6e } } /* outs */, { 1, { 0xfa } } /* cli */,
        { 1, { 0xfb } } /* sti */, { 3, { 0x0f, 0x20, 0xc0 } } /* mov cr0 */, { 3, { 0x0f, 0x22, 0xc0 } },
        { 3, { 0x0f, 0x20, 0xd0 } } /* mov cr2 */, { 3, { 0x0f, 0x22, 0xd0 } }, { 3, { 0x0f, 0x20, 0xd8 } } /* mov cr3 */,
        { 3, { 0x0f, 0x20, 0xe0 } } /* mov cr4 */, { 3, { 0x0f, 0x22, 0xe0 } }, { 2, { 0x0f, 0x06 } } /* clts */,
        { 3, { 0x0f, 0x21, 0xf8 } } /* mov dr7 */, { 3, { 0x0f, 0x23, 0xc0 } }, { 2, { 0x0f, 0x09 } } /* wbinvd */,
        { 3, { 0x0f, 0x01, 0xd0 } } /* xgetbv */, { 3, { 0x0f, 0x01, 0xd1 } } /* xsetbv */,
        { 3, { 0x0f, 0x01, 0xe0 } } /* smsw */, { 3, { 0x0f, 0x01, 0xf0 } } /* lmsw */, { 2, { 0xcd, 0x80 } } /* int */,
        { 2, { 0xcd, 0x20 } }, { 1, { 0xf1 } } /* icebp */, { 1, { 0xcc } } /* int3 */, { 2, { 0x0f, 0x0b } } /* ud2 */,
        { 3, { 0x0f, 0x01, 0x38 } } /* invlpg */, { 3, { 0x0f, 0x01, 0x10 } } /* lgdt */, { 2, { 0x0f, 0x34 } } /* sysenter */,
        { 3, { 0x0f, 0x00, 0xd0 } } /* lldt */, { 2, { 0x8e, 0xe0 } } /* mov fs */, { 2, { 0x8e, 0xd8 } } /* mov ds */,
        { 3, { 0x0f, 0x01, 0xf8 } } /* swapgs */, { 2, { 0x0f, 0x07 } } /* sysret */, { 3, { 0x48, 0x8b, 0x00 } } /* load */,
        { 3, { 0x48, 0x89, 0x00 } } /* store */,
    };
    uint8_t *code = page_of(CODE_PAGE), *at = code;
    unsigned int which = below(sizeof(instructions) / sizeof(instructions[0])), i;
    uint64_t values[] = { odd_value(), odd_value(), odd_value(), odd_value(), odd_value() };
    static const uint8_t registers[] = { 0 /* rax */, 1 /* rcx */, 2 /* rdx */, 6 /* rsi */, 7 /* rdi */ };

    for ( i = 0; i < 5; i++ ) /* movabs $value, %register */
    {
        *at++ = 0x48;
        *at++ = 0xb8 + registers[i];
        memcpy(at, &values[i], 8);
        at += 8;
    }
    if ( one_in(8) )
        *at++ = (const uint8_t[]){ 0x66, 0xf0, 0xf2, 0xf3, 0x67, 0x2e }[below(6)];
    memcpy(at, instructions[which].bytes, instructions[which].length);
    at += instructions[which].length;
    *at = 0xc3;
    see(try_run(code));
    /* RDTSC and the like have left their results in registers that the entry already hashed. */
}

/* Anything at all. Rarely survived. */
static void attack_with_noise(void)
{
    uint8_t *code = page_of(CODE_PAGE);
    unsigned int i;

    for ( i = 0; i < 16; i++ )
        code[i] = random64();
    code[i] = 0xc3;
    see(try_run(code));
}

static void map_grant_table(void)
{
    static xen_pfn_t frames[GRANT_FRAMES];
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = GRANT_FRAMES };
    unsigned int i;

    set_xen_guest_handle(setup.frame_list, frames);
    see(HYPERCALL(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1));
    for ( i = 0; i < GRANT_FRAMES && !setup.status; i++ )
        see(map(page_of(GRANT_PAGES + i), frames[i]));
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

        see(HYPERCALL(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &port, 0));
        see(HYPERCALL(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size, 1));
        see(size.status);
        see(HYPERCALL(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &none, 0));
        see(hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&flush, 1, 0, id, mix));
    }
}

void hostile(uint64_t seed, uint64_t steps, unsigned int rarity)
{
    struct sched_poll poll = { .timeout = 0 };

    rare = rarity;
    state = (seed + 1) * 0x9e3779b97f4a7c15ull;
    map_grant_table();
    ask_for_ids();
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
}
