// SPDX-License-Identifier: GPL-2.0-or-later
//
// The query over one window: can two executions that are both consistent with it, and start in the same
// state, end in different states? And is there an execution that is consistent with it at all?
//
// What a class does to the state is a function of the state and of the values that its record carries, and
// what is compared is a function of the state. Here these functions are symbols of which nothing else is
// known; that the symbolic effects are such functions, of just those fields, is proved class by class
// (model/effects/conformance.h, "determination"). Values are constants that both executions share, what the
// log does not carry is not. So an answer for a shape holds for all logs with windows of that shape.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "casmotion/condition.h"
#include "casmotion/log_check.h"
#include "window.h"

namespace casmotion::trace {

struct WindowAnswer {
    Verdict verdict = Verdict::kHolds;
    Condition condition = Condition::kC5;  // if it does not hold
    std::string reason;
};

class WindowQuery {
  public:
    // `rlimit`: solver steps per query, not 0.
    explicit WindowQuery(std::uint32_t rlimit);
    ~WindowQuery();
    WindowQuery(const WindowQuery&) = delete;
    WindowQuery& operator=(const WindowQuery&) = delete;

    // Refuted: with the condition that, assumed in addition, would make the answer "no"; or no execution has
    // this window. Cannot be told: the solver gave up, or a point is named by state. The same questions in
    // the same order get the same answers on every machine.
    [[nodiscard]] WindowAnswer ask(const std::vector<Symbol>& shape);

    [[nodiscard]] std::uint64_t queries() const;
    [[nodiscard]] std::uint64_t steps() const;  // of the solver, over all queries

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace casmotion::trace
