/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: state of a recordable domain, and what its parts offer each other.
 *
 * One vCPU. Everything but the event queue (lock) and the kick flag (atomic) is touched only by that vCPU in its own
 * context, or by dom0 while the vCPU cannot run (paused, or never started).
 */
#ifndef CASM_PRIVATE_H
#define CASM_PRIVATE_H

#include <xen/cpumask.h>
#include <xen/rcupdate.h>
#include <xen/sched.h>
#include <xen/spinlock.h>
#include <asm/casm.h>
#include <casm/casm_abi.h>

#include "bridge.h"
#include "digest.h"
#include "timepoint.h"

/* Of CASM_TRIP_BYTES, what a multicall may have logged when it is preempted. */
#define CASM_TRIP_SOFT_BYTES (8u << 10)
#define CASM_TRIP_CHECKS     1024u /* preemption checks after which a hypercall is continued: bounds softirq latency */
#define CASM_DRAIN_PORTS     64u   /* ports injected at one exit; the rest waits for the next */
#define CASM_WALK_FRAMES     512u  /* of the guest, hashed in one go: about half a millisecond in which nothing else runs */
#define CASM_WALK_FRAME_COST 64u   /* in frames of the pool that are only looked at */

/*
 * Where the vCPU is on its way to the guest. An injection point is left in two passes of the exit tests if there is something to
 * apply: that is done with interrupts on (event channel locks ask for it), so softirqs must be looked at again before the guest runs.
 */
enum casm_point {
    CASM_POINT_NONE,    /* no injection point: nothing may be applied, no upcall delivered */
    CASM_POINT_OPEN,    /* the exit of a counted entry, or an A-point that was just logged: effects and upcalls may be applied */
    CASM_POINT_APPLIED, /* effects of this point are in: whatever is queued since then waits for the next one */
};

/* What is done with the domain. Changed by casm_set_state() alone; state.c has the transitions that there are. */
enum casm_state {
    CASM_STATE_IDLE,     /* nothing was started */
    CASM_STATE_STARTING, /* others do not find it any more, and it waits for those that have (refuse.c) */
    CASM_STATE_RECORD,
    CASM_STATE_STOPPING, /* the same, until the next injection point: dom0 asked for END(STOPPED) */
    CASM_STATE_CRASHING, /* a record found no room: the domain is crashed at its next exit */
    CASM_STATE_FREE,     /* the log has its END, or nobody reads it any more: the guest goes on unrecorded */
    /* From here on the domain was built to be replayed: outside signals never reach it. */
    CASM_STATE_REPLAY,
    CASM_STATE_REPLAYED, /* over: the vCPU is paused for good */
    CASM_STATE_DIVERGED, /* the same, at the first difference */
    CASM_STATES
};

/* One ring as seen from Xen. */
struct casm_stream {
    struct casm_ring *hdr;  /* NULL: not attached */
    uint64_t *data;
    uint64_t mask;          /* size_bytes - 1 */
    uint64_t pos;           /* our counter: produced (log) or consumed (feed) */
    uint64_t other;         /* last value of the other side's counter that made sense */
    uint64_t limit;         /* pos goes up to here until casm_room() says more: CASM_TRIP_BYTES from there */
    uint64_t notified;      /* pos when dom0 was last notified */
    struct page_info *pg_hdr, *pg_data;
    unsigned int order;
};

/* A digest that is under way. If the guest got to run before it was done, it is begun again. */
struct casm_walk {
    unsigned long mfn;      /* the next frame; 0: none is under way */
    uint64_t point;         /* injection points before it */
    uint64_t frames, hash;  /* of those before */
};

struct casm_domain {
    struct domain *d;
    unsigned int state;         /* enum casm_state */
    unsigned int point;         /* enum casm_point; written by the vCPU only */
    bool account;
    bool allow_time;            /* casm_start is writing the time info */
    bool segments_loaded;       /* since the last counted entry (segments.c) */
    bool console_due;           /* replay: the guest notified its console's back end in this trip */
    bool alone;                 /* all who found the domain before it was STARTING are done */
    struct rcu_head others;     /* ... says this */
    atomic_t foreign_maps;      /* frames of the guest that others have mapped, counted each time */
    bool memory_error;          /* memory that the guest has is broken: Xen crashes it for that, when it likes */
    uint32_t disable;           /* classes that are not logged (debug switch) */
    unsigned int end_reason, end_code;

    uint64_t ordinal, records, hash;
    uint64_t digest_interval, digest_next;
    struct casm_walk walk;
    unsigned int check_shift;   /* ENTRY's check is hash >> check_shift; 64: always 0 */
    uint64_t trip_start;        /* stream position at the start of this trip */
    unsigned int trip_checks;
    unsigned int tapped;        /* OUTMEM records of this call */

    unsigned int cpu;           /* the vCPU is bound to it; CASM_CPU_ANY: to none */
    cpumask_t affinity;         /* its hard affinity before that */

    struct casm_stream log, feed;
    struct casm_rec peeked;     /* header at feed position peeked_at - 1, read once: dom0 could change it under our checks */
    uint64_t peeked_at;
    unsigned long stalled;      /* bit 0: vCPU paused, waiting for a ring */

