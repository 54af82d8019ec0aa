/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: what other domains, dom0 first of all, may do to a domain of which a log is written or replayed.
 *
 * Denied by default. What would change the guest's memory, its registers, its event channels or a result that it gets does so at a
 * moment that nobody logs. Allowed is what only looks, what only stops and resumes, and what ends the domain; looks that take
 * references to the guest's pages are not among them, because a page that somebody else refers to cannot be given back and taken
 * again.
 */
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/rangeset.h>
#include <xen/sched.h>
#include <asm/paging.h>
#include <public/domctl.h>

#include "private.h"

static bool closed(const struct casm_domain *c)
{
    return casm_starting(c) || casm_logging(c);
}

static void cf_check others_are_done(struct rcu_head *head)
{
    struct casm_domain *c = container_of(head, struct casm_domain, others);
    struct domain *d = c->d;

    write_atomic(&c->alone, true);
    put_domain(d); /* with the last reference, @c goes too */
}

/*
 * What dom0 may have given or done to a domain before the start, and no log has: ports, interrupts and memory of devices, a debugger,
 * shadow paging. Its registers are in the digest of the start.
 */
static bool as_built(const struct domain *d)
{
    return rangeset_is_empty(d->iomem_caps) && rangeset_is_empty(d->irq_caps) && rangeset_is_empty(d->arch.ioport_caps) &&
           !d->debugger_attached && !paging_mode_enabled(d);
}

/*
 * From pv_l1tf_check_pte(), for a recordable @d whose entry a processor with the fault L1TF would follow. Xen would shadow the domain's
 * tables from some moment on, which is no moment of the log, and decide there what the guest sees. Linux writes no such entry.
 */
bool casm_l1tf(struct domain *d, unsigned int level, uint64_t pte)
{
    printk(XENLOG_G_ERR "casm: %pd: L1TF-vulnerable L%ue %016lx: a recordable guest is not shadowed\n", d, level, pte);
    domain_crash(d);

    return true;
}

/*
 * What was raised before the guest ran, by XEN_DOMCTL_sendtrigger say: the exit path would deliver it at the first exit, in the
 * recording only.
 */
static void forget_raised(struct domain *d)
{
    d->vcpu[0]->arch.nmi_pending = false;
    d->vcpu[0]->arch.mce_pending = false;
}

int casm_be_alone(struct casm_domain *c)
{
    if ( !as_built(c->d) )
        return -EISCONN;
    /*
     * A hypercall looks the domain up under RCU and holds that until it returns, or is continued, which looks it up again. So a grace
     * period after the lookups began to fail, none is under way: no answer, and no write, that the start's digest would not see.
     */
    if ( casm_set_state(c, CASM_STATE_STARTING) )
    {
        c->alone = false;
        get_knownalive_domain(c->d);
        call_rcu(&c->others, others_are_done);
    }
    if ( !casm_starting(c) )
        return -EBUSY;
    if ( !read_atomic(&c->alone) )
        return -ERESTART;

    if ( atomic_read(&c->foreign_maps) )
        return -EADDRINUSE;
    forget_raised(c->d);

    return 0;
}

/* From get_page_from_l1e() and put_page_from_l1e(): another domain has, or has no more, a mapping of a frame of the recordable @d. */
void casm_foreign_map(struct domain *d, bool there)
{
    if ( there )
        atomic_inc(&d->arch.casm->foreign_maps);
    else
        atomic_dec(&d->arch.casm->foreign_maps);
}

/*
 * From offline_page(): shall @pg, of the pool, stay in use? The guest must find it when it asks for it; but not if its memory is
 * @broken. Then Xen crashes who has it, as it does with any PV guest, which cannot be told of it: an input that no log has.
 */
bool casm_offline_denied(const struct page_info *pg, bool broken)
{
    struct domain *d = page_get_owner(pg);

    if ( broken && d && casm_on(d) )
    {
        printk(XENLOG_ERR "casm: %pd: memory of the guest is broken: it is crashed, and that is not in its log\n", d);
        d->arch.casm->memory_error = true;
    }

    return !broken;
}

/* From inject_vmce(): shall the recordable @d get no machine check? None of a PV guest is; if one were, no log would have it. */
bool casm_vmce_denied(const struct domain *d)
{
    bool denied = closed(d->arch.casm);

    if ( denied )
        printk(XENLOG_G_WARNING "casm: %pd: a machine check was kept from it: the domain is recorded or replayed\n", d);

    return denied;
}

static bool domctl_allowed(const struct casm_domain *c, const struct xen_domctl *op)
{
    switch ( op->cmd )
    {
    case XEN_DOMCTL_casm:
    /* Stops, goes on, ends: when a vCPU runs is no input. */
    case XEN_DOMCTL_pausedomain:
    case XEN_DOMCTL_destroydomain:
    /* Looks. */
    case XEN_DOMCTL_getdomaininfo:
    case XEN_DOMCTL_getvcpuinfo:
    case XEN_DOMCTL_getvcpucontext:
    case XEN_DOMCTL_get_ext_vcpucontext:
    case XEN_DOMCTL_getvcpuextstate:
    case XEN_DOMCTL_get_vcpu_msrs:
    case XEN_DOMCTL_getvcpuaffinity:
    case XEN_DOMCTL_getnodeaffinity:
    case XEN_DOMCTL_gettscinfo:
    case XEN_DOMCTL_get_address_size:
    case XEN_DOMCTL_get_cpu_policy:
    case XEN_DOMCTL_get_paging_mempool_size:
    case XEN_DOMCTL_gdbsx_domstatus:
        return true;

    case XEN_DOMCTL_unpausedomain: /* not before its log has begun */
        return !casm_starting(c);

    case XEN_DOMCTL_gdbsx_guestmemio:
        return !op->u.gdbsx_guest_memio.gwr;

    case XEN_DOMCTL_scheduler_op:
        return op->u.scheduler_op.cmd == XEN_DOMCTL_SCHEDOP_getinfo ||
               op->u.scheduler_op.cmd == XEN_DOMCTL_SCHEDOP_getvcpuinfo;

    default:
        return false;
    }
}

/* From do_domctl(), right behind the lookup of the domain: no command is dealt with before. For a recordable @d. */
bool casm_domctl_denied(const struct domain *d, const struct xen_domctl *op)
{
    bool denied = closed(d->arch.casm) && !domctl_allowed(d->arch.casm, op);

    /* The compat hypercalls are not wrapped: never 32 bits, also where Xen could (CONFIG_PV32). */
    denied |= op->cmd == XEN_DOMCTL_set_address_size && op->u.address_size.size != BITS_PER_LONG;

    if ( denied )
        printk(XENLOG_G_WARNING "casm: %pd: domctl %u refused: the domain is %s\n", d, op->cmd,
               closed(d->arch.casm) ? "recorded or replayed" : "for recordings, which are of 64-bit guests");

    return denied;
}

/*
 * From the lookups by which hypercalls find the domain that they are to work on (rcu_lock_domain_by_any_id() and others), but those
 * of domctls and of the few that are checked on their own: shall a hypercall of another domain not find the recordable @d?
 */
bool casm_lookup_denied(const struct domain *d)
{
    if ( current->domain == d || !closed(d->arch.casm) )
        return false;
    printk(XENLOG_G_WARNING "casm: %pd: a hypercall of %pd refused: the domain is recorded or replayed\n", d, current->domain);

    return true;
}
