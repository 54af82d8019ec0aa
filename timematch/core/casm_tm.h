/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time points: what the recording's machine (casm_canon.h) and the replay's machine (casm_match.h) have in common.
 *
 * This folder is one freestanding core: the same files are compiled into Xen (gnu99, -Wdeclaration-after-statement) and
 * into the user-space library (C11). No libc, no allocation, no floating point, no 64-bit division, no global state. A
 * structure belongs to one vCPU; whoever runs on that vCPU's way out of the hypervisor may call, nobody else at the same
 * time. No function here can fail in another way than by its result, whatever the arguments' contents are.
 *
 * Words. A *boundary* is a place between two instructions of the guest. `branches` is the number of conditional branches
 * that retired in CPL3 since the last synchronous entry n; any synchronous entry ends both machines (begin anew, or drop
 * them). An *action* is what the caller arms before it resumes the guest; exactly one thing is armed at a time: an action
 * replaces whatever was armed before. An *observation* is the guest's state at the exit that came next.
 */
#ifndef CASM_TM_H
#define CASM_TM_H

#ifndef __XEN__
#include <stdint.h>
#else
#include <xen/types.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* How a point is named. The values are those of the log (APOINT records). */
enum casm_tm_kind {
    /* The boundary right after the `branches`-th conditional branch retired. Exact: one boundary of an execution. */
    CASM_TM_CANONICAL = 1,
    /*
     * The first boundary of the stretch with `branches` branches at which RIP and all registers are these. For stretches
     * without conditional branches. Not exact: the same registers may come again with other memory (see casm_match.h).
     */
    CASM_TM_BY_STATE = 2,
};

/* A time point inside entry n, as logged. */
struct casm_tm_point {
    uint64_t branches; /* canonical: at least 1; by state: any */
    uint64_t from;     /* canonical: address of the branch instruction that retired; by state: 0 */
    uint64_t rip;      /* the three registers and the hash: at the point itself */
    uint64_t rcx;
    uint64_t rsp;
    uint64_t hash;     /* 64-bit hash of all guest-visible registers, RIP included, RF and our TF left out */
    /*
     * By state: where to look, no part of the name: branch instructions of any kind that had retired since entry n when the
     * recording was interrupted to look for a point. Interrupts since then may have been counted too. 0: not known; below 2^62.
     */
    uint64_t transfers;
    uint8_t kind;      /* enum casm_tm_kind */
};

/* Why the guest left. */
enum casm_tm_reason {
    CASM_TM_BEGIN = 1,     /* exit of entry n, or of the previous point of the same n: the first observation of a replay */
    CASM_TM_INTERRUPT = 2, /* any asynchronous exit: the counter's overflow (late), timers, IPIs */
    CASM_TM_BREAKPOINT = 3,/* our instruction breakpoint: the instruction at RIP has not run */
    CASM_TM_STEP = 4,      /* our TF trap. Report STEP also if DR6 names a breakpoint beside it */
};

/* The guest at an exit: a boundary, or between two rounds of a REP string instruction (RIP still at it). */
struct casm_tm_obs {
    uint64_t branches; /* retired since entry n, read at this exit, extended to 64 bits by the caller */
    uint64_t rip;
    uint64_t rcx;
    uint64_t rsp;
    uint64_t hash;     /* as in struct casm_tm_point */
    uint64_t transfers;/* as in struct casm_tm_point, read at this exit; 0 if the processor does not count them */
    uint8_t reason;    /* enum casm_tm_reason */
};

/* What to do now. */
enum casm_tm_what {
    CASM_TM_RUN = 0,      /* nothing armed; never an answer */
    CASM_TM_OVERFLOW = 1, /* `value`: interrupt after that many further branches (1 or more); see CASM_TM_FLAG_TRANSFERS */
    CASM_TM_BREAK = 2,    /* `value`: instruction breakpoint at that address */
    CASM_TM_SINGLE = 3,   /* set TF for the instruction at RIP */
    CASM_TM_DELIVER = 4,  /* this boundary is the point: nothing armed; inject here */
    CASM_TM_FAIL = 5,     /* `why`: nothing armed; the machine has ended */
};

