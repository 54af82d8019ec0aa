// SPDX-License-Identifier: GPL-2.0-or-later
//
// The sufficient conditions C1 to C6 as named objects: each can be assumed, dropped and checked on its own.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "machine/product.h"

namespace casmotion::model {

enum class Condition : std::uint8_t { kC1, kC2, kC3, kC4, kC5, kC6 };

struct ConditionInfo {
    Condition id;
    std::string_view name;       // "C3"
    std::string_view title;      // "completeness"
    std::string_view statement;  // one sentence
    std::string_view earned;     // where the code earns it
};

inline constexpr std::size_t kConditionCount = 6;
// In the order of the enumeration.
[[nodiscard]] std::span<const ConditionInfo, kConditionCount> conditions();
[[nodiscard]] const ConditionInfo& info(Condition condition);

// One step of both systems, and the log between them.
struct Step {
    const Machine& machine;
    const Log& log;
    const Side &record, &replay;  // before the step
    const World& world;
};

// What the condition says of the machine and the log as a whole; the same at every step. `start_record` and
// `start_replay`: the states that the two systems start in.
[[nodiscard]] smt::Term holds_always(Condition condition, const Machine& machine, const Log& log,
                                     const smt::Term& start_record, const smt::Term& start_replay);
// What the condition says of one step. True where it only speaks of the whole.
[[nodiscard]] smt::Term holds_at(Condition condition, const Step& step);

}  // namespace casmotion::model
