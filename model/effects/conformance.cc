// SPDX-License-Identifier: GPL-2.0-or-later
#include "effects/conformance.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace casmotion::model {

using smt::Term;

namespace {

const ClassInfo& class_info(casm_class cls) {
    for (const ClassInfo& info : kClasses)
        if (info.id == cls) return info;
    std::abort();
}

std::string statement(Property property, std::string_view name) {
    const std::string cls = "Class " + std::string(name) + ", ";
    switch (property) {
        case Property::kEquivalence:
            return cls +
                   "equivalence: recording the event and replaying its record, from the same state, gives "
                   "the same state, "
                   "and the\nreplay accepts the record.";
        case Property::kDetection:
            return cls +
                   "detection: a replay in any state that accepts the record has the same keys and compared "
                   "values.";
        case Property::kFrame:
            return cls +
                   "frame: the recording's event changes nothing but the parts that it is declared to write.";
        case Property::kContainment:
            return cls +
                   "containment: a record with any content, if the replay accepts it, changes nothing but "
                   "the parts that\n"
                   "it is declared to write, and nothing past the end of a page or table.";
        case Property::kDetermination:
            return cls +
                   "determination: two replays from the same state that accept records with the same values "
                   "end "
                   "in the same\nstate, and the records have the same keys and compared values.";
    }
    std::abort();
}

// Hidden state gets into the part.
void leak(Guest& guest, std::string_view part, std::string_view side) {
    for (const Guest::Word& word : guest.words())
        if (word.name == part) {
            const unsigned bits = word.value.sort().bits();
            guest.set(part, word.value ^ guest.context().bv_constant(std::string(side) + ".hidden", bits));
            return;
        }
    const Cells before = guest.cells(part);
    const Term hidden = guest.context().bv_constant(std::string(side) + ".hidden", before.element_bits);
    guest.set_cells(part, [before, hidden](const Term& index) { return before.at(index) ^ hidden; });
}

void require_all_used(casm_class cls, const Payload& payload) {
    for (const Payload::Seen& seen : payload.seen())
        if (!(seen.put || seen.put_blob) || !(seen.found || seen.found_blob)) {
            std::fprintf(stderr, "casmotion::model: the effect of class %s does not use field '%s'\n",
                         std::string(class_info(cls).name).c_str(), std::string(seen.info->name).c_str());
            std::abort();
        }
}

// What the replay found is what the recording put: of the same width, before either was cut.
Term same_content(const smt::Context& context, const Payload::Seen& seen) {
    if (seen.put_blob) return same_blob(context, seen.info->name, *seen.put_blob, *seen.found_blob);
    const unsigned width = std::max(seen.put->sort().bits(), seen.found->sort().bits());
    const Term same = smt::equal(smt::zero_extend(*seen.put, width), smt::zero_extend(*seen.found, width));
    return seen.kept ? same && *seen.kept : same;
}

std::vector<std::string> names_of_false(const smt::Model& model, const auto& named) {
    std::vector<std::string> names;
    for (const auto& item : named)
        if (!model.truth(item.same)) names.push_back(item.name);
    return names;
}

}  // namespace

std::string_view name_of(Property property) {
    switch (property) {
        case Property::kEquivalence:
            return "equivalence";
        case Property::kDetection:
            return "detection";
        case Property::kFrame:
            return "frame";
        case Property::kContainment:
            return "containment";
        case Property::kDetermination:
            return "determination";
    }
    std::abort();
}

void ClassObligation::compare_fields(const Payload& payload) {
    for (const Payload::Seen& seen : payload.seen())
        fields_.push_back({std::string(seen.info->name), same_content(context_, seen)});
}

void ClassObligation::compare_fields(const Payload& a, const Payload& b) {
    for (std::size_t i = 0; i < a.seen().size(); ++i) {
        const Payload::Seen &one = a.seen()[i], &other = b.seen()[i];
        fields_.push_back({std::string(one.info->name),
                           one.held_blob
                               ? same_blob(context_, one.info->name, *one.held_blob, *other.held_blob)
                               : smt::equal(*one.held, *other.held)});
    }
}

void ClassObligation::compare_parts(const Guest& a, const Guest& b, const std::vector<Written>& but_for) {
    const auto written = [&](const std::string& name) -> const Written* {
        for (const Written& part : but_for)
            if (part.part == name) return &part;
        return nullptr;
    };
    for (const Guest::Word& word : a.words())
        if (written(word.name) == nullptr)
            parts_.push_back({word.name, smt::equal(word.value, b.word(word.name))});
    for (const Guest::Array& array : a.arrays()) {
        const Written* const part = written(array.name);
        if (part != nullptr && part->bound == 0) continue;
        const Term index = context_.bv_constant("any-index." + array.name, array.cells.index_bits);
        Term same = smt::equal(array.cells.at(index), b.cells(array.name).at(index));
        if (part != nullptr) same = smt::less(index, part->bound) || same;
        parts_.push_back({array.name, same});
    }
}

