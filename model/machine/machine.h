// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest on one PV vCPU, as a machine: what one step does to the state that the guest can see.
//
// Every function may look at hidden state, so that a machine that breaks a condition can be described; the
// conditions say that it does not matter. There are two machines: one of which nothing is known (for the
// theorem's step), and a small processor whose program the solver chooses (for counterexamples and for
// showing that the conditions can be met).
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "casmotion/smt/term.h"

namespace casmotion::model {

class Machine {
  public:
    virtual ~Machine() = default;

    [[nodiscard]] const smt::Context& context() const { return context_; }

    // Sorts of what the guest can see; of what it cannot; of what a record carries (the value of a
    // synchronous step or an asynchronous effect).
    [[nodiscard]] virtual smt::Sort state_sort() const = 0;
    [[nodiscard]] virtual smt::Sort hidden_sort() const = 0;
    [[nodiscard]] virtual smt::Sort payload_sort() const = 0;
    // Width of positions, ordinals and branch counts, in bits; width of indexes of records.
    [[nodiscard]] virtual unsigned count_bits() const = 0;
    [[nodiscard]] virtual unsigned index_bits() const = 0;

    // d(s): the state after the instruction at `s`, which does not enter Xen.
    [[nodiscard]] virtual smt::Term run(const smt::Term& s, const smt::Term& hidden) const = 0;
    // Does the instruction at `s` enter Xen?
    [[nodiscard]] virtual smt::Term enters(const smt::Term& s, const smt::Term& hidden) const = 0;
    // n(s, v): the state after the synchronous step at `s` got `value`.
    [[nodiscard]] virtual smt::Term entry(const smt::Term& s, const smt::Term& value,
                                          const smt::Term& hidden) const = 0;
    // a(s, e): the state after the asynchronous effect.
    [[nodiscard]] virtual smt::Term effect(const smt::Term& s, const smt::Term& effect,
                                           const smt::Term& hidden) const = 0;
    // Is the instruction at `s` a conditional branch? (Taken or not: the processors count retired ones.)
    [[nodiscard]] virtual smt::Term branches(const smt::Term& s) const = 0;
    // Does the counter count the instruction at `s`? An exact counter counts the conditional branches.
    [[nodiscard]] virtual smt::Term counted(const smt::Term& s, const smt::Term& hidden) const = 0;
    // May effects be applied at the boundary right after the instruction at `s`? (After an entry they always
    // may.)
    [[nodiscard]] virtual smt::Term boundary(const smt::Term& s) const = 0;

    // A function of which nothing is known, of a number of `bits` bits. A table of constants where these are
    // few, so that queries about small machines need no theory but that of bit vectors; an uninterpreted
    // function else.
    using Map = std::function<smt::Term(const smt::Term&)>;
    [[nodiscard]] Map map(std::string_view name, unsigned bits, const smt::Sort& range) const;

    // True for all values of the constants of sort `sorts[i]` that `body` gets: written out where the sorts
    // are small, a quantifier where they are not.
    using Body = std::function<smt::Term(std::span<const smt::Term>)>;
    [[nodiscard]] smt::Term for_every(std::span<const smt::Sort> sorts, const Body& body) const;

  protected:
    smt::Context context_;
};

// A machine of which nothing is known: sorts and functions are uninterpreted.
class AnyMachine final : public Machine {
  public:
    AnyMachine();

    [[nodiscard]] smt::Sort state_sort() const override { return state_; }
    [[nodiscard]] smt::Sort hidden_sort() const override { return hidden_; }
    [[nodiscard]] smt::Sort payload_sort() const override { return payload_; }
    [[nodiscard]] unsigned count_bits() const override { return 64; }
    [[nodiscard]] unsigned index_bits() const override { return 64; }
    [[nodiscard]] smt::Term run(const smt::Term& s, const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term enters(const smt::Term& s, const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term entry(const smt::Term& s, const smt::Term& value,
                                  const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term effect(const smt::Term& s, const smt::Term& effect,
                                   const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term branches(const smt::Term& s) const override;
    [[nodiscard]] smt::Term counted(const smt::Term& s, const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term boundary(const smt::Term& s) const override;

  private:
    smt::Sort state_, hidden_, payload_;
    smt::Function run_, enters_, entry_, effect_, branches_, counted_, boundary_;
};

}  // namespace casmotion::model
