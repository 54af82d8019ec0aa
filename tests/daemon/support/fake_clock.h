// SPDX-License-Identifier: GPL-2.0-or-later
//
// Time, stop requests and messages under the control of a test.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"
#include "base/stop_signal.h"

namespace casmotion::test {

class FakeClock final : public Clock {
  public:
    uint64_t now_ns() override { return now_ns_; }
    void advance(uint64_t by_ns) { now_ns_ += by_ns; }

  private:
    uint64_t now_ns_ = 1'000'000'000;
};

class FakeStop final : public StopSignal {
  public:
    void press() { requests_.fetch_add(1); }
};

class CollectedProgress final : public Progress {
  public:
    void notice(const std::string& line) override { notices.push_back(line); }
    bool due() override { return true; }  // so that every progress line is formatted under the sanitizers
    void show(const std::string& line) override { last_shown = line; }
    void clear() override {}

    std::vector<std::string> notices;
    std::string last_shown;
};

}  // namespace casmotion::test
