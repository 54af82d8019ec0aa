// SPDX-License-Identifier: GPL-2.0-or-later
#include "ring_induction.h"

#include <array>

#include "casmotion/smt/solver.h"
#include "casmotion/smt/term.h"

namespace casmotion::protocol {
namespace {

using namespace smt;

// The vCPU: in the guest or writing records; then the stations of casm_room() when there is no room.
enum Vcpu : std::uint64_t { kRun, kPaused, kFlagged, kPublished, kClears, kParked };
// The daemon's drain: reads prod, copies and consumes, kicks.
enum Daemon : std::uint64_t { kRead, kCopy, kKick };

// The code compares differences of its 64-bit counters only, so these are the state (a difference modulo 2^64
// is the same wherever the counters stand): distances to the consumer's counter, but for `used`.
struct State {
    Term used;       // pos - other: what the vCPU takes for unread
    Term written;    // pos - cons
    Term published;  // prod - cons
    Term seen;       // the daemon's copy of prod, less cons
    Term budget;     // bytes that this trip may still write
    Term vcpu, paused, stalled, daemon, pressed;

    [[nodiscard]] std::vector<const Term*> fields() const {
        return {&used, &written, &published, &seen, &budget, &vcpu, &paused, &stalled, &daemon, &pressed};
    }
};

class Ring {
  public:
    // `bits`: width of the counters. 64 is the code's; a search for a trace that a person can read does with
    // fewer.
    Ring(RingBug bug, bool hostile, unsigned bits) : bits_(bits), bug_(bug), hostile_(hostile) {}

    State state(unsigned at) const {
        const auto number = [&](const char* name) {
            return z_.bv_constant(name + std::to_string(at), bits_);
        };
        const auto truth = [&](const char* name) { return z_.bool_constant(name + std::to_string(at)); };
        const auto station = [&](const char* name) { return z_.bv_constant(name + std::to_string(at), 3); };
        return {number("used"),  number("written"), number("published"), number("seen"),    number("budget"),
                station("vcpu"), truth("paused"),   truth("stalled"),    station("daemon"), truth("pressed")};
    }

    // What control.c:valid_size() and CASM_TRIP_BYTES guarantee.
    Term sizes() const {
        const Term trips = trip_ + trip_;
        const Term limits = bits_ == 64 ? less(trip_, 1ull << 30) && less(size_, 1ull << 40)
                                        : less(trip_, 256) && less(size_, 256);
        return all_of({!less(trip_, 8), limits, at_most(trips, size_)});
    }

    Term initial(const State& s) const {
        return all_of({equal(s.used, 0), equal(s.written, 0), equal(s.published, 0), equal(s.seen, 0),
                       equal(s.budget, trip_), equal(s.vcpu, kRun), !s.paused, !s.stalled,
                       equal(s.daemon, kRead), !s.pressed});
    }

    // The kinds of steps, each a relation between a state and the next.
    std::vector<Term> moves(const State& s, const State& t, unsigned at) const {
        const Term amount = z_.bv_constant("amount" + std::to_string(at), bits_);
        std::vector<Term> all;
        const auto move = [&](std::vector<Term> change, std::initializer_list<const Term*> changed) {
            const auto before = s.fields();
            const auto after = t.fields();
            for (std::size_t i = 0; i < before.size(); ++i) {
                bool mine = false;
                for (const Term* field : changed) mine = mine || field == before[i];
                if (!mine) change.push_back(equal(*after[i], *before[i]));
            }
            all.push_back(all_of(std::span<const Term>(change)));
        };
        const auto vcpu = [&](std::uint64_t where) { return z_.bv_value(where, 3); };

        // casm_put(): any record that the trip still allows for.
        move(
            {equal(s.vcpu, kRun), !less(amount, 8), at_most(amount, s.budget), equal(t.used, s.used + amount),
             equal(t.written, s.written + amount), equal(t.budget, s.budget - amount)},
            {&s.used, &s.written, &s.budget});
        // casm_publish() at an exit.
        move({equal(s.vcpu, kRun), equal(t.published, s.written)}, {&s.published});
        // casm_room(), first look: run on with a whole trip's room, or pause.
        const Term used = looked(s);
        move({equal(s.vcpu, kRun), equal(t.used, used), room(used), equal(t.budget, trip_)},
             {&s.used, &s.budget});
        move({equal(s.vcpu, kRun), equal(t.used, used), !room(used), equal(t.vcpu, kPaused), t.paused},
             {&s.used, &s.vcpu, &s.paused});
        move({equal(s.vcpu, kPaused), equal(t.vcpu, kFlagged), t.stalled}, {&s.vcpu, &s.stalled});
        move({equal(s.vcpu, kFlagged), equal(t.vcpu, kPublished), equal(t.published, s.written)},
             {&s.vcpu, &s.published});
        move({equal(s.vcpu, kPublished), equal(t.used, used),
              equal(t.vcpu, ite(room(used), vcpu(kClears), vcpu(kParked)))},
             {&s.vcpu, &s.used});
        move({equal(s.vcpu, kClears), equal(t.vcpu, kParked), iff(t.paused, s.paused && !s.stalled),
              !t.stalled},
             {&s.vcpu, &s.paused, &s.stalled});
        // The scheduler lets it run again: the exit starts over, nothing is written before its look.
        move({equal(s.vcpu, kParked), !s.paused, equal(t.vcpu, kRun), equal(t.budget, 0)},
             {&s.vcpu, &s.budget});

        // Recorder::drain(): look, copy and consume in batches, kick if much was unread.
        move({equal(s.daemon, kRead), equal(t.seen, s.published),
              iff(t.pressed, less(threshold(), s.published)),
              equal(t.daemon, ite(equal(s.published, 0), vcpu(kRead), vcpu(kCopy)))},
             {&s.daemon, &s.seen, &s.pressed});
        move({equal(s.daemon, kCopy), at_most(amount, s.seen), equal(t.seen, s.seen - amount),
              equal(t.written, s.written - amount), equal(t.published, s.published - amount),
              equal(t.daemon,
                    ite(equal(amount, s.seen), ite(s.pressed, vcpu(kKick), vcpu(kRead)), vcpu(kCopy)))},
             {&s.seen, &s.written, &s.published, &s.daemon});
        // control.c:kick().
        move({equal(s.daemon, kKick), equal(t.daemon, kRead), iff(t.paused, s.paused && !s.stalled),
              !t.stalled},
             {&s.daemon, &s.paused, &s.stalled});
        if (hostile_) move({}, {&s.written, &s.published, &s.seen});
        return all;
    }
    Term step(const State& s, const State& t, unsigned at) const {
        const std::vector<Term> all = moves(s, t, at);
        return any_of(std::span<const Term>(all));
    }

