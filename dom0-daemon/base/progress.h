// SPDX-License-Identifier: GPL-2.0-or-later
//
// Messages for the person at the terminal: one-line notices, and a progress line for what takes longer than
// two seconds.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace casmotion {

class Progress {
  public:
    virtual ~Progress() = default;
    /// Something worth a line of its own.
    virtual void notice(const std::string& line) = 0;
    /// Is it time to show progress? Cheap; call it often and format the line only when it says yes.
    virtual bool due() = 0;
    /// Shows the current state; replaced by the next one.
    virtual void show(const std::string& line) = 0;
    /// Removes the progress line before other output.
    virtual void clear() = 0;
};

/// On stderr. Progress only on a terminal, from two seconds on, twice a second; notices always, unless
/// `quiet`.
class TerminalProgress final : public Progress {
  public:
    TerminalProgress(Clock& clock, bool quiet);
    ~TerminalProgress() override;
    void notice(const std::string& line) override;
    bool due() override;
    void show(const std::string& line) override;
    void clear() override;

  private:
    Clock& clock_;
    bool quiet_;
    bool terminal_;
    bool shown_ = false;
    uint64_t next_ns_;
};

}  // namespace casmotion
