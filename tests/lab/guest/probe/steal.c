/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that wants what is not its own: names each frame of the machine, but for its own, in every call that takes a frame
 * number, and counts how often Xen let it. Each call is made with a frame of its own first, where it must do what it says:
 * else nothing would be known about the others.
 *
 * Attacks that read come before those that write, and those after which the guest could not go on come last.
 */
#include "probe.h"

#define BATCH 64u /* calls of one multicall */
#define GRANT_FRAMES 32u
#define FOUR_GIB_FRAMES 0x100000ull /* devices lie below it, RAM may lie above */

/* Spare pages. */
#define MINE_PAGE 16u    /* what is done to a frame of ours is done to this one */
#define SCRATCH_PAGE 17u
#define WINDOW_PAGE 18u  /* its mapping is changed */
#define ZERO_PAGE 19u    /* zeros, mapped read-only: an empty page table or descriptor table */
#define ZERO2_PAGE 20u
#define GIVEN_PAGE 21u   /* not mapped: may be given back */
#define INFO_PAGE 22u
#define CONTROL_PAGE 23u

static struct multicall_entry calls[BATCH];
static union {
    struct mmuext_op ext;
    struct mmu_update update;
    unsigned long frames[2];
    struct {
        struct xen_memory_reservation reservation;
        xen_pfn_t frame;
    } memory;
    struct vcpu_register_vcpu_info info;
    struct evtchn_init_control control;
} arguments[BATCH];

static xen_pfn_t grant_frames[GRANT_FRAMES];

static uint64_t mfn_of_page(unsigned int page)
{
    return mfn_of(page_of(page));
}

static volatile uint64_t *words_of(unsigned int page)
{
    return page_of(page);
}

static void set_call(unsigned int slot, unsigned long op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    calls[slot] = (struct multicall_entry){ .op = op, .args = { a, b, c, d } };
}

static void set_ext(unsigned int slot, unsigned int cmd, uint64_t arg1, uint64_t arg2)
{
    arguments[slot].ext = (struct mmuext_op){ .cmd = cmd };
    arguments[slot].ext.arg1.mfn = arg1;
    arguments[slot].ext.arg2.src_mfn = arg2;
    set_call(slot, __HYPERVISOR_mmuext_op, (unsigned long)&arguments[slot], 1, 0, DOMID_SELF);
}

/* At once. HYPERCALL would name dom0 as the domain to work on. */
static long ext(unsigned int cmd, uint64_t arg1)
{
    struct mmuext_op op = { .cmd = cmd };

    op.arg1.mfn = arg1;
    return hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF, mix);
}

static void set_update(unsigned int slot, uint64_t ptr, uint64_t val)
{
    arguments[slot].update = (struct mmu_update){ .ptr = ptr, .val = val };
    set_call(slot, __HYPERVISOR_mmu_update, (unsigned long)&arguments[slot], 1, 0, DOMID_SELF);
}

/* Machine address of the entry of a level (1 to 4) that maps an address. The guest's page tables are mapped, at their PFN. */
static uint64_t entry_of(const void *va, unsigned int level)
{
    const uint64_t *m2p = (const uint64_t *)HYPERVISOR_VIRT_START;
    const uint64_t *table = (const uint64_t *)start->pt_base;
    unsigned int at = 4, index;

    for ( ;; at-- )
    {
        index = (uint64_t)va >> (12 + 9 * (at - 1)) & 511;
        if ( at == level )
            return (mfn_of(table) << 12) + 8 * index;
        table = (const uint64_t *)(m2p[(table[index] & 0xffffffffff000ull) >> 12] * PAGE);
    }
}

static void map_read_only(unsigned int page)
{
    HYPERCALL(__HYPERVISOR_update_va_mapping, page_of(page), mfn_of_page(page) << 12 | 5, UVMF_INVLPG);
}

/* --- the attacks: what to call with a frame, what shows that it was done to a frame of ours, how to undo it --- */
static void copy_from(unsigned int slot, uint64_t mfn)
{
    set_ext(slot, MMUEXT_COPY_PAGE, mfn_of_page(SCRATCH_PAGE), mfn);
}
static bool was_copied_from(void)
{
    return *words_of(SCRATCH_PAGE) == *words_of(MINE_PAGE);
}

