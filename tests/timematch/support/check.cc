// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/check.h"

#include <algorithm>

namespace casmotion::timematch {
namespace {

constexpr std::uint64_t patience = 400;  // instructions that a search may take beyond the point

bool is_branch(Op op) {
    return op == Op::Jcc || op == Op::Loop;
}

bool hides_boundaries(const Program& program) {
    return program.has(Op::MovSs) || program.has(Op::Iret);
}

// What the recording may choose, by the program's plain execution alone.
std::string judge_recording(Trace& trace, const Program& program, std::uint64_t moment,
                            const Machine& machine, const Recorded& r, const Plan& plan) {
    const std::uint64_t now = machine.state().now;
    if (r.outcome == Outcome::TooLong) return "the recording finds no end";
    if (machine.state() != trace.at(now).state())
        return "the recording changed the guest: " + machine.state().text() + " is " +
               trace.at(now).state().text();
    if (r.canon.suspects) return "a good counter is suspected";
    if (r.canon.steps + r.canon.breaks > plan.canon.max_steps + CASM_CANON_GRACE_STEPS)
        return "too many steps";
    if (r.outcome == Outcome::Entry) return {};
    if (r.outcome == Outcome::Failed) {
        const bool may = hides_boundaries(program) && r.last.why == CASM_TM_WHY_NO_POINT;
        return may ? "" : "the recording failed: " + text(r.last);
    }
    const casm_tm_point& point = r.canon.point;
    const State& here = trace.at(now).state();
    if (point.branches != here.branches || point.rip != program.address(here.ip) || point.rcx != here.rcx ||
        point.rsp != here.sp || point.hash != here.hash())
        return "the point does not say where it is: " + text(point);
    casm_match match;
    if (casm_match_begin(&match, &point, nullptr) != CASM_TM_OK)
        return "the replay would refuse " + text(point);
    if (point.kind == CASM_TM_BY_STATE)
        return trace.at(now).shadowed() ? "a breakpoint cannot hit at " + text(point) : "";
    if (now <= moment) return "no branch retired in between";
    const Machine& before = trace.at(now - 1);
    if (!is_branch(program.at(before.state().ip).op) || point.from != program.address(before.state().ip))
        return "no branch retired at `from`: " + text(point);
    if (before.shadowed()) return "a breakpoint cannot hit at `from`: " + text(point);
    // The first instruction never counts; then the first branch must be taken, unless it may have been in a
    // shadow.
    if (!hides_boundaries(program) && now > moment + 1 &&
        before.state().branches != trace.at(moment + 1).state().branches)
        return "not the first branch: " + text(point);
    return {};
}

// Where a point by state may be found: the first boundary with these registers at which a breakpoint hits.
std::uint64_t first_equal(Trace& trace, std::uint64_t recorded) {
    const State state = trace.at(recorded).state();
    for (std::uint64_t now = trace.begin_of_entry(recorded); now < recorded; ++now)
        if (trace.at(now).state().same_registers(state) && !trace.at(now).shadowed()) return now;
    return recorded;
}

// Instructions that the recording may have run from the interrupt to the point.
std::uint64_t looked_for(const Plan& plan) {
    return plan.canon.max_steps + CASM_CANON_GRACE_STEPS + 2;
}

// The slack of casm_match.h before a point by state.
std::uint64_t slack(const casm_match& match) {
    return 2 * std::uint64_t{match.limits.margin_branches} +
           (match.target.transfers >> match.limits.slack_shift);
}

// Of the program alone, without the exits of a replay.
std::uint64_t branches_of_any_kind(Trace& trace, std::uint64_t now) {
    return trace.at(now).observe(CASM_TM_INTERRUPT).transfers;
}

// A point by state is found at the recorded place, or at one before it that looks the same: without a count
// of branches of any kind at the first such place, with it not before the slack.
std::string judge_place(Trace& trace, std::uint64_t recorded, std::uint64_t now, const Replayed& r) {
    const casm_match& m = r.match;
    if (!m.target.transfers) return now > first_equal(trace, recorded) ? "not the first equal state" : "";
    if (now > recorded) return "behind the point";
    // Its own exits may have been counted.
    const std::uint64_t transfers = branches_of_any_kind(trace, now) + m.hits + m.interrupts + 1;
    return transfers + slack(m) + m.limits.rearm_min < m.target.transfers ? "before the slack" : "";
}

std::string judge_replay(Trace& trace, std::uint64_t recorded, const casm_tm_point& point,
                         const Machine& machine, const Replayed& r, const Setting& setting, const Plan& plan,
                         Totals& totals) {
    ++totals.replays;
    // Behind the point a program may loop without branches: nothing will be seen of it any more.
    if (r.outcome == Outcome::TooLong && setting.keeps_the_margin()) return "the replay finds no end";
    // Each branch that the program ran behind the point may have led to the point's instruction once more.
    const std::uint64_t behind = branches_of_any_kind(trace, std::max(machine.state().now, recorded)) -
                                 branches_of_any_kind(trace, recorded);
    if (std::string over = over_the_bound(r, plan.obeys_rf, looked_for(plan) + behind); !over.empty())
        return over;
    if (r.outcome != Outcome::Delivered) {
        if (setting.keeps_the_margin()) return "not delivered: " + text(r.last);
        ++totals.overshot;
        return {};
    }
    const std::uint64_t now = machine.state().now;
    if (machine.state() != trace.at(now).state())
        return "the replay changed the guest: " + machine.state().text();
    if (point.kind == CASM_TM_CANONICAL)
        return now == recorded ? ""
                               : "delivered at " + machine.state().text() + " instead of " +
                                     trace.at(recorded).state().text();
    if (!machine.state().same_registers(trace.at(recorded).state()))
        return "other registers: " + machine.state().text();
    if (std::string bad = judge_place(trace, recorded, now, r); setting.keeps_the_margin() && !bad.empty())
        return bad + ": " + machine.state().text();
    if (machine.state().memory != trace.at(recorded).state().memory) ++totals.other_memory;
    return {};
}

class Replays {
  public:
    Replays(Trace& trace, const Plan& plan, Totals& totals) : trace_(trace), plan_(plan), totals_(totals) {}