    struct Rule {
        const char* name;
        Term holds;
    };

    // The rules, and what makes them inductive.
    std::vector<Rule> rules(const State& s) const {
        std::vector<Rule> all = {
            {"more is used than the ring has", at_most(s.used, size_)},
            {"a record that the trip allows for finds no room",
             implies(equal(s.vcpu, kRun), at_most(s.budget, size_ - s.used))},
            {"stations", at_most(s.vcpu, kParked) && at_most(s.daemon, kKick)},
        };
        if (hostile_) return all;
        const Term before_parking = equal(s.vcpu, kRun) || equal(s.vcpu, kPaused);
        // With the rule about `used` this is also: no record is written over one that was not read.
        all.push_back({"the vCPU takes room for free that is not", at_most(s.written, s.used)});
        all.push_back({"the daemon could read what is not written", at_most(s.published, s.written)});
        all.push_back({"the daemon consumes what is not public",
                       implies(equal(s.daemon, kCopy), at_most(s.seen, s.published))});
        all.push_back({"much was unread, and the daemon will not kick",
                       implies(equal(s.daemon, kCopy) && !s.pressed, at_most(s.seen, threshold()))});
        all.push_back({"paused without a flag, or a flag without a pause",
                       all_of({implies(equal(s.vcpu, kRun), !s.paused && !s.stalled),
                               implies(equal(s.vcpu, kPaused), s.paused && !s.stalled),
                               implies(!before_parking, iff(s.paused, s.stalled))})});
        all.push_back({"parked with records unpublished",
                       implies(!before_parking && !equal(s.vcpu, kFlagged), equal(s.published, s.written))});
        // The daemon's next round, at the latest, kicks.
        const Term will_kick =
            any_of({equal(s.daemon, kKick),
                    equal(s.daemon, kCopy) && (s.pressed || less(threshold(), s.published - s.seen)),
                    equal(s.daemon, kRead) && less(threshold(), s.published)});
        all.push_back({"the vCPU waits for a kick that never comes",
                       implies(equal(s.vcpu, kParked) && s.paused, will_kick)});
        return all;
    }

    Term all_rules(const State& s) const {
        std::vector<Term> terms;
        for (const Rule& rule : rules(s)) terms.push_back(rule.holds);
        return all_of(std::span<const Term>(terms));
    }

    const Context& context() const { return z_; }

    std::string text(const Model& model, const State& s) const {
        static constexpr std::array kVcpu = {"runs",   "paused", "flagged", "published",
                                             "clears", "parked", "?",       "?"};
        static constexpr std::array kDaemon = {"reads", "copies", "kicks", "?", "?", "?", "?", "?"};
        const auto number = [&](const Term& term) { return std::to_string(model.u64(term)); };
        return "written " + number(s.written) + " published " + number(s.published) +
               " used, says the vCPU " + number(s.used) + " may write " + number(s.budget) + ", vcpu " +
               kVcpu[model.u64(s.vcpu)] + (model.truth(s.paused) ? " paused" : "") +
               (model.truth(s.stalled) ? " stalled" : "") + ", daemon " + kDaemon[model.u64(s.daemon)] +
               " seen " + number(s.seen) + (model.truth(s.pressed) ? " pressed" : "");
    }
    std::string sizes_text(const Model& model) const {
        return "ring of " + std::to_string(model.u64(size_)) + " bytes, at most " +
               std::to_string(model.u64(trip_)) + " per trip";
    }