static void map_window(unsigned int slot, uint64_t mfn)
{
    set_call(slot, __HYPERVISOR_update_va_mapping, (unsigned long)page_of(WINDOW_PAGE), mfn << 12 | 5, UVMF_INVLPG, 0);
}
static void map_window_writable(unsigned int slot, uint64_t mfn)
{
    set_call(slot, __HYPERVISOR_update_va_mapping, (unsigned long)page_of(WINDOW_PAGE), mfn << 12 | 7, UVMF_INVLPG, 0);
}
static void set_entry(unsigned int slot, uint64_t mfn)
{
    set_update(slot, entry_of(page_of(WINDOW_PAGE), 1), mfn << 12 | 5);
}
static void set_entry_preserving(unsigned int slot, uint64_t mfn)
{
    set_update(slot, entry_of(page_of(WINDOW_PAGE), 1) | MMU_PT_UPDATE_PRESERVE_AD, mfn << 12 | 7);
}
static bool was_mapped(void)
{
    ext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    return *words_of(WINDOW_PAGE) == *words_of(MINE_PAGE);
}
static void unmap_window(uint64_t mfn)
{
    (void)mfn;
    map(page_of(WINDOW_PAGE), mfn_of_page(WINDOW_PAGE));
}

/* An entry of a table of tables: 1 GiB from here the guest has nothing. */
static void set_table(unsigned int slot, uint64_t mfn)
{
    set_update(slot, entry_of((void *)(1ul << 29), 2), mfn << 12 | 7);
}
static bool was_set(void)
{
    const uint64_t *table = (const uint64_t *)(((const uint64_t *)HYPERVISOR_VIRT_START)[entry_of((void *)(1ul << 29), 2) >> 12]
                                               * PAGE);

    return (table[256] & 0xffffffffff000ull) >> 12 == mfn_of_page(ZERO_PAGE);
}
static void unset_table(uint64_t mfn)
{
    (void)mfn;
    set_update(0, entry_of((void *)(1ul << 29), 2), 0);
    HYPERCALL(__HYPERVISOR_multicall, calls, 1, 0);
}

static void pin(unsigned int slot, uint64_t mfn)
{
    set_ext(slot, MMUEXT_PIN_L1_TABLE, mfn, 0);
}
static void unpin(uint64_t mfn)
{
    see(ext(MMUEXT_UNPIN_TABLE, mfn));
}
static bool was_pinned(void) /* no page table is mapped writable */
{
    return map(page_of(WINDOW_PAGE), mfn_of_page(ZERO_PAGE)) != 0;
}

static void set_base(unsigned int slot, uint64_t mfn)
{
    set_ext(slot, MMUEXT_NEW_BASEPTR, mfn, 0);
}
static void set_user_base(unsigned int slot, uint64_t mfn)
{
    /* Frame 0 means none there. */
    set_ext(slot, mfn ? MMUEXT_NEW_USER_BASEPTR : MMUEXT_NEW_BASEPTR, mfn, 0);
}
static void unset_user_base(uint64_t mfn)
{
    (void)mfn;
    see(ext(MMUEXT_NEW_USER_BASEPTR, 0));
}

static void set_gdt(unsigned int slot, uint64_t mfn)
{
    arguments[slot].frames[0] = mfn_of_page(ZERO2_PAGE);
    arguments[slot].frames[1] = mfn;
    set_call(slot, __HYPERVISOR_set_gdt, (unsigned long)&arguments[slot], 1024, 0, 0);
}
static bool has_gdt(void) /* of which LSL can tell nothing, but a page in use as a GDT is not mapped writable */
{
    return map(page_of(WINDOW_PAGE), mfn_of_page(ZERO_PAGE)) != 0;
}
static void unset_gdt(uint64_t mfn)
{
    (void)mfn;
    HYPERCALL(__HYPERVISOR_set_gdt, arguments, 0, 0);
}

static void copy_to(unsigned int slot, uint64_t mfn)
{
    set_ext(slot, MMUEXT_COPY_PAGE, mfn, mfn_of_page(ZERO_PAGE));
}
static void clear(unsigned int slot, uint64_t mfn)
{
    set_ext(slot, MMUEXT_CLEAR_PAGE, mfn, 0);
}
static bool was_cleared(void)
{
    return *words_of(MINE_PAGE) == 0;
}

static void write_word(unsigned int slot, uint64_t mfn)
{
    set_update(slot, mfn << 12, 0x600d600d);
}
static bool was_written(void)
{
    return *words_of(MINE_PAGE) == 0x600d600d;
}

