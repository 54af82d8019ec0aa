// SPDX-License-Identifier: GPL-2.0-or-later
//
// A small machine with the parts of a processor that time points depend on: conditional branches and their
// counter, string instructions that run in rounds, TF, one instruction breakpoint, RF, the shadow of MOV SS,
// overflow interrupts that come late. Programs are a few instructions long, with real x86 encodings, so that
// the classifier sees what it would see.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "casm_insn.h"
#include "casm_tm.h"

namespace casmotion::timematch {

enum class Op : std::uint8_t {
    Add,        // rax = (rax + 1) mod 4
    MemInc,     // memory word 0 + 1
    SetRcx,     // rcx = 3
    Jcc,        // conditional branch: taken if rax is odd, or the flag is set
    Loop,       // conditional branch: rcx = (rcx - 1) mod 4, taken if not 0
    Jmp,        //
    JmpRax,     // indirect jump, to instruction rax modulo the program's length
    Call,       //
    Ret,        // to the instruction that the top of the stack names (modulo the length)
    RepStos,    // as often as rcx says: memory word 1 + 1, rcx - 1
    Pushf,      // pushes the flag, and TF as bit 7
    Popf,       // the flag and TF from the stack; TF only as the guest's own, which is 0 here
    MovSs,      // no debug exception and no interrupt at the boundary after it
    Iret,       // within the same privilege: jumps, clears TF, sets RF
    Hypercall,  // synchronous entry
    Fault,      // synchronous entry that goes on at instruction 0
    End,        // behind the last instruction: a synchronous entry that goes on at instruction 0
};

struct Insn {
    Op op = Op::End;
    std::uint8_t target = 0;  // Jcc, Loop, Jmp, Call, Iret: index of an instruction
    bool operator==(const Insn&) const = default;
};

// A program and its layout in memory.
class Program {
  public:
    explicit Program(std::vector<Insn> insns);

    [[nodiscard]] const Insn& at(unsigned index) const { return insns_[index]; }
    // Without the End.
    [[nodiscard]] unsigned size() const { return static_cast<unsigned>(insns_.size()) - 1; }
    [[nodiscard]] std::uint64_t address(unsigned index) const { return addresses_[index]; }
    // As casm_insn_classify sees the code from there on.
    [[nodiscard]] const casm_insn& classify(unsigned index) const { return classes_[index]; }
    [[nodiscard]] bool has(Op op) const;
    [[nodiscard]] std::string text() const;

  private:
    std::vector<Insn> insns_;
    std::vector<std::uint64_t> addresses_;
    std::vector<casm_insn> classes_;
};

// Everything that the guest is. RF is not part of what the guest can see.
struct State {
    std::uint8_t ip = 0;  // index of the instruction
    std::uint8_t rax = 0;
    std::uint8_t rcx = 0;
    std::uint8_t sp = 0;
    std::uint8_t flag = 0;
    std::array<std::uint16_t, 6> memory{};  // 0, 1: counters; 2 to 5: the stack
    std::uint64_t branches = 0;             // since the last entry
    std::uint32_t entries = 0;
    std::uint64_t now = 0;  // instructions (rounds of a REP) done since the start

    bool operator==(const State&) const = default;
    [[nodiscard]] std::uint64_t hash() const;  // of the registers
    // Equal but for memory and time: what a point by state compares.
    [[nodiscard]] bool same_registers(const State& other) const;
    [[nodiscard]] std::string text() const;
};

// The kinds of hardware.
struct Hardware {
    bool trap_after_ss =
        false;  // an emulator traps right after MOV SS under TF; a processor one instruction later
    bool second_ss_inhibits = true;       // MOV SS directly after MOV SS: not defined
    std::uint32_t lateness = 0;           // branches by which the overflow interrupt is late ...
    std::uint32_t skid_instructions = 0;  // ... and then as many instructions
    std::uint64_t varying = 0;     // not 0: a seed; each overflow has a lateness of its own, 0 to `lateness`
    std::uint32_t impatience = 9;  // ... or that many instructions later, if those branches do not come
};

enum class Exit : std::uint8_t { Entry, Interrupt, Breakpoint, Step, TooLong };

class Machine {
  public:
    Machine(const Program& program, const State& state, const Hardware& hardware)
        : program_(&program), state_(state), hardware_(hardware) {}

    // Runs with what `act` arms, until an exit. `rf`: set RF first (it stays set if it was).
    Exit resume(const casm_tm_act& act, bool rf);
    // Executes one instruction (one round of a REP) with nothing armed.
    void advance() { execute(); }

    // The count of branches of any kind starts again, as it does at an entry: the guest is at a point.
    void mark() { transfers_ = 0, transfers_known_ = true; }
    // ... and until then it says nothing: traps that make no point have been counted too.
    void forget_transfers() { transfers_known_ = false; }

    // Asynchronous interrupts, each as soon as `now` reaches its value and the boundary allows it. Ascending.
    void set_interrupts(std::vector<std::uint64_t> times) {
        interrupts_ = std::move(times), next_interrupt_ = 0;
    }
    void set_hardware(const Hardware& hardware) { hardware_ = hardware; }
    // `now` at which resume gives up.
    void set_limit(std::uint64_t now) { limit_ = now; }

    // Whether an exit can be at this boundary, and whether a breakpoint could hit here.
    [[nodiscard]] bool inhibited() const { return inhibit_; }
    [[nodiscard]] bool shadowed() const { return inhibit_ || rf_; }
    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] State& state() { return state_; }
    [[nodiscard]] casm_tm_obs observe(casm_tm_reason reason) const;
    [[nodiscard]] const casm_insn& classify() const { return program_->classify(state_.ip); }
    [[nodiscard]] const Program& program() const { return *program_; }

  private:
    bool execute();  // true: a synchronous entry
    Exit run_with(const casm_tm_act& act, bool rf);
    // What an overflow of this kind counts.
    [[nodiscard]] std::uint64_t count(const casm_tm_act& act) const {
        return (act.flags & CASM_TM_FLAG_TRANSFERS) != 0 ? transfers_ : state_.branches;
    }
    [[nodiscard]] bool interrupt_is_due(const casm_tm_act& act) const;
    std::uint16_t& stack(unsigned index) { return state_.memory[2 + (index & 3)]; }

    const Program* program_;
    State state_;
    Hardware hardware_;
    bool rf_ = false;
    bool tf_ = false;
    bool inhibit_ = false;
    // Branches of any kind since the last entry or mark, and every exit but entries, as a processor counts
    // exceptions.
    std::uint64_t transfers_ = 0;
    bool transfers_known_ = true;
    std::vector<std::uint64_t> interrupts_;
    std::size_t next_interrupt_ = 0;
    std::uint64_t limit_ = ~0ull;
    std::uint64_t programmed_ = 0;  // the counter's overflow
    std::uint32_t late_by_ = 0;
    std::uint64_t late_at_ = 0;  // `now` when so many branches had retired; 0: not yet
    std::uint64_t overflowed_at_ = 0;
    bool overflowed_ = false;
};

}  // namespace casmotion::timematch
