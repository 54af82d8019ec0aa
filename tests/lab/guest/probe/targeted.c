/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attacks that are aimed: each hypercall that a recordable guest may make, once with what Xen takes and once with what it must
 * refuse; each that it may not make. What random attacks would hit seldom or never is hit here each time.
 *
 * Afterwards the guest is as it was; with the word for-good its event channels have another ABI.
 */
#include "attacks.h"
#include <xen/callback.h>
#include <xen/nmi.h>
#include <xen/physdev.h>

/* Spare pages that nobody else needs. */
#define CODE_PAGE 4u
#define TABLE_PAGE 60u  /* an empty page table, or descriptor table */
#define GIVEN_PAGE 61u
#define SCRATCH_PAGE 62u
#define CONTROL_PAGE 63u
#define CONTROL2_PAGE 59u

#define BAD_POINTER 0xffff82d040000000ul /* Xen's own: no argument may lie there */
#define NOT_CANONICAL 0x0000800000000000ul
#define FOREIGN_FRAME 0x100ul            /* below 1 MiB: nobody's, or Xen's */

static long call(unsigned long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    long rc = hypercall(nr, a, b, c, d, mix);

    tally_call(nr, a, rc);
    see(rc);

    return rc;
}
#define CALL_OP(name, a, b, c) call(__HYPERVISOR_##name, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), 0)

static long ext(unsigned int cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2 };
    long rc = hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF, mix);

    tally_call(__HYPERVISOR_mmuext_op, cmd, rc);
    see(rc);

    return rc;
}

static long update(uint64_t ptr, uint64_t val)
{
    struct mmu_update u = { .ptr = ptr, .val = val };
    long rc = hypercall(__HYPERVISOR_mmu_update, (unsigned long)&u, 1, 0, DOMID_SELF, mix);

    tally_call(__HYPERVISOR_mmu_update, 0, rc);
    see(rc);

    return rc;
}

static void map_as(unsigned int page, uint64_t flags)
{
    see(HYPERCALL(__HYPERVISOR_update_va_mapping, page_of(page), mfn_of(page_of(page)) << 12 | flags, UVMF_INVLPG));
}

