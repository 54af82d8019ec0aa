/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: what becomes of each hypercall of a recordable domain.
 *
 * One table of five treatments. What is not named is executed only if it is a pure function of the guest's state; the
 * default for a sub-operation of a mixed call is DENY, so that a new one is noticed instead of leaking.
 */
#include <xen/event.h>
#include <xen/hypercall.h>
#include <xen/lib.h>
#include <xen/percpu.h>
#include <xen/sched.h>
#include <asm/casm-tap.h>
#include <asm/uaccess.h>
#include <public/event_channel.h>
#include <public/grant_table.h>
#include <public/memory.h>
#include <public/physdev.h>
#include <public/sched.h>
#include <public/vcpu.h>
#include <public/xen.h>

#include "private.h"

/* Largest piece of one memory output: the biggest structure that a call of class ANSWER copies out is 1 KiB. */
#define CASM_TAP_BYTES 1024u

enum treatment {
    EXECUTE,  /* both modes run it: its outputs depend on the guest's state only */
    ANSWER,   /* run when recording; result and memory outputs are logged; replay answers from the log */
    NOTIFY,   /* ANSWER, and carries ring data to the back end first */
    BLOCK,    /* run when recording; replay enables upcalls and does not sleep */
    DENY,     /* both modes return -EPERM */
    NOSYS,    /* both modes return -ENOSYS: guests know how to live without it */
    NOTSUPP,  /* both modes return -EOPNOTSUPP */
};

static enum treatment memory_treatment(unsigned long cmd)
{
    switch ( cmd & MEMOP_CMD_MASK )
    {
    case XENMEM_decrease_reservation: /* frames are a function of the PFN: pool.c */
    case XENMEM_populate_physmap:
        return EXECUTE;

    case XENMEM_maximum_ram_page:
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
    case XENMEM_memory_map:
    case XENMEM_machphys_mapping:
        return ANSWER;

    default:
        return NOSYS;
    }
}

static enum treatment evtchn_treatment(unsigned long cmd)
{
    switch ( cmd )
    {
    case EVTCHNOP_send:
        return NOTIFY;

    case EVTCHNOP_status: /* shows the remote end */
        return ANSWER;

    case EVTCHNOP_bind_virq:
    case EVTCHNOP_bind_ipi:
    case EVTCHNOP_bind_vcpu:
    case EVTCHNOP_alloc_unbound:
    case EVTCHNOP_close:
    case EVTCHNOP_unmask:
    case EVTCHNOP_init_control:
    case EVTCHNOP_expand_array:
    case EVTCHNOP_set_priority:
        return EXECUTE; /* ports are allocated lowest first, and nobody else allocates in this domain */

    default:
        return NOSYS;
    }
}

static enum treatment sched_treatment(unsigned long cmd)
{
    switch ( cmd )
    {
    case SCHEDOP_block:
        return BLOCK;

    case SCHEDOP_yield:
    case SCHEDOP_poll:
        return ANSWER;

    case SCHEDOP_shutdown:
    case SCHEDOP_shutdown_code:
        return EXECUTE;

    default: /* watchdog: would shut the domain down from a timer */
        return NOSYS;
    }
}

static enum treatment vcpu_treatment(unsigned long cmd)
{
    switch ( cmd )
    {
    case VCPUOP_is_up:
    case VCPUOP_register_vcpu_info:
    case VCPUOP_register_runstate_memory_area: /* written once, with zeros: common/domain.c */
        return EXECUTE;

    case VCPUOP_get_runstate_info:
    case VCPUOP_set_periodic_timer:
    case VCPUOP_stop_periodic_timer:
    case VCPUOP_set_singleshot_timer: /* replay arms no timer: its event is in the log */
    case VCPUOP_stop_singleshot_timer:
        return ANSWER;

    default: /* register_vcpu_time_memory_area, send_nmi, get_physid; down, up, initialise: there is one vCPU */
        return NOSYS;
    }
}

static enum treatment grant_treatment(unsigned long cmd)
{
    switch ( cmd )
    {
    case GNTTABOP_setup_table: /* frames come from the pool */
    case GNTTABOP_query_size:
    case GNTTABOP_set_version:
    case GNTTABOP_get_version:
    case GNTTABOP_get_status_frames:
        return EXECUTE;

    default: /* a back end in a recordable domain would see other domains' memory */
        return DENY;
    }
}

