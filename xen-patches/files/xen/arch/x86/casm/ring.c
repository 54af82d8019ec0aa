/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: memory that Xen and dom0 share about a recordable domain: rings, and the stand-ins of bridged pages.
 *
 * These frames belong to dom0 (to the domain that asked for them), never to the recorded domain: whatever call the guest
 * names them in, Xen's own check of the owner refuses them, as it does all frames of others. They are extra pages of dom0
 * (PGC_extra): not charged to its limit, taken from Xen's free memory, scrubbed when the last reference goes.
 */
#include <xen/domain_page.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/sched.h>

#include "private.h"

/* Gives back frames 0 to @got - 1 with the type reference that we took, the others without. */
static void give_back(struct page_info *pg, struct domain *owner, unsigned int got, unsigned int nr)
{
    unsigned int i;

    for ( i = 0; i < got; i++ )
    {
        put_page_alloc_ref(&pg[i]);
        put_page_and_type(&pg[i]);
    }
    for ( ; i < nr; i++ )
        if ( get_page(&pg[i], owner) ) /* an allocation's reference must not be the last */
        {
            put_page_alloc_ref(&pg[i]);
            put_page(&pg[i]);
        }
}

struct page_info *casm_alloc_shared(unsigned int order)
{
    struct domain *owner = current->domain;
    struct page_info *pg = alloc_domheap_pages(owner, order, MEMF_no_refcount);
    unsigned int i;

    if ( !pg )
        return NULL;
    for ( i = 0; i < (1u << order); i++ )
    {
        /* The type reference keeps dom0 from making page tables of pages that we write to. */
        if ( !get_page_and_type(&pg[i], owner, PGT_writable_page) )
        {
            give_back(pg, owner, i, 1u << order);
            return NULL;
        }
        clear_domain_page(page_to_mfn(&pg[i]));
    }

    return pg;
}

void casm_free_shared(struct page_info *pg, unsigned int order)
{
    if ( pg )
        give_back(pg, page_get_owner(pg), 1u << order, 1u << order);
}

bool casm_ring_valid_size(uint64_t bytes)
{
    return bytes >= CASM_RING_MIN_BYTES && bytes <= CASM_RING_MAX_BYTES && !(bytes & (bytes - 1));
}

int casm_ring_alloc(struct casm_stream *s, uint64_t bytes)
{
    unsigned int order = get_order_from_bytes(bytes);
    struct page_info *hdr = casm_alloc_shared(0);
    struct page_info *data = casm_alloc_shared(order);

    if ( !hdr || !data )
    {
        casm_free_shared(hdr, 0);
        casm_free_shared(data, order);
        return -ENOMEM;
    }

    s->order = order;
    s->pg_hdr = hdr;
    s->pg_data = data;
    s->data = page_to_virt(data);
    s->mask = bytes - 1;
    s->hdr = page_to_virt(hdr);
    s->hdr->magic = CASM_RING_MAGIC;
    s->hdr->abi = CASM_ABI_VERSION;
    s->hdr->size_bytes = bytes;
    s->limit = CASM_TRIP_BYTES;

    return 0;
}

void casm_ring_free(struct casm_stream *s)
{
    casm_free_shared(s->pg_hdr, 0);
    casm_free_shared(s->pg_data, s->order);
    memset(s, 0, sizeof(*s));
}

/* --- XENMEM_acquire_resource --- */

static const struct casm_stream *resource(const struct domain *d, unsigned int type)
{
    if ( !d->arch.casm )
        return NULL;

    return type == CASM_RESOURCE_LOG ? &d->arch.casm->log :
           type == CASM_RESOURCE_FEED ? &d->arch.casm->feed : NULL;
}

unsigned int casm_resource_frames(const struct domain *d, unsigned int type)
{
    const struct casm_stream *s = resource(d, type);

    return s && s->hdr ? 1 + (1u << s->order) : 0;
}

int casm_acquire_resource(struct domain *d, unsigned int type, unsigned int frame, unsigned int nr, xen_pfn_t *mfn_list)
{
    const struct casm_stream *s = resource(d, type);
    unsigned int i;

    if ( !s || !s->hdr || frame + nr > casm_resource_frames(d, type) )
        return -EINVAL;
    if ( page_get_owner(s->pg_hdr) != current->domain )
        return -EPERM;
    for ( i = 0; i < nr; i++, frame++ )
        mfn_list[i] = mfn_x(page_to_mfn(frame ? s->pg_data + frame - 1 : s->pg_hdr));

    return nr;
}