static void memory_of_the_guest(void)
{
    uint64_t mine = mfn_of(page_of(SCRATCH_PAGE)), table = mfn_of(page_of(TABLE_PAGE));
    uint64_t vcpumask = 1;
    unsigned long frames[1] = { table }, none = FOREIGN_FRAME;
    struct mmuext_op nothing = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    unsigned int level;

    /* Data: through each way that takes a frame or a table. */
    CALL_OP(update_va_mapping, page_of(SCRATCH_PAGE), mine << 12 | 7, UVMF_INVLPG);
    CALL_OP(update_va_mapping, page_of(SCRATCH_PAGE), FOREIGN_FRAME << 12 | 7, UVMF_INVLPG);
    update(mine << 12 | MMU_NORMAL_PT_UPDATE, 0x1234);
    update(mine << 12 | MMU_PT_UPDATE_PRESERVE_AD, 0x1234);
    update(mine << 12 | MMU_MACHPHYS_UPDATE, (unsigned long)page_of(SCRATCH_PAGE) / PAGE);
    update(FOREIGN_FRAME << 12 | MMU_NORMAL_PT_UPDATE, 0x1234);
    update(FOREIGN_FRAME << 12 | MMU_MACHPHYS_UPDATE, 0);
    CALL_OP(update_descriptor, mine << 12, 0, 0);
    CALL_OP(update_descriptor, FOREIGN_FRAME << 12, 0, 0);
    CALL_OP(update_descriptor, (mine << 12) + 1, 0, 0);
    ext(MMUEXT_CLEAR_PAGE, mine, 0);
    ext(MMUEXT_CLEAR_PAGE, FOREIGN_FRAME, 0);
    ext(MMUEXT_COPY_PAGE, mine, mfn_of(page_of(GIVEN_PAGE)));
    ext(MMUEXT_COPY_PAGE, mine, FOREIGN_FRAME);
    ext(MMUEXT_COPY_PAGE, FOREIGN_FRAME, mine);

    /* Tables: an empty page, read-only, is one of any level. */
    memset(page_of(TABLE_PAGE), 0, PAGE);
    map_as(TABLE_PAGE, 5);
    for ( level = MMUEXT_PIN_L1_TABLE; level <= MMUEXT_PIN_L4_TABLE; level++ )
    {
        ext(level, table, 0);
        ext(level, mine, 0); /* mapped writable */
        ext(MMUEXT_UNPIN_TABLE, table, 0);
        ext(MMUEXT_UNPIN_TABLE, table, 0); /* not pinned */
    }
    ext(MMUEXT_NEW_BASEPTR, mfn_of((void *)start->pt_base), 0);
    ext(MMUEXT_NEW_BASEPTR, mine, 0);
    ext(MMUEXT_NEW_USER_BASEPTR, mfn_of((void *)start->pt_base), 0);
    ext(MMUEXT_NEW_USER_BASEPTR, mine, 0);
    ext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
    ext(MMUEXT_SET_LDT, 0, 0);
    ext(MMUEXT_SET_LDT, (unsigned long)page_of(SCRATCH_PAGE), 8193);
    CALL_OP(set_gdt, frames, 512, 0);
    CALL_OP(set_gdt, &none, 512, 0);
    CALL_OP(set_gdt, frames, 0, 0);
    map_as(TABLE_PAGE, 7);

    ext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    ext(MMUEXT_INVLPG_LOCAL, (unsigned long)page_of(SCRATCH_PAGE), 0);
    ext(MMUEXT_TLB_FLUSH_MULTI, 0, (unsigned long)&vcpumask);
    ext(MMUEXT_TLB_FLUSH_MULTI, 0, BAD_POINTER);
    ext(MMUEXT_INVLPG_MULTI, (unsigned long)page_of(SCRATCH_PAGE), (unsigned long)&vcpumask);
    ext(MMUEXT_INVLPG_MULTI, (unsigned long)page_of(SCRATCH_PAGE), BAD_POINTER);
    ext(MMUEXT_TLB_FLUSH_ALL, 0, 0);
    ext(MMUEXT_INVLPG_ALL, (unsigned long)page_of(SCRATCH_PAGE), 0);
    ext(MMUEXT_FLUSH_CACHE, 0, 0);
    ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0);
    ext(MMUEXT_MARK_SUPER, mine, 0);
    ext(MMUEXT_UNMARK_SUPER, mine, 0);
    tally_call(__HYPERVISOR_mmuext_op, ~0ul, hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&nothing, 1, 0, DOMID_SELF, mix));
    tally_call(__HYPERVISOR_mmuext_op, ~0ul, hypercall(__HYPERVISOR_mmuext_op, BAD_POINTER, 1, 0, DOMID_SELF, mix));
}

static void reservation(void)
{
    void *va = page_of(GIVEN_PAGE);
    xen_pfn_t frame = mfn_of(va);
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    struct { uint32_t nr; uint64_t buffer; } e820 = { .nr = 8, .buffer = (unsigned long)page_of(SCRATCH_PAGE) };
    domid_t self = DOMID_SELF, other = 0;
    unsigned int op;

    set_xen_guest_handle(r.extent_start, &frame);
    see(HYPERCALL(__HYPERVISOR_update_va_mapping, va, 0, UVMF_INVLPG));
    /* These two return how many extents they did. */
    tally_outcome(__HYPERVISOR_memory_op, XENMEM_decrease_reservation,
                  HYPERCALL(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r, 0) == 1);
    tally_outcome(__HYPERVISOR_memory_op, XENMEM_decrease_reservation,
                  HYPERCALL(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r, 0) == 1);
    frame = (unsigned long)va / PAGE;
    tally_outcome(__HYPERVISOR_memory_op, XENMEM_populate_physmap,
                  HYPERCALL(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, 0) == 1);
    see(map(va, frame));
    frame = 1ul << 40;
    tally_outcome(__HYPERVISOR_memory_op, XENMEM_populate_physmap,
                  HYPERCALL(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, 0) == 1);

    CALL_OP(memory_op, XENMEM_maximum_ram_page, 0, 0);
    for ( op = 0; op < 3; op++ )
    {
        static const unsigned int ops[] = { XENMEM_current_reservation, XENMEM_maximum_reservation, XENMEM_maximum_gpfn };

        CALL_OP(memory_op, ops[op], &self, 0);
        CALL_OP(memory_op, ops[op], &other, 0);
        CALL_OP(memory_op, ops[op], BAD_POINTER, 0);
    }
    CALL_OP(memory_op, XENMEM_memory_map, &e820, 0);
    CALL_OP(memory_op, XENMEM_memory_map, BAD_POINTER, 0);
    CALL_OP(memory_op, XENMEM_machphys_mapping, page_of(SCRATCH_PAGE), 0);
    CALL_OP(memory_op, XENMEM_machphys_mapping, BAD_POINTER, 0);
    for ( op = 0; op <= MEMOP_CMD_MASK; op++ )
        if ( op != XENMEM_decrease_reservation && op != XENMEM_populate_physmap )
            CALL_OP(memory_op, op, BAD_POINTER, 0);
}