    std::string check(std::uint64_t recorded, const casm_tm_point& point) {
        for (const Setting& setting : plan_.settings) {
            if (std::string bad = once(recorded, point, setting, {}); !bad.empty()) return bad;
            if (!plan_.interrupt_everywhere) continue;
            for (std::uint64_t now = trace_.begin_of_entry(recorded); now <= recorded; ++now)
                if (std::string bad = once(recorded, point, setting, {now}); !bad.empty())
                    return bad + ", interrupt at " + std::to_string(now);
        }
        return plan_.forge ? forged(recorded, point) : "";
    }

  private:
    Machine start(std::uint64_t recorded, const Setting& setting) {
        Machine machine = trace_.at(trace_.begin_of_entry(recorded));
        Hardware hardware = plan_.hardware;
        hardware.lateness = setting.lateness;
        hardware.skid_instructions = setting.skid_instructions;
        machine.set_hardware(hardware);
        machine.set_limit(recorded + patience);
        return machine;
    }

    std::string once(std::uint64_t recorded, const casm_tm_point& point, const Setting& setting,
                     std::vector<std::uint64_t> interrupts) {
        Machine machine = start(recorded, setting);
        machine.set_interrupts(std::move(interrupts));
        const Replayed r = replay_point(machine, point, limits(setting), plan_.obeys_rf);
        std::string bad = judge_replay(trace_, recorded, point, machine, r, setting, plan_, totals_);
        if (bad.empty()) return {};
        return bad + "\n  margin " + std::to_string(setting.margin_branches) + ", rearm_min " +
               std::to_string(setting.rearm_min) + ", lateness " + std::to_string(setting.lateness) +
               " and " + std::to_string(setting.skid_instructions) + " instructions";
    }

    // A field that is compared, changed: the point is not there.
    std::string forged(std::uint64_t recorded, const casm_tm_point& point) {
        for (unsigned field = 0; field < 4; ++field) {
            casm_tm_point other = point;
            (field == 0   ? other.rip
             : field == 1 ? other.rcx
             : field == 2 ? other.rsp
                          : other.hash) ^= 1ull << 20;
            Machine machine = start(recorded, {2, 1, 0});
            const Replayed r = replay_point(machine, other, limits({2, 1, 0}), plan_.obeys_rf);
            if (r.outcome == Outcome::Delivered) return "delivered a forged " + text(other);
            if (point.kind != CASM_TM_CANONICAL) continue;
            if (r.last.why != CASM_TM_WHY_MISMATCH || r.last.mismatch != 1u << field)
                return "a forged field is not named: " + text(r.last);
            if (machine.state().now != recorded) return "refused at another place: " + machine.state().text();
        }
        return {};
    }