    spinlock_t lock;            /* protects the queue; irq-safe, innermost */
    unsigned long pending[CASM_PORTS_MAX / BITS_PER_LONG];
    unsigned int npending;
    s_time_t pending_since;

    spinlock_t bridge_lock;         /* held while the bridges are set up or taken down: back ends map at any time */
    struct casm_bridge bridge[2];   /* by enum casm_bridge_page */
    struct page_info *bridge_pg[2]; /* the guest's page, with a writable type reference */
    bool standin_mapped[2];         /* by dom0: a reference to the domain is held; under the lock of the active grant entry */
    struct page_info *standin_pg[2]; /* dom0's, with an allocation and a writable type reference */
    struct casm_timepoint tp;       /* A-points */
    uint32_t console_seen;      /* replay: console output reported up to this index */

    uint64_t applied[CASM_CLASSES_MAX], logged[CASM_CLASSES_MAX];
    uint64_t cycles[CASM_CAUSES];
    uint64_t stalls_log, stalls_feed, events_queued, spurious_faults;
    uint64_t delay_max_ns, delay_count[8];
    struct casm_divergence divergence;
};

/*
 * Writes @len bytes at @offset of a page, if they lie in it. One by one: then each index is bounded where it is used, which
 * proofs/frama-c can see.
 */
static inline bool casm_page_put(uint8_t *page, unsigned int offset, const uint8_t *from, unsigned int len)
{
    unsigned int i;

    if ( offset >= PAGE_SIZE || len > PAGE_SIZE - offset )
        return false;
    for ( i = 0; i < len && offset < PAGE_SIZE; i++, offset++ )
        page[offset] = from[i];

    return true;
}

static inline bool casm_in(const struct casm_domain *c, unsigned int states)
{
    return (1u << c->state) & states;
}
static inline bool casm_recording(const struct casm_domain *c)
{
    return casm_in(c, (1u << CASM_STATE_RECORD) | (1u << CASM_STATE_STOPPING));
}
static inline bool casm_replaying(const struct casm_domain *c)
{
    return casm_in(c, 1u << CASM_STATE_REPLAY);
}
static inline bool casm_logging(const struct casm_domain *c)
{
    return casm_in(c, (1u << CASM_STATE_RECORD) | (1u << CASM_STATE_STOPPING) | (1u << CASM_STATE_REPLAY));
}
static inline bool casm_starting(const struct casm_domain *c)
{
    return casm_in(c, 1u << CASM_STATE_STARTING);
}
static inline bool casm_stopping(const struct casm_domain *c)
{
    return casm_in(c, 1u << CASM_STATE_STOPPING);
}
/* ... or was: nothing but its log ever reaches it. */
static inline bool casm_of_a_log(const struct casm_domain *c)
{
    return c->state >= CASM_STATE_REPLAY;
}

/* --- state.c --- */
/* False: there is no such transition from the state that the domain is in. Nothing has changed then. */
bool casm_set_state(struct casm_domain *c, enum casm_state to);
/* As dom0 is told: enum casm_mode. */
unsigned int casm_told_mode(const struct casm_domain *c);

/* --- stream.c --- */
/* Header fields that casm_take() compares with the log's. */
#define CASM_CMP_KIND  1u
#define CASM_CMP_CHECK 2u
#define CASM_CMP_AUX   4u
#define CASM_CMP_WORDS 8u
#define CASM_WORDS_MAX 3u /* payload words of a class */

void casm_put(struct casm_domain *c, struct casm_rec rec, const uint64_t *w, unsigned int nw);
void casm_put_blob(struct casm_domain *c, struct casm_rec rec, const uint64_t *w, unsigned int nw, const void *blob,
                   unsigned int len);
/*
 * Replay. Nothing in the feed is to be trusted: it is what a log file says. A record is taken whole, or not at all: false, and the
 * replay is over (diverged, or the log has no more); then @rec, @w and @blob are as they were.
 */
bool casm_take(struct casm_domain *c, struct casm_rec *rec, uint64_t *w, unsigned int nw, unsigned int cmp);
bool casm_peek(struct casm_domain *c, struct casm_rec *rec);
bool casm_peek_payload(struct casm_domain *c, void *to, unsigned int len, unsigned int offset);
/* ... with a blob of 1 to @size bytes; any other length is a divergence. */
bool casm_take_blob(struct casm_domain *c, struct casm_rec *rec, uint64_t *w, unsigned int nw, void *blob, unsigned int size);
void casm_publish(struct casm_domain *c, bool notify);
bool casm_room(struct casm_domain *c);
/* The replay is over, and the state @to says how. */
void casm_stop_vcpu(struct casm_domain *c, enum casm_state to);
void casm_diverge(struct casm_domain *c, const struct casm_rec *expected, const uint64_t *expected_w,
                  const struct casm_rec *actual, const uint64_t *actual_w, unsigned int nw);
