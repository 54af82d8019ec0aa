// SPDX-License-Identifier: GPL-2.0-or-later
//
// Random tests: a new seed each run, printed by a failure, given again with CASMOTION_TEST_SEED=N.
#pragma once

#include <cstdint>
#include <random>

namespace casmotion::test {

// The seed of this process: CASMOTION_TEST_SEED, or a random one.
[[nodiscard]] std::uint64_t base_seed();

// Random numbers of one test; equal seeds give equal numbers on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t word() { return engine_(); }
    // 0 .. limit - 1; limit > 0.
    std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }

  private:
    std::mt19937_64 engine_;
};

}  // namespace casmotion::test

// Shown by every failure in the scope.
#define CASMOTION_TRACE_SEED(seed)                                                                   \
    SCOPED_TRACE("repeat with CASMOTION_TEST_SEED=" + std::to_string(casmotion::test::base_seed()) + \
                 ", case seed " + std::to_string(seed))
