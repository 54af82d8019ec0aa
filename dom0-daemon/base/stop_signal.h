// SPDX-License-Identifier: GPL-2.0-or-later
//
// ^C and SIGTERM as a counter that loops look at. The first asks for an orderly end, the second for an
// immediate one.
#pragma once

#include <atomic>

namespace casmotion {

class StopSignal {
  public:
    virtual ~StopSignal() = default;
    /// How often a stop was asked for.
    int requests() const { return requests_.load(std::memory_order_relaxed); }

  protected:
    std::atomic<int> requests_{0};
};

/// Counts SIGINT, SIGTERM and SIGHUP of this process from construction to destruction, and ignores SIGPIPE (a
/// closed terminal must not kill a recording). At most one object at a time. The signals interrupt poll().
class ProcessStopSignal final : public StopSignal {
  public:
    ProcessStopSignal();
    ProcessStopSignal(const ProcessStopSignal&) = delete;
    ProcessStopSignal& operator=(const ProcessStopSignal&) = delete;
    ~ProcessStopSignal() override;

  private:
    static void handler(int);
};

}  // namespace casmotion
