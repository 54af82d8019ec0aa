// SPDX-License-Identifier: GPL-2.0-or-later
//
// The sufficient conditions for an equivalent replay, as names. What each says and who earns it is in
// docs/what-is-proved.md.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace casmotion {

enum class Condition : std::uint8_t { kC1, kC2, kC3, kC4, kC5, kC6 };

inline constexpr std::array kConditions = {Condition::kC1, Condition::kC2, Condition::kC3,
                                           Condition::kC4, Condition::kC5, Condition::kC6};

// "C1" to "C6".
[[nodiscard]] constexpr std::string_view name_of(Condition condition) {
    constexpr std::string_view kNames[] = {"C1", "C2", "C3", "C4", "C5", "C6"};
    return kNames[static_cast<std::size_t>(condition)];
}

// A few words: "same initial state", ...
[[nodiscard]] constexpr std::string_view title_of(Condition condition) {
    switch (condition) {
        case Condition::kC1:
            return "same initial state";
        case Condition::kC2:
            return "no hidden input";
        case Condition::kC3:
            return "completeness";
        case Condition::kC4:
            return "injective time points";
        case Condition::kC5:
            return "exclusivity and order";
        case Condition::kC6:
            return "matching";
    }
    std::abort();
}

}  // namespace casmotion
