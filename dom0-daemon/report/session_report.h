// SPDX-License-Identifier: GPL-2.0-or-later
//
// Results of a recording and of a replay, for people and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"
#include "report/divergence_report.h"
#include "report/json.h"
#include "session/record_session.h"
#include "session/replay_session.h"

namespace casmotion {

/// One line: how the guest ended, counts, where the log is.
std::string to_text(const RecordReport& report);
Json to_json(const RecordReport& report);

/// What Xen measured, one line each, ready to be shown: how long effects waited; what points between entries
/// cost. Empty if there was nothing to measure.
std::vector<std::string> measured_lines(const char* command, const casm_status& status);

/// ok for a closed log; log invalid (65) for one that had to stay incomplete.
Status verdict_of(const RecordReport& report);

/// "replay: equal: N entries, M records, D digests compared", or the like for the other ends; one line, no
/// newline.
std::string to_line(const ReplayReport& report, const LogReader& reader);
Json to_json(const ReplayReport& report, const LogReader& reader,
             const std::optional<DivergenceReport>& divergence);

/// ok if equal to the end; refuted (1), log invalid (65: equal so far, but the log has no end), inconclusive
/// (75).
Status verdict_of(const ReplayReport& report, const LogReader& reader);

/// The word for it in JSON: "equal", "diverged", "log-ran-out", "interrupted", "stalled", "vanished".
std::string_view name_of(ReplayEnd end);
std::string_view name_of(RecordEnd end);

}  // namespace casmotion
