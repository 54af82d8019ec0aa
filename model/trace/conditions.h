// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the direct checks of a log mean for C1 to C6.
#pragma once

#include <array>

#include "casmotion/log_reader.h"
#include "casmotion/trace/trace_report.h"

namespace casmotion::trace {

// What one pass over the log saw besides the checks of check_log().
struct Facts {
    std::optional<std::uint64_t> init_bytes;    // of shared_info that INIT covers, from offset 0
    std::optional<std::uint64_t> start_frames;  // that digest (start) covers
    std::uint64_t effects = 0;                  // EVTCHN and RING records
    std::uint64_t periodic_digests = 0;
    std::uint64_t branch_checks = 0;
    bool final_digest = false;
    std::uint32_t end_reason = CASM_END_NONE;

    void add(const Record& record);
};

// The condition that a fault in the records of class `cls` contradicts.
[[nodiscard]] Condition condition_of_class(std::uint8_t cls);

// The six answers of the direct checks. `report`: with log, apoints and apoints_by_state filled in.
[[nodiscard]] std::array<ConditionResult, 6> judge(const LogReader& reader, const TraceReport& report,
                                                   const Facts& facts);

}  // namespace casmotion::trace
