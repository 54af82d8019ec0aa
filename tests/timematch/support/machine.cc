// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/machine.h"

#include <algorithm>
#include <span>

namespace casmotion::timematch {
namespace {

constexpr std::uint64_t base_address = 0x400000;

// Displacements are 0: nothing here decodes where a branch goes.
std::vector<std::uint8_t> encode(Op op) {
    switch (op) {
        case Op::Add:
            return {0x48, 0xff, 0xc0};
        case Op::MemInc:
            return {0xff, 0x07};
        case Op::SetRcx:
            return {0xb9, 3, 0, 0, 0};
        case Op::Jcc:
            return {0x0f, 0x85, 0, 0, 0, 0};
        case Op::Loop:
            return {0xe2, 0};
        case Op::Jmp:
            return {0xeb, 0};
        case Op::JmpRax:
            return {0xff, 0xe0};
        case Op::Call:
            return {0xe8, 0, 0, 0, 0};
        case Op::Ret:
            return {0xc3};
        case Op::RepStos:
            return {0xf3, 0xaa};
        case Op::Pushf:
            return {0x9c};
        case Op::Popf:
            return {0x9d};
        case Op::MovSs:
            return {0x8e, 0xd0};
        case Op::Iret:
            return {0x48, 0xcf};
        case Op::Hypercall:
            return {0x0f, 0x05};
        case Op::Fault:
            return {0x0f, 0x0b};
        case Op::End:
            return {0x0f, 0x05};
    }
    return {};
}

const char* name(Op op) {
    switch (op) {
        case Op::Add:
            return "add";
        case Op::MemInc:
            return "inc [0]";
        case Op::SetRcx:
            return "mov rcx, 3";
        case Op::Jcc:
            return "jcc";
        case Op::Loop:
            return "loop";
        case Op::Jmp:
            return "jmp";
        case Op::JmpRax:
            return "jmp rax";
        case Op::Call:
            return "call";
        case Op::Ret:
            return "ret";
        case Op::RepStos:
            return "rep stos";
        case Op::Pushf:
            return "pushf";
        case Op::Popf:
            return "popf";
        case Op::MovSs:
            return "mov ss";
        case Op::Iret:
            return "iret";
        case Op::Hypercall:
            return "hypercall";
        case Op::Fault:
            return "fault";
        case Op::End:
            return "end";
    }
    return "?";
}

}  // namespace

Program::Program(std::vector<Insn> insns) : insns_(std::move(insns)) {
    insns_.push_back({Op::End, 0});
    std::vector<std::uint8_t> code;
    for (const Insn& insn : insns_) {
        addresses_.push_back(base_address + code.size());
        for (const std::uint8_t byte : encode(insn.op)) code.push_back(byte);
    }
    for (const std::uint64_t address : addresses_) {
        const auto rest = std::span(code).subspan(address - base_address);
        classes_.emplace_back();
        casm_insn_classify(&classes_.back(), rest.data(), static_cast<unsigned>(rest.size()), 64);
    }
}

bool Program::has(Op op) const {
    return std::any_of(insns_.begin(), insns_.end(), [&](const Insn& insn) { return insn.op == op; });
}

std::string Program::text() const {
    std::string text;
    for (unsigned i = 0; i < size(); ++i) {
        text += std::to_string(i) + ": " + name(insns_[i].op);
        const Op op = insns_[i].op;
        if (op == Op::Jcc || op == Op::Loop || op == Op::Jmp || op == Op::Call || op == Op::Iret)
            text += " " + std::to_string(insns_[i].target);
        text += "; ";
    }
    return text;
}

std::uint64_t State::hash() const {
    std::uint64_t h = 0xcbf29ce484222325u;
    for (const std::uint8_t byte : {ip, rax, rcx, sp, flag}) h = (h ^ byte) * 0x100000001b3u;
    return h;
}

bool State::same_registers(const State& other) const {
    return ip == other.ip && rax == other.rax && rcx == other.rcx && sp == other.sp && flag == other.flag &&
           branches == other.branches && entries == other.entries;
}

std::string State::text() const {
    std::string text = "[now " + std::to_string(now) + ", entry " + std::to_string(entries) + ", branch " +
                       std::to_string(branches) + ", ip " + std::to_string(ip) + ", rax " +
                       std::to_string(rax) + ", rcx " + std::to_string(rcx) + ", sp " + std::to_string(sp) +
                       ", flag " + std::to_string(flag) + ", memory";
    for (const std::uint16_t word : memory) text += " " + std::to_string(word);
    return text + "]";
}

casm_tm_obs Machine::observe(casm_tm_reason reason) const {
    return {.branches = state_.branches,
            .rip = program_->address(state_.ip),
            .rcx = state_.rcx,
            .rsp = state_.sp,
            .hash = state_.hash(),
            .transfers = transfers_known_ ? transfers_ : 0,
            .reason = static_cast<std::uint8_t>(reason)};
}

bool Machine::execute() {
    State& s = state_;
    const Insn& insn = program_->at(s.ip);
    const auto next = static_cast<std::uint8_t>(s.ip + 1);
    bool entry = false, rf = false, inhibit = false;
    ++s.now;
    switch (insn.op) {
        case Op::Add:
            s.rax = (s.rax + 1) & 3, s.ip = next;
            break;
        case Op::MemInc:
            ++s.memory[0], s.ip = next;
            break;
        case Op::SetRcx:
            s.rcx = 3, s.ip = next;
            break;
        case Op::Jcc:
            ++s.branches, ++transfers_;
            s.ip = (s.rax & 1) || s.flag ? insn.target : next;
            break;
        case Op::Loop:
            ++s.branches, ++transfers_;
            s.rcx = (s.rcx - 1) & 3;
            s.ip = s.rcx ? insn.target : next;
            break;
        case Op::Jmp:
            ++transfers_, s.ip = insn.target;
            break;
        case Op::JmpRax:
            ++transfers_, s.ip = static_cast<std::uint8_t>(s.rax % program_->size());
            break;
        case Op::Call:
            ++transfers_, stack(s.sp++) = next, s.ip = insn.target;
            break;
        case Op::Ret:
            ++transfers_, s.ip = static_cast<std::uint8_t>(stack(--s.sp) % program_->size());
            break;
        case Op::RepStos:
            if (s.rcx) ++s.memory[1], --s.rcx;
            if (s.rcx)
                rf = true;  // as interrupts within a REP find it; the breakpoint does not hit again
            else
                s.ip = next;
            break;
        case Op::Pushf:
            stack(s.sp++) = static_cast<std::uint16_t>(s.flag | (tf_ ? 0x80 : 0)), s.ip = next;
            break;
        case Op::Popf:
            s.flag = stack(--s.sp) & 1, tf_ = false, s.ip = next;
            break;
        case Op::MovSs:
            inhibit = !inhibit_ || hardware_.second_ss_inhibits, s.ip = next;
            break;
        case Op::Iret:
            tf_ = false, rf = true, s.ip = insn.target;
            break;
        case Op::Hypercall:
            entry = true, s.ip = next;
            break;
        case Op::Fault:
        case Op::End:
            entry = true, s.ip = 0;
            break;
    }
    s.sp &= 3;
    rf_ = rf;
    inhibit_ = inhibit;
    if (entry) {
        ++s.entries;
        s.branches = 0;
        mark();
        tf_ = false;
    }
    return entry;
}

bool Machine::interrupt_is_due(const casm_tm_act& act) const {
    return act.what == CASM_TM_OVERFLOW && overflowed_ &&
           ((late_at_ && state_.now - late_at_ >= hardware_.skid_instructions) ||
            state_.now - overflowed_at_ >= hardware_.impatience);
}

Exit Machine::resume(const casm_tm_act& act, bool rf) {
    const Exit exit = run_with(act, rf);
    if (exit != Exit::Entry) ++transfers_;
    return exit;
}

Exit Machine::run_with(const casm_tm_act& act, bool rf) {
    tf_ = act.what == CASM_TM_SINGLE;
    rf_ = rf_ || rf;
    overflowed_ = false;
    late_at_ = 0;
    programmed_ = count(act) + act.value;
    late_by_ = hardware_.lateness;
    if (hardware_.varying)
        late_by_ = static_cast<std::uint32_t>(
            ((programmed_ ^ hardware_.varying) * 0x9e3779b97f4a7c15u >> 33) % (hardware_.lateness + 1));
    for (;;) {
        if (!inhibit_) {
            if (next_interrupt_ < interrupts_.size() && interrupts_[next_interrupt_] <= state_.now) {
                ++next_interrupt_;
                return Exit::Interrupt;
            }
            if (interrupt_is_due(act)) return Exit::Interrupt;
            if (act.what == CASM_TM_BREAK && !rf_ && program_->address(state_.ip) == act.value)
                return Exit::Breakpoint;
        }
        if (state_.now >= limit_) return Exit::TooLong;
        const bool trap = tf_;
        if (execute()) return Exit::Entry;
        if (act.what == CASM_TM_OVERFLOW && !overflowed_ && count(act) >= programmed_) {
            overflowed_ = true;
            overflowed_at_ = state_.now;
        }
        if (overflowed_ && !late_at_ && count(act) - programmed_ >= late_by_) late_at_ = state_.now;
        if (trap && (!inhibit_ || hardware_.trap_after_ss)) return Exit::Step;
    }
}

}  // namespace casmotion::timematch
