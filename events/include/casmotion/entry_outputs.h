// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which outputs a synchronous entry has, as far as its kind and detail tell: the table behind "completeness"
// of single entries. It follows the treatments in xen-patches/files/xen/arch/x86/casm/hypercall.c and the
// opcodes that Xen's emulator of privileged instructions lets through.
#pragma once

#include <cstdint>

#include "casm_abi.h"

namespace casmotion {

inline constexpr std::uint32_t kHypercallMulticall = 13;   // __HYPERVISOR_multicall
inline constexpr std::uint32_t kPrivopFastRdtsc = 0x0f31;  // detail of an ENTRY from the RDTSC fast path

// How many records of a class an entry may have.
struct OutputRange {
    std::uint8_t least = 0, most = 0;

    [[nodiscard]] constexpr bool has(unsigned count) const { return count >= least && count <= most; }
    bool operator==(const OutputRange&) const = default;
};

struct EntryOutputs {
    OutputRange tsc, msr, cpuid;
    OutputRange results;  // `most` is 255 for a multicall: as many as there are calls in it
    bool outmem = false;  // results may have memory outputs before them

    bool operator==(const EntryOutputs&) const = default;
};

// RESULT records of one hypercall, outside or inside a multicall. 0: executed or refused in both modes, its
// result is a function of the guest's state. 1: always answered from the log. 0 or 1: its sub-operation
// decides.
[[nodiscard]] constexpr OutputRange results_of_hypercall(std::uint32_t number) {
    switch (number) {
        case 15:  // set_timer_op
        case 17:  // xen_version
            return {1, 1};
        case 12:  // memory_op
        case 18:  // console_io: refused now; logs of ABI 4 have an answer
        case 24:  // vcpu_op
        case 29:  // sched_op
        case 32:  // event_channel_op
            return {0, 1};
        default:
            return {0, 0};
    }
}

// The outputs that belong to an ENTRY of `kind` (enum casm_entry_kind) with `detail`. An exception or a mode
// switch between the results of a multicall has none of its own.
[[nodiscard]] constexpr EntryOutputs outputs_of_entry(std::uint8_t kind, std::uint32_t detail) {
    EntryOutputs out;
    switch (kind) {
        case CASM_ENTRY_HYPERCALL:
            out.results = detail == kHypercallMulticall ? OutputRange{0, 255} : results_of_hypercall(detail);
            out.outmem = out.results.most != 0;
            break;
        case CASM_ENTRY_FORCED_CPUID:
            out.cpuid = {1, 1};
            break;
        case CASM_ENTRY_PRIVOP:
            switch (detail) {
                case kPrivopFastRdtsc:
                    out.tsc = {1, 1};
                    break;
                case 0x01:  // RDTSCP reads an MSR and the TSC
                case 0x31:  // RDTSC that the fast path left to the emulator
                case 0x32:  // RDMSR, also of the TSC
                case 0xa2:  // CPUID looks into an MSR first
                    // None at all: the instruction was refused before it read anything.
                    out.tsc = out.msr = {0, 1};
                    if (detail == 0xa2) out.cpuid = {0, 1};
                    break;
                default:
                    break;  // ports (there are none), control registers, WRMSR, CLI, STI
            }
            break;
        default:
            break;  // exception, page-table write, mode switch
    }
    return out;
}

}  // namespace casmotion
