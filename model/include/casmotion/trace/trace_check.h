// SPDX-License-Identifier: GPL-2.0-or-later
//
// Checks the sufficient conditions C1 to C6 on a concrete log.
#pragma once

#include <cstdint>
#include <memory>

#include "casmotion/log_reader.h"
#include "casmotion/trace/trace_report.h"

namespace casmotion {

// What the solver answered about windows, for checks of several logs that are alike: an answer holds in every
// log. To be used by one thread at a time. A report then counts queries and steps of the others too.
class WindowAnswers;
// `rlimit_per_query`: as in TraceOptions, where that of the checks is then not used.
[[nodiscard]] std::shared_ptr<WindowAnswers> make_window_answers(std::uint32_t rlimit_per_query = 2'000'000);

struct TraceOptions {
    bool queries = true;  // also put the trace's windows to the solver; without: direct checks only
    // Limits of the queries; what goes beyond is "cannot be told". They count the solver's steps, never time.
    std::uint64_t shapes_max = 20'000;
    std::uint32_t rlimit_per_query = 2'000'000;
    std::shared_ptr<WindowAnswers> answers = {};  // none: every window is asked about anew
};

// Reads the whole log once (a refuted one up to three times, for the explanation). Always returns a report:
// damage is a refuted integrity check. Moves the reader. Time: linear in the records, plus one query per
// different window.
[[nodiscard]] TraceReport check_trace(LogReader& reader, const TraceOptions& options = {});

}  // namespace casmotion
