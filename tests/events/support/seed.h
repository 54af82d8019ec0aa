// SPDX-License-Identifier: GPL-2.0-or-later
//
// Seeds of random tests: fresh in each run, printed when a test fails, and repeatable.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace casmotion::test {

// CASMOTION_SEED if it is set, else a fresh seed.
inline std::uint64_t test_seed() {
    if (const char* text = std::getenv("CASMOTION_SEED")) return std::strtoull(text, nullptr, 0);
    return std::random_device{}();
}

// For SCOPED_TRACE: how to repeat this run.
inline std::string repeat_with(std::uint64_t seed) {
    return "to repeat: CASMOTION_SEED=" + std::to_string(seed);
}

}  // namespace casmotion::test
