// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/witness.h"

#include <array>
#include <functional>

#include "machine/run.h"
#include "machine/tiny_machine.h"

namespace casmotion::model {
namespace {

using smt::Term;

// Runs are tried from 2 steps to this many; the longest witness needs fewer.
constexpr unsigned kMaxSteps = 10;

// The processor, and what the conditions say of it as a whole: written out once, as that is what takes time.
class Bench {
  public:
    Bench() {
        const Run run(machine_, 1);
        for (const ConditionInfo& condition : conditions())
            whole_.push_back(run.holds_as_a_whole(condition.id));
    }
    [[nodiscard]] const TinyMachine& machine() const { return machine_; }
    [[nodiscard]] Term holds(const Run& run, Condition condition) const {
        return whole_[static_cast<std::size_t>(condition)] && run.holds_at_each_step(condition);
    }
    // All conditions but `dropped`.
    [[nodiscard]] Term all_but(const Run& run, Condition dropped) const {
        std::vector<Term> terms;
        for (const ConditionInfo& condition : conditions())
            if (condition.id != dropped) terms.push_back(holds(run, condition.id));
        return smt::all_of(terms);
    }
    [[nodiscard]] Term all(const Run& run) const {
        return all_but(run, Condition::kC1) && holds(run, Condition::kC1);
    }