enum casm_tm_why {
    CASM_TM_OK = 0,
    CASM_TM_WHY_OVERSHOT = 1,      /* the count (by state: that of transfers, too) is past the point, which was not met */
    CASM_TM_WHY_MISMATCH = 2,      /* canonical: at the boundary after the b-th branch; `mismatch` says what differs */
    CASM_TM_WHY_TOO_MANY_HITS = 3, /* limits.max_hits */
    CASM_TM_WHY_NO_BRANCH = 4,     /* canonical: the instruction at `from` completed and the count did not grow */
    /*
     * Proof that the counter is wrong (or was not read and extended properly), whatever the guest did: the count went back,
     * or grew by two or more over a single instruction.
     */
    CASM_TM_WHY_COUNTER = 5,
    CASM_TM_WHY_NO_POINT = 6,      /* recording: no boundary here that a replay could find; try again at a later exit */
    CASM_TM_WHY_ENDED = 7,         /* called again after DELIVER or FAIL, or never begun (zeroed memory) */
    /* Results of casm_match_begin and casm_canon_begin. */
    CASM_TM_WHY_BAD_KIND = 8,
    CASM_TM_WHY_BAD_BRANCHES = 9,  /* canonical with 0 branches, or a count of 2^63 (transfers: 2^62) or more */
    CASM_TM_WHY_BAD_ADDRESS = 10,  /* RIP or `from` outside the guest's part of the address space; by state with a `from` */
    CASM_TM_WHY_BAD_LIMITS = 11,
};

/* Bits of casm_tm_act.mismatch. */
#define CASM_TM_DIFF_RIP  1u
#define CASM_TM_DIFF_RCX  2u
#define CASM_TM_DIFF_RSP  4u
#define CASM_TM_DIFF_HASH 8u

/* Bits of casm_tm_act.flags. */
/*
 * With BREAK: RIP is at the breakpoint's address and has been looked at: resume with RF set, so that it does not hit again
 * before the instruction ran. A caller that sets RF only when it resumes from a hit is correct too, and pays one hit more
 * for each asynchronous exit at that address. RF, as TF, must not leak into R11 of a SYSCALL or a bounce frame. It is never
 * asked for at BEGIN, which may be the exit of a hypercall: SYSRET cannot restore RF, but would show it in R11.
 */
#define CASM_TM_FLAG_RF       1u
/*
 * With SINGLE (recording): the instruction is an IRET within CPL3. It replaces TF by the guest's own; the trap comes all the
 * same (TF counts as it was before the instruction). At the STEP that follows, TF in the frame is the guest's, not ours.
 */
#define CASM_TM_FLAG_TF_GUEST 2u
/* With OVERFLOW: `value` counts branch instructions of any kind (casm_tm_obs.transfers), not conditional branches. */
#define CASM_TM_FLAG_TRANSFERS 4u

struct casm_tm_act {
    uint64_t value;
    uint8_t what;     /* enum casm_tm_what */
    uint8_t why;      /* enum casm_tm_why, with FAIL; else CASM_TM_OK */
    uint8_t mismatch; /* CASM_TM_DIFF_*, with WHY_MISMATCH, and with BREAK by state at the right place; else 0 */
    uint8_t flags;    /* CASM_TM_FLAG_* */
};

/*
 * Whether an instruction of a 64-bit PV guest can have this address: canonical, and outside the part that Xen keeps for
 * itself (0xffff800000000000 to 0xffff87ffffffffff). A breakpoint must never be set elsewhere. 1 or 0.
 */
static inline int casm_tm_guest_address(uint64_t address)
{
    return address < 0x0000800000000000ULL || address >= 0xffff880000000000ULL;
}

#ifdef __cplusplus
}
#endif

#endif /* CASM_TM_H */