static void set_descriptor(unsigned int slot, uint64_t mfn)
{
    set_call(slot, __HYPERVISOR_update_descriptor, mfn << 12, 0, 0, 0);
}

static void set_m2p(unsigned int slot, uint64_t mfn)
{
    set_update(slot, mfn << 12 | MMU_MACHPHYS_UPDATE, 0x1234);
}
static bool was_m2p_set(void)
{
    return ((const uint64_t *)HYPERVISOR_VIRT_START)[mfn_of_page(MINE_PAGE)] == 0x1234;
}
static void restore_m2p(uint64_t mfn)
{
    set_update(0, mfn << 12 | MMU_MACHPHYS_UPDATE, (unsigned long)page_of(MINE_PAGE) / PAGE);
    HYPERCALL(__HYPERVISOR_multicall, calls, 1, 0);
}

static void give_back(unsigned int slot, uint64_t mfn)
{
    arguments[slot].memory.reservation = (struct xen_memory_reservation){ .nr_extents = 1, .domid = DOMID_SELF };
    arguments[slot].memory.frame = mfn;
    set_xen_guest_handle(arguments[slot].memory.reservation.extent_start, &arguments[slot].memory.frame);
    set_call(slot, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, (unsigned long)&arguments[slot], 0, 0);
}
static bool was_given_back(void)
{
    return map(page_of(WINDOW_PAGE), mfn_of_page(GIVEN_PAGE)) != 0;
}
static void take_again(uint64_t mfn)
{
    (void)mfn;
    arguments[0].memory.frame = (unsigned long)page_of(GIVEN_PAGE) / PAGE;
    see(HYPERCALL(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &arguments[0], 0));
}

static void set_vcpu_info(unsigned int slot, uint64_t mfn)
{
    arguments[slot].info = (struct vcpu_register_vcpu_info){ .mfn = mfn, .offset = 64 };
    set_call(slot, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, (unsigned long)&arguments[slot], 0);
}
static bool was_vcpu_info_set(void)
{
    return ((volatile struct vcpu_info *)((uint8_t *)page_of(INFO_PAGE) + 64))->evtchn_pending_sel == ~0ul;
}

static void set_event_control(unsigned int slot, uint64_t mfn)
{
    arguments[slot].control = (struct evtchn_init_control){ .control_gfn = mfn };
    set_call(slot, __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, (unsigned long)&arguments[slot], 0, 0);
}

static bool always(void)
{
    return true;
}

static const struct attack {
    const char *name;
    void (*prepare)(unsigned int slot, uint64_t mfn);
    unsigned int own_page;  /* of which the frame is ours, or BASE */
    bool (*done)(void);     /* ... to that page */
    void (*undo)(uint64_t mfn);
    uint64_t success;       /* what Xen answers */
} attacks[] = {
#define BASE ~0u /* the top page table */
    { "copy from", copy_from, MINE_PAGE, was_copied_from, NULL, 0 },
    { "map", map_window, MINE_PAGE, was_mapped, unmap_window, 0 },
    { "map writable", map_window_writable, MINE_PAGE, was_mapped, unmap_window, 0 },
    { "mmu_update an entry", set_entry, MINE_PAGE, was_mapped, unmap_window, 0 },
    { "mmu_update an entry, with its A and D", set_entry_preserving, MINE_PAGE, was_mapped, unmap_window, 0 },
    { "mmu_update a table of tables", set_table, ZERO_PAGE, was_set, unset_table, 0 },
    { "pin", pin, ZERO_PAGE, was_pinned, unpin, 0 },
    { "set_gdt", set_gdt, ZERO_PAGE, has_gdt, unset_gdt, 0 },
    { "new base", set_base, BASE, always, NULL, 0 },
    { "new user base", set_user_base, BASE, always, unset_user_base, 0 },
    { "copy to", copy_to, MINE_PAGE, was_cleared, NULL, 0 },
    { "mmu_update a word", write_word, MINE_PAGE, was_written, NULL, 0 },
    { "clear", clear, MINE_PAGE, was_cleared, NULL, 0 },
    { "machphys update", set_m2p, MINE_PAGE, was_m2p_set, restore_m2p, 0 },
    { "update_descriptor", set_descriptor, MINE_PAGE, was_cleared, NULL, 0 },
    { "decrease reservation", give_back, GIVEN_PAGE, was_given_back, take_again, 1 },
    { "vcpu_info", set_vcpu_info, INFO_PAGE, was_vcpu_info_set, NULL, 0 },
    { "event control", set_event_control, CONTROL_PAGE, always, NULL, 0 },
};

