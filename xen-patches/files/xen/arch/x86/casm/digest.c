/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: hashes of a domain's registers, and of all its frames.
 */
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/preempt.h>
#include <xen/sched.h>
#include <xen/softirq.h>
#include <asm/processor.h>
#include <asm/traps.h>

#include "private.h"

/*
 * Runs once per entry, so it counts: a multiplication per register, and a fold every three that carries high bits down. What it
 * cannot see: two neighbours of one MIX3() that differ in bit 63 and nothing else. The memory digests would.
 */
uint64_t casm_regs_hash(uint64_t h, const struct cpu_user_regs *r, const struct vcpu *v)
{
#define MIX3(x, y, z) \
    h = (((h ^ (x)) * CASM_HASH_MULT ^ (y)) * CASM_HASH_MULT ^ (z)) * CASM_HASH_MULT; \
    h ^= h >> 32
    MIX3(r->rip, r->rsp, r->rax);
    MIX3(r->rbx, r->rcx, r->rdx);
    MIX3(r->rsi, r->rdi, r->rbp);
    MIX3(r->r8, r->r9, r->r10);
    MIX3(r->r11, r->r12, r->r13);
    /* RF tells how Xen was entered, not what the guest did. */
    MIX3(r->r14, r->r15,
         (r->rflags & ~(uint64_t)X86_EFLAGS_RF) | ((uint64_t)!!(v->arch.flags & TF_kernel_mode) << 63));
#undef MIX3

    return h;
}

bool casm_page_is_zero(const uint64_t *p)
{
    unsigned int i;

    for ( i = 0; i < 512; i += 8 )
        if ( p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] | p[i + 7] )
            return false;

    return true;
}

/*
 * As a round of xxHash64. The word is multiplied before the rotation and the sum after it: with one multiplication alone, some
 * bit of a word (63) would land on one bit of the next word of the lane (30), and flipping both would go unnoticed.
 */
static inline uint64_t lane(uint64_t l, uint64_t x)
{
    l += x * 0xc2b2ae3d27d4eb4full;
    return ((l << 31) | (l >> 33)) * CASM_HASH_MULT;
}

#define XEN_TEXT_SLOT (l4_table_offset(XEN_VIRT_START) - ROOT_PAGETABLE_FIRST_XEN_SLOT)
#define XEN_SLOTS (ROOT_PAGETABLE_LAST_XEN_SLOT - ROOT_PAGETABLE_FIRST_XEN_SLOT + 1) /* a multiple of 8, as the first one is */

/* @xen_slots: XEN_SLOTS words that stand for those of Xen's slots; NULL: the page's own. */
static uint64_t page_hash(const uint64_t *page, const uint64_t *xen_slots)
{
    uint64_t a = 1, b = 2, c = 3, d = 4;
    unsigned int i;

    for ( i = 0; i < 512; i += 8 )
    {
        unsigned int slot = i - ROOT_PAGETABLE_FIRST_XEN_SLOT;
        const uint64_t *p = xen_slots && slot < XEN_SLOTS ? xen_slots + slot : page + i;

        a = lane(a, p[0]); b = lane(b, p[1]); c = lane(c, p[2]); d = lane(d, p[3]);
        a = lane(a, p[4]); b = lane(b, p[5]); c = lane(c, p[6]); d = lane(d, p[7]);
    }

    return casm_mix(casm_mix(casm_mix(a, b), c), d);
}

uint64_t casm_page_hash(const uint64_t *p)
{
    return page_hash(p, NULL);
}

/* What Xen has in a slot of its own L4 table, and of every other but for what is a domain's own (its frames are those of the log). */
static uint64_t xen_entry(unsigned int slot)
{
    return l4e_get_intpte(idle_pg_table[ROOT_PAGETABLE_FIRST_XEN_SLOT + slot]);
}

/*
 * Xen's own entries in an L4 table are where its memory was when it booted: another dom0 kernel or initrd, or other memory, and
 * they are others. They are no part of what is replayed. The guest can read them there, and Linux copies the kernel's half of a
 * table into the page that is to be the next one, so they count as zero there too, each in its own slot.
 */
