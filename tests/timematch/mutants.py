#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Canaries: deliberately broken variants of the time-point core, each of which a test must reject.

See tests/support/source_mutants.py.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import source_mutants  # noqa: E402  (found by the line above)

WHOLE = "whole"  # the exhaustive test: the variants that only whole programs show must be caught there

# name, file, from, to, the tests each of which must reject it
MUTANTS = [
    ("the overflow is programmed one branch late", "casm_match.c", "missing - l->margin_branches, 0)", "missing - l->margin_branches + 1, 0)", ["match", WHOLE]),
    ("the overflow is programmed without the margin", "casm_match.c", "missing - l->margin_branches, 0)", "missing, 0)", ["match", WHOLE]),
    ("the breakpoint is at the target, not at the branch", "casm_match.c", "approach(m, obs, missing, t->from)",
     "approach(m, obs, missing, t->rip)", ["match", WHOLE]),
    ("any boundary with the count is the point", "casm_match.c",
     "    if ( obs->branches >= t->branches )\n        return fail(m, CASM_TM_WHY_OVERSHOT, 0);\n    if ( passed",
     "    if ( obs->branches == t->branches )\n        return action(m, CASM_TM_DELIVER, 0, 0);\n    if ( passed",
     ["match", WHOLE]),
    ("equal registers are enough for a canonical point", "casm_match.c",
     "    if ( obs->branches >= t->branches )\n        return fail(m, CASM_TM_WHY_OVERSHOT, 0);\n    if ( passed",
     "    if ( !compare(t, obs) )\n        return action(m, CASM_TM_DELIVER, 0, 0);\n    if ( passed", ["match", WHOLE]),
    ("past the point is not noticed", "casm_match.c",
     "    if ( obs->branches >= t->branches )\n        return fail(m, CASM_TM_WHY_OVERSHOT, 0);\n    if ( passed", "    if ( passed",
     ["match"]),
    ("only RIP is compared", "casm_match.c", "    if ( obs->rcx != t->rcx )\n        diff |= CASM_TM_DIFF_RCX;\n"
     "    if ( obs->rsp != t->rsp )\n        diff |= CASM_TM_DIFF_RSP;\n    if ( obs->hash != t->hash )\n"
     "        diff |= CASM_TM_DIFF_HASH;\n", "", ["match", WHOLE]),
    ("RIP is not compared", "casm_match.c", "    if ( obs->rip != t->rip )\n        diff |= CASM_TM_DIFF_RIP;\n", "",
     ["match", WHOLE]),
    ("the hash is not compared", "casm_match.c", "    if ( obs->hash != t->hash )\n        diff |= CASM_TM_DIFF_HASH;\n", "",
     ["match", WHOLE]),
    ("nothing is compared", "casm_match.c", "    uint8_t diff = 0;\n\n    if ( obs->rip", "    uint8_t diff = 0;\n\n    return 0;\n    if ( obs->rip",
     ["match", WHOLE]),
    ("one branch early", "casm_match.c", "if ( missing == 1 && obs->rip == t->from )",
     "if ( missing <= 2 && obs->rip == t->from )", ["match", WHOLE]),
    ("the step is not taken", "casm_match.c", "if ( missing == 1 && obs->rip == t->from )",
     "if ( 0 )", ["match", WHOLE]),
    ("the step is only taken from a hit", "casm_match.c", "if ( missing == 1 && obs->rip == t->from )",
     "if ( missing == 1 && obs->rip == t->from && obs->reason == CASM_TM_BREAKPOINT )", ["match"]),
    ("RF is never asked for", "casm_match.c", "there ? CASM_TM_FLAG_RF : 0", "0", ["match"]),
    ("RF is asked for at the begin", "casm_match.c", "obs->rip == address && obs->reason != CASM_TM_BEGIN;", "obs->rip == address;",
     ["match"]),
    ("by state: waits for ever in a loop without branches", "casm_match.c", "slack + CASM_MATCH_TOO_FAR + m->hits", "~0ULL / 2 + slack + m->hits", ["match"]),
    ("by state: given up too early", "casm_match.c", "slack + CASM_MATCH_TOO_FAR + m->hits", "0 * slack + m->hits", ["match"]),
    ("by state: hits are no transfers", "casm_match.c", "CASM_MATCH_TOO_FAR + m->hits + m->interrupts", "CASM_MATCH_TOO_FAR + m->interrupts", ["match"]),
    ("by state: an earlier round counts as the point's place", "casm_match.c", " &&\n         obs->transfers + (t->transfers >> l->slack_shift) >= t->transfers )", " )", ["match"]),
    ("by state: what differs is not told", "casm_match.c", "act.mismatch = compare(t, obs);", "act.mismatch = 0;", ["match"]),
    ("by state: the count is not compared", "casm_match.c", "if ( obs->branches == t->branches && !compare(t, obs) )",
     "if ( !compare(t, obs) )", ["match", WHOLE]),
    ("by state: only a hit may be the point", "casm_match.c", "if ( obs->branches == t->branches && !compare(t, obs) )",
     "if ( obs->branches == t->branches && obs->reason == CASM_TM_BREAKPOINT && !compare(t, obs) )", ["match", WHOLE]),
    ("by state: past the point is not noticed", "casm_match.c", "if ( obs->branches > t->branches )", "if ( 0 )", ["match"]),
    ("by state: the way is not shortened", "casm_match.c", "t->transfers - obs->transfers > slack + l->rearm_min )", "0 )",
     ["match", WHOLE]),
    ("by state: no slack", "casm_match.c", "t->transfers - obs->transfers - slack, CASM", "t->transfers - obs->transfers, CASM",
     ["match", WHOLE]),
    ("by state: the slack is the margin", "casm_match.c", "slack = 2 * (uint64_t)l->margin_branches", "slack = (uint64_t)l->margin_branches",
     ["match"]),
    ("by state: no slack for a long way", "casm_match.c", " + (t->transfers >> l->slack_shift);", ";", ["match"]),
    ("by state: the overflow counts conditional branches", "casm_match.c", "- slack, CASM_TM_FLAG_TRANSFERS)", "- slack, 0)", ["match"]),
    ("by state: equal registers before the slack", "casm_match.c", "obs->transfers < t->transfers && t->transfers - obs",
     "compare(t, obs) && obs->transfers < t->transfers && t->transfers - obs", ["match"]),
    ("lateness in the wrong unit", "casm_match.c", "m->programmed_flags & CASM_TM_FLAG_TRANSFERS ? obs->transfers : obs->branches",
     "obs->branches", ["match"]),
    ("a log may wait for 2^63 branches", "casm_match.c", " || t->transfers >= TRANSFERS_LIMIT )", " )", ["match"]),
    ("recording: where to look is read at the point", "casm_canon.c", "kind == CASM_TM_BY_STATE ? c->transfers : 0", "kind == CASM_TM_BY_STATE ? obs->transfers : 0",
     ["canon"]),
    ("hits are not limited", "casm_match.c", "if ( m->hits >= l->max_hits )", "if ( 0 )", ["match"]),
    ("a counter that goes back is believed", "casm_match.c", "if ( obs->branches < m->last_branches )", "if ( 0 )", ["match"]),
    ("two branches in one step are believed", "casm_match.c", "if ( grown > 1 )", "if ( 0 )", ["match"]),
    ("a log may set breakpoints in Xen", "casm_match.c", "return casm_tm_guest_address(t->from) ? CASM_TM_OK : CASM_TM_WHY_BAD_ADDRESS;",
     "return CASM_TM_OK;", ["match"]),
    ("a canonical point may have no branch", "casm_match.c", "    if ( !t->branches || t->transfers )\n", "    if ( t->transfers )\n",
     ["match"]),
    ("a canonical point may say where to look", "casm_match.c", "    if ( !t->branches || t->transfers )\n", "    if ( !t->branches )\n",
     ["match"]),
    ("recording: no rule for MOV SS", "casm_canon.c", "return cls == CASM_INSN_LOAD_SS || cls == CASM_INSN_IRET;",
     "return cls == CASM_INSN_IRET;", ["canon", WHOLE]),
    ("recording: no rule for IRET", "casm_canon.c", "return cls == CASM_INSN_LOAD_SS || cls == CASM_INSN_IRET;",
     "return cls == CASM_INSN_LOAD_SS;", ["canon", WHOLE]),
    ("recording: what follows MOV SS is not looked at", "casm_canon.c", "        cls = insn->after_cls;\n", "        cls = CASM_INSN_PLAIN;\n",
     ["canon", WHOLE]),
    ("recording: the first instruction may be the branch", "casm_canon.c",
     "        c->state = STEPPING;\n        c->shadow = 1;", "        c->state = STEPPING;\n        c->shadow = 0;", ["canon", WHOLE]),
    ("recording: PUSHF is stepped", "casm_canon.c", "cls == CASM_INSN_PUSHF || ", "", ["canon", WHOLE]),
    ("recording: POPF is stepped", "casm_canon.c", " || cls == CASM_INSN_POPF)", ")", ["canon"]),
    ("recording: REP is stepped round by round", "casm_canon.c", "cls == CASM_INSN_REP_STRING || cls == CASM_INSN_PUSHF",
     "cls == CASM_INSN_PUSHF", ["canon"]),
    ("recording: a point inside a REP", "casm_canon.c", "obs->rip != c->last_rip || within_rep(c, obs) )",
     "obs->rip != c->last_rip )", [WHOLE]),
    ("recording: `from` is where the branch went", "casm_canon.c", "deliver(c, obs, CASM_TM_CANONICAL, c->last_rip)",
     "deliver(c, obs, CASM_TM_CANONICAL, obs->rip)", ["canon", WHOLE]),
    ("recording: one step for ever", "casm_canon.c", "if ( c->steps + c->breaks >= c->max_steps )", "if ( 0 )", ["canon", WHOLE]),
    ("recording: no end of the grace", "casm_canon.c", "if ( c->steps + c->breaks >= c->max_steps + CASM_CANON_GRACE_STEPS )", "if ( 0 )",
     ["canon"]),
    ("recording: a count over an addition is believed", "casm_canon.c", "grown && !c->shadow && may_branch(c->last_cls)",
     "grown && !c->shadow", ["canon"]),
    ("TEST is a string instruction", "casm_insn.c", "(opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf)",
     "(opcode >= 0xa4 && opcode <= 0xaf)", ["insn"]),
    ("REX is an opcode", "casm_insn.c", "if ( bits == 64 && (bytes[i] & 0xf0) == 0x40 )", "if ( 0 )", ["insn"]),
    ("no displacement without a base", "casm_insn.c", "(bytes[1] & 7) == 5 ? 6 : 2", "2", ["insn"]),
    ("a run of MOV SS ends after the first", "casm_insn.c", "if ( insn->after_cls != CASM_INSN_LOAD_SS )", "if ( 1 )", ["insn", WHOLE]),
]


# Of the exhaustive test what takes a second or two.
ARGUMENTS = {WHOLE: ["--gtest_filter=*Two*:*Second*:*ThreeWithInterrupts*"]}

if __name__ == "__main__":
    sys.exit(source_mutants.main(MUTANTS, sys.argv[1:], ARGUMENTS))
