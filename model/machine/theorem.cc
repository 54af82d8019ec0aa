// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/theorem.h"

#include <array>
#include <string>

#include "machine/conditions.h"
#include "machine/product.h"

namespace casmotion::model {
namespace {

using smt::Sort;
using smt::Term;

Term for_every_state(const Machine& m, const std::function<Term(const Term&)>& body) {
    const std::array<Sort, 1> sorts{m.state_sort()};
    return m.for_every(sorts, [&](std::span<const Term> x) { return body(x[0]); });
}

Obligation base(const AnyMachine& m) {
    const Log log(m);
    const Term s = m.context().constant("record.start", m.state_sort());
    const Term t = m.context().constant("replay.start", m.state_sort());
    const Side record = start_side(m, s), replay = start_side(m, t);
    const Term zero = m.context().bv_value(0, m.count_bits());
    return {
        .name = "base",
        .folder = "theorem",
        .statement = "The invariant holds at the start.",
        .logic = "UFBV",
        .assumptions = {{"C1", std::string(info(Condition::kC1).statement),
                         holds_always(Condition::kC1, m, log, s, t)},
                        {"named", "position 0 has time point (0, 0) and is before the first injection point",
                         smt::equal(log.name_n(zero), zero) && smt::equal(log.name_b(zero), zero) &&
                             !log.injectable(zero),
                         false}},
        .goal = invariant(m, log, record, replay),
        .goal_meaning = "same state, same time point, same record",
    };
}

Obligation step(const AnyMachine& m) {
    const Log log(m);
    const World world(m, "");
    const Side record = free_side(m, "record"), replay = free_side(m, "replay");
    const Side record_after = record_step(m, log, record, world);
    const Side replay_after = replay_step(m, log, replay, world);
    Obligation obligation{
        .name = "step",
        .folder = "theorem",
        .statement =
            "If the invariant holds, it holds after one step of both systems: whatever the guest's "
            "instruction or the\n"
            "effect is, recording and replay are in the same state, at the same time point, at the same "
            "record, and\n"
            "both have ended or none.",
        .logic = "UFBV",
        .assumptions = {{"invariant",
                         "both are in the same state, at the same time point, at the same record",
                         invariant(m, log, record, replay)},
                        {"written",
                         "the log is the recording's (what that means is in model/machine/product.h)",
                         written(m, log, record, record_after, world)}},
        .goal = invariant(m, log, record_after, replay_after),
        .goal_meaning = "the invariant after the step",
    };
    for (const ConditionInfo& condition : conditions()) {
        if (condition.id == Condition::kC1) continue;  // speaks of the start only
        obligation.assumptions.push_back({std::string(condition.name), std::string(condition.statement),
                                          holds_always(condition.id, m, log, record.state, record.state) &&
                                              holds_at(condition.id, Step{m, log, record, replay, world})});
    }
    return obligation;
}

// A place p of the execution where effects may be applied, seen from a later one: what is known of the later
// one's name.
struct Earlier {
    Term position, n, b;
    [[nodiscard]] Term same_name(const Side& side) const {
        return smt::equal(n, side.n) && smt::equal(b, side.b);
    }
    [[nodiscard]] Term before(const Side& side) const {  // in the order of time points
        return smt::less(n, side.n) || (smt::equal(n, side.n) && smt::less(b, side.b));
    }
    // At p itself, or later and with a later name; or with the same name where nothing may be injected.
    [[nodiscard]] Term invariant(const Side& side) const {
        return (smt::equal(position, side.position) && same_name(side)) ||
               (smt::less(position, side.position) && (before(side) || (same_name(side) && !side.point)));
    }
};

Term no_wrap(const Machine& m, const Side& side) {
    const Term last = m.context().bv_value(~std::uint64_t{0}, m.count_bits());
    return smt::less(side.position, last) && smt::less(side.n, last) && smt::less(side.b, last);
}

// The step of an injectivity proof; `naming` says at which boundaries effects may be applied.
Obligation later_names(const AnyMachine& m, std::string name, std::string statement,
                       std::vector<Assumption> naming) {
    const Log log(m);
    const World world(m, "");
    const Term none = m.context().bool_value(false);
    const Earlier p{m.context().bv_constant("p.position", m.count_bits()),
                    m.context().bv_constant("p.n", m.count_bits()),
                    m.context().bv_constant("p.b", m.count_bits())};
    const Side side = free_side(m, "record");
    Obligation obligation{
        .name = std::move(name),
        .folder = "injectivity",
        .statement = std::move(statement),
        .logic = "UFBV",
        .assumptions =
            {{"invariant",
              "this place is p, or is later and has a later name, or p's name but no effect may be applied",
              p.invariant(side)},
             {"bound", "fewer than 2^64 - 1 steps, entries, and branches between two entries",
              no_wrap(m, side)}},
        .goal = p.invariant(record_step(m, log, side, world)),
        .goal_meaning = "the invariant after one step of the guest",
    };
    for (Assumption& assumption : naming) obligation.assumptions.push_back(std::move(assumption));
    return obligation;
}

}  // namespace

std::vector<Obligation> theorem_obligations(const AnyMachine& machine) {
    return {base(machine), step(machine)};
}

std::vector<Obligation> injectivity_obligations(const AnyMachine& m) {
    const World world(m, "");
    const std::array<Sort, 2> state_hidden{m.state_sort(), m.hidden_sort()};
    const Term at_branches =
        for_every_state(m, [&](const Term& s) { return smt::implies(m.boundary(s), m.branches(s)); });
    const Term counts = m.for_every(state_hidden, [&](std::span<const Term> x) {
        return smt::implies(m.branches(x[0]), m.counted(x[0], x[1]));
    });
    const Term nowhere = for_every_state(m, [&](const Term& s) { return !m.boundary(s); });

    const Earlier p{m.context().bv_constant("p.position", m.count_bits()),
                    m.context().bv_constant("p.n", m.count_bits()),
                    m.context().bv_constant("p.b", m.count_bits())};
    const Side side = free_side(m, "record");
    Obligation conclusion{
        .name = "conclusion",
        .folder = "injectivity",
        .statement =
            "The invariant of the two step proofs gives C4: a later place where effects may be applied has "
            "another name.",
        .logic = "QF_BV",
        .assumptions =
            {{"invariant",
              "this place is p, or is later and has a later name, or p's name but no effect may be applied",
              p.invariant(side)},
             {"point", "effects may be applied here", side.point},
             {"later", "this place is later than p", smt::less(p.position, side.position)}},
        .goal = !p.same_name(side),
        .goal_meaning = "the name is not p's",
    };
    return {
        later_names(m, "s_points",
                    "S-points: if effects are applied only at the exits of entries, names never come again, "
                    "with any counter or "
                    "none\n(the place is named by the ordinal n alone).",
                    {{"s-points", "effects are applied at exits of entries only", nowhere}}),
        later_names(
            m, "a_points",
            "Canonical A-points: if effects are applied only at exits of entries and right after conditional "
            "branches, and\n"
            "the counter counts each of these, names never come again.",
            {{"canonical", "effects are applied right after conditional branches, and at exits of entries",
              at_branches},
             {"counts", "every retired conditional branch is counted (others may be)", counts}}),
        std::move(conclusion),
    };
}

}  // namespace casmotion::model