    static casm_match_limits limits(const Setting& setting) {
        return {.margin_branches = setting.margin_branches,
                .rearm_min = setting.rearm_min,
                .overflow_max = CASM_MATCH_OVERFLOW_MAX_DEFAULT,
                .max_hits = CASM_MATCH_MAX_HITS_DEFAULT,
                .slack_shift = CASM_MATCH_SLACK_SHIFT_DEFAULT};
    }

    Trace& trace_;
    const Plan& plan_;
    Totals& totals_;
};

}  // namespace

const Machine& Trace::at(std::uint64_t now) {
    while (places_.size() <= now) {
        places_.push_back(places_.back());
        places_.back().advance();
    }
    return places_[now];
}

std::uint64_t Trace::begin_of_entry(std::uint64_t now) {
    const std::uint32_t entries = at(now).state().entries;
    while (now > 0 && at(now - 1).state().entries == entries) --now;
    return now;
}

std::string Totals::text() const {
    return std::to_string(programs) + " programs: " + std::to_string(canonical) + " canonical points, " +
           std::to_string(by_state) + " by state, " + std::to_string(ended_by_entry) +
           " ended by an entry, " + std::to_string(no_point) + " without a name; " + std::to_string(replays) +
           " replays, " + std::to_string(overshot) + " refused (overflow later than the margin), " +
           std::to_string(other_memory) + " by state with other memory";
}

std::string check_program(const Program& program, const Plan& plan, Totals& totals) {
    Trace trace(program, plan.hardware);
    Replays replays(trace, plan, totals);
    std::set<std::pair<std::uint64_t, std::uint8_t>> seen;
    ++totals.programs;
    for (const std::uint64_t moment : plan.moments) {
        if (trace.at(moment).inhibited()) continue;  // no interrupt is taken here
        // `late` 0: the interrupt at `moment` is the only one; else another follows.
        for (std::uint64_t late = 0; late < (plan.interrupt_everywhere ? 12 : 1); ++late) {
            Machine machine = trace.at(moment);
            machine.set_limit(moment + patience);
            if (late) machine.set_interrupts({moment + late - 1});
            const Recorded r = record_point(machine, plan.canon);
            std::string bad = judge_recording(trace, program, moment, machine, r, plan);
            if (bad.empty() && r.outcome == Outcome::Entry) ++totals.ended_by_entry;
            if (bad.empty() && r.outcome == Outcome::Failed) ++totals.no_point;
            if (bad.empty() && r.outcome == Outcome::Delivered &&
                seen.insert({machine.state().now, r.canon.point.kind}).second) {
                ++(r.canon.point.kind == CASM_TM_CANONICAL ? totals.canonical : totals.by_state);
                bad = replays.check(machine.state().now, r.canon.point);
                if (!bad.empty())
                    bad += "\n  " + text(r.canon.point) + ", at " + std::to_string(machine.state().now);
            }
            if (bad.empty()) continue;
            return bad + "\n  recording interrupted at " + std::to_string(moment) +
                   (late ? " and " + std::to_string(moment + late - 1) : "") +
                   (plan.hardware.trap_after_ss ? ", trap after MOV SS" : "") +
                   (plan.hardware.second_ss_inhibits ? "" : ", a second MOV SS does not inhibit") +
                   (plan.obeys_rf ? "" : ", RF from hits only") + "\n  " + program.text();
        }
    }
    return {};
}

std::string check_all_programs(unsigned size, const std::vector<Op>& ops, const Plan& plan, Totals& totals) {
    std::vector<Insn> choices;
    for (const Op op : ops) {
        const bool jumps =
            op == Op::Jcc || op == Op::Loop || op == Op::Jmp || op == Op::Call || op == Op::Iret;
        for (std::uint8_t target = 0; target < (jumps ? size : 1); ++target) choices.push_back({op, target});
    }
    std::vector<std::size_t> digits(size, 0);
    for (;;) {
        std::vector<Insn> insns;
        for (const std::size_t digit : digits) insns.push_back(choices[digit]);
        if (std::string bad = check_program(Program(std::move(insns)), plan, totals); !bad.empty())
            return bad;
        std::size_t place = 0;
        while (place < size && ++digits[place] == choices.size()) digits[place++] = 0;
        if (place == size) return {};
    }
}

}  // namespace casmotion::timematch
