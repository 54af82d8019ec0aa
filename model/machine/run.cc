// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/run.h"

#include <algorithm>
#include <cstdio>

namespace casmotion::model {

using smt::Term;

Run::Run(const TinyMachine& machine, unsigned steps) : machine_(machine), log_(machine) {
    record_.push_back(start_side(machine, machine.context().constant("record.start", machine.state_sort())));
    replay_.push_back(start_side(machine, machine.context().constant("replay.start", machine.state_sort())));
    for (unsigned step = 0; step < steps; ++step) {
        worlds_.emplace_back(machine, "." + std::to_string(step));
        record_.push_back(record_step(machine, log_, record_.back(), worlds_.back()));
        replay_.push_back(replay_step(machine, log_, replay_.back(), worlds_.back()));
    }
}

Term Run::complete() const {
    const Term zero = machine_.context().bv_value(0, machine_.count_bits());
    std::vector<Term> terms{record_.back().halted, smt::equal(log_.name_n(zero), 0),
                            smt::equal(log_.name_b(zero), 0), !log_.injectable(zero)};
    for (unsigned step = 0; step < steps(); ++step)
        terms.push_back(written(machine_, log_, record_[step], record_[step + 1], worlds_[step]));
    return smt::all_of(terms);
}

Term Run::holds_as_a_whole(Condition condition) const {
    return holds_always(condition, machine_, log_, record_.front().state, replay_.front().state);
}

Term Run::holds_at_each_step(Condition condition) const {
    std::vector<Term> terms;
    for (unsigned step = 0; step < steps(); ++step)
        terms.push_back(
            holds_at(condition, Step{machine_, log_, record_[step], replay_[step], worlds_[step]}));
    return smt::all_of(terms);
}

Term Run::diverges() const {
    std::vector<Term> terms;
    for (std::size_t i = 0; i < record_.size(); ++i)
        terms.push_back(smt::not_equal(record_[i].state, replay_[i].state) ||
                        !smt::iff(record_[i].halted, replay_[i].halted));
    return smt::any_of(terms);
}

Term Run::ends_differently() const {
    return smt::not_equal(record_.back().state, replay_.back().state);
}

Term Run::has_record(std::uint64_t kind) const {
    std::vector<Term> terms;
    for (std::size_t i = 0; i + 1 < record_.size(); ++i) {
        const Side &before = record_[i], &after = record_[i + 1];
        terms.push_back(smt::equal(log_.kind(before.index), kind) &&
                        smt::not_equal(before.index, after.index));
    }
    return smt::any_of(terms);
}

namespace {

std::string side_text(const smt::Model& model, const Side& side) {
    const std::uint64_t s = model.u64(side.state);
    char text[64];
    std::snprintf(text, sizeof text, "(%llu,%llu) pc=%llu r=%llu m=%llu",
                  (unsigned long long)model.u64(side.n), (unsigned long long)model.u64(side.b),
                  (unsigned long long)(s >> 4 & 3), (unsigned long long)(s >> 2 & 3),
                  (unsigned long long)(s & 3));
    return text;
}

}  // namespace

std::string Run::log_text(const smt::Model& model) const {
    std::string text = "  log:";
    std::uint64_t last = 0;
    for (const Side& side : record_) last = std::max(last, model.u64(side.index));
    for (std::uint64_t i = 0; i < last; ++i) {
        const Term index = machine_.context().bv_value(i, machine_.index_bits());
        const std::uint64_t kind = model.u64(log_.kind(index));
        const std::string payload = std::to_string(model.u64(log_.logged(index)));
        const std::string time = "(" + std::to_string(model.u64(log_.time_n(index))) + "," +
                                 std::to_string(model.u64(log_.time_b(index))) + ")";
        text += "  [" + std::to_string(i) + "] ";
        if (kind == kSync) text += "value " + payload;
        if (kind == kAsync) text += "effect m:=" + payload + " at " + time;
        if (kind == kEnd) text += "end at " + time;
        if (kind != kEnd && model.u64(log_.used(index)) != model.u64(log_.logged(index)))
            text += " (used: " + std::to_string(model.u64(log_.used(index))) + ")";
        if (model.u64(log_.read(index)) != i)
            text += " (replay reads [" + std::to_string(model.u64(log_.read(index))) + "])";
    }
    return text + "\n";
}

namespace {

// What one side does in a step: "" if it has ended.
std::string action(const TinyMachine& machine, const smt::Model& model, const Side& before, const Side& after,
                   const Term& payload, const Term& hidden, bool rogue, bool unrecorded) {
    if (model.truth(before.halted)) return "";
    std::string text;
    const std::uint64_t s = model.u64(before.state);
    const bool moved = model.u64(before.position) != model.u64(after.position);
    if (model.truth(after.halted)) {
        text = "end";
    } else if (!moved) {
        text = "effect m:=" + std::to_string(model.u64(payload));
    } else {
        text = machine.instruction_text(model, s);
        if (model.truth(machine.at(before.state, TinyOp::kClock)))
            text += " = " + std::to_string(model.u64(payload));
        if (model.truth(machine.at(before.state, TinyOp::kLeak)) ||
            (model.truth(machine.at(before.state, TinyOp::kClock)) && model.truth(machine.uncovered_read())))
            text += ", hidden " + std::to_string(model.u64(hidden));
    }
    if (unrecorded && !model.truth(after.halted)) text += ", no record";
    if (rogue && !model.truth(after.halted)) text += ", rogue write";
    return text;
}

}  // namespace

std::string Run::text(const smt::Model& model) const {
    std::string text = machine_.program_text(model) + log_text(model);
    char line[256];
    std::snprintf(line, sizeof line, "  %-4s %-24s %-28s | %-24s %s\n", "step", "recording: (n,b) state",
                  "does", "replay: (n,b) state", "does");
    text += line;
    bool same = true;
    for (unsigned i = 0; i <= steps(); ++i) {
        const bool both_ended =
            i > 0 && model.truth(record_[i - 1].halted) && model.truth(replay_[i - 1].halted);
        if (both_ended) break;
        const bool equal_now = model.u64(record_[i].state) == model.u64(replay_[i].state) &&
                               model.truth(record_[i].halted) == model.truth(replay_[i].halted);
        std::string left, right;
        if (i < steps()) {
            const World& w = worlds_[i];
            const Term next = log_.read(replay_[i].index);
            left = action(machine_, model, record_[i], record_[i + 1], payload_used(log_, record_[i], w),
                          w.hidden_record, model.truth(w.rogue_record),
                          !model.truth(entry_recorded(machine_, log_, record_[i], w)));
            right = action(machine_, model, replay_[i], replay_[i + 1], log_.logged(next), w.hidden_replay,
                           model.truth(w.rogue_replay), false);
        }
        std::snprintf(line, sizeof line, "  %-4u %-24s %-28s %c %-24s %s%s", i,
                      side_text(model, record_[i]).c_str(), left.c_str(), equal_now ? '|' : '#',
                      side_text(model, replay_[i]).c_str(), right.c_str(),
                      !equal_now && same ? "   <-- first difference" : "");
        std::string trimmed = line;
        while (!trimmed.empty() && trimmed.back() == ' ') trimmed.pop_back();
        text += trimmed + "\n";
        same = same && equal_now;
    }
    return text;
}

}  // namespace casmotion::model