  private:
    Term threshold() const { return shift_right(size_, 2u); }
    // log_room(): the distance to what the vCPU takes cons for after a look.
    Term looked(const State& s) const {
        Term fresh = s.written;
        if (bug_ != RingBug::kBelieveConsumer) fresh = ite(at_most(s.written, size_), s.written, s.used);
        return ite(room(s.used), s.used, fresh);
    }
    Term room(const Term& used) const {
        const Term wanted = bug_ == RingBug::kReserveTooSmall ? shift_right(trip_, 1u) : trip_;
        return !less(size_ - used, wanted);
    }

    Context z_;
    unsigned bits_;
    RingBug bug_;
    bool hostile_;
    Term size_ = z_.bv_constant("size", bits_), trip_ = z_.bv_constant("trip", bits_);
};

constexpr std::array kBugs = {
    RingBugName{RingBug::kReserveTooSmall, false, "ring-reserve-too-small",
                "room for half a trip is taken for room"},
    RingBugName{RingBug::kBelieveConsumer, true, "ring-believe-consumer",
                "a hostile consumer counter is believed"},
};

}  // namespace

std::span<const RingBugName> ring_bugs() {
    return kBugs;
}

InductionResult check_ring(RingBug bug, bool hostile, unsigned max_k, unsigned max_steps) {
    InductionResult result;
    const Ring ring(bug, hostile, max_k ? 64 : 12);
    const State first = ring.state(0);

    // Induction: k states in a row that keep the rules, and one more that does not. Closed if there are none;
    // what is left to show then is that no execution of fewer than k steps breaks a rule, which the search
    // below does.
    unsigned closed = 0;
    for (unsigned k = 1; k <= max_k && closed == 0; ++k) {
        // One kind of last step and one rule at a time: many small questions are answered much sooner than a
        // big one.
        bool all = true;
        const std::vector<Term> last = ring.moves(ring.state(k - 1), ring.state(k), k - 1);
        const std::vector<Ring::Rule> rules = ring.rules(ring.state(k));
        for (std::size_t i = 0; all && i < last.size(); ++i) {
            Solver solver(ring.context(), {}, "QF_BV");
            solver.add(ring.sizes());
            for (unsigned j = 0; j < k; ++j) {
                solver.add(ring.all_rules(ring.state(j)));
                if (j + 1 < k) solver.add(ring.step(ring.state(j), ring.state(j + 1), j));
            }
            solver.add(last[i]);
            for (const Ring::Rule& rule : rules) {
                solver.push();
                solver.add(!rule.holds);
                const Answer answer = solver.check();
                result.solver_steps = solver.steps();
                if (answer.outcome() == Outcome::kUnknown) {
                    result.text =
                        "induction of depth " + std::to_string(k) + ", " + rule.name + ": " + answer.text();
                    return result;
                }
                solver.pop();
                if (answer.outcome() == Outcome::kSat) {
                    all = false;
                    break;
                }
            }
        }
        if (all) closed = k;
    }

    for (unsigned at = 0; at < (closed ? closed : max_steps + 1); ++at) {
        const State here = ring.state(at);
        Solver search(ring.context(), {}, "QF_BV");
        search.add(ring.sizes());
        search.add(ring.initial(first));
        for (unsigned i = 0; i < at; ++i) search.add(ring.step(ring.state(i), ring.state(i + 1), i));
        search.add(!ring.all_rules(here));
        const Answer answer = search.check();
        result.solver_steps = search.steps();
        if (answer.outcome() == Outcome::kUnknown) {
            result.text = "search of depth " + std::to_string(at) + ": " + answer.text();
            return result;
        }
        if (answer.outcome() == Outcome::kUnsat) continue;
        const Model model = search.model();
        result.outcome = InductionOutcome::kRefuted;
        result.k = at;
        for (const Ring::Rule& rule : ring.rules(here))
            if (!model.truth(rule.holds)) result.text = rule.name;
        result.trace.push_back(ring.sizes_text(model));
        for (unsigned i = 0; i <= at; ++i) result.trace.push_back(ring.text(model, ring.state(i)));
        return result;
    }
    if (closed) {
        result.outcome = InductionOutcome::kProved;
        result.k = closed;
    } else {
        result.text = "no induction up to depth " + std::to_string(max_k) +
                      " closes, and no execution of up to " + std::to_string(max_steps) +
                      " steps breaks a rule";
    }
    return result;
}

}  // namespace casmotion::protocol