  private:
    TinyMachine machine_;
    std::vector<Term> whole_;
};

// `clause` of every step, together.
Term at_each_step(const Run& run, const std::function<Term(unsigned)>& clause) {
    std::vector<Term> terms;
    for (unsigned step = 0; step < run.steps(); ++step) terms.push_back(clause(step));
    return smt::all_of(terms);
}

// The clauses that C3, C5 and C6 consist of, so that each can be broken while the others hold.
Term payloads_kept(const Run& run) {
    const std::array<smt::Sort, 1> index{run.machine().context().bv_sort(run.machine().index_bits())};
    return run.machine().for_every(index, [&](std::span<const Term> x) {
        return smt::equal(run.log().used(x[0]), run.log().logged(x[0]));
    });
}
Term entries_recorded(const Run& run) {
    return at_each_step(run, [&](unsigned step) {
        return entry_recorded(run.machine(), run.log(), run.record(step), run.world(step));
    });
}
Term read_in_order(const Run& run) {
    const std::array<smt::Sort, 1> index{run.machine().context().bv_sort(run.machine().index_bits())};
    return run.machine().for_every(
        index, [&](std::span<const Term> x) { return smt::equal(run.log().read(x[0]), x[0]); });
}
Term recording_quiet(const Run& run) {
    return at_each_step(run, [&](unsigned step) { return !run.world(step).rogue_record; });
}
Term replay_quiet(const Run& run) {
    return at_each_step(run, [&](unsigned step) { return !run.world(step).rogue_replay; });
}
// The replay is where the next record's time point is its own.
Term at_named_place(const Run& run, unsigned step) {
    const Side& replay = run.replay(step);
    const Term next = run.log().read(replay.index);
    return replay.point && smt::equal(run.log().time_n(next), replay.n) &&
           smt::equal(run.log().time_b(next), replay.b);
}
Term never_early(const Run& run) {
    return at_each_step(
        run, [&](unsigned step) { return smt::implies(run.world(step).stops, at_named_place(run, step)); });
}
Term never_past(const Run& run) {
    return at_each_step(
        run, [&](unsigned step) { return smt::implies(at_named_place(run, step), run.world(step).stops); });
}
Term counter_exact(const Run& run) {
    return !run.machine().counts_too_much();
}

// The replay reads the records of the log, each once, in some order.
Term permuted(const Run& run) {
    const Term end = run.record(run.steps()).index;
    const std::array<smt::Sort, 1> index{run.machine().context().bv_sort(run.machine().index_bits())};
    return run.machine().for_every(index, [&](std::span<const Term> x) {
        const Term other = run.log().read(x[0]);
        return smt::equal(run.log().read(other), x[0]) &&
               smt::iff(smt::less(x[0], end), smt::less(other, end));
    });
}
// The world's other writes are one, in the second step.
Term one_rogue_write(const Run& run) {
    return at_each_step(run, [&](unsigned step) {
        return step == 1 ? run.machine().context().bool_value(true)
                         : !run.world(step).rogue_record && !run.world(step).rogue_replay;
    });
}

struct Search {
    Condition dropped;
    std::string clause, meaning;
    // The dropped condition's other clauses, which hold, and what makes the run easier to read.
    std::function<Term(const Run&)> kept;
};

std::vector<Search> searches() {
    const auto none = [](const Run& run) { return run.machine().context().bool_value(true); };
    return {
        {Condition::kC1, "start", "the two start in different states", none},
        {Condition::kC2, "leak", "an instruction shows the guest something hidden", none},
        {Condition::kC3, "read", "a step reads more than its record carries",
         [](const Run& run) { return payloads_kept(run) && entries_recorded(run); }},
        {Condition::kC3, "payload", "the record holds another value than the one that was used",
         [](const Run& run) { return !run.machine().uncovered_read() && entries_recorded(run); }},
        {Condition::kC3, "record", "an entry leaves no record",
         [](const Run& run) { return !run.machine().uncovered_read() && payloads_kept(run); }},
        {Condition::kC4, "name",
         "effects at any instruction boundary, named (n, b): the replay stops at the first place of that "
         "name",
         none},
        {Condition::kC5, "recording", "something else writes into the recorded guest",
         [](const Run& run) { return replay_quiet(run) && read_in_order(run) && one_rogue_write(run); }},
        {Condition::kC5, "replay", "something else writes into the replayed guest",
         [](const Run& run) { return recording_quiet(run) && read_in_order(run) && one_rogue_write(run); }},
        {Condition::kC5, "order", "the replay reads the records in another order",
         [](const Run& run) { return recording_quiet(run) && replay_quiet(run) && permuted(run); }},
        {Condition::kC6, "early", "the replay stops at a place that the record does not name",
         [](const Run& run) { return never_past(run) && counter_exact(run); }},
        {Condition::kC6, "past", "the replay runs past the place that the record names",
         [](const Run& run) { return never_early(run) && counter_exact(run); }},
        {Condition::kC6, "counter", "the counter counts what is no branch: the same place gets two names",
         [](const Run& run) { return never_early(run) && never_past(run); }},
    };
}

// Defects of the processor that belong to other conditions are off.
Term other_defects_off(const Run& run, Condition dropped) {
    const TinyMachine& machine = run.machine();
    std::vector<Term> terms{machine.context().bool_value(true)};
    if (dropped != Condition::kC3) terms.push_back(!machine.uncovered_read());
    if (dropped != Condition::kC4) terms.push_back(!machine.any_boundary());
    if (dropped != Condition::kC6) terms.push_back(!machine.counts_too_much());
    return smt::all_of(terms);
}

// The shortest complete recording with a value and an effect that meets `demand`.
Witness shortest(const Bench& bench, smt::Limits limits, std::string name, std::string meaning,
                 const std::function<Term(const Run&)>& demand, unsigned max_steps = kMaxSteps) {
    Witness witness;
    witness.name = std::move(name);
    witness.meaning = std::move(meaning);
    for (unsigned steps = 3; steps <= max_steps; ++steps) {
        const Run run(bench.machine(), steps);
        smt::Solver solver(bench.machine().context(), limits, "QF_BV");
        solver.add(run.complete());
        solver.add(run.has_record(kSync) && run.has_record(kAsync));
        solver.add(demand(run));
        const std::uint64_t before = solver.steps();
        witness.answer = solver.check();
        witness.solver_steps += solver.steps() - before;
        witness.run_steps = steps;
        if (witness.answer.outcome() == smt::Outcome::kUnsat) continue;  // a longer one may exist
        if (witness.answer.outcome() == smt::Outcome::kSat) witness.trace = run.text(solver.model());
        break;
    }
    return witness;
}

// The recording's program counter and register at `position`.
Term registers_at(const Run& run, const Term& position) {
    Term registers = smt::extract(run.record(0).state, 5, 2);
    for (unsigned step = 1; step <= run.steps(); ++step)
        registers = smt::ite(smt::equal(run.record(step).position, position),
                             smt::extract(run.record(step).state, 5, 2), registers);
    return registers;
}

// Some instruction of the program that runs is `op`.
Term executes(const Run& run, TinyOp op) {
    std::vector<Term> terms;
    for (unsigned step = 0; step < run.steps(); ++step)
        terms.push_back(run.machine().at(run.record(step).state, op) &&
                        smt::not_equal(run.record(step).position, run.record(step + 1).position));
    return smt::any_of(terms);
}

Term takes_effect(const Side& before, const Side& after) {
    return smt::equal(before.position, after.position) && !before.halted && !after.halted;
}

// Effects are named (n, b, pc, r) and applied at any boundary of a program that runs no conditional branch;
// the replay stops at the first place of that name, with another memory than the recording's. All else holds.
Term named_by_state(const Bench& bench, const Run& run) {
    const Term stops_by_state = at_each_step(run, [&](unsigned step) {
        const Term next = run.log().read(run.replay(step).index);
        return smt::iff(run.world(step).stops,
                        at_named_place(run, step) && smt::equal(smt::extract(run.replay(step).state, 5, 2),
                                                                registers_at(run, run.log().where(next))));
    });
    std::vector<Term> other_memory;
    for (unsigned i = 0; i < run.steps(); ++i)
        for (unsigned j = 0; j < run.steps(); ++j)
            other_memory.push_back(
                takes_effect(run.replay(i), run.replay(i + 1)) &&
                takes_effect(run.record(j), run.record(j + 1)) &&
                smt::equal(run.replay(i).index, run.record(j).index) &&
                smt::not_equal(TinyMachine::m(run.replay(i).state), TinyMachine::m(run.record(j).state)));
    return smt::all_of({bench.holds(run, Condition::kC1), bench.holds(run, Condition::kC2),
                        bench.holds(run, Condition::kC3), bench.holds(run, Condition::kC5),
                        other_defects_off(run, Condition::kC4), stops_by_state, !executes(run, TinyOp::kJnz),
                        smt::any_of(other_memory)});
}

}  // namespace

std::vector<Witness> minimality_witnesses(Condition dropped, smt::Limits limits) {
    const Bench bench;
    std::vector<Witness> witnesses;
    for (const Search& wanted : searches()) {
        if (wanted.dropped != dropped) continue;
        witnesses.push_back(
            shortest(bench, limits, std::string(info(dropped).name) + " (" + wanted.clause + ")",
                     wanted.meaning, [&](const Run& run) {
                         return smt::all_of({bench.all_but(run, dropped), wanted.kept(run),
                                             other_defects_off(run, dropped), run.ends_differently()});
                     }));
    }
    return witnesses;
}

Witness bounded_check(unsigned steps, smt::Limits limits) {
    const Bench bench;
    Witness witness;
    witness.name = "all six";
    witness.meaning = "no program, log and world of up to " + std::to_string(steps) +
                      " steps meets all six conditions and diverges";
    const Run run(bench.machine(), steps);
    smt::Solver solver(bench.machine().context(), limits, "QF_BV");
    solver.add(run.complete());
    solver.add(bench.all(run));
    solver.add(run.diverges());
    const std::uint64_t before = solver.steps();
    witness.answer = solver.check();
    witness.solver_steps = solver.steps() - before;
    witness.run_steps = steps;
    if (witness.answer.outcome() == smt::Outcome::kSat) witness.trace = run.text(solver.model());
    return witness;
}

Witness vacuity_witness(smt::Limits limits) {
    const Bench bench;
    return shortest(bench, limits, "vacuity",
                    "all six conditions are met by a guest that reads a clock, gets an effect at an A-point "
                    "and one at an S-point, "
                    "loads data and branches",
                    [&](const Run& run) {
                        std::vector<Term> at_a_point, at_s_point;
                        for (unsigned step = 0; step < run.steps(); ++step) {
                            const Side &before = run.record(step), &after = run.record(step + 1);
                            const Term changes =
                                takes_effect(before, after) &&
                                smt::not_equal(TinyMachine::m(before.state), TinyMachine::m(after.state));
                            at_a_point.push_back(changes && !smt::equal(before.b, 0));
                            at_s_point.push_back(changes && smt::equal(before.b, 0));
                        }
                        // What is hidden differs between the two at every step.
                        const Term restless = at_each_step(run, [&](unsigned step) {
                            return smt::not_equal(run.world(step).hidden_record,
                                                  run.world(step).hidden_replay);
                        });
                        return smt::all_of({bench.all(run), other_defects_off(run, Condition::kC1),
                                            smt::any_of(at_a_point), smt::any_of(at_s_point),
                                            executes(run, TinyOp::kClock), executes(run, TinyOp::kLoad),
                                            executes(run, TinyOp::kJnz), restless});
                    });
}

Witness by_state_witness(smt::Limits limits) {
    const Bench bench;
    return shortest(bench, limits, "by state",
                    "in a loop without conditional branches, (count, RIP, registers) names two places with "
                    "different memory",
                    [&](const Run& run) { return named_by_state(bench, run); });
}

Witness by_state_without_writes(smt::Limits limits) {
    const Bench bench;
    return shortest(
        bench, limits, "by state, no writes",
        "the same search over programs that do not write memory, up to 6 steps",
        [&](const Run& run) { return named_by_state(bench, run) && !executes(run, TinyOp::kIncMem); }, 6);
}

}  // namespace casmotion::model
