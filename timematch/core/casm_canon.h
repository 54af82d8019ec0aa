/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recording: choosing a time point inside code that does not enter Xen.
 *
 * An effect has waited too long for an S-point and the guest has just been interrupted at some boundary. The machine steps it
 * on to the first boundary that has a name:
 *
 *     casm_canon_begin(c, &limits);
 *     at this exit and at each that follows:
 *         act = casm_canon_next(c, &obs, &insn);     insn: casm_insn_classify of the bytes at obs.rip
 *         SINGLE   set TF, resume
 *         BREAK    breakpoint at act.value, TF clear, resume
 *         DELIVER  log c->point as an APOINT, inject, done
 *         FAIL     WHY_NO_POINT: resume freely, begin again at a later interrupt; WHY_COUNTER: the counter is faulty
 *     a synchronous entry: drop the machine, inject at that S-point.
 *
 * The name is canonical if it can be: the boundary right after a conditional branch retired. `from` is the address of that
 * branch: replay breaks there, not at the RIP that it went to, so that its cost does not depend on how often that RIP runs.
 * After limits.max_steps actions without one (`jmp .`, an interpreter that only jumps through tables) the present boundary
 * is named by its state; how many branches of any kind had retired before the first action says where to look for it.
 *
 * Care taken:
 *  - REP string instructions are not stepped round by round: BREAK behind them runs all rounds. So no point lies inside one.
 *  - PUSHF and POPF run without TF: BREAK behind them.
 *  - IRET is stepped and says so (CASM_TM_FLAG_TF_GUEST).
 *  - After MOV SS, POP SS and LSS the CPU may or may not trap before the next instruction. If that one is a REP string
 *    instruction, PUSHF or POPF, it must not run under TF unawares: BREAK lies behind both. If it is an IRET, or is not
 *    known, there is no safe way: FAIL(WHY_NO_POINT).
 *  - A boundary directly after an instruction that loads SS, or an IRET (which may set RF), can be one at which a breakpoint
 *    does not hit. The first boundary seen after stepping such an instruction is therefore never a point, and the
 *    instruction at it never becomes `from`: the next branch is taken. The same holds for the boundary at which the machine
 *    begins (what ran before is not known).
 *  - A point that casm_match_begin would refuse (RIP in Xen's part: the guest is about to fault) is not made.
 *  - A point is made only from exactly one retired branch over exactly one step. The count and the instruction must agree:
 *    growth over an instruction that is known not to be a conditional branch makes no point and is counted in `suspects`,
 *    as is a Jcc that does not count.
 */
#ifndef CASM_CANON_H
#define CASM_CANON_H

#include "casm_insn.h"
#include "casm_tm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CASM_CANON_MAX_STEPS_DEFAULT 256u
#define CASM_CANON_GRACE_STEPS       16u /* further actions to find a boundary that can be named by its state */

struct casm_canon_limits {
    uint32_t max_steps; /* actions until a point by state is taken, 1 or more */
};

struct casm_canon {
    struct casm_tm_point point;  /* valid after DELIVER */
    /* Statistics of this point. */
    uint32_t steps;              /* SINGLE actions given */
    uint32_t breaks;             /* BREAK actions given */
    uint32_t suspects;           /* boundaries at which the count and the instruction contradict each other */
    /* Private. */
    uint32_t max_steps;
    uint64_t last_rip;           /* at the previous observation */
    uint64_t last_branches;
    uint64_t breakpoint;         /* address of the last BREAK */
    uint64_t transfers;          /* at the first observation: before our own traps, which may be counted */
    uint8_t state;
    uint8_t last_cls;            /* class of the instruction that the last action ran */
    uint8_t armed;               /* enum casm_tm_what of the last action; RUN before the first */
    uint8_t shadow;              /* a breakpoint may not have hit at the boundary from which the last action went on */
};

/*
 * Begins anew; also the way to drop the machine. limits NULL: the defaults. CASM_TM_OK, or CASM_TM_WHY_BAD_LIMITS
 * (max_steps 0 or above 2^30); then casm_canon_next answers FAIL.
 */
int casm_canon_begin(struct casm_canon *c, const struct casm_canon_limits *limits);

/*
 * One exit. The first observation after begin may have any reason. At most max_steps + CASM_CANON_GRACE_STEPS actions are
 * given before DELIVER or FAIL, interrupts in between included. obs and insn are read during the call only.
 *
 * An INTERRUPT while something is armed is allowed at any time: the machine goes on from where the guest is then.
 */
struct casm_tm_act casm_canon_next(struct casm_canon *c, const struct casm_tm_obs *obs, const struct casm_insn *insn);

#ifdef __cplusplus
}
#endif

#endif /* CASM_CANON_H */
