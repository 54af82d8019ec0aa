/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: the two rings. Producing the log, consuming the feed, and naming the first difference.
 *
 * Both counters are kept privately and published at exits: one store per trip instead of one per record.
 */
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/sched.h>

#include "private.h"

static inline uint64_t *slot(const struct casm_stream *s, uint64_t pos)
{
    return s->data + ((pos & s->mask) >> 3);
}

static inline uint64_t as_word(struct casm_rec rec)
{
    union { struct casm_rec rec; uint64_t w; } u = { .rec = rec };

    return u.w;
}

static inline struct casm_rec as_rec(uint64_t w)
{
    union { uint64_t w; struct casm_rec rec; } u = { .w = w };

    return u.rec;
}

static void copy_in(const struct casm_stream *s, uint64_t pos, const void *from, unsigned int len)
{
    unsigned int at = pos & s->mask, to_end = s->mask + 1 - at;

    if ( len <= to_end )
        memcpy((uint8_t *)s->data + at, from, len);
    else
    {
        memcpy((uint8_t *)s->data + at, from, to_end);
        memcpy(s->data, (const uint8_t *)from + to_end, len - to_end);
    }
}

static void copy_out(const struct casm_stream *s, uint64_t pos, void *to, unsigned int len)
{
    unsigned int at = pos & s->mask, to_end = s->mask + 1 - at;

    if ( len <= to_end )
        memcpy(to, (const uint8_t *)s->data + at, len);
    else
    {
        memcpy(to, (const uint8_t *)s->data + at, to_end);
        memcpy((uint8_t *)to + to_end, s->data, len - to_end);
    }
}

static noinline void no_room(struct casm_domain *c)
{
    printk(XENLOG_G_ERR "casm: %pd: one entry produced more records than a ring reserve holds\n", c->d);
    casm_set_state(c, CASM_STATE_CRASHING); /* we may be in domain_shutdown() already: the exit crashes the domain */
}

/*
 * May a record of @size bytes be written? Room was reserved at the last exit (casm_room()), so there is always space, unless
 * one trip made more records than CASM_TRIP_BYTES allows for. That would be our bug; a record must not be dropped, so the
 * domain cannot go on. The limit is that of one trip, not of the ring, so that a replay may refuse more (casm_take()).
 */
static always_inline bool put_begin(struct casm_domain *c, unsigned int cls, unsigned int size)
{
    const struct casm_stream *s = &c->log;

    if ( unlikely(c->disable & (1u << cls)) )
        return false;

    if ( unlikely(s->pos + size > s->limit) )
    {
        no_room(c);
        return false;
    }

    c->records++;
    c->logged[cls]++;

    return true;
}

/* Header and words at @pos; returns where they end. */
static always_inline uint64_t put_words(const struct casm_stream *s, uint64_t pos, struct casm_rec rec, const uint64_t *w,
                                        unsigned int nw)
{
    uint64_t *data = s->data, mask = s->mask;
    unsigned int i;

    data[(pos & mask) >> 3] = as_word(rec);
    for ( i = 0; i < nw; i++ )
        data[((pos += 8) & mask) >> 3] = w[i];

    return pos + 8;
}

void casm_put(struct casm_domain *c, struct casm_rec rec, const uint64_t *w, unsigned int nw)
{
    if ( put_begin(c, rec.cls, 8 + 8 * nw) )
        c->log.pos = put_words(&c->log, c->log.pos, rec, w, nw);
}

void casm_put_blob(struct casm_domain *c, struct casm_rec rec, const uint64_t *w, unsigned int nw, const void *blob,
                   unsigned int len)
{
    struct casm_stream *s = &c->log;
    uint64_t pos;

    if ( !put_begin(c, rec.cls, 8 + 8 * nw + ROUNDUP(len, 8)) )
        return;

    pos = put_words(s, s->pos, rec, w, nw);
    if ( len & 7 )
        *slot(s, pos + (len & ~7u)) = 0;
    copy_in(s, pos, blob, len);
    s->pos = pos + ROUNDUP(len, 8);
}

void casm_console_report(struct casm_domain *c)
{
    struct casm_rec rec = { .cls = CASM_CLS_CONSOLE };
    uint8_t buf[256];
    unsigned int n;

    if ( !c->bridge[CASM_PAGE_CONSOLE].guest )
        return;
    while ( (n = casm_bridge_text(&c->bridge[CASM_PAGE_CONSOLE], &c->console_seen, buf, sizeof(buf))) )
    {
        uint64_t records = c->records;

        rec.check = n;
        casm_put_blob(c, rec, NULL, 0, buf, n);
        c->records = records; /* a report is no record of the log */
    }
}

