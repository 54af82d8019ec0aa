// SPDX-License-Identifier: GPL-2.0-or-later
//
// A processor small enough to search completely: a 2-bit program counter, a 2-bit register r, 2 bits of
// memory m, and four instructions of a program that the solver chooses. Defects that break one condition each
// are switches, which the solver may set unless the condition is assumed.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "casmotion/smt/solver.h"
#include "machine/machine.h"

namespace casmotion::model {

enum class TinyOp : std::uint8_t {
    kClock = 0,   // enters Xen: r := the value
    kYield = 1,   // enters Xen, nothing else
    kInc = 2,     // r := r + 1
    kIncMem = 3,  // m := m + 1
    kLoad = 4,    // r := m
    kJnz = 5,     // conditional branch to the argument if r is not 0
    kJmp = 6,     // jump to the argument
    kLeak = 7,    // r := hidden state (an instruction that should have been trapped)
};

class TinyMachine final : public Machine {
  public:
    TinyMachine();

    [[nodiscard]] smt::Sort state_sort() const override {
        return context_.bv_sort(6);
    }  // pc, r, m; pc in the top bits
    [[nodiscard]] smt::Sort hidden_sort() const override { return context_.bv_sort(1); }
    [[nodiscard]] smt::Sort payload_sort() const override { return context_.bv_sort(2); }
    [[nodiscard]] unsigned count_bits() const override { return 4; }
    [[nodiscard]] unsigned index_bits() const override { return 3; }
    [[nodiscard]] smt::Term run(const smt::Term& s, const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term enters(const smt::Term& s, const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term entry(const smt::Term& s, const smt::Term& value,
                                  const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term effect(const smt::Term& s, const smt::Term& effect,
                                   const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term branches(const smt::Term& s) const override;
    [[nodiscard]] smt::Term counted(const smt::Term& s, const smt::Term& hidden) const override;
    [[nodiscard]] smt::Term boundary(const smt::Term& s) const override;

    // Parts of a state, and the state made of them.
    [[nodiscard]] static smt::Term pc(const smt::Term& s) { return smt::extract(s, 5, 4); }
    [[nodiscard]] static smt::Term r(const smt::Term& s) { return smt::extract(s, 3, 2); }
    [[nodiscard]] static smt::Term m(const smt::Term& s) { return smt::extract(s, 1, 0); }
    [[nodiscard]] static smt::Term state(const smt::Term& pc, const smt::Term& r, const smt::Term& m) {
        return smt::concat(smt::concat(pc, r), m);
    }
    // Is `op` the instruction at `s`?
    [[nodiscard]] smt::Term at(const smt::Term& s, TinyOp op) const;

    // Switches, boolean constants:
    // reading the clock also adds hidden state to m, which no record carries (breaks C3)
    [[nodiscard]] const smt::Term& uncovered_read() const { return uncovered_read_; }
    // effects may be applied at every instruction boundary, still named (n, b) (breaks C4)
    [[nodiscard]] const smt::Term& any_boundary() const { return any_boundary_; }
    // the counter counts one more where hidden state is 1 (breaks C6)
    [[nodiscard]] const smt::Term& counts_too_much() const { return counts_too_much_; }

    // The program in a model, one instruction per line, and the switches that are on.
    [[nodiscard]] std::string program_text(const smt::Model& model) const;
    // The instruction at state `s` in a model: "2: jnz 0".
    [[nodiscard]] std::string instruction_text(const smt::Model& model, std::uint64_t s) const;

  private:
    [[nodiscard]] smt::Term selected(const std::array<smt::Term, 4>& slots, const smt::Term& s) const;
    std::array<smt::Term, 4> op_, argument_;
    smt::Term uncovered_read_, any_boundary_, counts_too_much_;
};

}  // namespace casmotion::model
