/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replay: stopping at a time point of a log, exactly there, with a counter whose overflow interrupts come late.
 *
 *     if ( casm_match_begin(m, &target, &limits) )  the log is malformed: say which record
 *     at the exit at which the point became the next one (BEGIN), and at each that follows:
 *         act = casm_match_next(m, &obs);
 *         OVERFLOW act.value   program the counter, resume
 *         BREAK act.value      instruction breakpoint there, resume (with RF if act.flags says so, or from a hit)
 *         SINGLE               TF, resume
 *         DELIVER              inject
 *         FAIL                 diverged; act.why, act.mismatch
 *     a synchronous entry before DELIVER: diverged (the recording was interrupted before it).
 *
 * Canonical point (b, from). While more than margin + rearm_min branches are missing: OVERFLOW, margin early. Then a
 * breakpoint at `from`: a conditional branch, so each hit that completes makes the count grow by one. At `from` with b-1
 * branches: one SINGLE, and the boundary after it is the point: RIP, RCX, RSP and the hash are compared.
 *   Exact: the boundary is found by the count alone, the registers are only compared. It is never passed as long as the
 *   overflow interrupt is late by less than limits.margin_branches; else the result is FAIL(OVERSHOT), never a wrong DELIVER.
 *   Bound: hits <= margin_branches + rearm_min + 1, the one if the search begins at `from` (plus one per asynchronous exit at
 *   `from` if the caller ignores CASM_TM_FLAG_RF); SINGLEs <= 1 + asynchronous exits between arming TF and its trap. However
 *   often RIP, or `from`, runs otherwise.
 *
 * Point by state (b, RIP, registers). A stretch without conditional branches may run RIP any number of times, so its approach
 * is by branches of any kind, of which every loop has one. Their count is about right: a processor adds interrupts to it, other
 * ones in a replay. While more than slack + rearm_min of target.transfers are missing: OVERFLOW in that unit, slack early, where
 * slack = 2 * margin_branches + target.transfers / 2^slack_shift. Then a breakpoint at RIP; the first boundary seen with b
 * branches and equal RIP, RCX, RSP and hash is the point. BEGIN, or an interrupt, may already be there. BREAK says in `mismatch`
 * what else differs at a boundary that has the RIP and the branches, and is not nearer than interrupts explain.
 *   Never passed if the overflow is late by less than the margin and fewer interrupts than the rest of the slack were counted
 *   between entry n and the point. With b branches, a hit with other registers goes on; with b+1, FAIL(OVERSHOT), and
 *   also with b if CASM_MATCH_TOO_FAR more transfers than the slack were counted behind the target.
 *   Bound: hits <= slack + rearm_min + the branches that the recording ran while it looked for the point + the interrupts of
 *   the search + 1, as RIP cannot run twice without a branch in between. However often RIP ran before. (Behind a point that was
 *   passed, one more for each branch until the search is given up: slack + CASM_MATCH_TOO_FAR of them on a processor that counts
 *   the exits too; on one that does not, max_hits may end it.)
 *   target.transfers == 0 (a processor that does not count them): the same approach as to canonical points, and as many hits
 *   as the execution runs RIP in the last margin + rearm_min conditional branches; max_hits ends it with FAIL(TOO_MANY_HITS).
 *   Not injective: if the stretch comes twice to the same registers, with other memory the second time, this may stop at
 *   the wrong one of those that lie within the slack. Nothing seen here can tell. What notices is a comparison of memory: the
 *   digest check records of the log after the point, or the register checks of entries that come to depend on that memory.
 *   Canonical points do not have this weakness.
 *
 * Targets come from a log file, which nobody vouches for: begin checks them, and casm_match_next is defined for any sequence
 * of observations; the max_hits-th breakpoint hit is the last one that is not answered with a further BREAK.
 *
 * A guest that diverged, or was let past a canonical point (or one by state with transfers == 0) by an overflow later than the
 * margin, may go on for ever without an observation that could tell (a loop without branches that never comes to the
 * breakpoint). The caller needs a time limit.
 *
 * What the caller must see to: after a hit RF stays set until the instruction has run (an exit in between that is not
 * reported here keeps it in its frame). A second hit at `from` with an unchanged count and no other observation in between
 * is taken as proof that no conditional branch is there (NO_BRANCH).
 *
 * What differs when a canonical point does not match is not always told apart: WHY_COUNTER and only that is proof of a faulty
 * counter. MISMATCH and OVERSHOT may be the guest's divergence, a counter fault, or a forged log.
 */
