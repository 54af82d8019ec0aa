// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/conditions.h"

#include <cstdlib>

namespace casmotion::model {
namespace {

using smt::Sort;
using smt::Term;

constexpr std::array<ConditionInfo, kConditionCount> kConditions{{
    {Condition::kC1, "C1", "same initial state",
     "Recording and replay start in the same guest-visible state.",
     "pool.c (MFN = base + PFN) and libxl building the domain again; INIT records; compared by "
     "digest(start)"},
    {Condition::kC2, "C2", "no hidden input",
     "What the guest's own instructions do, and whether they enter Xen, depends on guest-visible state only.",
     "0070-frozen-state.patch, values.c: hidden inputs are removed or trapped; compared by each entry's "
     "check"},
    {Condition::kC3, "C3", "completeness",
     "Every entry leaves a record, and the record of a step or effect carries all that it reads besides the "
     "guest's state.",
     "hypercall.c, values.c, the write tap casm-tap.h; class by class in model/effects"},
    {Condition::kC4, "C4", "injectivity",
     "No two places of an execution where effects may be applied have the same time point.",
     "entry.c: the ordinal counts every entry; proved from the definition of the time point"},
    {Condition::kC5, "C5", "exclusivity and order",
     "Nothing but logged effects changes the state between steps, and the replay applies them in the order "
     "of the log.",
     "0080-foreign-writes.patch, bridge.c, queue.c; one producer, one ring (stream.c)"},
    {Condition::kC6, "C6", "matching",
     "The counter counts exactly the conditional branches, and the replay stops for a record exactly where "
     "the time point that "
     "the record names is its own.",
     "casm_exchange() in stream.c compares the ordinal's record; timematch/ for A-points"},
}};

// Written out, "for every h and g: f(h) = f(g)" has each pair twice, and each h with itself; one of them will
// do.
bool said_elsewhere(const Term& h, const Term& g) {
    const auto a = h.as_u64(), b = g.as_u64();
    return a && b && *a >= *b;
}

Term no_hidden_input(const Machine& m) {
    const std::array<Sort, 3> sorts{m.state_sort(), m.hidden_sort(), m.hidden_sort()};
    return m.for_every(sorts, [&](std::span<const Term> x) {
        if (said_elsewhere(x[1], x[2])) return m.context().bool_value(true);
        return smt::equal(m.run(x[0], x[1]), m.run(x[0], x[2])) &&
               smt::iff(m.enters(x[0], x[1]), m.enters(x[0], x[2]));
    });
}

Term complete(const Machine& m, const Log& log) {
    const std::array<Sort, 4> sorts{m.state_sort(), m.payload_sort(), m.hidden_sort(), m.hidden_sort()};
    const Term functions = m.for_every(sorts, [&](std::span<const Term> x) {
        if (said_elsewhere(x[2], x[3])) return m.context().bool_value(true);
        return smt::equal(m.entry(x[0], x[1], x[2]), m.entry(x[0], x[1], x[3])) &&
               smt::equal(m.effect(x[0], x[1], x[2]), m.effect(x[0], x[1], x[3]));
    });
    const std::array<Sort, 1> index{m.context().bv_sort(m.index_bits())};
    const Term payloads = m.for_every(
        index, [&](std::span<const Term> x) { return smt::equal(log.used(x[0]), log.logged(x[0])); });
    return functions && payloads;
}

Term injective(const Machine& m, const Log& log) {
    const Sort position = m.context().bv_sort(m.count_bits());
    const std::array<Sort, 2> sorts{position, position};
    return m.for_every(sorts, [&](std::span<const Term> x) {
        return smt::implies(smt::less(x[0], x[1]) && log.injectable(x[0]) && log.injectable(x[1]),
                            !(smt::equal(log.name_n(x[0]), log.name_n(x[1])) &&
                              smt::equal(log.name_b(x[0]), log.name_b(x[1]))));
    });
}

Term in_order(const Machine& m, const Log& log) {
    const std::array<Sort, 1> index{m.context().bv_sort(m.index_bits())};
    return m.for_every(index, [&](std::span<const Term> x) { return smt::equal(log.read(x[0]), x[0]); });
}

Term counts_exactly(const Machine& m) {
    const std::array<Sort, 2> sorts{m.state_sort(), m.hidden_sort()};
    return m.for_every(
        sorts, [&](std::span<const Term> x) { return smt::iff(m.counted(x[0], x[1]), m.branches(x[0])); });
}

}  // namespace

std::span<const ConditionInfo, kConditionCount> conditions() {
    return kConditions;
}

const ConditionInfo& info(Condition condition) {
    return kConditions[static_cast<std::size_t>(condition)];
}

Term holds_always(Condition condition, const Machine& machine, const Log& log, const Term& start_record,
                  const Term& start_replay) {
    switch (condition) {
        case Condition::kC1:
            return smt::equal(start_record, start_replay);
        case Condition::kC2:
            return no_hidden_input(machine);
        case Condition::kC3:
            return complete(machine, log);
        case Condition::kC4:
            return injective(machine, log);
        case Condition::kC5:
            return in_order(machine, log);
        case Condition::kC6:
            return counts_exactly(machine);
    }
    std::abort();
}

Term holds_at(Condition condition, const Step& step) {
    switch (condition) {
        case Condition::kC1:
        case Condition::kC2:
        case Condition::kC4:
            return step.machine.context().bool_value(true);
        case Condition::kC3:
            return entry_recorded(step.machine, step.log, step.record, step.world);
        case Condition::kC5:
            return !step.world.rogue_record && !step.world.rogue_replay;
        case Condition::kC6: {
            const Term next = step.log.read(step.replay.index);
            return smt::iff(step.world.stops, step.replay.point &&
                                                  smt::equal(step.log.time_n(next), step.replay.n) &&
                                                  smt::equal(step.log.time_b(next), step.replay.b));
        }
    }
    std::abort();
}

}  // namespace casmotion::model