/* ... with other registers than the present ones. */
void casm_diverge_at(struct casm_domain *c, const struct casm_rec *expected, const uint64_t *expected_w,
                     const struct casm_rec *actual, const uint64_t *actual_w, unsigned int nw, const struct cpu_user_regs *regs);

/* Symmetric exchange of a SYNC class: logs @rec and @w when recording, replaces (and compares) them when replaying. */
static inline bool casm_exchange(struct casm_domain *c, struct casm_rec *rec, uint64_t *w, unsigned int nw, unsigned int cmp)
{
    c->applied[rec->cls]++;
    if ( casm_recording(c) )
    {
        casm_put(c, *rec, w, nw);
        return true;
    }
    return casm_take(c, rec, w, nw, cmp);
}

/* Replay: shows dom0 what the guest printed. */
void casm_console_report(struct casm_domain *c);
/* The same if the guest notified since, once for each trip: a guest that minds what was consumed prints no more in one. */
static inline void casm_console_due(struct casm_domain *c)
{
    if ( unlikely(c->console_due) )
    {
        c->console_due = false;
        casm_console_report(c);
    }
}

/* --- point.c --- */
/*
 * At an injection point with room in the rings: one step of what is due there (stop, digest, end, effects). True if there was something:
 * then all exit tests run again. Interrupts are off.
 */
bool casm_point_step(struct casm_domain *c);
/* The same where nothing is logged, yet or any more. CASM_EXIT_*. */
unsigned int casm_point_unlogged(struct casm_domain *c);
void casm_end(struct casm_domain *c, unsigned int reason, unsigned int code);

/* --- segments.c --- */
/*
 * At an injection point, before anything takes effect there: segment registers are loaded from the descriptors as they are now. True if
 * that was done: then all exit tests run again. Interrupts are off.
 */
bool casm_segments_step(struct casm_domain *c);

/* --- digest.c --- */
uint64_t casm_regs_hash(uint64_t h, const struct cpu_user_regs *r, const struct vcpu *v);
/*
 * One step of the digest of all frames, up to frame @end: false if there is more to do, after others had their turn (softirqs, the
 * scheduler, other domctls). Nothing writes to the guest's memory between the steps, nor before the casm_digest_point() that they lead to.
 */
bool casm_digest_walk(struct casm_domain *c, unsigned long end);
/* Logs or compares the digest; walks what is left of it. */
void casm_digest_point(struct casm_domain *c, unsigned int when);
uint64_t casm_frame_hash(const struct domain *d, unsigned long mfn);

/* --- queue.c; with interrupts on --- */
void casm_drain(struct casm_domain *c);
void casm_rings_last(struct casm_domain *c);
bool casm_inject_logged(struct casm_domain *c);
void casm_set_pending(struct casm_domain *c, unsigned int port);

/* --- bridge-glue.c --- */
int casm_bridges_init(struct casm_domain *c);
void casm_bridges_destroy(struct casm_domain *c);
bool casm_bridges_up(struct casm_domain *c);
void casm_bridges_down(struct casm_domain *c);
bool casm_bridge_replay(struct casm_domain *c);

/* --- refuse.c --- */
/*
 * From start, of an idle domain: hides it from all others. -ERESTART: some found it before, and may be at work on it; again, please.
 * -EADDRINUSE: somebody has frames of the guest mapped. -EISCONN: dom0 gave it what no log has. 0: nobody but the vCPU touches the guest from here on.
 */
int casm_be_alone(struct casm_domain *c);

/* --- placement.c, isolate.c, descriptors.c --- */
int casm_place(struct casm_domain *c, unsigned int cpu);
void casm_unplace(struct casm_domain *c);
uint32_t casm_isolation(void);
uint32_t casm_isolate_descriptors(void);
void casm_leave_idt(void);
int casm_cpu_identity(struct casm_domctl *op);

/* --- ring.c --- */
/* 2^@order frames of the calling domain, zeroed, with an allocation and a writable type reference each; NULL: no memory. */
struct page_info *casm_alloc_shared(unsigned int order);
void casm_free_shared(struct page_info *pg, unsigned int order); /* @pg may be NULL */
bool casm_ring_valid_size(uint64_t bytes);
int casm_ring_alloc(struct casm_stream *s, uint64_t bytes);
void casm_ring_free(struct casm_stream *s); /* if there is one */

/* --- pool.c --- */
bool casm_pool_claim(struct domain *d);
void casm_pool_release(const struct domain *d);
void casm_pool_info(struct casm_domctl *op);
unsigned long casm_pool_first(void);
unsigned long casm_pool_end(void);
unsigned long casm_pool_special_first(void); /* from here on: frames of what Xen allocates for the domain */

/* Cycle accounting: no cost but a branch unless dom0 asked for it. */
static inline uint64_t casm_clock(const struct casm_domain *c)
{
    return unlikely(c->account) ? rdtsc() : 0;
}
static inline void casm_charge(struct casm_domain *c, unsigned int cause, uint64_t since)
{
    if ( unlikely(since) )
        c->cycles[cause] += rdtsc() - since;
}

#endif /* CASM_PRIVATE_H */