static uint64_t frame_hash(const struct page_info *pg, const uint64_t *p)
{
    static const uint64_t none[XEN_SLOTS];
    const uint64_t *slots = p + ROOT_PAGETABLE_FIRST_XEN_SLOT;
    uint64_t guests[XEN_SLOTS];
    unsigned int i;

    if ( (pg->u.inuse.type_info & PGT_type_mask) == PGT_l4_page_table )
        return page_hash(p, none);

    /* Every table has Xen's text, nearly every one the M2P, which is copied first: two looks are enough for most pages. */
    if ( likely(slots[0] != xen_entry(0) && slots[XEN_TEXT_SLOT] != xen_entry(XEN_TEXT_SLOT)) )
        return page_hash(p, NULL);

    for ( i = 0; i < XEN_SLOTS; i++ )
        guests[i] = slots[i] == xen_entry(i) ? 0 : slots[i];

    return page_hash(p, guests);
}

/* From demote_l4_table(): the guest can write the page from now on, and read everything in it without Xen's leave. */
void casm_l4_demoted(void *l4)
{
    memset((uint64_t *)l4 + ROOT_PAGETABLE_FIRST_XEN_SLOT, 0, XEN_SLOTS * sizeof(uint64_t));
}

/* Hash of one frame of the pool; 0 if @d does not own it, or it is all zeros. */
uint64_t casm_frame_hash(const struct domain *d, unsigned long mfn)
{
    const struct page_info *pg = mfn_to_page(_mfn(mfn));

    if ( page_get_owner(pg) != d || !casm_pool_guest_frame(mfn) || casm_page_is_zero(mfn_to_virt(mfn)) )
        return 0;

    return frame_hash(pg, mfn_to_virt(mfn));
}

/*
 * Covers every frame of the pool that the domain owns and can see: RAM, shared_info, grant frames. A frame of zeros counts
 * only in the number of frames, which makes a mostly empty guest cheap. Frame numbers enter, so that equal frames cannot be swapped.
 */
bool casm_digest_walk(struct casm_domain *c, unsigned long end)
{
    struct casm_walk *walk = &c->walk;
    uint64_t since = casm_clock(c), point = c->ordinal + c->applied[CASM_CLS_APOINT];
    unsigned int cost = 0;

    if ( !walk->mfn || walk->point != point )
        *walk = (struct casm_walk){ .mfn = casm_pool_first(), .point = point, .hash = CASM_HASH_SEED };

    for ( ; walk->mfn < end && cost < CASM_WALK_FRAMES * CASM_WALK_FRAME_COST; walk->mfn++ )
    {
        const struct page_info *pg = mfn_to_page(_mfn(walk->mfn));
        const uint64_t *p;

        cost++;
        if ( page_get_owner(pg) != c->d || !casm_pool_guest_frame(walk->mfn) )
            continue;
        cost += CASM_WALK_FRAME_COST - 1;
        walk->frames++;
        p = mfn_to_virt(walk->mfn);
        if ( !casm_page_is_zero(p) )
            walk->hash = casm_mix(casm_mix(walk->hash, walk->mfn), frame_hash(pg, p));
    }
    casm_charge(c, CASM_CAUSE_DIGEST, since);

    return walk->mfn >= end;
}

void casm_digest_point(struct casm_domain *c, unsigned int when)
{
    struct casm_rec rec = { .cls = CASM_CLS_DIGEST, .kind = when };
    uint64_t w[3];

    /* At a shutdown all of it is left, and the hypercall cannot be left for the scheduler: timers, at least, go on. */
    while ( !casm_digest_walk(c, casm_pool_end()) )
        if ( !in_atomic() )
            process_pending_softirqs();

    /* What a hash of the registers of each entry begins with is not in the memory, nor is how much memory the guest may ask for. */
    if ( when == CASM_DIGEST_START )
        c->walk.hash = casm_mix(casm_regs_hash(c->walk.hash, &c->d->vcpu[0]->arch.user_regs, c->d->vcpu[0]), c->d->max_pages);

    w[0] = c->ordinal;
    w[1] = c->walk.frames;
    w[2] = c->walk.hash;
    c->walk.mfn = 0;
    casm_exchange(c, &rec, w, 3, CASM_CMP_KIND | CASM_CMP_WORDS);
}