/* Frames of ours, which are not to be stolen: RAM, what Xen shares with us, grant frames. */
static uint64_t own_run(uint64_t mfn)
{
    uint64_t first = mfn_of(0), i;

    if ( mfn >= first && mfn < first + start->nr_pages )
        return first + start->nr_pages - mfn;
    if ( mfn == start->shared_info >> 12 )
        return 1;
    for ( i = 0; i < GRANT_FRAMES; i++ )
        if ( mfn == grant_frames[i] )
            return 1;
    return 0;
}

static void print_decimal(uint64_t value)
{
    char text[24] = {};
    unsigned int at = sizeof(text) - 1;

    do
        text[--at] = '0' + value % 10;
    while ( value /= 10 );
    print(text + at);
}

static uint64_t frames_named, frames_had, own_done;

static uint64_t make_calls(const struct attack *a, unsigned int n, const uint64_t *mfns)
{
    uint64_t had = 0;
    unsigned int i;

    see(HYPERCALL(__HYPERVISOR_multicall, calls, n, 0));
    for ( i = 0; i < n; i++ )
    {
        see(calls[i].result);
        had += calls[i].result == a->success;
    }
    /* Undoing uses calls[] again. */
    if ( had && a->undo )
        for ( i = 0; i < n; i++ )
            a->undo(mfns[i]);
    return had;
}

/* Prints "steal: NAME: own 1, others A of B (first C)". */
static void attack(const struct attack *a, uint64_t frames)
{
    uint64_t mfns[BATCH], mfn = 0, named = 0, had = 0, first = ~0ull, now;
    unsigned int n = 0;
    bool own;

    while ( mfn < frames )
    {
        uint64_t skip = own_run(mfn);

        if ( skip )
            mfn += skip;
        else
        {
            mfns[n] = mfn;
            a->prepare(n++, mfn++);
        }
        if ( n < BATCH && mfn < frames )
            continue;
        named += n;
        now = make_calls(a, n, mfns);
        if ( now && !had )
            first = mfns[0];
        had += now;
        n = 0;
    }

    *words_of(MINE_PAGE) = 0x5ea1ed;
    mfns[0] = a->own_page == BASE ? mfn_of((void *)start->pt_base) : mfn_of_page(a->own_page);
    a->prepare(0, mfns[0]);
    see(HYPERCALL(__HYPERVISOR_multicall, calls, 1, 0));
    own = calls[0].result == a->success;
    see(calls[0].result);
    if ( own )
    {
        own = a->done();
        if ( a->undo )
            a->undo(mfns[0]);
    }

    print("steal: ");
    print(a->name);
    print(own ? ": own done, others " : ": own NOT done, others ");
    print_decimal(had);
    print(" of ");
    print_decimal(named);
    if ( had )
        print_number(", the first of them from ", first);
    else
        print("\n");
    frames_named += named;
    frames_had += had;
    own_done += own;
}

void steal(uint64_t which)
{
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = GRANT_FRAMES };
    uint64_t frames = HYPERCALL(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0) + 1, asked = 0;
    unsigned int i;

    set_xen_guest_handle(setup.frame_list, grant_frames);
    HYPERCALL(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1);
    see(setup.status);
    memset(page_of(ZERO_PAGE), 0, PAGE);
    memset(page_of(ZERO2_PAGE), 0, PAGE);
    map_read_only(ZERO_PAGE);
    map_read_only(ZERO2_PAGE);
    HYPERCALL(__HYPERVISOR_update_va_mapping, page_of(GIVEN_PAGE), 0, UVMF_INVLPG);

    if ( frames < FOUR_GIB_FRAMES )
        frames = FOUR_GIB_FRAMES;
    frames += 64; /* where nothing is */
    print_number("steal: frames of the machine ", frames);
    for ( i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++ )
        if ( which & 1ull << i )
        {
            attack(&attacks[i], frames);
            asked++;
        }
    print("steal: all: own ");
    print_decimal(own_done);
    print(" of ");
    print_decimal(asked);
    print(", others ");
    print_decimal(frames_had);
    print(" of ");
    print_decimal(frames_named);
    print("\n");
}