void casm_stop_vcpu(struct casm_domain *c, enum casm_state to)
{
    casm_console_due(c); /* what it printed last may be what one wants to know */
    casm_publish(c, false); /* who sees the state finds all that was said before it */
    if ( !casm_set_state(c, to) )
        return;
    /* Never unpaused: the state stays as it is for whoever wants to look at it. */
    vcpu_pause_nosync(c->d->vcpu[0]);
    write_atomic(&c->log.hdr->eof, 1);
    casm_publish(c, true);
}

void casm_diverge(struct casm_domain *c, const struct casm_rec *expected, const uint64_t *expected_w,
                  const struct casm_rec *actual, const uint64_t *actual_w, unsigned int nw)
{
    casm_diverge_at(c, expected, expected_w, actual, actual_w, nw,
                    current == c->d->vcpu[0] ? guest_cpu_user_regs() : &c->d->vcpu[0]->arch.user_regs);
}

/* Registers too are in place before casm_stop_vcpu(): dom0 reads the divergence as soon as it sees the end. */
void casm_diverge_at(struct casm_domain *c, const struct casm_rec *expected, const uint64_t *expected_w,
                     const struct casm_rec *actual, const uint64_t *actual_w, unsigned int nw, const struct cpu_user_regs *r)
{
    struct casm_divergence *dv = &c->divergence;
    unsigned int i;

    if ( !casm_replaying(c) )
        return;

    if ( expected )
        dv->expected = *expected;
    if ( actual )
        dv->actual = *actual;
    for ( i = 0; i < min(nw, 3u); i++ )
    {
        if ( expected_w )
            dv->expected_w[i] = expected_w[i];
        if ( actual_w )
            dv->actual_w[i] = actual_w[i];
    }
    dv->ordinal = c->ordinal;
    dv->record = c->records;
    dv->blob_offset = ~0ull;
    dv->regs[0] = r->rax;  dv->regs[1] = r->rbx;  dv->regs[2] = r->rcx;   dv->regs[3] = r->rdx;
    dv->regs[4] = r->rsi;  dv->regs[5] = r->rdi;  dv->regs[6] = r->rbp;   dv->regs[7] = r->rsp;
    dv->regs[8] = r->r8;   dv->regs[9] = r->r9;   dv->regs[10] = r->r10;  dv->regs[11] = r->r11;
    dv->regs[12] = r->r12; dv->regs[13] = r->r13; dv->regs[14] = r->r14;  dv->regs[15] = r->r15;
    dv->regs[16] = r->rip; dv->regs[17] = r->rflags;
    c->end_reason = CASM_END_DIVERGED;
    casm_stop_vcpu(c, CASM_STATE_DIVERGED);
}

/* Bytes of the feed that were not consumed yet: never more than the ring holds, and they do not become fewer. */
static uint64_t available(struct casm_stream *s)
{
    if ( s->other - s->pos < CASM_TRIP_BYTES )
    {
        uint64_t prod = read_atomic(&s->hdr->prod);

        /* A producer that went back, or claims more than the ring holds, has lost its mind: believe what it said before. */
        if ( prod - s->pos <= s->mask + 1 && prod - s->pos > s->other - s->pos )
            s->other = prod;
        smp_rmb();
    }
    return s->other - s->pos;
}

/* One trip of a recording makes no more: without a bound, a log could keep us in one hypercall, softirqs held off. */
static bool beyond_trip(const struct casm_domain *c, uint64_t bytes)
{
    return c->feed.pos + bytes > c->feed.limit;
}

bool casm_peek(struct casm_domain *c, struct casm_rec *rec)
{
    if ( !casm_replaying(c) )
        return false;
    if ( c->peeked_at != c->feed.pos + 1 )
    {
        if ( available(&c->feed) < 8 )
            return false;
        c->peeked = as_rec(read_atomic(slot(&c->feed, c->feed.pos)));
        c->peeked_at = c->feed.pos + 1;
    }
    *rec = c->peeked;

    return true;
}

/*
 * @len bytes of the next record, from @offset behind its header's start. The record stays: what is done with these bytes must
 * be checked again when it is taken.
 */
bool casm_peek_payload(struct casm_domain *c, void *to, unsigned int len, unsigned int offset)
{
    if ( available(&c->feed) < offset + len )
        return false;
    copy_out(&c->feed, c->feed.pos + offset, to, len);

    return true;
}

/* The log has no record left where one is needed: it was cut. Not a divergence; replay ends here. */
static bool ran_out(struct casm_domain *c)
{
    if ( casm_replaying(c) )
    {
        c->end_reason = CASM_END_NONE;
        casm_stop_vcpu(c, CASM_STATE_REPLAYED);
    }
    return false;
}

