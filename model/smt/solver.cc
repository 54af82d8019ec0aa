// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/smt/solver.h"

#include <cstdlib>

#include "access.h"

namespace casmotion::smt {

using detail::Access;
using detail::fail;

std::string_view name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::kSat:
            return "sat";
        case Outcome::kUnsat:
            return "unsat";
        case Outcome::kUnknown:
            return "unknown";
    }
    std::abort();
}

std::string Answer::text() const {
    std::string text(name_of(outcome_));
    if (outcome_ == Outcome::kUnknown) text += " (" + reason_ + ")";
    return text;
}

struct Model::Impl {
    std::shared_ptr<detail::Store> store;
    z3::model model;
};

Term Model::value(const Term& term) const {
    try {
        return Access::term(impl_->store, impl_->model.eval(Access::expr(term), true));
    } catch (const z3::exception& error) {
        fail("model", error.msg());
    }
}

std::uint64_t Model::u64(const Term& term) const {
    const std::optional<std::uint64_t> number = value(term).as_u64();
    if (!number) fail("model", "no number of at most 64 bits: " + term.text());
    return *number;
}

bool Model::truth(const Term& term) const {
    const std::optional<bool> truth = value(term).as_bool();
    if (!truth) fail("model", "no truth value: " + term.text());
    return *truth;
}

std::string Model::text() const {
    return impl_->model.to_string();
}

struct Solver::Impl {
    std::shared_ptr<detail::Store> store;
    z3::solver solver;
    unsigned depth = 0;
    Outcome last = Outcome::kUnknown;
    bool with_assumptions = false;

    Impl(const Context& context, const std::string& logic)
        : store(Access::store(context)),
          solver(logic.empty() ? z3::solver(store->z3) : z3::solver(store->z3, logic.c_str())) {}

    Answer check(z3::expr_vector* assumptions) {
        last = Outcome::kUnknown;
        with_assumptions = assumptions != nullptr;
        try {
            const z3::check_result result =
                assumptions != nullptr ? solver.check(*assumptions) : solver.check();
            switch (result) {
                case z3::sat:
                    last = Outcome::kSat;
                    return Answer::sat();
                case z3::unsat:
                    last = Outcome::kUnsat;
                    return Answer::unsat();
                case z3::unknown:
                    break;
            }
            return Answer::unknown(solver.reason_unknown());
        } catch (const z3::exception& error) {  // resource limit or memory, depending on where it was met
            return Answer::unknown(error.msg());
        }
    }
};

Solver::Solver(const Context& context, Limits limits, std::string_view logic)
    : impl_(std::make_unique<Impl>(context, std::string(logic))) {
    z3::params params(impl_->store->z3);
    params.set("random_seed", limits.seed);
    params.set("rlimit", limits.rlimit);
    impl_->solver.set(params);
}

Solver::Solver(Solver&&) noexcept = default;
Solver& Solver::operator=(Solver&&) noexcept = default;
Solver::~Solver() = default;

void Solver::add(const Term& term) {
    if (!term.sort().is_bool()) fail("add", "not a boolean: " + term.sort().text());
    if (Access::handle(term).store() != impl_->store) fail("add", "term of another context");
    try {
        impl_->solver.add(Access::expr(term));
    } catch (const z3::exception& error) {
        fail("add", error.msg());
    }
}

void Solver::push() {
    impl_->solver.push();
    ++impl_->depth;
}

void Solver::pop() {
    if (impl_->depth == 0) fail("pop", "no matching push");
    impl_->solver.pop();
    --impl_->depth;
}

Answer Solver::check() {
    return impl_->check(nullptr);
}

Answer Solver::check(std::span<const Term> assumptions) {
    z3::expr_vector list(impl_->store->z3);
    for (const Term& term : assumptions) list.push_back(Access::expr(term));
    return impl_->check(&list);
}

Model Solver::model() const {
    if (impl_->last != Outcome::kSat) fail("model", "the last check was not sat");
    return Model(std::make_shared<const Model::Impl>(Model::Impl{impl_->store, impl_->solver.get_model()}));
}

std::vector<Term> Solver::core() const {
    if (impl_->last != Outcome::kUnsat || !impl_->with_assumptions)
        fail("core", "the last check was not unsat with assumptions");
    std::vector<Term> terms;
    z3::expr_vector core = impl_->solver.unsat_core();
    for (unsigned i = 0; i < core.size(); ++i)
        terms.push_back(Access::term(impl_->store, core[static_cast<int>(i)]));
    return terms;
}

std::uint64_t Solver::steps() const {
    const z3::stats statistics = impl_->solver.statistics();
    for (unsigned i = 0; i < statistics.size(); ++i)
        if (statistics.key(i) == "rlimit count" && statistics.is_uint(i)) return statistics.uint_value(i);
    return 0;
}

std::vector<Term> Solver::assertions() const {
    std::vector<Term> terms;
    z3::expr_vector list = impl_->solver.assertions();
    for (unsigned i = 0; i < list.size(); ++i)
        terms.push_back(Access::term(impl_->store, list[static_cast<int>(i)]));
    return terms;
}

}  // namespace casmotion::smt
