/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: the memory of a recordable domain.
 *
 * A range of RAM that is kept out of Xen's heap (casm_pool=SIZE@BASE on the command line) and given to one domain at a time,
 * with MFN = first + PFN. A PV guest sees machine frame numbers in its page tables and P2M; only equal frames make the same
 * kernel, ramdisk and configuration give the same memory, bit for bit, every time.
 *
 * The last CASM_SPECIAL_FRAMES frames hold what Xen allocates for the domain and the guest can see the frame number of:
 * grant frames, the L3 of the per-domain area (it shows in the guest's L4 tables), shared_info.
 */
#include <xen/domain_page.h>
#include <xen/init.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/param.h>
#include <xen/sched.h>
#include <asm/e820.h>
#include <asm/flushtlb.h>
#include <asm/setup.h>

#include "private.h"

#define CASM_SPECIAL_FRAMES 64u
#define CASM_GRANT_FRAMES   32u
#define SHARED_INFO_FROM_END 1u
#define L3_FROM_END          2u

static unsigned long __read_mostly pool_first, pool_end; /* equal: no pool */
static domid_t pool_user = DOMID_INVALID;
static bool pool_dirty; /* frames were freed since the last TLB flush */
static DEFINE_SPINLOCK(pool_lock);

static int __init cf_check parse_casm_pool(const char *s)
{
    unsigned long long size, base;
    const char *at;

    size = parse_size_and_unit(s, &at);
    if ( *at != '@' )
        return -EINVAL;
    base = parse_size_and_unit(at + 1, &at);
    if ( *at || !base || ((base | size) & (MB(2) - 1)) || size < MB(8) || size > GB(4) || base > GB(4) - size )
        return -EINVAL;
    pool_first = base >> PAGE_SHIFT;
    pool_end = (base + size) >> PAGE_SHIFT;

    return 0;
}
custom_param("casm_pool", parse_casm_pool);

bool casm_pool_range(unsigned long *first_mfn, unsigned long *end_mfn)
{
    *first_mfn = pool_first;
    *end_mfn = pool_end;

    return pool_first != pool_end;
}

/* The range was given by hand: make sure that it is RAM, and that nobody has it. */
static int __init cf_check casm_pool_check(void)
{
    unsigned long mfn;

    for ( mfn = pool_first; mfn < pool_end; mfn++ )
        if ( !mfn_valid(_mfn(mfn)) || !page_is_ram_type(mfn, RAM_TYPE_CONVENTIONAL) ||
             mfn_to_page(_mfn(mfn))->count_info || page_get_owner(mfn_to_page(_mfn(mfn))) )
        {
            printk(XENLOG_ERR "casm: casm_pool= range is not free RAM at MFN %lx: no recording pool\n", mfn);
            pool_first = pool_end = 0;
            return 0;
        }

    if ( pool_first != pool_end )
        printk("casm: recording pool at MFN %lx-%lx\n", pool_first, pool_end - 1);

    return 0;
}
__initcall(casm_pool_check);

unsigned long casm_pool_first(void)
{
    return pool_first;
}

unsigned long casm_pool_end(void)
{
    return pool_end;
}

unsigned long casm_pool_special_first(void)
{
    return pool_end - CASM_SPECIAL_FRAMES;
}

static unsigned long guest_frames_max(void)
{
    return casm_pool_special_first() - pool_first;
}

void casm_pool_info(struct casm_domctl *op)
{
    op->u.host.pool_first_mfn = pool_first;
    op->u.host.pool_frames = pool_end - pool_first;
    op->u.host.guest_frames_max = pool_first == pool_end ? 0 : guest_frames_max();
    op->u.host.user_domid = pool_user == DOMID_INVALID ? -1 : pool_user;
}

bool casm_pool_claim(struct domain *d)
{
    bool ok;

    spin_lock(&pool_lock);
    ok = pool_first != pool_end && pool_user == DOMID_INVALID;
    if ( ok )
        pool_user = d->domain_id;
    spin_unlock(&pool_lock);

    return ok;
}

void casm_pool_release(const struct domain *d)
{
    spin_lock(&pool_lock);
    if ( pool_user == d->domain_id )
        pool_user = DOMID_INVALID;
    spin_unlock(&pool_lock);
}

/* Frames are reused at once, unlike those of the heap, which flushes lazily by time stamps. */
static void flush_if_dirty(void)
{
    bool flush;

    spin_lock(&pool_lock);
    flush = pool_dirty;
    pool_dirty = false;
    spin_unlock(&pool_lock);
    if ( flush )
        flush_tlb_mask(&cpu_online_map);
}

struct page_info *casm_pool_populate(struct domain *d, unsigned long pfn, unsigned int order, unsigned int memflags)
{
    struct page_info *pg;
    unsigned int i;

    if ( pfn >= guest_frames_max() || pfn + (1ul << order) > guest_frames_max() )
    {
        printk(XENLOG_G_ERR "casm: %pd: PFN %lx: the recording pool holds guests of at most %lu MiB\n",
               d, pfn, guest_frames_max() >> (20 - PAGE_SHIFT));
        return NULL;
    }

    flush_if_dirty();
    pg = mfn_to_page(_mfn(pool_first + pfn));
    for ( i = 0; i < (1u << order); i++ )
    {
        if ( pg[i].count_info || page_get_owner(&pg[i]) )
        {
            printk(XENLOG_G_ERR "casm: %pd: PFN %lx is still in use\n", d, pfn + i);
            return NULL;
        }
        clear_domain_page(page_to_mfn(&pg[i]));
    }

    return assign_pages(pg, 1u << order, d, memflags) ? NULL : pg;
}

/* From free_heap_pages(): keeps frames of the pool out of the heap. */
bool casm_pool_free(struct page_info *pg, unsigned int order)
{
    unsigned long mfn = mfn_x(page_to_mfn(pg));
    unsigned int i;

    if ( mfn < pool_first || mfn >= pool_end )
        return false;

    for ( i = 0; i < (1u << order); i++ )
    {
        page_set_owner(&pg[i], NULL);
        set_gpfn_from_mfn(mfn + i, INVALID_M2P_ENTRY);
        pg[i].u.inuse.type_info = 0;
        smp_wmb();
        pg[i].count_info = 0;
    }
    spin_lock(&pool_lock);
    pool_dirty = true;
    spin_unlock(&pool_lock);

    return true;
}

static struct page_info *special(unsigned long from_end, unsigned long count_info)
{
    struct page_info *pg = mfn_to_page(_mfn(pool_end - from_end));

    if ( pg->count_info || page_get_owner(pg) )
        return NULL;
    flush_if_dirty();
    clear_domain_page(page_to_mfn(pg));
    pg->count_info = count_info;

    return pg;
}

void *casm_alloc_shared_info(struct domain *d)
{
    struct page_info *pg = special(SHARED_INFO_FROM_END, PGC_xen_heap);

    return pg ? page_to_virt(pg) : NULL;
}

struct page_info *casm_alloc_perdomain_l3(struct domain *d)
{
    return special(L3_FROM_END, 0);
}

void *casm_alloc_grant_frame(struct domain *d, unsigned int idx)
{
    struct page_info *pg = idx < CASM_GRANT_FRAMES ? special(CASM_SPECIAL_FRAMES - idx, PGC_xen_heap) : NULL;

    return pg ? page_to_virt(pg) : NULL;
}

bool casm_pool_frame(unsigned long mfn)
{
    return mfn >= pool_first && mfn < pool_end;
}

/* Is @mfn a frame that the guest of the pool may see? */
bool casm_pool_guest_frame(unsigned long mfn)
{
    unsigned long from_end = pool_end - mfn;

    if ( !casm_pool_frame(mfn) )
        return false;

    return from_end > CASM_SPECIAL_FRAMES - CASM_GRANT_FRAMES || from_end == SHARED_INFO_FROM_END;
}

/*
 * From get_page_from_l1e(): shall a mapping of @mfn, which the recordable domain @pg_owner has, by another domain be refused?
 * Others may look at its memory at any time, but write it only before it runs.
 */
bool casm_map_denied(const struct domain *pg_owner, unsigned long mfn, bool rw)
{
    return rw && casm_pool_guest_frame(mfn) &&
           (pg_owner->creation_finished || casm_logging(pg_owner->arch.casm));
}