#ifndef CASM_MATCH_H
#define CASM_MATCH_H

#include "casm_tm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CASM_MATCH_MARGIN_DEFAULT       256u
#define CASM_MATCH_REARM_MIN_DEFAULT    16u
#define CASM_MATCH_OVERFLOW_MAX_DEFAULT 0x7fffffffu /* what every counter can be programmed to, sign-extended from bit 31 */
#define CASM_MATCH_MAX_HITS_DEFAULT     (1u << 22)
/* 1 interrupt in 256 branches: 10,000 interrupts a second in a loop of one branch each 390 ns. */
#define CASM_MATCH_SLACK_SHIFT_DEFAULT  8u
/* More than any recording runs while it looks for a point (max_steps of casm_canon_limits: see CASM_MAX_DENSE_EVERY). */
#define CASM_MATCH_TOO_FAR              (1u << 16)

struct casm_match_limits {
    uint32_t margin_branches; /* more than the worst lateness of the overflow interrupt; 1 or more */
    uint32_t rearm_min;       /* no OVERFLOW for a distance of so many branches or fewer: break at once; 0 is allowed */
    uint32_t overflow_max;    /* longest distance that the counter can be programmed to; 1 or more */
    uint32_t max_hits;        /* breakpoint hits per point: the last of them must bring the end; 1 or more */
    uint32_t slack_shift;     /* by state: interrupts counted as branches are at most 1 in 2^slack_shift; 0 to 63 */
};

struct casm_match {
    struct casm_tm_point target; /* as given to begin */
    /* Statistics of this point. */
    uint32_t hits;               /* BREAKPOINT observations */
    uint32_t steps;              /* SINGLE actions given */
    uint32_t overflows;          /* OVERFLOW actions given (a rearming after another interrupt counts too) */
    uint32_t interrupts;         /* INTERRUPT observations */
    uint64_t worst_late_branches;/* most branches by which an interrupt came after the programmed one: its lateness */
    /* Private. */
    struct casm_match_limits limits;
    uint64_t last_branches;      /* at the previous observation */
    uint64_t programmed;         /* the count at which the overflow is due ... */
    uint8_t programmed_flags;    /* ... CASM_TM_FLAG_TRANSFERS: of transfers */
    uint8_t state;
    uint8_t armed;               /* enum casm_tm_what of the last action */
    uint8_t passing;             /* the last action resumed from a hit, past the breakpoint */
};

/* The default limits. */
void casm_match_default_limits(struct casm_match_limits *limits);

/*
 * Begins to look for target. limits NULL: the defaults. Result: CASM_TM_OK, or CASM_TM_WHY_BAD_KIND, _BAD_BRANCHES,
 * _BAD_ADDRESS or _BAD_LIMITS; then casm_match_next answers FAIL(WHY_ENDED). Both arguments are copied.
 */
int casm_match_begin(struct casm_match *m, const struct casm_tm_point *target, const struct casm_match_limits *limits);

/*
 * One exit that is not a synchronous entry. Every answer says in full what to arm; OVERFLOW may come again with another
 * distance, also when the interrupt was not the counter's.
 */
struct casm_tm_act casm_match_next(struct casm_match *m, const struct casm_tm_obs *obs);

#ifdef __cplusplus
}
#endif

#endif /* CASM_MATCH_H */
