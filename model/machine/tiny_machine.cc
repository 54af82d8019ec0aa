// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/tiny_machine.h"

#include <cstdlib>

namespace casmotion::model {

using smt::Term;

namespace {

constexpr unsigned kOpBits = 3;

std::string instruction(std::uint64_t op, std::uint64_t argument) {
    switch (static_cast<TinyOp>(op)) {
        case TinyOp::kClock:
            return "clock r";
        case TinyOp::kYield:
            return "yield";
        case TinyOp::kInc:
            return "inc r";
        case TinyOp::kIncMem:
            return "inc m";
        case TinyOp::kLoad:
            return "load r";
        case TinyOp::kJnz:
            return "jnz " + std::to_string(argument);
        case TinyOp::kJmp:
            return "jmp " + std::to_string(argument);
        case TinyOp::kLeak:
            return "leak r";
    }
    std::abort();  // all eight values of three bits are above
}

}  // namespace

TinyMachine::TinyMachine()
    : op_{context_.bv_constant("op0", kOpBits), context_.bv_constant("op1", kOpBits),
          context_.bv_constant("op2", kOpBits), context_.bv_constant("op3", kOpBits)},
      argument_{context_.bv_constant("arg0", 2), context_.bv_constant("arg1", 2),
                context_.bv_constant("arg2", 2), context_.bv_constant("arg3", 2)},
      uncovered_read_(context_.bool_constant("uncovered-read")),
      any_boundary_(context_.bool_constant("any-boundary")),
      counts_too_much_(context_.bool_constant("counts-too-much")) {}

Term TinyMachine::selected(const std::array<Term, 4>& slots, const Term& s) const {
    const Term here = pc(s);
    return smt::ite(
        smt::equal(here, 0), slots[0],
        smt::ite(smt::equal(here, 1), slots[1], smt::ite(smt::equal(here, 2), slots[2], slots[3])));
}

Term TinyMachine::at(const Term& s, TinyOp op) const {
    return smt::equal(selected(op_, s), static_cast<std::uint64_t>(op));
}

Term TinyMachine::run(const Term& s, const Term& hidden) const {
    const Term jumps = at(s, TinyOp::kJmp) || (at(s, TinyOp::kJnz) && !smt::equal(r(s), 0));
    const Term next_pc = smt::ite(jumps, selected(argument_, s), pc(s) + 1);
    const Term next_r = smt::ite(at(s, TinyOp::kInc), r(s) + 1,
                                 smt::ite(at(s, TinyOp::kLoad), m(s),
                                          smt::ite(at(s, TinyOp::kLeak), smt::zero_extend(hidden, 2), r(s))));
    return state(next_pc, next_r, smt::ite(at(s, TinyOp::kIncMem), m(s) + 1, m(s)));
}

Term TinyMachine::enters(const Term& s, const Term&) const {
    return at(s, TinyOp::kClock) || at(s, TinyOp::kYield);
}

Term TinyMachine::entry(const Term& s, const Term& value, const Term& hidden) const {
    const Term clock = at(s, TinyOp::kClock);
    return state(pc(s) + 1, smt::ite(clock, value, r(s)),
                 smt::ite(clock && uncovered_read_, m(s) + smt::zero_extend(hidden, 2), m(s)));
}

Term TinyMachine::effect(const Term& s, const Term& effect, const Term&) const {
    return state(pc(s), r(s), effect);  // a back end's data arrives in memory
}

Term TinyMachine::branches(const Term& s) const {
    return at(s, TinyOp::kJnz);
}

Term TinyMachine::counted(const Term& s, const Term& hidden) const {
    return branches(s) || (counts_too_much_ && smt::equal(hidden, 1));
}

Term TinyMachine::boundary(const Term& s) const {
    return branches(s) || any_boundary_;
}

std::string TinyMachine::program_text(const smt::Model& model) const {
    std::string text = "  program:";
    for (std::size_t i = 0; i < op_.size(); ++i)
        text += (i == 0 ? "  " : ";  ") + std::to_string(i) + ": " +
                instruction(model.u64(op_[i]), model.u64(argument_[i]));
    text += "\n";
    if (model.truth(uncovered_read_)) text += "  reading the clock also adds hidden state to m\n";
    if (model.truth(any_boundary_)) text += "  effects may be applied at every instruction boundary\n";
    if (model.truth(counts_too_much_))
        text += "  the counter counts each instruction where hidden state is 1\n";
    return text;
}

std::string TinyMachine::instruction_text(const smt::Model& model, std::uint64_t s) const {
    const std::size_t pc = (s >> 4) & 3;
    return std::to_string(pc) + ": " + instruction(model.u64(op_[pc]), model.u64(argument_[pc]));
}

}  // namespace casmotion::model
