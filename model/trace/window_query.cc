// SPDX-License-Identifier: GPL-2.0-or-later
#include "window_query.h"

#include <array>

#include "casmotion/entry_outputs.h"
#include "casmotion/smt/solver.h"
#include "casmotion/smt/term.h"
#include "casmotion/taxonomy.h"

namespace casmotion::trace {

namespace {

using smt::Term;

// The machine of the query: its state is of a sort of which nothing is known.
class WindowMachine {
  public:
    explicit WindowMachine(const smt::Context& context)
        : context_(context),
          state_(context.uninterpreted_sort("State")),
          bytes_(context.uninterpreted_sort("Bytes")),
          place_(context.uninterpreted_sort("Place")) {}

    [[nodiscard]] Term constant(const std::string& name, const FieldInfo& field) const {
        const unsigned bits = place_bits(field.place);  // a blob is of the sort Bytes
        return context_.constant(name + "." + std::string(field.name),
                                 bits == 0 ? bytes_ : context_.bv_sort(bits));
    }
    [[nodiscard]] Term start() const { return context_.constant("start", state_); }

    // The state after the input of class `cls`; `fields` are those of its fields that the guest is given.
    [[nodiscard]] Term given(std::uint8_t cls, const Term& s, const std::vector<Term>& fields) const {
        std::vector<smt::Sort> domain{state_};
        std::vector<Term> arguments{s};
        for (const Term& field : fields) {
            domain.push_back(field.sort());
            arguments.push_back(field);
        }
        return context_.function("after." + std::string(class_name(cls)), domain, state_)(arguments);
    }
    // What a field that replay compares is in state `s`; also what the guest asks for (a key).
    [[nodiscard]] Term shown(const FieldInfo& field, const Term& s) const {
        const unsigned bits = place_bits(field.place);  // a blob is of the sort Bytes
        return context_.function(std::string(class_name(field.cls)) + "." + std::string(field.name), {state_},
                                 bits == 0 ? bytes_ : context_.bv_sort(bits))(s);
    }
    // How many inputs of a class the entry at `s` asks for.
    [[nodiscard]] Term asked(std::uint8_t cls, const Term& s) const {
        return context_.function("asks." + std::string(class_name(cls)), {state_}, context_.bv_sort(8))(s);
    }
    // From one injection point to the next entry.
    [[nodiscard]] Term run(const Term& s) const { return context_.function("run", {state_}, state_)(s); }
    // Behind an injection point: the state some instructions later, and the branches retired until then.
    // Places are totally ordered; of their distances nothing needs to be known.
    [[nodiscard]] Term place(const std::string& name) const { return context_.constant(name, place_); }
    [[nodiscard]] Term state_at(const Term& s, const Term& place) const {
        return context_.function("state.at", {state_, place_}, state_)(s, place);
    }
    [[nodiscard]] Term branches_at(const Term& s, const Term& place) const {
        return context_.function("branches.at", {state_, place_}, context_.bv_sort(64))(s, place);
    }
    [[nodiscard]] Term before(const Term& a, const Term& b) const {
        return context_.function("before", {place_, place_}, context_.bool_sort())(a, b);
    }
    // The place one instruction before `place`, which is not the first.
    [[nodiscard]] Term one_before(const Term& place) const {
        return context_.function("one.before", {place_}, place_)(place);
    }

  private:
    const smt::Context& context_;
    smt::Sort state_, bytes_, place_;
};

// One execution along a window: constraints under which it is consistent with the log, and its state.
struct Execution {
    Term state;
    std::vector<Term> consistent;
};

// What differs between two executions because the log does not carry it: the same in both if it were.
struct Unlogged {
    Condition condition;
    std::string reason;
    std::vector<Term> same;
};

class Window {
  public:
    Window(const smt::Context& context, const std::vector<Symbol>& shape)
        : context_(context),
          machine_(context),
          runs_{Execution{machine_.start(), {}}, Execution{machine_.start(), {}}} {
        find_owner(shape);
        for (Execution& run : runs_) run.state = machine_.run(run.state);
        const std::array arrived{runs_[0].state, runs_[1].state};
        for (std::size_t i = 0; i < shape.size(); ++i) step(shape[i], i);
        ask_for_outputs(shape, arrived);
    }

