// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/product.h"

#include <string>

namespace casmotion::model {

using smt::Term;

namespace {

smt::Sort count_sort(const Machine& machine) {
    return machine.context().bv_sort(machine.count_bits());
}

Term is(const Machine::Map& kind, const Term& index, std::uint64_t value) {
    return smt::equal(kind(index), value);
}

// A side after an effect, after the end, after an own step; `rogue` replaces the state at last.
// `with_record`: an entry moves on to the next record.
Side choose(const Machine& machine, const Side& side, const Term& takes_effect, const Term& takes_end,
            const Term& with_record, const Term& payload, const Term& hidden, const Term& rogue,
            const Term& rogue_state) {
    const Term enters = machine.enters(side.state, hidden);
    const Term stays = takes_effect || takes_end;  // not an own step
    const Term own_state =
        smt::ite(enters, machine.entry(side.state, payload, hidden), machine.run(side.state, hidden));
    const Term state = smt::ite(takes_effect, machine.effect(side.state, payload, hidden), own_state);
    const Term one = machine.context().bv_value(1, machine.count_bits());
    const Term zero = machine.context().bv_value(0, machine.count_bits());
    const Term counted = smt::ite(machine.counted(side.state, hidden), side.b + one, side.b);

    const Term frozen = side.halted || takes_end;
    const Term keeps_place = side.halted || stays;
    const Term changed = smt::ite(rogue, rogue_state, state);
    return {
        .state = smt::ite(frozen, side.state, changed),
        .position = smt::ite(keeps_place, side.position, side.position + one),
        .n = smt::ite(keeps_place, side.n, smt::ite(enters, side.n + one, side.n)),
        .b = smt::ite(keeps_place, side.b, smt::ite(enters, zero, counted)),
        .point = smt::ite(keeps_place, side.point, enters || machine.boundary(side.state)),
        .index = smt::ite(side.halted, side.index,
                          smt::ite(stays || (enters && with_record), side.index + 1, side.index)),
        .halted = frozen,
    };
}

}  // namespace

Log::Log(const Machine& machine)
    : kind(machine.map("log.kind", machine.index_bits(), machine.context().bv_sort(kKindBits))),
      time_n(machine.map("log.time.n", machine.index_bits(), count_sort(machine))),
      time_b(machine.map("log.time.b", machine.index_bits(), count_sort(machine))),
      logged(machine.map("log.payload", machine.index_bits(), machine.payload_sort())),
      used(machine.map("recording.payload", machine.index_bits(), machine.payload_sort())),
      where(machine.map("recording.where", machine.index_bits(), count_sort(machine))),
      name_n(machine.map("recording.name.n", machine.count_bits(), count_sort(machine))),
      name_b(machine.map("recording.name.b", machine.count_bits(), count_sort(machine))),
      injectable(machine.map("recording.injectable", machine.count_bits(), machine.context().bool_sort())),
      read(machine.map("replay.reads", machine.index_bits(),
                       machine.context().bv_sort(machine.index_bits()))) {}

World::World(const Machine& machine, std::string_view suffix)
    : hidden_record(machine.context().constant("record.hidden" + std::string(suffix), machine.hidden_sort())),
      hidden_replay(machine.context().constant("replay.hidden" + std::string(suffix), machine.hidden_sort())),
      rogue_record(machine.context().bool_constant("record.rogue" + std::string(suffix))),
      rogue_replay(machine.context().bool_constant("replay.rogue" + std::string(suffix))),
      rogue_record_state(
          machine.context().constant("record.rogue.state" + std::string(suffix), machine.state_sort())),
      rogue_replay_state(
          machine.context().constant("replay.rogue.state" + std::string(suffix), machine.state_sort())),
      unrecorded(
          machine.context().constant("record.unrecorded" + std::string(suffix), machine.payload_sort())),
      stops(machine.context().bool_constant("replay.stops" + std::string(suffix))) {}

Side free_side(const Machine& machine, std::string_view name) {
    const smt::Context& c = machine.context();
    const std::string prefix = std::string(name) + ".";
    return {
        .state = c.constant(prefix + "state", machine.state_sort()),
        .position = c.bv_constant(prefix + "position", machine.count_bits()),
        .n = c.bv_constant(prefix + "n", machine.count_bits()),
        .b = c.bv_constant(prefix + "b", machine.count_bits()),
        .point = c.bool_constant(prefix + "point"),
        .index = c.bv_constant(prefix + "index", machine.index_bits()),
        .halted = c.bool_constant(prefix + "halted"),
    };
}

Side start_side(const Machine& machine, const Term& state) {
    const smt::Context& c = machine.context();
    const Term zero = c.bv_value(0, machine.count_bits());
    return {
        .state = state,
        .position = zero,
        .n = zero,
        .b = zero,
        .point = c.bool_value(false),
        .index = c.bv_value(0, machine.index_bits()),
        .halted = c.bool_value(false),
    };
}

Term payload_used(const Log& log, const Side& side, const World& world) {
    return smt::ite(smt::equal(log.where(side.index), side.position), log.used(side.index), world.unrecorded);
}

Term entry_recorded(const Machine& machine, const Log& log, const Side& side, const World& world) {
    const Term here = smt::equal(log.where(side.index), side.position);
    const Term effect_or_end = is(log.kind, side.index, kAsync) || is(log.kind, side.index, kEnd);
    return smt::implies(
        !side.halted && !(here && effect_or_end) && machine.enters(side.state, world.hidden_record),
        here && is(log.kind, side.index, kSync));
}

Side record_step(const Machine& machine, const Log& log, const Side& side, const World& world) {
    const Term here = smt::equal(log.where(side.index), side.position);
    return choose(machine, side, here && is(log.kind, side.index, kAsync),
                  here && is(log.kind, side.index, kEnd), here && is(log.kind, side.index, kSync),
                  payload_used(log, side, world), world.hidden_record, world.rogue_record,
                  world.rogue_record_state);
}

Side replay_step(const Machine& machine, const Log& log, const Side& side, const World& world) {
    const Term next = log.read(side.index);
    return choose(machine, side, world.stops && is(log.kind, next, kAsync),
                  world.stops && is(log.kind, next, kEnd), machine.context().bool_value(true),
                  log.logged(next), world.hidden_replay, world.rogue_replay, world.rogue_replay_state);
}

Term written(const Machine& machine, const Log& log, const Side& before, const Side& after,
             const World& world) {
    const Term next = before.index;
    const Term at = log.where(next);
    const Term here = smt::equal(at, before.position);
    const Term sync = is(log.kind, next, kSync);
    const Term effect_or_end = is(log.kind, next, kAsync) || is(log.kind, next, kEnd);
    const Term enters = machine.enters(before.state, world.hidden_record);
    const Term last = machine.context().bv_value(~std::uint64_t{0}, machine.count_bits());
    return smt::all_of({
        // Fewer than 2^bits steps, entries and branches: nothing wraps.
        smt::less(before.position, last) && smt::less(before.n, last) && smt::less(before.b, last),
        // The names of positions are those that the recording's counter gave them.
        smt::equal(log.name_n(after.position), after.n),
        smt::equal(log.name_b(after.position), after.b),
        smt::iff(log.injectable(after.position), after.point),
        // An effect or the end is written where effects may be applied, with the name of the place.
        smt::implies(effect_or_end, log.injectable(at) && smt::equal(log.time_n(next), log.name_n(at)) &&
                                        smt::equal(log.time_b(next), log.name_b(at))),
        is(log.kind, next, kSync) || effect_or_end,
        // Nothing but an entry writes an entry's record.
        smt::implies(!before.halted && here && sync, enters),
        // Records are appended: the one behind is not before this one; behind an entry's it is at a later
        // position.
        smt::at_most(at, log.where(next + 1)),
        smt::implies(sync, smt::less(at, log.where(next + 1))),
    });
}

Term same(const Side& record, const Side& replay) {
    return smt::all_of({
        smt::equal(record.state, replay.state),
        smt::equal(record.position, replay.position),
        smt::equal(record.n, replay.n),
        smt::equal(record.b, replay.b),
        smt::iff(record.point, replay.point),
        smt::equal(record.index, replay.index),
        smt::iff(record.halted, replay.halted),
    });
}

Term invariant(const Machine&, const Log& log, const Side& record, const Side& replay) {
    return smt::all_of({
        same(record, replay),
        smt::equal(log.name_n(record.position), record.n),
        smt::equal(log.name_b(record.position), record.b),
        smt::iff(log.injectable(record.position), record.point),
        record.halted || smt::at_most(record.position, log.where(record.index)),
    });
}

}  // namespace casmotion::model
