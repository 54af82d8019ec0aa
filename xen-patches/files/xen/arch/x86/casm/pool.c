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

/* What of the range was free at boot; RAM is cut at what is in it, and where Xen's mapping of it changes the size of its pages. */
static struct { unsigned long first, end; } free_ranges[16] __initdata;
static unsigned int nr_free __initdata;

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
    nr_free = 0;

    return 0;
}
custom_param("casm_pool", parse_casm_pool);

bool casm_pool_range(unsigned long *first_mfn, unsigned long *end_mfn)
{
    *first_mfn = pool_first;
    *end_mfn = pool_end;

    return pool_first != pool_end;
}

/*
 * From init_boot_pages(): frames [@first_mfn, @end_mfn) are RAM that is free at boot. Where Xen itself, dom0's kernel and initrd
 * and other boot modules, and a crash kernel are, it is not called; nothing else tells: no frame has an owner yet, and the
 * modules' memory is given to dom0, or to the heap, only later.
 */
void __init casm_pool_seen_free(unsigned long first_mfn, unsigned long end_mfn)
{
    first_mfn = max(first_mfn, pool_first);
    end_mfn = min(end_mfn, pool_end);
    if ( first_mfn >= end_mfn )
        return;
    if ( nr_free == ARRAY_SIZE(free_ranges) ) /* then the pool is refused, which is safe */
        return;
    free_ranges[nr_free].first = first_mfn;
    free_ranges[nr_free++].end = end_mfn;
}

/* The end of the range that begins at or before @mfn, or @mfn itself: it was not free at boot. */
static unsigned long __init free_until(unsigned long mfn)
{
    unsigned int i;

    for ( i = 0; i < nr_free; i++ )
        if ( mfn >= free_ranges[i].first && mfn < free_ranges[i].end )
            return free_ranges[i].end;

    return mfn;
}

static bool __init is_free_ram(unsigned long mfn)
{
    return mfn_valid(_mfn(mfn)) && page_is_ram_type(mfn, RAM_TYPE_CONVENTIONAL) && !mfn_to_page(_mfn(mfn))->count_info &&
           !page_get_owner(mfn_to_page(_mfn(mfn)));
}

/* The range was given by hand: make sure that it is RAM, and that nobody has it. */
static int __init cf_check casm_pool_check(void)
{
    unsigned long mfn, end;

    for ( mfn = end = pool_first; mfn < pool_end; mfn++ )
    {
        if ( mfn == end )
            end = free_until(mfn);
        if ( mfn < end && is_free_ram(mfn) )
            continue;
        printk(XENLOG_ERR "casm: casm_pool= range is not free RAM at MFN %lx%s: no recording pool\n", mfn,
               mfn_valid(_mfn(mfn)) && page_is_ram_type(mfn, RAM_TYPE_CONVENTIONAL)
               ? " (Xen, dom0's kernel or initrd, or another boot module is there)" : "");
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

/*
 * Frames are reused at once, unlike those of the heap, which flushes lazily by time stamps. A domain that runs frees frames and takes
 * them again as it likes: that concerns the CPUs that have its page tables loaded, and no others. Before, it flushes all, once:
 * who had the pool may have left something anywhere, and so may the builder.
 */
static void flush_if_dirty(const struct domain *d)
{
    bool flush;

    spin_lock(&pool_lock);
    flush = pool_dirty;
    pool_dirty = false;
    spin_unlock(&pool_lock);
    if ( flush )
        flush_tlb_mask(d->creation_finished ? d->dirty_cpumask : &cpu_online_map);
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

    flush_if_dirty(d);
    pg = mfn_to_page(_mfn(pool_first + pfn));
    for ( i = 0; i < (1u << order); i++ )
    {
        if ( pg[i].count_info || page_get_owner(&pg[i]) )
        {
            printk(XENLOG_G_ERR "casm: %pd: PFN %lx is still in use%s\n", d, pfn + i,
                   pg[i].count_info & PGC_broken ? ", or its memory is broken" : "");
            return NULL;
        }
        clear_domain_page(page_to_mfn(&pg[i])); /* at its first use it holds what the machine had there */
    }

    return assign_pages(pg, 1u << order, d, memflags) ? NULL : pg;
}

/*
 * From free_heap_pages(): keeps frames of the pool out of the heap. What was in them does not outlive their use: the next guest may
 * come in a week. A frame whose memory is broken is not used again.
 */
bool casm_pool_free(struct page_info *pg, unsigned int order)
{
    unsigned long mfn = mfn_x(page_to_mfn(pg));
    unsigned int i;

    if ( mfn < pool_first || mfn >= pool_end )
        return false;

    for ( i = 0; i < (1u << order); i++ )
    {
        bool broken = pg[i].count_info & PGC_broken;

        if ( !broken )
            clear_domain_page(_mfn(mfn + i));
        page_set_owner(&pg[i], NULL);
        set_gpfn_from_mfn(mfn + i, INVALID_M2P_ENTRY);
        pg[i].u.inuse.type_info = 0;
        smp_wmb();
        pg[i].count_info = broken ? PGC_broken | PGC_state_offlined : 0;
    }
    spin_lock(&pool_lock);
    pool_dirty = true;
    spin_unlock(&pool_lock);

    return true;
}

static struct page_info *special(const struct domain *d, unsigned long from_end, unsigned long count_info)
{
    struct page_info *pg = mfn_to_page(_mfn(pool_end - from_end));

    if ( pg->count_info || page_get_owner(pg) )
        return NULL;
    flush_if_dirty(d);
    clear_domain_page(page_to_mfn(pg));
    pg->count_info = count_info;

    return pg;
}

void *casm_alloc_shared_info(struct domain *d)
{
    struct page_info *pg = special(d, SHARED_INFO_FROM_END, PGC_xen_heap);

    return pg ? page_to_virt(pg) : NULL;
}

struct page_info *casm_alloc_perdomain_l3(struct domain *d)
{
    return special(d, L3_FROM_END, 0);
}

void *casm_alloc_grant_frame(struct domain *d, unsigned int idx)
{
    struct page_info *pg = idx < CASM_GRANT_FRAMES ? special(d, CASM_SPECIAL_FRAMES - idx, PGC_xen_heap) : NULL;

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
