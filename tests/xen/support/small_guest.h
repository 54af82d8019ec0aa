// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest of a few instructions that runs for real on a model of the processor: trap flag, resume flag,
// breakpoints, the shadow of MOV SS, REP rounds, late overflow interrupts, SYSRET. Xen's part is the
// product's.
#pragma once

#include <cstdint>
#include <vector>

#include "support/seed.h"
#include "support/world.h"

namespace casmotion::test {

// Where the guest was when something came from outside, or when it entered Xen.
struct Passage {
    std::uint64_t ordinal, branches, rip, registers;
    bool upcall;
    bool operator==(const Passage&) const = default;
};

struct GuestRun {
    std::vector<Passage> passages;
    casm_status status{};
    cpu_user_regs regs{};
    std::uint64_t retired = 0;
    const char* leak = nullptr;  // what the guest could see of us
    // It may be in a loop of MOV SS and IRET, none of whose boundaries a breakpoint surely hits: no point, no
    // stop.
    bool nameless = false;
};

struct GuestOptions {
    std::uint64_t program = 1;       // seed of the program
    std::uint64_t surroundings = 1;  // seed of everything from outside
    unsigned instructions = 3000;    // recording: stopped after so many
    std::uint64_t skid = 30;         // overflow interrupts come 0 to so many branches late
    unsigned dense_every = 0;
    unsigned instructions_per_signal = 150;
    bool cpu_bound = false;  // has a conditional branch and never enters Xen
    bool forged = false;     // replay: of a log that nobody recorded; it need not start, nor end
};

GuestRun record_small_guest(const GuestOptions& options, std::vector<std::uint8_t>& log);
GuestRun replay_small_guest(const GuestOptions& options, const std::vector<std::uint8_t>& log);

}  // namespace casmotion::test
