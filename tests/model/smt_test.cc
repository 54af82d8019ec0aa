// SPDX-License-Identifier: GPL-2.0-or-later
//
// The layer over Z3.
#include <gtest/gtest.h>

#include <array>
#include <type_traits>

#include "casmotion/smt/script.h"
#include "casmotion/smt/solver.h"
#include "casmotion/smt/term.h"

namespace casmotion::smt {
namespace {

Outcome outcome_of(const Context& context, const Term& term) {
    Solver solver(context);
    solver.add(term);
    return solver.check().outcome();
}

TEST(Smt, ValidFormulasAreProvedByRefutingTheirNegation) {
    Context c;
    const Term x = c.bv_constant("x", 32), y = c.bv_constant("y", 32);
    EXPECT_EQ(outcome_of(c, not_equal(x + y, y + x)), Outcome::kUnsat);
    EXPECT_EQ(outcome_of(c, not_equal((x ^ y) ^ y, x)), Outcome::kUnsat);
}

TEST(Smt, Canary_AFalseClaimHasACounterexample) {
    Context c;
    const Term x = c.bv_constant("x", 32);
    Solver solver(c);
    solver.add(!less(x, x + 1));  // false for the largest number only
    ASSERT_EQ(solver.check().outcome(), Outcome::kSat);
    EXPECT_EQ(solver.model().u64(x), 0xffffffffu);
}

TEST(Smt, UnknownIsNeitherSatNorUnsatAndSaysWhy) {
    Context c;
    const Term x = c.bv_constant("x", 64), y = c.bv_constant("y", 64);
    Solver solver(c, Limits{.rlimit = 1000, .seed = 1});
    // A factorisation, far beyond a thousand steps.
    solver.add(equal(zero_extend(x, 128) * zero_extend(y, 128),
                     zero_extend(c.bv_value(0xfffffffb, 64) * c.bv_value(0xffffffef, 64), 128)));
    solver.add(less(c.bv_value(1, 64), x) && less(c.bv_value(1, 64), y));
    const Answer answer = solver.check();
    EXPECT_EQ(answer.outcome(), Outcome::kUnknown);
    EXPECT_FALSE(answer.reason().empty());
    EXPECT_EQ(answer.text(), "unknown (" + answer.reason() + ")");
    static_assert(!std::is_convertible_v<Answer, bool> && !std::is_constructible_v<bool, Answer>);
    static_assert(!std::is_convertible_v<Term, bool>);
}

TEST(Smt, TheSameQueryTakesTheSameStepsEachTime) {
    const auto steps = [] {
        Context c;
        const Term x = c.bv_constant("x", 24), y = c.bv_constant("y", 24);
        Solver solver(c);
        solver.add(equal(x * y, 0x4d2a31) && less(c.bv_value(1, 24), x) && less(x, y));
        EXPECT_NE(solver.check().outcome(), Outcome::kUnknown);
        return solver.steps();
    };
    const std::uint64_t first = steps();
    EXPECT_GT(first, 0u);
    EXPECT_EQ(steps(), first);
}

TEST(Smt, PushAndPopFrameAssertions) {
    Context c;
    const Term p = c.bool_constant("p");
    Solver solver(c);
    solver.add(p);
    solver.push();
    solver.add(!p);
    EXPECT_EQ(solver.check().outcome(), Outcome::kUnsat);
    solver.pop();
    EXPECT_EQ(solver.check().outcome(), Outcome::kSat);
    EXPECT_TRUE(solver.model().truth(p));
    EXPECT_EQ(solver.assertions().size(), 1u);
    EXPECT_DEATH(solver.pop(), "no matching push");
}

TEST(Smt, TheCoreNamesTheAssumptionsThatWereUsed) {
    Context c;
    const Term x = c.bv_constant("x", 8);
    const Term a = c.bool_constant("a"), b = c.bool_constant("b"), unused = c.bool_constant("unused");
    Solver solver(c);
    solver.add(implies(a, less(x, 5)));
    solver.add(implies(b, less(c.bv_value(7, 8), x)));
    solver.add(implies(unused, equal(x & 1, 0)));
    const std::array<Term, 3> all{a, b, unused};
    ASSERT_EQ(solver.check(all).outcome(), Outcome::kUnsat);
    EXPECT_EQ(solver.core().size(), 2u);
    for (const Term& term : solver.core()) EXPECT_FALSE(term.same_as(unused));
    const std::array<Term, 2> without{a, unused};
    EXPECT_EQ(solver.check(without).outcome(), Outcome::kSat);
}

TEST(Smt, ArraysFunctionsAndUninterpretedSorts) {
    Context c;
    const Sort state = c.uninterpreted_sort("State");
    const Function step = c.function("step", {state}, state);
    const Term s = c.constant("s", state), t = c.constant("t", state);
    EXPECT_EQ(outcome_of(c, equal(s, t) && not_equal(step(s), step(t))), Outcome::kUnsat);
    EXPECT_EQ(outcome_of(c, equal(step(s), step(t)) && not_equal(s, t)), Outcome::kSat);

    const Sort memory = c.array_sort(c.bv_sort(12), c.bv_sort(8));
    const Term m = c.constant("m", memory), i = c.bv_constant("i", 12), j = c.bv_constant("j", 12);
    const Term written = store(m, i, c.bv_value(7, 8));
    EXPECT_EQ(outcome_of(c, not_equal(select(written, i), c.bv_value(7, 8))), Outcome::kUnsat);
    EXPECT_EQ(outcome_of(c, not_equal(i, j) && not_equal(select(written, j), select(m, j))), Outcome::kUnsat);
    EXPECT_EQ(outcome_of(c, not_equal(select(written, j), select(m, j))), Outcome::kSat);
    EXPECT_EQ(memory.index().bits(), 12u);
    EXPECT_EQ(memory.element().bits(), 8u);
}

TEST(Smt, BitVectorOperationsMeanWhatTheirNamesSay) {
    Context c;
    Solver solver(c);
    const Term x = c.bv_constant("x", 16);
    solver.add(equal(x, 0xa5c3));
    ASSERT_EQ(solver.check().outcome(), Outcome::kSat);
    const Model m = solver.model();
    EXPECT_EQ(m.u64(extract(x, 15, 8)), 0xa5u);
    EXPECT_EQ(m.u64(concat(extract(x, 7, 0), extract(x, 15, 8))), 0xc3a5u);
    EXPECT_EQ(m.u64(shift_right(x, 4)), 0xa5cu);
    EXPECT_EQ(m.u64(shift_left(x, 4)), 0x5c30u);
    EXPECT_EQ(m.u64(zero_extend(x, 64)), 0xa5c3u);
    EXPECT_EQ(m.u64(~x), 0x5a3cu);
    EXPECT_EQ(m.u64(x - 0x10000u), 0xa5c3u);
    EXPECT_EQ(m.u64(ite(less(x, 3), x, x & 0xf)), 3u);
    EXPECT_EQ(m.value(x + 1).as_u64(), 0xa5c4u);
    EXPECT_FALSE((x + 1).as_u64().has_value());
}

TEST(Smt, QuantifiedFormulas) {
    Context c;
    const Term x = c.bv_constant("x", 8), y = c.bv_constant("y", 8);
    const std::array<Term, 1> bound{x};
    EXPECT_EQ(outcome_of(c, for_all(bound, less(x, y))), Outcome::kUnsat);
    EXPECT_EQ(outcome_of(c, !exists(bound, equal(x + y, 0))), Outcome::kUnsat);
}

TEST(Smt, WrongUseAbortsAndNamesTheOperation) {
    Context c, other;
    const Term x = c.bv_constant("x", 8);
    EXPECT_DEATH((void)(x + c.bv_constant("wide", 16)), "sorts");
    EXPECT_DEATH((void)(x + other.bv_constant("x", 8)), "different contexts");
    EXPECT_DEATH((void)c.bool_constant("1x"), "not a simple symbol");
    EXPECT_DEATH((void)(!x), "not a boolean");
    EXPECT_DEATH((void)extract(x, 8, 0), "out of range");
    Solver solver(c);
    EXPECT_DEATH((void)solver.model(), "not sat");
}

TEST(Smt, AContextOutlivesItsHandleInTerms) {
    const auto make = [] { return Context().bv_constant("x", 8); };
    const Term x = make();
    EXPECT_EQ((x + 1).sort().bits(), 8u);
}

TEST(Smt, ScriptsDeclareWhatTheyUseAndAreTheSameEachTime) {
    const auto make = [] {
        Context c;
        const Sort state = c.uninterpreted_sort("State");
        const Function step = c.function("step", {state, c.bv_sort(8)}, state);
        const Term s = c.constant("s", state), v = c.bv_constant("v", 8);
        Script script("A title.\nIn two lines.", "QF_UFBV", Outcome::kUnsat);
        script.add("the step does something", not_equal(step({s, v}), s));
        script.add("it does not", equal(step({s, v}), s));
        return script.text();
    };
    EXPECT_EQ(make(), make());
    EXPECT_EQ(make(), R"(; SPDX-License-Identifier: GPL-2.0-or-later
; A title.
; In two lines.
(set-logic QF_UFBV)
(set-info :status unsat)
(declare-sort State 0)
(declare-fun s () State)
(declare-fun v () (_ BitVec 8))
(declare-fun step (State (_ BitVec 8)) State)
; the step does something
(assert (not (= (step s v) s)))
; it does not
(assert (= (step s v) s))
(check-sat)
)");
}

}  // namespace
}  // namespace casmotion::smt