static void processor(void)
{
    struct multicall_entry one = { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } };
    struct callback_register reg = { .type = CALLBACKTYPE_syscall32, .address = NOT_CANONICAL - PAGE };
    struct callback_unregister unreg = { .type = CALLBACKTYPE_nmi };
    struct xennmi_callback nmi = { .handler_address = NOT_CANONICAL - PAGE };
    void *where = page_of(SCRATCH_PAGE);
    extern char upcall[], failsafe[];
    volatile uint64_t *watched = page_of(SCRATCH_PAGE);

    CALL_OP(set_trap_table, BAD_POINTER, 0, 0);
    set_handlers();
    tally_call(__HYPERVISOR_set_trap_table, 0, 0); /* it has worked, or nothing would come back from a trap */
    CALL_OP(stack_switch, 0xe02b, (unsigned long)page_of(SCRATCH_PAGE) + PAGE, 0);
    CALL_OP(set_callbacks, upcall, failsafe, NOT_CANONICAL);
    CALL_OP(fpu_taskswitch, 1, 0, 0);
    CALL_OP(fpu_taskswitch, 0, 0, 0);
    CALL_OP(set_segment_base, SEGBASE_FS, page_of(SCRATCH_PAGE), 0);
    CALL_OP(set_segment_base, SEGBASE_FS, NOT_CANONICAL, 0);
    CALL_OP(set_segment_base, SEGBASE_FS, 0, 0);
    CALL_OP(set_segment_base, 9, 0, 0);
    CALL_OP(vm_assist, VMASST_CMD_enable, VMASST_TYPE_m2p_strict, 0);
    CALL_OP(vm_assist, VMASST_CMD_disable, VMASST_TYPE_m2p_strict, 0);
    CALL_OP(vm_assist, VMASST_CMD_enable, 63, 0);
    CALL_OP(vm_assist, 9, 0, 0);
    CALL_OP(multicall, &one, 1, 0);
    CALL_OP(multicall, BAD_POINTER, 1, 0);
    CALL_OP(callback_op, CALLBACKOP_register, &reg, 0);
    reg.address = NOT_CANONICAL;
    CALL_OP(callback_op, CALLBACKOP_register, &reg, 0);
    CALL_OP(callback_op, CALLBACKOP_unregister, &unreg, 0);
    CALL_OP(callback_op, 9, 0, 0);
    CALL_OP(nmi_op, XENNMI_register_callback, &nmi, 0);
    CALL_OP(nmi_op, XENNMI_register_callback, BAD_POINTER, 0);
    CALL_OP(nmi_op, XENNMI_unregister_callback, 0, 0);

    /* A breakpoint on data of our own is hit; one on Xen's is not even set. */
    CALL_OP(set_debugreg, 0, BAD_POINTER, 0);
    CALL_OP(set_debugreg, 4, 0, 0);
    CALL_OP(set_debugreg, 0, watched, 0);
    CALL_OP(set_debugreg, 6, 0, 0);
    CALL_OP(set_debugreg, 7, 0x000d0001, 0); /* slot 0, local: writes, 4 bytes */
    {
        static const uint8_t store_code[] = { 0x48, 0x89, 0x04, 0x25, 0, 0, 0, 0, 0xc3 }; /* mov %rax, ABS */
        uint8_t *code = page_of(CODE_PAGE);
        uint32_t at = (unsigned long)watched;

        memcpy(code, store_code, sizeof(store_code));
        memcpy(code + 4, &at, 4);
        see(try_run(code)); /* the probe's handler of #DB goes back to what was interrupted */
        tally_way(WAY_DEBUG_REGISTER, HYPERCALL(__HYPERVISOR_get_debugreg, 6, 0, 0) & 1);
    }
    CALL_OP(set_debugreg, 7, 0, 0);
    CALL_OP(get_debugreg, 0, 0, 0);
    CALL_OP(get_debugreg, 9, 0, 0);

    CALL_OP(xen_version, XENVER_version, 0, 0);
    CALL_OP(xen_version, XENVER_extraversion, where, 0);
    CALL_OP(xen_version, XENVER_extraversion, BAD_POINTER, 0);
    CALL_OP(xen_version, 99, where, 0);
    CALL_OP(set_timer_op, now_ns() + NSEC_PER_MSEC, 0, 0);
    CALL_OP(console_io, 0, 4, "odd\n");
    {
        struct physdev_set_iopl iopl = { .iopl = 1 };
        struct physdev_set_iobitmap map = { .nr_ports = 8 };
        unsigned int op;

        set_xen_guest_handle(map.bitmap, (uint8_t *)page_of(SCRATCH_PAGE));
        CALL_OP(physdev_op, PHYSDEVOP_set_iopl, &iopl, 0);
        iopl.iopl = 9;
        CALL_OP(physdev_op, PHYSDEVOP_set_iopl, &iopl, 0);
        CALL_OP(physdev_op, PHYSDEVOP_set_iobitmap, &map, 0);
        map.nr_ports = 65537;
        CALL_OP(physdev_op, PHYSDEVOP_set_iobitmap, &map, 0);
        for ( op = 0; op < 64; op++ )
            if ( op != PHYSDEVOP_set_iopl && op != PHYSDEVOP_set_iobitmap )
                CALL_OP(physdev_op, op, BAD_POINTER, 0);
    }
}

