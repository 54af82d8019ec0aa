// SPDX-License-Identifier: GPL-2.0-or-later
//
// Time for limits, progress and measurements; never part of what a log replays.
#pragma once

#include <chrono>
#include <cstdint>

namespace casmotion {

class Clock {
  public:
    virtual ~Clock() = default;
    /// Monotonic time in nanoseconds from an arbitrary start.
    virtual uint64_t now_ns() = 0;
};

class SteadyClock final : public Clock {
  public:
    uint64_t now_ns() override {
        return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                         std::chrono::steady_clock::now().time_since_epoch())
                                         .count());
    }
};

inline constexpr uint64_t kNsPerSecond = 1'000'000'000;

}  // namespace casmotion
