// SPDX-License-Identifier: GPL-2.0-or-later
//
// An SMT-LIB 2.6 file that a person can read and any solver can check: declarations, then each assertion
// below a comment that says what it means, then (check-sat).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "casmotion/smt/solver.h"
#include "casmotion/smt/term.h"

namespace casmotion::smt {

class Script {
  public:
    // `title`: comment lines at the top, '\n' between them. `logic`: for (set-logic ...). `expected`: kSat or
    // kUnsat, for (set-info :status ...).
    Script(std::string title, std::string logic, Outcome expected);

    // Appends "; comment" lines and (assert term). `term`: boolean; all terms of a script from one context.
    void add(std::string_view comment, const Term& term);

    // The terms added, in order.
    [[nodiscard]] const std::vector<Term>& terms() const& { return terms_; }
    [[nodiscard]] std::vector<Term> terms() && {
        return std::move(terms_);
    }  // safe in a range-for over a temporary
    [[nodiscard]] Outcome expected() const { return expected_; }
    [[nodiscard]] const std::string& logic() const { return logic_; }

    // The file's text: the same on every run and machine for the same calls.
    [[nodiscard]] std::string text() const;

  private:
    std::string title_, logic_;
    Outcome expected_;
    std::vector<Term> terms_;
    std::vector<std::string> comments_;
};

}  // namespace casmotion::smt
