// SPDX-License-Identifier: GPL-2.0-or-later
//
// A solver with a deterministic limit: the same queries in the same order get the same answers on every
// machine, because the limit counts the solver's own steps ("rlimit") and never looks at a clock, and the
// seed is fixed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/smt/term.h"

namespace casmotion::smt {

enum class Outcome : std::uint8_t {
    kSat,      // there is a model
    kUnsat,    // there is none
    kUnknown,  // the solver gave up: neither
};

// "sat", "unsat", "unknown".
[[nodiscard]] std::string_view name_of(Outcome outcome);

// What a check said. Not convertible to bool: a caller has to name the outcome it means, and "not sat" is not
// "unsat".
class [[nodiscard]] Answer {
  public:
    static Answer sat() { return Answer(Outcome::kSat, {}); }
    static Answer unsat() { return Answer(Outcome::kUnsat, {}); }
    static Answer unknown(std::string reason) { return Answer(Outcome::kUnknown, std::move(reason)); }

    [[nodiscard]] Outcome outcome() const { return outcome_; }
    // Why the solver gave up, one line; empty unless the outcome is kUnknown.
    [[nodiscard]] const std::string& reason() const { return reason_; }
    // "sat", "unsat", "unknown (reason)".
    [[nodiscard]] std::string text() const;

  private:
    Answer(Outcome outcome, std::string reason) : outcome_(outcome), reason_(std::move(reason)) {}
    Outcome outcome_;
    std::string reason_;
};

struct Limits {
    // Steps of the solver per check; 0: no limit. About 10^6 to 10^7 steps take a second. The default is far
    // above what any query of this project needs, and ends a query that went wrong in about a minute.
    std::uint32_t rlimit = 400'000'000;
    std::uint32_t seed = 1;
};

// Values of the constants, functions and arrays that satisfy the assertions. Where the assertions leave a
// value open it is completed with an arbitrary one, the same on every call.
class Model {
  public:
    // The value of `term`: a literal for booleans and bit vectors.
    [[nodiscard]] Term value(const Term& term) const;
    // The value of a bit vector of at most 64 bits; aborts for another sort.
    [[nodiscard]] std::uint64_t u64(const Term& term) const;
    // The value of a boolean; aborts for another sort.
    [[nodiscard]] bool truth(const Term& term) const;
    // The whole model, for people.
    [[nodiscard]] std::string text() const;

  private:
    friend class Solver;
    struct Impl;
    explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<const Impl> impl_;
};

class Solver {
  public:
    // `logic`: an SMT-LIB logic such as "QF_ABV" that lets the solver choose a faster procedure; empty: any.
    // Terms outside the logic make checks end as unknown or abort.
    explicit Solver(const Context& context, Limits limits = {}, std::string_view logic = {});
    Solver(Solver&&) noexcept;
    Solver& operator=(Solver&&) noexcept;
    ~Solver();

    // Asserts a boolean term until the matching pop().
    void add(const Term& term);
    void push();
    void pop();  // aborts without a matching push()

    // Is there a model of the assertions (and `assumptions`, boolean constants or their negations)?
    Answer check();
    Answer check(std::span<const Term> assumptions);

    // Valid right after a check that was sat; aborts else.
    [[nodiscard]] Model model() const;
    // The assumptions of the last check that its unsat answer used; a subset of them, not always the
    // smallest. Valid right after an unsat check with assumptions.
    [[nodiscard]] std::vector<Term> core() const;

    // Steps that the checks of this solver's context have taken so far; a cost that is the same on every
    // machine.
    [[nodiscard]] std::uint64_t steps() const;
    // The assertions in force, in the order they were added.
    [[nodiscard]] std::vector<Term> assertions() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace casmotion::smt