    [[nodiscard]] const std::array<Execution, 2>& runs() const { return runs_; }
    [[nodiscard]] const std::vector<Unlogged>& unlogged() const { return unlogged_; }

  private:
    // The ENTRY to which the window's outputs belong: the last one.
    void find_owner(const std::vector<Symbol>& shape) {
        for (const Symbol& symbol : shape)
            if (symbol.cls == CASM_CLS_ENTRY) owner_ = symbol;
    }

    void require(std::size_t run, const Term& term) { runs_[run].consistent.push_back(term); }

    void step(const Symbol& symbol, std::size_t at) {
        const std::string name = std::string(class_name(symbol.cls)) + "." + std::to_string(at);
        if (symbol.cls == CASM_CLS_APOINT) {
            go_to_point(symbol, name);
            return;
        }
        std::vector<Term> given;
        for (const FieldInfo& field : fields_of(symbol.cls)) {
            const Term logged = machine_.constant(name, field);
            if (field.role == Role::kValue) {
                given.push_back(logged);
                continue;
            }
            for (std::size_t run = 0; run < 2; ++run)
                require(run, equal(machine_.shown(field, runs_[run].state), logged));
        }
        // Of a check too: it brings our own counts and hashes forward.
        for (Execution& run : runs_) run.state = machine_.given(symbol.cls, run.state, given);
    }

    // An A-point: both executions go to a place that has the logged name.
    void go_to_point(const Symbol& symbol, const std::string& name) {
        const Term count = context_.bv_constant(name + ".branches", 64);  // since the point before
        std::vector<Term> places;
        const Term from[2] = {runs_[0].state, runs_[1].state};
        for (std::size_t run = 0; run < 2; ++run) {
            const Term place = machine_.place(name + ".place" + std::to_string(run));
            places.push_back(place);
            require(run, equal(machine_.branches_at(from[run], place), count));
            // Canonical: the instruction before it is the branch that made the count.
            if (symbol.kind == CASM_APOINT_CANONICAL) {
                require(run, !equal(count, 0));
                require(run, equal(machine_.branches_at(from[run], machine_.one_before(place)), count - 1));
            }
            runs_[run].state = machine_.state_at(from[run], place);
            for (const FieldInfo& field : fields_of(CASM_CLS_APOINT))
                if (field.role == Role::kCompare)
                    require(run,
                            equal(machine_.shown(field, runs_[run].state), machine_.constant(name, field)));
            runs_[run].state = machine_.given(CASM_CLS_APOINT, runs_[run].state, {});
        }
        // Of the order of places and of counts, which never go down, these instances are enough.
        const Term first = machine_.before(places[0], places[1]),
                   second = machine_.before(places[1], places[0]);
        for (std::size_t along = 0; along < 2; ++along) {
            const auto never_down = [&](const Term& earlier, const Term& later) {
                return at_most(machine_.branches_at(from[along], earlier),
                               machine_.branches_at(from[along], machine_.one_before(later)));
            };
            require(along, implies(first, never_down(places[0], places[1])));
            require(along, implies(second, never_down(places[1], places[0])));
            require(along, first || second || equal(places[0], places[1]));
        }
        if (symbol.kind == CASM_APOINT_BY_STATE)
            unlogged_.push_back(
                {Condition::kC4,
                 "a point that is named by branch count, RIP and registers may be met at two places",
                 {equal(places[0], places[1])}});
    }

    // The entry asks for a number of inputs that its state decides, within what its kind allows. What the log
    // has is what was asked for; what the kind asks for in any case and the log lacks came from somewhere
    // else.
    void ask_for_outputs(const std::vector<Symbol>& shape, const std::array<Term, 2>& arrived) {
        if (owner_.cls != CASM_CLS_ENTRY) return;  // part of a long trip: its entry is in another window
        const EntryOutputs outputs = outputs_of_entry(owner_.kind, owner_.detail);
        const std::pair<std::uint8_t, OutputRange> ranges[] = {{CASM_CLS_TSC, outputs.tsc},
                                                               {CASM_CLS_MSR, outputs.msr},
                                                               {CASM_CLS_CPUID, outputs.cpuid},
                                                               {CASM_CLS_RESULT, outputs.results}};
        for (const auto& [cls, range] : ranges) {
            unsigned logged = 0;
            for (const Symbol& symbol : shape) logged += symbol.cls == cls ? 1 : 0;
            for (std::size_t run = 0; run < 2; ++run) {
                const Term asked = machine_.asked(cls, arrived[run]);
                require(run, at_most(context_.bv_value(range.least, 8), asked) && at_most(asked, range.most));
                const unsigned needed = logged < range.least ? range.least : logged;
                require(run, equal(asked, needed));
            }
            for (unsigned missing = logged; missing < range.least; ++missing) take_unlogged(cls, missing);
        }
    }

