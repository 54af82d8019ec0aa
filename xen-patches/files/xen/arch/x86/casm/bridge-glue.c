/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: the console and xenstore rings of a recordable domain.
 *
 * dom0 maps grants 0 and 1 and gets stand-in frames, which are its own (ring.c); the vCPU itself carries data between a stand-in and the guest's page
 * (bridge.c): up when it notifies the back end, down at injection points, logged.
 */
#include <xen/grant_table.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <public/grant_table.h>

#include "private.h"

int casm_grant_check(const struct domain *ld, struct domain *rd, unsigned int ref)
{
    /* Only the reserved grants have a bridge; anything else would let dom0 write behind our back. */
    return ld->is_privileged && ref < ARRAY_SIZE(rd->arch.casm->bridge) ? 0 : -EPERM;
}

static int bridge_init(struct casm_domain *c, unsigned int i, unsigned long mfn)
{
    struct page_info *pg, *standin;

    if ( !casm_pool_guest_frame(mfn) )
        return -EINVAL;
    pg = mfn_to_page(_mfn(mfn));
    /* The type reference keeps the guest from making a page table of a page that we write to. */
    if ( !get_page_and_type(pg, c->d, PGT_writable_page) )
        return -EINVAL;

    standin = casm_alloc_shared(0);
    if ( !standin )
    {
        put_page_and_type(pg);
        return -ENOMEM;
    }

    c->bridge_pg[i] = pg;
    c->standin_pg[i] = standin;
    c->bridge[i].layout = i == CASM_PAGE_CONSOLE ? &casm_console_layout : &casm_xenstore_layout;
    c->bridge[i].guest = page_to_virt(pg);
    c->bridge[i].standin = page_to_virt(standin);
    casm_bridge_attach(&c->bridge[i]);

    return 0;
}

static int bridges_init(struct casm_domain *c)
{
    unsigned int i;

    if ( c->d->creation_finished || c->d->is_dying )
        return 0;

    for ( i = 0; i < ARRAY_SIZE(c->bridge); i++ )
    {
        unsigned long mfn = c->bridge[i].guest ? 0 : gnttab_v1_frame(c->d, i);
        int rc;

        if ( mfn && (rc = bridge_init(c, i, mfn)) )
            return rc;
    }

    return 0;
}

/*
 * Sets both bridges up, from the grant entries that the builder seeded. Called before the guest first runs (xenstored maps its
 * page while the domain is being built, and casm_start() calls it again); what is there already is left alone.
 */
int casm_bridges_init(struct casm_domain *c)
{
    int rc;

    spin_lock(&c->bridge_lock);
    rc = bridges_init(c);
    spin_unlock(&c->bridge_lock);

    return rc;
}

/*
 * The page that dom0 gets instead of the one that grant @ref names, with a reference. Fails closed: without a stand-in nothing
 * is mapped, the guest's own page least of all. From map_grant_ref(), for a recordable @rd.
 */
int casm_grant_frame(struct domain *rd, unsigned int ref, mfn_t *mfn, struct page_info **page)
{
    struct casm_domain *c = rd->arch.casm;
    struct page_info *standin = NULL;

    spin_lock(&c->bridge_lock);
    if ( ref < ARRAY_SIZE(c->bridge) && !bridges_init(c) )
        standin = c->standin_pg[ref];
    if ( standin && !get_page(standin, current->domain) )
        standin = NULL;
    spin_unlock(&c->bridge_lock);

    /* Whoever unmaps must find the domain: with a page of its own the page would keep it. */
    if ( standin && !c->standin_mapped[ref] )
    {
        c->standin_mapped[ref] = true;
        get_knownalive_domain(rd);
    }
    *page = standin;
    *mfn = standin ? page_to_mfn(standin) : INVALID_MFN;

    return standin ? GNTST_okay : GNTST_general_error;
}

/* From reduce_status_for_pin(): grant @ref of a recordable @rd has @pins left. */
void casm_grant_reduced(struct domain *rd, unsigned int ref, unsigned int pins)
{
    struct casm_domain *c = rd->arch.casm;

    if ( pins || ref >= ARRAY_SIZE(c->standin_mapped) || !c->standin_mapped[ref] )
        return;
    c->standin_mapped[ref] = false;
    put_domain(rd);
}

void casm_bridges_destroy(struct casm_domain *c)
{
    unsigned int i;

    spin_lock(&c->bridge_lock);
    for ( i = 0; i < ARRAY_SIZE(c->bridge); i++ )
    {
        c->bridge[i].guest = NULL;
        if ( c->bridge_pg[i] )
            put_page_and_type(c->bridge_pg[i]);
        c->bridge_pg[i] = NULL;
        casm_free_shared(c->standin_pg[i], 0);
        c->standin_pg[i] = NULL;
    }
    spin_unlock(&c->bridge_lock);
}

bool casm_bridges_up(struct casm_domain *c)
{
    bool changed = false;
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(c->bridge); i++ )
        if ( c->bridge[i].guest )
            changed |= casm_bridge_up(&c->bridge[i]);

    return changed;
}

struct down_ctx {
    struct casm_domain *c;
    unsigned int page;
};

static void log_write(void *ctx, unsigned int offset, unsigned int len)
{
    const struct down_ctx *dc = ctx;
    struct casm_domain *c = dc->c;
    struct casm_rec rec = { .cls = CASM_CLS_RING, .kind = dc->page, .check = len, .aux = offset };

    if ( !casm_logging(c) )
        return;
    c->applied[CASM_CLS_RING]++;
    casm_put_blob(c, rec, NULL, 0, c->bridge[dc->page].guest + offset, len);
}

void casm_bridges_down(struct casm_domain *c)
{
    struct down_ctx ctx = { .c = c };

    for ( ctx.page = 0; ctx.page < ARRAY_SIZE(c->bridge); ctx.page++ )
        if ( c->bridge[ctx.page].guest )
            casm_bridge_down(&c->bridge[ctx.page], log_write, &ctx);
}

/* Replay: one RING record from the log into the guest's page. */
bool casm_bridge_replay(struct casm_domain *c)
{
    struct casm_rec rec = { .cls = CASM_CLS_RING };
    uint8_t buf[CASM_BRIDGE_WRITE_MAX_BYTES] = {}; /* whatever the length: nothing of the stack */
    struct casm_rec next;
    uint8_t *page;

    c->applied[CASM_CLS_RING]++;
    if ( !casm_peek(c, &next) )
        return false;
    page = next.kind < ARRAY_SIZE(c->bridge) ? c->bridge[next.kind].guest : NULL;
    if ( !page ||
         next.aux >= PAGE_SIZE || next.aux + next.check > PAGE_SIZE )
    {
        casm_diverge(c, &next, NULL, &rec, NULL, 0);
        return false;
    }
    if ( !casm_take_blob(c, &rec, NULL, 0, buf, sizeof(buf)) )
        return false;
    if ( !casm_page_put(page, rec.aux, buf, rec.check) )
    {
        casm_diverge(c, &rec, NULL, NULL, NULL, 0);
        return false;
    }

    return true;
}