static enum treatment classify(unsigned int nr, unsigned long arg0)
{
    switch ( nr )
    {
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_mmu_update:
    case __HYPERVISOR_set_gdt:
    case __HYPERVISOR_stack_switch:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_fpu_taskswitch:
    case __HYPERVISOR_set_debugreg:
    case __HYPERVISOR_get_debugreg:
    case __HYPERVISOR_update_descriptor:
    case __HYPERVISOR_multicall: /* its entries are classed one by one */
    case __HYPERVISOR_update_va_mapping:
    case __HYPERVISOR_vm_assist:
    case __HYPERVISOR_iret:
    case __HYPERVISOR_set_segment_base:
    case __HYPERVISOR_mmuext_op:
    case __HYPERVISOR_nmi_op:
    case __HYPERVISOR_callback_op:
        return EXECUTE;

    case __HYPERVISOR_set_timer_op:
    case __HYPERVISOR_xen_version:
        return ANSWER;

    case __HYPERVISOR_memory_op:
        return memory_treatment(arg0);

    case __HYPERVISOR_event_channel_op:
        return evtchn_treatment(arg0);

    case __HYPERVISOR_sched_op:
        return sched_treatment(arg0);

    case __HYPERVISOR_vcpu_op:
        return vcpu_treatment(arg0);

    case __HYPERVISOR_grant_table_op:
        return grant_treatment(arg0);

    case __HYPERVISOR_physdev_op:
        /* set_iopl must work: a Linux guest dies without it. */
        return arg0 == PHYSDEVOP_set_iopl || arg0 == PHYSDEVOP_set_iobitmap ? EXECUTE : NOSYS;

    case __HYPERVISOR_xenpmu_op:
        return NOTSUPP;

    case __HYPERVISOR_platform_op:
    case __HYPERVISOR_update_va_mapping_otherdomain:
    case __HYPERVISOR_xsm_op:
    case __HYPERVISOR_xenoprof_op:
    case __HYPERVISOR_sysctl:
    case __HYPERVISOR_domctl:
    case __HYPERVISOR_kexec_op:
    case __HYPERVISOR_hypfs_op:
    case __HYPERVISOR_dm_op:
    case __HYPERVISOR_mca:
    case __HYPERVISOR_paging_domctl_cont:
        return DENY;

    /*
     * A release build refuses it to a guest. A debug build (VERBOSE_DEBUG) would print, and would go on later
     * when a softirq is due: that is the host's doing, and an answer holds no continuation.
     */
    case __HYPERVISOR_console_io:
        return DENY;

    default: /* compat entry points, tmem, argo, HVM and unknown numbers */
        return NOSYS;
    }
}

/* --- Memory outputs --- */

DEFINE_PER_CPU(bool, casm_tapping);

/* See casm-tap.h. Reads back what was written, so that the tap needs nothing from its caller but where. */
void casm_tap(const void *to, unsigned int n)
{
    struct casm_domain *c = current->arch.casm;
    static DEFINE_PER_CPU(uint8_t[CASM_TAP_BYTES], scratch);
    uint8_t *buf = this_cpu(scratch);

    this_cpu(casm_tapping) = false; /* our own read is not the call's */
    while ( n )
    {
        unsigned int len = min(n, CASM_TAP_BYTES);
        struct casm_rec rec = { .cls = CASM_CLS_OUTMEM, .check = len };
        uint64_t va = (unsigned long)to;

        if ( copy_from_guest_pv(buf, to, len) )
            break;
        c->applied[CASM_CLS_OUTMEM]++;
        casm_put_blob(c, rec, &va, 1, buf, len);
        to += len;
        n -= len;
    }
    this_cpu(casm_tapping) = true;
}

/* Replay: the logged memory outputs of a call, then its result. */
static unsigned long answer(struct casm_domain *c, unsigned int nr)
{
    struct casm_rec rec = { .cls = CASM_CLS_RESULT, .kind = nr }, next;
    static DEFINE_PER_CPU(uint8_t[CASM_TAP_BYTES], scratch);
    uint8_t *buf = this_cpu(scratch);
    uint64_t w = 0;

    while ( casm_peek(c, &next) && next.cls == CASM_CLS_OUTMEM )
    {
        struct casm_rec out = { .cls = CASM_CLS_OUTMEM };
        uint64_t va = 0;

        c->applied[CASM_CLS_OUTMEM]++;
        if ( !casm_take_blob(c, &out, &va, 1, buf, CASM_TAP_BYTES) )
            return -EINVAL;
        /* The same primitive at the same address in the same state: it succeeds as it did. */
        if ( copy_to_guest_pv((void __user *)va, buf, out.check) )
        {
            casm_diverge(c, &next, &va, &rec, NULL, 1);
            return -EINVAL;
        }
    }
    casm_exchange(c, &rec, &w, 1, CASM_CMP_KIND);

    return w;
}

/*
 * Before a hypercall (or multicall entry) is dispatched. Returns true if it is dealt with and *@result is its result.
 */
bool casm_wrap_enter(unsigned int nr, unsigned long arg0, unsigned long arg1, unsigned long *result)
{
    struct casm_domain *c = current->arch.casm;
    bool replay = casm_replaying(c);

    casm_hide_step(guest_cpu_user_regs());

    switch ( classify(nr, arg0) )
    {
    case EXECUTE:
        return false;

    case NOTIFY:
        if ( replay )
            c->console_due = true; /* not for each: a multicall of these would write more than a trip may */
        else
            casm_bridges_up(c);
        /* fallthrough */
    case ANSWER:
        if ( replay )
        {
            *result = answer(c, nr);
            return true;
        }
        this_cpu(casm_tapping) = casm_recording(c);
        return false;

    case BLOCK:
        if ( !replay )
            return false;
        local_event_delivery_enable();
        *result = 0;
        return true;

    case DENY:
        *result = -EPERM;
        return true;

    case NOSYS:
        *result = -ENOSYS;
        return true;

    case NOTSUPP:
        *result = -EOPNOTSUPP;
        return true;
    }

    ASSERT_UNREACHABLE();
    return false;
}

void casm_wrap_leave(unsigned int nr, unsigned long result)
{
    struct casm_domain *c = current->arch.casm;
    struct casm_rec rec = { .cls = CASM_CLS_RESULT, .kind = nr };
    uint64_t w = result;

    if ( !this_cpu(casm_tapping) )
        return;
    this_cpu(casm_tapping) = false;
    if ( casm_recording(c) )
        casm_exchange(c, &rec, &w, 1, CASM_CMP_KIND);
}