ClassObligation::ClassObligation(casm_class cls, Property property, const Mutation& mutation) {
    const EffectOps effect = effect_of(cls);
    const Inputs in(context_);
    const Guest start(context_, "guest");
    Payload payload(context_, cls, mutation.layout);
    Term possible = effect.possible(start, in, mutation.defect);
    Term accepted = in.yes();
    std::vector<Term> goal;

    Guest recording = start;
    effect.record(recording, in, payload, mutation.defect);
    if (!mutation.hidden_read.empty()) leak(recording, mutation.hidden_read, "record");

    switch (property) {
        case Property::kEquivalence: {
            Guest replay = start;
            accepted = effect.replay(replay, in, payload, mutation.defect);
            if (!mutation.hidden_read.empty()) leak(replay, mutation.hidden_read, "replay");
            require_all_used(cls, payload);
            compare_fields(payload);
            compare_parts(recording, replay, {});
            // A record of another layout that the replay merely refuses would be noticed anyway: such a
            // mutant must be shown to end in another state.
            const bool mutant = !mutation.layout.removed_field.empty() ||
                                !mutation.layout.moved_field.empty() || !mutation.hidden_read.empty();
            if (!mutant) goal.push_back(accepted);
            for (const Named& part : parts_)
                goal.push_back(mutant ? smt::implies(accepted, part.same) : part.same);
            break;
        }
        case Property::kDetection: {
            Guest replay(context_, "other");
            possible = possible && effect.possible(replay, in, mutation.defect);
            accepted = effect.replay(replay, in, payload, mutation.defect);
            require_all_used(cls, payload);
            compare_fields(payload);
            goal.push_back(in.yes());
            for (const Payload::Seen& seen : payload.seen())
                if (seen.info->role != Role::kValue)
                    goal.push_back(smt::implies(accepted, same_content(context_, seen)));
            break;
        }
        case Property::kFrame: {
            std::vector<Written> parts = effect.writes();
            compare_parts(start, recording, parts);
            for (const Named& part : parts_) goal.push_back(part.same);
            break;
        }
        case Property::kContainment: {
            payload.make_hostile();
            Guest replay = start;
            accepted = effect.replay(replay, in, payload, mutation.defect);
            compare_parts(start, replay, effect.writes());
            for (const Named& part : parts_) goal.push_back(smt::implies(accepted, part.same));
            break;
        }
        case Property::kDetermination: {
            Payload second(context_, cls, mutation.layout);
            payload.make_hostile("one");
            second.make_hostile("two");
            Guest one = start, two = start;
            accepted = effect.replay(one, in, payload, mutation.defect) &&
                       effect.replay(two, in, second, mutation.defect);
            if (!mutation.hidden_read.empty()) {
                leak(one, mutation.hidden_read, "one");
                leak(two, mutation.hidden_read, "two");
            }
            compare_fields(payload, second);
            compare_parts(one, two, {});
            goal.push_back(in.yes());
            for (std::size_t i = 0; i < fields_.size(); ++i)
                if (payload.seen()[i].info->role != Role::kValue)
                    goal.push_back(smt::implies(accepted, fields_[i].same));
            for (const Named& part : parts_) goal.push_back(smt::implies(accepted, part.same));
            break;
        }
    }
    const std::string name(class_info(cls).name);
    obligation_ = Obligation{
        .name = name + "_" + std::string(name_of(property)),
        .folder = "effects",
        .statement = statement(property, name),
        .logic = "QF_AUFBV",
        .assumptions = {{"possible", "what the recording side guarantees of inputs and keys", possible,
                         false}},
        .goal = smt::all_of(goal),
        .goal_meaning = std::string(name_of(property)),
    };
    if (!payload.facts().empty())
        obligation_->assumptions.push_back({"column", "a column of the log is as wide as its values need",
                                            smt::all_of(payload.facts()), false});
}

std::vector<std::string> ClassObligation::different_fields(const smt::Model& model) const {
    return names_of_false(model, fields_);
}

std::vector<std::string> ClassObligation::different_parts(const smt::Model& model) const {
    return names_of_false(model, parts_);
}

Verdict check(casm_class cls, Property property, const Mutation& mutation, smt::Limits limits) {
    const ClassObligation obligation(cls, property, mutation);
    smt::Solver solver(obligation.context(), limits);
    for (const Term& term : script_of(obligation.obligation()).terms()) solver.add(term);
    Verdict verdict;
    verdict.answer = solver.check();
    verdict.steps = solver.steps();
    if (verdict.answer.outcome() == smt::Outcome::kSat) {
        verdict.fields = obligation.different_fields(solver.model());
        verdict.parts = obligation.different_parts(solver.model());
    }
    return verdict;
}

}  // namespace casmotion::model
