// SPDX-License-Identifier: GPL-2.0-or-later
//
// The property: what a recording chose at any moment of a program's execution, a replay finds again, and
// nothing else. Judged against the program's plain execution, with nothing armed.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "support/session.h"

namespace casmotion::timematch {

// The plain execution: the machine at each boundary (and between the rounds of a REP), as far as it was asked
// for.
class Trace {
  public:
    Trace(const Program& program, const Hardware& hardware) {
        places_.emplace_back(program, State{}, hardware);
    }

    const Machine& at(std::uint64_t now);
    // The exit of the entry that `now` lies behind (0: the start).
    std::uint64_t begin_of_entry(std::uint64_t now);

  private:
    std::deque<Machine> places_;
};

struct Setting {
    std::uint32_t margin_branches;
    std::uint32_t rearm_min;
    std::uint32_t lateness;  // branches, at least
    std::uint32_t skid_instructions = 0;
    // Whether the overflow is always early enough for the margin.
    [[nodiscard]] bool keeps_the_margin() const { return lateness + skid_instructions < margin_branches; }
};

struct Plan {
    casm_canon_limits canon{6};
    std::vector<std::uint64_t> moments;  // at which the recording is interrupted
    std::vector<Setting> settings;       // of the replays
    Hardware hardware{};                 // but for the lateness and the skid
    bool obeys_rf = true;
    bool interrupt_everywhere =
        false;           // recording and replay again with an interrupt at each boundary on their way
    bool forge = false;  // each point again with one field changed: must not be delivered
};

struct Totals {
    std::uint64_t programs = 0, canonical = 0, by_state = 0, ended_by_entry = 0, no_point = 0, replays = 0;
    std::uint64_t other_memory =
        0;  // points by state delivered where the registers were equal and the memory was not
    std::uint64_t overshot = 0;  // refused because the overflow was later than the margin
    [[nodiscard]] std::string text() const;
};

// Empty, or what is wrong.
[[nodiscard]] std::string check_program(const Program& program, const Plan& plan, Totals& totals);

// Calls check for every program of that many instructions over these operations, with all targets; stops at
// the first complaint and returns it.
[[nodiscard]] std::string check_all_programs(unsigned size, const std::vector<Op>& ops, const Plan& plan,
                                             Totals& totals);

}  // namespace casmotion::timematch
