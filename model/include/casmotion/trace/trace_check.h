// SPDX-License-Identifier: GPL-2.0-or-later
//
// Checks the sufficient conditions C1 to C6 on a concrete log.
#pragma once

#include <cstdint>

#include "casmotion/log_reader.h"
#include "casmotion/trace/trace_report.h"

namespace casmotion {

struct TraceOptions {
    bool queries = true;  // also put the trace's windows to the solver; without: direct checks only
    // Limits of the queries; what goes beyond is "cannot be told". They count the solver's steps, never time.
    std::uint64_t shapes_max = 20'000;
    std::uint32_t rlimit_per_query = 2'000'000;
};

// Reads the whole log once (a refuted one up to three times, for the explanation). Always returns a report: damage is a
// refuted integrity check. Moves the reader. Time: linear in the records, plus one query per different window.
[[nodiscard]] TraceReport check_trace(LogReader& reader, const TraceOptions& options = {});

}  // namespace casmotion
