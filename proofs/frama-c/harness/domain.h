/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recordable domain in any state that the consumers of the feed can meet.
 *
 * Hostile: everything in the feed ring and in both headers, at each read (what Xen puts into the log ring it does not read back); the guest's pages and dom0's stand-ins; the registers.
 * Ours, any value that the invariant allows: the rest of struct casm_domain.
 */
#ifndef CASM_PROOFS_DOMAIN_H
#define CASM_PROOFS_DOMAIN_H

#include "xen.h"
#include "private.h"

/* The smallest ring there is: the code knows a ring's size as a mask only. */
#define RING_BYTES CASM_RING_MIN_BYTES
#define PAGE_BYTES 4096

static struct casm_domain the_casm;
static struct domain the_domain;
static struct vcpu the_vcpu;
static vcpu_info_t the_vcpu_info;
static uint64_t log_ring[RING_BYTES / 8], feed_ring[RING_BYTES / 8], same_feed_ring[RING_BYTES / 8];
static struct casm_ring log_header, same_log_header, feed_header, same_feed_header;
static uint8_t shared_info_page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

#define ANY(object) Frama_C_make_unknown((char *)&(object), sizeof(object))

/* The invariant of a stream: positions are multiples of 8. */
static uint64_t any_position(void)
{
    return any_u64 & ~7ull;
}

static void any_stream(struct casm_stream *s, void *hdr, void *data)
{
    s->hdr = hdr;
    s->data = data;
    s->mask = RING_BYTES - 1;
    s->pos = any_position();
    s->other = any_u64;
    s->limit = any_u64;
    s->notified = any_u64;
    s->order = 4;
}

static struct casm_domain *any_domain(void)
{
    static const struct casm_domain none;
    struct casm_domain *c = &the_casm;

    ANY(shim.regs);
    ANY(the_vcpu.arch.user_regs), ANY(the_vcpu.arch.dr), ANY(the_vcpu.arch.dr7);
    ANY(the_vcpu_info);
    ANY(shared_info_page);
    ANY(feed_ring), ANY(same_feed_ring);
    ANY(log_header), ANY(same_log_header), ANY(feed_header), ANY(same_feed_header);
    the_vcpu.domain = &the_domain;
    the_vcpu.vcpu_info = &the_vcpu_info;
    the_vcpu.arch.casm = c;
    the_domain.vcpu[0] = &the_vcpu;
    the_domain.arch.casm = c;
    the_domain.shared_info = (shared_info_t *)shared_info_page;
    shim.running = any_int ? &the_vcpu : NULL;

    *c = none; /* no pointer that would be part of anything */
    ANY(*c);
    c->d = &the_domain;
    c->bridge[CASM_PAGE_CONSOLE].guest = NULL; /* harness consumers has the pages */
    c->state = Frama_C_unsigned_int_interval(0, CASM_STATES - 1);
    c->account = any_int;
    c->allow_time = any_int;
    c->console_due = any_int;
    c->segments_loaded = any_int;
    c->memory_error = any_int;
    c->tp.on = any_int;
    c->tp.owned = any_int;
    c->tp.due = any_int;
    c->tp.active = false; /* what a machine at work has in it, it put there */
    c->tp.stepping = any_int;
    c->tp.guest_tf = any_int;
    c->tp.takes_tf = any_int;
    c->tp.fetched = any_int;
    c->tp.flat = any_int;
    c->tp.passed = any_int;
    c->tp.transfers_known = any_int;
    c->tp.slot = Frama_C_int_interval(-1, 3);
    /* Times are not negative. */
    shim.now = Frama_C_long_interval(0, INT64_MAX);
    c->pending_since = Frama_C_long_interval(0, INT64_MAX);
    any_stream(&c->log, one_of(&log_header, &same_log_header), log_ring);
    any_stream(&c->feed, one_of(&feed_header, &same_feed_header), one_of(feed_ring, same_feed_ring));

    return c;
}

#endif /* CASM_PROOFS_DOMAIN_H */
