/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: A-points, injection points between two synchronous entries.
 *
 * The decisions are those of the machines in casm_canon.c (recording: choose a point) and casm_match.c (replay: find it);
 * here is what they need of the processor: the counter, one breakpoint register, the trap flag. Breakpoint and trap flag
 * are ours only between two exits that no entry lies between: any counted entry takes both away before anything of the
 * guest's state is looked at (casm_tp_entry()), so they never reach a bounce frame, R11 or an emulated instruction.
 */
#ifndef CASM_TIMEPOINT_H
#define CASM_TIMEPOINT_H

#include <xen/time.h>
#include <xen/timer.h>
#include <xen/types.h>
#include <casm/casm_abi.h>

#include "casm_canon.h"
#include "casm_insn.h"
#include "casm_match.h"
#include "counter.h"

/*
 * What start takes. An hour is as good as never, and NOW() plus it cannot overflow. With --dense N a recording looks for a
 * point for up to N instructions: N must be well below CASM_MATCH_TOO_FAR, or the replay would give the point up.
 */
#define CASM_MAX_DELAY_NS 3600000000000ull
#define CASM_MAX_DENSE_EVERY (1u << 15)

struct casm_domain;

struct casm_timepoint {
    struct casm_counter_state counter;
    bool on;               /* there is a counter, and it is used */
    bool owned;            /* casm_counter_acquire() succeeded */
    bool due;              /* recording: an effect has waited long enough. Set by the timer on the vCPU's pCPU */
    bool active;           /* a machine is at work */
    bool stepping;         /* TF in the guest's flags is ours... */
    bool guest_tf;         /* ... and this is what the guest has there */
    bool takes_tf;         /* the stepped instruction loads TF: what it leaves there is the guest's */
    bool fetched;          /* insn is that of the present RIP */
    bool flat;             /* ... and RIP is a linear address */
    bool passed;           /* replay: a breakpoint at the target's RIP was set before the machine asked for one */
    uint8_t reason;        /* enum casm_tm_reason of the coming exit */
    int8_t slot;           /* breakpoint register in use, -1: none */
    uint64_t address;      /* ... its address */
    uint64_t entry_count;  /* conditional branches at the last entry */
    uint64_t transfers;    /* branches of any kind at the last entry or point... */
    bool transfers_known;  /* ... and no traps of ours since then that made no point; they may have been counted */
    uint64_t max_delay_ns;
    uint32_t dense_every;
    uint64_t dense_first, dense_last;
    struct timer timer;    /* recording: armed while a signal waits */
    struct casm_insn insn;
    struct casm_match_limits limits;
    union {
        struct casm_canon canon; /* recording */
        struct casm_match match; /* replay */
    };
    struct {               /* replay: of the boundaries passed with the point's branches and RIP, the one most like it */
        uint8_t mismatch;  /* CASM_TM_DIFF_*; 0: none */
        uint64_t hash;
        struct cpu_user_regs regs;
    } near;
    struct casm_apoint_stats stats;
};

/* From start: takes the counter if CASM_START_COUNTER is set. 0, or an error (-EINVAL: beyond these limits): nothing is taken. */
int casm_tp_start(struct casm_domain *c, const struct casm_domctl *op);
/*
 * Nothing is logged any more: gives the counter back, and what was changed of the processor for it. In the vCPU's context, or while it
 * cannot run. Idempotent.
 */
void casm_tp_stop(struct casm_domain *c);

/* The recording or replay is over: an exit must leave nothing of ours behind. In the vCPU's context. */
void casm_tp_drop(struct casm_domain *c);

/*
 * A counted entry, before registers are hashed: ends whatever is under way. A replay that was looking for a point diverges here
 * if it passed a boundary that has the point's place and other registers, which says more than the entry.
 */
void casm_tp_entry(struct casm_domain *c);
/*
 * An exit that is no injection point. CASM_EXIT_*; interrupts are off. Where it makes one of it (an A-point was logged or met) it
 * sets the domain's point to CASM_POINT_OPEN and returns CASM_EXIT_AGAIN.
 */
unsigned int casm_tp_exit(struct casm_domain *c);
/* An injection point, effects applied, before the upcall test. CASM_EXIT_*. */
unsigned int casm_tp_leave(struct casm_domain *c);
/* A signal begins to wait; not under the queue's lock. */
void casm_tp_signal(struct casm_domain *c);

#endif /* CASM_TIMEPOINT_H */