static void vcpu(void)
{
    static struct vcpu_runstate_info runstate __attribute__((aligned(64)));
    struct vcpu_register_runstate_memory_area area = { .addr.v = &runstate };
    struct vcpu_register_vcpu_info info = { .mfn = start->shared_info >> 12 };
    struct vcpu_set_periodic_timer periodic = { .period_ns = NSEC_PER_MSEC };
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns = 1, .flags = VCPU_SSHOTTMR_future };
    unsigned int op;

    CALL_OP(vcpu_op, VCPUOP_is_up, 0, 0);
    CALL_OP(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &area);
    CALL_OP(vcpu_op, VCPUOP_register_runstate_memory_area, 0, BAD_POINTER);
    CALL_OP(vcpu_op, VCPUOP_get_runstate_info, 0, page_of(SCRATCH_PAGE));
    CALL_OP(vcpu_op, VCPUOP_get_runstate_info, 0, BAD_POINTER);
    CALL_OP(vcpu_op, VCPUOP_set_periodic_timer, 0, &periodic);
    periodic.period_ns = 1;
    CALL_OP(vcpu_op, VCPUOP_set_periodic_timer, 0, &periodic);
    CALL_OP(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    CALL_OP(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once); /* in the past */
    once = (struct vcpu_set_singleshot_timer){ .timeout_abs_ns = now_ns() + NSEC_PER_MSEC };
    CALL_OP(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once);
    CALL_OP(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0);
    /* Where it is already: so the guest keeps what it knows of. */
    info.mfn = FOREIGN_FRAME;
    CALL_OP(vcpu_op, VCPUOP_register_vcpu_info, 0, &info);
    info.mfn = start->shared_info >> 12;
    CALL_OP(vcpu_op, VCPUOP_register_vcpu_info, 0, &info);
    CALL_OP(vcpu_op, VCPUOP_register_vcpu_info, 0, &info); /* twice */
    for ( op = 0; op < 32; op++ )
        CALL_OP(vcpu_op, op, 5, BAD_POINTER); /* there is one */
}

static void grant_call(unsigned int op, void *argument, int16_t *status)
{
    long rc;

    *status = 0;
    rc = HYPERCALL(__HYPERVISOR_grant_table_op, op, argument, 1);
    see(rc);
    see(*status);
    tally_outcome(__HYPERVISOR_grant_table_op, op, rc == 0 && *status == 0);
}