    void take_unlogged(std::uint8_t cls, unsigned number) {
        Unlogged unlogged{
            Condition::kC3,
            "an input of class " + std::string(class_name(cls)) +
                " that the entry reads is not in the log: two executions may read different ones",
            {}};
        std::array<std::vector<Term>, 2> given;
        for (const FieldInfo& field : fields_of(cls)) {
            if (field.role != Role::kValue) continue;
            for (std::size_t run = 0; run < 2; ++run)
                given[run].push_back(machine_.constant("unlogged." + std::string(class_name(cls)) +
                                                           std::to_string(number) + ".run" +
                                                           std::to_string(run),
                                                       field));
            unlogged.same.push_back(equal(given[0].back(), given[1].back()));
        }
        for (std::size_t run = 0; run < 2; ++run)
            runs_[run].state = machine_.given(cls, runs_[run].state, given[run]);
        unlogged_.push_back(std::move(unlogged));
    }

    const smt::Context& context_;
    WindowMachine machine_;
    std::array<Execution, 2> runs_;
    std::vector<Unlogged> unlogged_;
    Symbol owner_;
};

WindowAnswer gave_up(const smt::Answer& answer) {
    return {Verdict::kCannotTell, Condition::kC5, "the solver gave up: " + answer.reason()};
}

}  // namespace

struct WindowQuery::Impl {
    explicit Impl(std::uint32_t rlimit) : solver(context, {.rlimit = rlimit, .seed = 1}) {}

    smt::Context context;  // one for all queries: setting up a solver takes longer than most of them
    smt::Solver solver;
    std::uint64_t queries = 0;

    smt::Answer check() {
        ++queries;
        return solver.check();
    }

    WindowAnswer ask(const std::vector<Symbol>& shape) {
        const Window window(context, shape);
        for (const Term& term : window.runs()[0].consistent) solver.add(term);
        const smt::Answer possible = check();
        if (possible.outcome() == smt::Outcome::kUnknown) return gave_up(possible);
        if (possible.outcome() == smt::Outcome::kUnsat)
            return {Verdict::kRefuted, Condition::kC3,
                    "no execution has these outputs and this entry: " + to_text(shape)};

        for (const Term& term : window.runs()[1].consistent) solver.add(term);
        solver.add(not_equal(window.runs()[0].state, window.runs()[1].state));
        const smt::Answer differ = check();
        if (differ.outcome() == smt::Outcome::kUnknown) return gave_up(differ);
        if (differ.outcome() == smt::Outcome::kUnsat) return {};

        // What would have to be in the log?
        for (const Unlogged& unlogged : window.unlogged()) {
            for (const Term& term : unlogged.same) solver.add(term);
            const smt::Answer still = check();
            if (still.outcome() == smt::Outcome::kUnknown) return gave_up(still);
            if (still.outcome() == smt::Outcome::kUnsat)
                return {unlogged.condition == Condition::kC4 ? Verdict::kCannotTell : Verdict::kRefuted,
                        unlogged.condition, unlogged.reason};
        }
        return {Verdict::kRefuted, Condition::kC5,
                "two executions consistent with it end in different states: " + to_text(shape)};
    }
};

WindowQuery::WindowQuery(std::uint32_t rlimit) : impl_(std::make_unique<Impl>(rlimit)) {}
WindowQuery::~WindowQuery() = default;

WindowAnswer WindowQuery::ask(const std::vector<Symbol>& shape) {
    impl_->solver.push();
    WindowAnswer answer = impl_->ask(shape);
    impl_->solver.pop();
    return answer;
}

std::uint64_t WindowQuery::queries() const {
    return impl_->queries;
}

std::uint64_t WindowQuery::steps() const {
    return impl_->solver.steps();
}

}  // namespace casmotion::trace
