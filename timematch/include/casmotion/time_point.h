// SPDX-License-Identifier: GPL-2.0-or-later
//
// The names of injection points, and their order.
#pragma once

#include <compare>
#include <cstdint>

#include "casmotion/record.h"  // SyncOrdinal

namespace casmotion {

/// Conditional branches that retired in CPL3 since a synchronous entry.
struct BranchCount {
    std::uint64_t value = 0;
    auto operator<=>(const BranchCount&) const = default;
};

/// Where in an execution: after the ordinal-th synchronous entry, `branches` conditional branches later.
/// Ordered as time is: by the ordinal first. (n, 0) is the S-point at the exit of entry n.
///
/// The order is total, and it is that of the points' names: two points by state of one stretch (see
/// timematch/README.md) have equal TimePoints, and their order is that of the log.
struct TimePoint {
    SyncOrdinal ordinal;
    BranchCount branches;
    auto operator<=>(const TimePoint&) const = default;
};

static_assert(TimePoint{{1}, {9}} < TimePoint{{2}, {0}} && TimePoint{{2}, {0}} < TimePoint{{2}, {1}});

}  // namespace casmotion