static void grants(void)
{
    xen_pfn_t frames[4] = {};
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    struct gnttab_query_size size = { .dom = DOMID_SELF };
    struct gnttab_get_version version = { .dom = DOMID_SELF };
    struct gnttab_set_version set = { .version = 1 };
    struct gnttab_get_status_frames status = { .dom = DOMID_SELF, .nr_frames = 1 };
    int16_t none;
    unsigned int op;

    set_xen_guest_handle(setup.frame_list, frames);
    set_xen_guest_handle(status.frame_list, (uint64_t *)frames);
    grant_call(GNTTABOP_setup_table, &setup, &setup.status);
    setup.nr_frames = ~0u;
    grant_call(GNTTABOP_setup_table, &setup, &setup.status);
    grant_call(GNTTABOP_query_size, &size, &size.status);
    size.dom = 0;
    grant_call(GNTTABOP_query_size, &size, &size.status);
    grant_call(GNTTABOP_get_version, &version, &none);
    version.dom = 0;
    grant_call(GNTTABOP_get_version, &version, &none);
    grant_call(GNTTABOP_set_version, &set, &none);
    set.version = 2;
    grant_call(GNTTABOP_set_version, &set, &none);
    grant_call(GNTTABOP_get_status_frames, &status, &status.status);
    for ( op = 0; op < 24; op++ )
        if ( op != GNTTABOP_setup_table && op != GNTTABOP_query_size && op != GNTTABOP_set_version &&
             op != GNTTABOP_get_version && op != GNTTABOP_get_status_frames )
            CALL_OP(grant_table_op, op, page_of(SCRATCH_PAGE), 1);
}

static void events(void)
{
    struct evtchn_bind_virq virq = { .virq = VIRQ_XENOPROF };
    struct evtchn_bind_ipi ipi = {};
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF };
    struct evtchn_bind_vcpu bind = {};
    struct evtchn_status status = { .dom = DOMID_SELF };
    struct evtchn_send send = {};
    struct evtchn_unmask unmask = {};
    struct evtchn_close close = {};
    struct sched_poll poll = { .timeout = 1 };
    uint64_t before = events_seen;
    unsigned int op;

    CALL_OP(event_channel_op, EVTCHNOP_bind_virq, &virq, 0);
    CALL_OP(event_channel_op, EVTCHNOP_bind_virq, &virq, 0); /* twice */
    CALL_OP(event_channel_op, EVTCHNOP_bind_ipi, &ipi, 0);
    send.port = unmask.port = status.port = close.port = ipi.port;
    ipi.vcpu = 5;
    CALL_OP(event_channel_op, EVTCHNOP_bind_ipi, &ipi, 0);
    CALL_OP(event_channel_op, EVTCHNOP_status, &status, 0);
    status.port = ~0u;
    CALL_OP(event_channel_op, EVTCHNOP_status, &status, 0);
    CALL_OP(event_channel_op, EVTCHNOP_unmask, &unmask, 0);
    unmask.port = ~0u;
    CALL_OP(event_channel_op, EVTCHNOP_unmask, &unmask, 0);
    CALL_OP(event_channel_op, EVTCHNOP_send, &send, 0);
    upcalls(true);
    upcalls(false);
    see(events_seen - before);
    tally_outcome(__HYPERVISOR_iret, 0, events_seen > before); /* and its handler came back */
    send.port = ~0u;
    CALL_OP(event_channel_op, EVTCHNOP_send, &send, 0);
    CALL_OP(event_channel_op, EVTCHNOP_alloc_unbound, &unbound, 0);
    bind.port = unbound.port;
    CALL_OP(event_channel_op, EVTCHNOP_bind_vcpu, &bind, 0);
    bind.vcpu = 5;
    CALL_OP(event_channel_op, EVTCHNOP_bind_vcpu, &bind, 0);
    unbound.dom = 0;
    CALL_OP(event_channel_op, EVTCHNOP_alloc_unbound, &unbound, 0);
    unbound.dom = 12345;
    CALL_OP(event_channel_op, EVTCHNOP_alloc_unbound, &unbound, 0);
    CALL_OP(event_channel_op, EVTCHNOP_alloc_unbound, BAD_POINTER, 0);
    CALL_OP(event_channel_op, EVTCHNOP_close, &close, 0);
    CALL_OP(event_channel_op, EVTCHNOP_close, &close, 0);

    set_timer(NSEC_PER_MSEC);
    CALL_OP(sched_op, SCHEDOP_block, 0, 0);
    upcalls(false);
    CALL_OP(sched_op, SCHEDOP_yield, 0, 0);
    CALL_OP(sched_op, SCHEDOP_poll, &poll, 0);
    poll.nr_ports = 1000;
    CALL_OP(sched_op, SCHEDOP_poll, &poll, 0);
    CALL_OP(sched_op, SCHEDOP_shutdown_code, BAD_POINTER, 0);
    CALL_OP(sched_op, SCHEDOP_shutdown, BAD_POINTER, 0);
    for ( op = SCHEDOP_shutdown_code + 1; op < 32; op++ )
        CALL_OP(sched_op, op, BAD_POINTER, 0);
    for ( op = 0; op < 32; op++ )
        CALL_OP(event_channel_op, op, BAD_POINTER, 0);
}

