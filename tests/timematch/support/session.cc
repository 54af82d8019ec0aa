// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/session.h"

namespace casmotion::timematch {
namespace {

// The observation's reason after an exit that is none of Entry and TooLong.
casm_tm_reason reason(Exit exit) {
    switch (exit) {
        case Exit::Breakpoint:
            return CASM_TM_BREAKPOINT;
        case Exit::Step:
            return CASM_TM_STEP;
        case Exit::Interrupt:
        case Exit::Entry:
        case Exit::TooLong:
            break;
    }
    return CASM_TM_INTERRUPT;
}

}  // namespace

Recorded record_point(Machine& machine, const casm_canon_limits& limits) {
    Recorded r;
    casm_canon_begin(&r.canon, &limits);
    casm_tm_reason why = CASM_TM_INTERRUPT;
    for (;;) {
        const casm_tm_obs obs = machine.observe(why);
        const casm_insn insn = machine.classify();
        r.last = casm_canon_next(&r.canon, &obs, &insn);
        if (r.last.what == CASM_TM_DELIVER || r.last.what == CASM_TM_FAIL) {
            r.outcome = r.last.what == CASM_TM_DELIVER ? Outcome::Delivered : Outcome::Failed;
            if (r.outcome == Outcome::Delivered)
                machine.mark();
            else
                machine.forget_transfers();
            return r;
        }
        const Exit exit = machine.resume(r.last, why == CASM_TM_BREAKPOINT);
        if (exit == Exit::Entry || exit == Exit::TooLong) {
            r.outcome = exit == Exit::Entry ? Outcome::Entry : Outcome::TooLong;
            return r;
        }
        why = reason(exit);
    }
}

Replayed replay_point(Machine& machine, const casm_tm_point& point, const casm_match_limits& limits,
                      bool obeys_rf) {
    Replayed r;
    if (casm_match_begin(&r.match, &point, &limits) != CASM_TM_OK) return r;
    casm_tm_reason why = CASM_TM_BEGIN;
    for (;;) {
        const casm_tm_obs obs = machine.observe(why);
        r.last = casm_match_next(&r.match, &obs);
        if (r.last.what == CASM_TM_DELIVER || r.last.what == CASM_TM_FAIL) {
            r.outcome = r.last.what == CASM_TM_DELIVER ? Outcome::Delivered : Outcome::Failed;
            machine.mark();
            return r;
        }
        const bool asked = obeys_rf && (r.last.flags & CASM_TM_FLAG_RF) != 0;
        const Exit exit = machine.resume(r.last, asked || why == CASM_TM_BREAKPOINT);
        if (exit == Exit::Entry || exit == Exit::TooLong) {
            r.outcome = exit == Exit::Entry ? Outcome::Entry : Outcome::TooLong;
            return r;
        }
        why = reason(exit);
    }
}

std::string over_the_bound(const Replayed& replayed, bool obeys_rf, std::uint64_t looked_for) {
    const casm_match& m = replayed.match;
    const casm_match_limits& l = m.limits;
    const std::uint64_t repeated = obeys_rf ? 0 : m.interrupts;
    std::uint64_t hits = std::uint64_t{l.margin_branches} + l.rearm_min + 1 + repeated;
    std::uint64_t distance = m.target.branches;
    if (m.target.kind == CASM_TM_BY_STATE) {
        if (!m.target.transfers) return {};
        // Interrupts on the way, those of the counter too, count as transfers: each lets it arrive one
        // earlier.
        hits += l.margin_branches + (m.target.transfers >> l.slack_shift) + looked_for + m.interrupts;
        distance = m.target.transfers;
    }
    if (m.hits > hits) return std::to_string(m.hits) + " hits, bound " + std::to_string(hits);
    if (m.steps > 1 + m.interrupts)
        return std::to_string(m.steps) + " steps with " + std::to_string(m.interrupts) + " interrupts";
    const std::uint64_t overflows = 1 + m.interrupts + distance / l.overflow_max;
    if (m.overflows > overflows)
        return std::to_string(m.overflows) + " overflows, bound " + std::to_string(overflows);
    return {};
}

std::string text(const casm_tm_point& point) {
    return (point.kind == CASM_TM_CANONICAL ? "canonical" : "by state") + std::string(" (branches ") +
           std::to_string(point.branches) + ", from " + std::to_string(point.from) + ", rip " +
           std::to_string(point.rip) + ", rcx " + std::to_string(point.rcx) + ", rsp " +
           std::to_string(point.rsp) + ", transfers " + std::to_string(point.transfers) + ")";
}

std::string text(const casm_tm_act& act) {
    return "action " + std::to_string(act.what) + " value " + std::to_string(act.value) + " why " +
           std::to_string(act.why) + " mismatch " + std::to_string(act.mismatch);
}

}  // namespace casmotion::timematch