/* Takes the next record, whose header is @log: the caller's copy, so that what it has checked is what is used. */
static bool take(struct casm_domain *c, struct casm_rec log, struct casm_rec *rec, uint64_t *w, unsigned int nw, unsigned int cmp)
{
    struct casm_stream *s = &c->feed;
    uint64_t lw[CASM_WORDS_MAX] = {};
    unsigned int i;
    bool equal;

    equal = log.cls == rec->cls && !beyond_trip(c, 8 + 8 * nw);
    if ( equal )
    {
        if ( available(s) < 8 + 8 * nw )
            return ran_out(c);
        for ( i = 0; i < nw; i++ )
        {
            lw[i] = read_atomic(slot(s, s->pos + 8 + 8 * i)); /* dom0 could change it after it was compared */
            if ( (cmp & CASM_CMP_WORDS) && lw[i] != w[i] )
                equal = false;
        }
        if ( ((cmp & CASM_CMP_KIND) && log.kind != rec->kind) ||
             ((cmp & CASM_CMP_CHECK) && log.check != rec->check) ||
             ((cmp & CASM_CMP_AUX) && log.aux != rec->aux) )
            equal = false;
    }
    if ( !equal )
    {
        casm_diverge(c, &log, lw, rec, w, nw);
        return false;
    }

    c->records++;
    c->logged[rec->cls]++;
    s->pos += 8 + 8 * nw;
    *rec = log;
    for ( i = 0; i < nw; i++ )
        w[i] = lw[i];

    return true;
}

bool casm_take(struct casm_domain *c, struct casm_rec *rec, uint64_t *w, unsigned int nw, unsigned int cmp)
{
    struct casm_rec log;

    if ( !casm_replaying(c) )
        return false;
    if ( !casm_peek(c, &log) )
        return ran_out(c);

    return take(c, log, rec, w, nw, cmp);
}

bool casm_take_blob(struct casm_domain *c, struct casm_rec *rec, uint64_t *w, unsigned int nw, void *blob, unsigned int size)
{
    struct casm_rec log;

    if ( !casm_peek(c, &log) )
        return ran_out(c);
    if ( log.cls != rec->cls || !log.check || log.check > size ||
         beyond_trip(c, 8 + 8 * nw + ROUNDUP(log.check, 8)) )
    {
        casm_diverge(c, &log, NULL, rec, w, nw);
        return false;
    }
    if ( available(&c->feed) < 8 + 8 * nw + ROUNDUP(log.check, 8) )
        return ran_out(c);
    if ( !take(c, log, rec, w, nw, 0) )
        return false;
    copy_out(&c->feed, c->feed.pos, blob, rec->check);
    c->feed.pos += ROUNDUP(rec->check, 8);

    return true;
}

void casm_publish(struct casm_domain *c, bool notify)
{
    struct casm_stream *log = &c->log, *feed = &c->feed;

    if ( log->hdr && log->hdr->prod != log->pos )
    {
        smp_wmb();
        write_atomic(&log->hdr->prod, log->pos);
    }
    if ( feed->hdr && feed->hdr->cons != feed->pos )
    {
        smp_mb();
        write_atomic(&feed->hdr->cons, feed->pos);
    }
    if ( notify || log->pos - log->notified > (log->mask >> 2) || feed->pos - feed->notified > (feed->mask >> 1) )
    {
        log->notified = log->pos;
        feed->notified = feed->pos;
        send_global_virq(CASM_VIRQ);
    }
}

static always_inline bool log_room(struct casm_stream *s)
{
    uint64_t size = s->mask + 1;

    if ( size - (s->pos - s->other) < CASM_TRIP_BYTES )
    {
        uint64_t cons = read_atomic(&s->hdr->cons);

        /* A consumer that claims more than was produced has lost its mind: believe what it said before. */
        if ( s->pos - cons <= size )
            s->other = cons;
        smp_mb();
    }

    return size - (s->pos - s->other) >= CASM_TRIP_BYTES;
}

static always_inline bool feed_room(struct casm_stream *s)
{
    return available(s) >= CASM_TRIP_BYTES || read_atomic(&s->hdr->eof);
}

static always_inline bool both_room(struct casm_domain *c)
{
    return log_room(&c->log) && (!casm_replaying(c) || feed_room(&c->feed));
}

static always_inline void new_limits(struct casm_domain *c)
{
    c->log.limit = c->log.pos + CASM_TRIP_BYTES;
    c->feed.limit = c->feed.pos + CASM_TRIP_BYTES;
}

static noinline bool wait_for_room(struct casm_domain *c)
{
    struct vcpu *v = c->d->vcpu[0];

    if ( !log_room(&c->log) )
        c->stalls_log++;
    else
        c->stalls_feed++;

    vcpu_pause_nosync(v);
    set_bit(0, &c->stalled);
    casm_publish(c, true);
    smp_mb();
    /* dom0 may have made room between the first look and the flag. */
    if ( both_room(c) && test_and_clear_bit(0, &c->stalled) )
        vcpu_unpause(v);

    return false;
}

/*
 * At an exit: may the guest run on? Otherwise pauses the vCPU until dom0 kicks; the caller must run the exit tests again.
 */
bool casm_room(struct casm_domain *c)
{
    if ( unlikely(!both_room(c)) )
        return wait_for_room(c);
    new_limits(c);

    return true;
}