/* Pending bits that the guest sets itself make Xen call it. */
static void shared_page(void)
{
    volatile struct vcpu_info *v = &shared->vcpu_info[0];
    uint64_t before = events_seen;

    shared->evtchn_pending[3] = 1;
    v->evtchn_pending_sel |= 1ul << 3;
    v->evtchn_upcall_pending = 1;
    upcalls(true);
    upcalls(false);
    tally_way(WAY_SHARED_PAGE, events_seen > before);
}

static void denied(void)
{
    static const uint16_t numbers[] = {
        __HYPERVISOR_xenpmu_op, __HYPERVISOR_platform_op, __HYPERVISOR_update_va_mapping_otherdomain, __HYPERVISOR_xsm_op,
        __HYPERVISOR_xenoprof_op, __HYPERVISOR_sysctl, __HYPERVISOR_domctl, __HYPERVISOR_kexec_op, __HYPERVISOR_hypfs_op,
        __HYPERVISOR_dm_op, __HYPERVISOR_mca, __HYPERVISOR_paging_domctl_cont, __HYPERVISOR_hvm_op, __HYPERVISOR_argo_op,
        __HYPERVISOR_tmem_op, 11, 16, 19, 63, 64, 1000,
    };
    unsigned int i;

    for ( i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++ )
    {
        struct multicall_entry entry = { .op = numbers[i], .args = { 0, (unsigned long)page_of(SCRATCH_PAGE) } };

        call(numbers[i], 0, (unsigned long)page_of(SCRATCH_PAGE), 0, 0);
        HYPERCALL(__HYPERVISOR_multicall, &entry, 1, 0);
        tally_call(numbers[i], 0, entry.result);
    }
}

/* The event channels' other ABI, and how the domain will end: there is no way back. */
static void for_good(void)
{
    struct sched_shutdown how = { .reason = SHUTDOWN_poweroff };
    struct evtchn_init_control control = { .control_gfn = mfn_of(page_of(CONTROL_PAGE)), .vcpu = 0 };
    struct evtchn_expand_array array = { .array_gfn = mfn_of(page_of(CONTROL2_PAGE)) };
    struct evtchn_set_priority priority = { .port = start->store_evtchn, .priority = EVTCHN_FIFO_PRIORITY_MIN };

    memset(page_of(CONTROL_PAGE), 0, PAGE);
    memset(page_of(CONTROL2_PAGE), 0, PAGE);
    CALL_OP(sched_op, SCHEDOP_shutdown_code, &how, 0);
    CALL_OP(event_channel_op, EVTCHNOP_expand_array, &array, 0); /* too early */
    CALL_OP(event_channel_op, EVTCHNOP_set_priority, &priority, 0);
    control.vcpu = 5;
    CALL_OP(event_channel_op, EVTCHNOP_init_control, &control, 0);
    control.vcpu = 0;
    CALL_OP(event_channel_op, EVTCHNOP_init_control, &control, 0);
    CALL_OP(event_channel_op, EVTCHNOP_expand_array, &array, 0);
    CALL_OP(event_channel_op, EVTCHNOP_set_priority, &priority, 0);
    priority.priority = 99;
    CALL_OP(event_channel_op, EVTCHNOP_set_priority, &priority, 0);
}

void aimed_attacks(void)
{
    aim = AIMED;
    memory_of_the_guest();
    reservation();
    processor();
    vcpu();
    grants();
    shared_page();
    events();
    denied();
    each_instruction();
    if ( word("for-good") )
        for_good();
    aim = AT_RANDOM;
}
