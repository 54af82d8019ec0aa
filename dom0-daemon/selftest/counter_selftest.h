// SPDX-License-Identifier: GPL-2.0-or-later
//
// Is this host's branch counter exact? Records a kernel whose numbers of branches are known, compares, and
// replays it to see how late the counter's overflow interrupts come.
#pragma once

#include <cstdint>
#include <string>

#include "casmotion/status.h"
#include "session/record_session.h"

namespace casmotion {

enum class CounterHealth {
    kAbsent,    ///< the host has none that may be used
    kUsable,    ///< it counted what it should
    kNotExact,  ///< it did not: never to be used
    kUntested,  ///< there is one, and it cannot be tested now
};

/// "absent", "usable", "not exact", "untested".
std::string_view name_of(CounterHealth health);

struct CounterVerdict {
    CounterHealth health = CounterHealth::kUntested;
    std::string text;                ///< why, or what was measured; one line
    uint64_t late_max_branches = 0;  ///< worst lateness of an overflow interrupt that was seen
    uint32_t margin_branches = 0;    ///< margin with which replays find their points, 0: Xen's default does
};

/// Runs the test, again if no overflow interrupt was needed: a few seconds each. The host's counter is ready
/// and the memory pool free. The verdict is kUsable or kNotExact; a test that could not be carried out is a
/// failure: host lacks (69) what recording needs too, inconclusive (75) if interrupted or if its guest did
/// not end, usage (2) or internal (70) as recording.
Result<CounterVerdict> run_counter_selftest(const SessionHost& host);

}  // namespace casmotion
