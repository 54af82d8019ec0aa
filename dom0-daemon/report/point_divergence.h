// SPDX-License-Identifier: GPL-2.0-or-later
//
// Divergences at points between entries (APOINT) and at branch counts (BRANCHES): what differs, and whether
// the guest or the counter is to blame.
#pragma once

#include <string>

#include "casm_abi.h"
#include "casmotion/log_reader.h"
#include "casmotion/taxonomy.h"
#include "report/divergence_report.h"

namespace casmotion {

/// The guest was in the recorded state and the number of branches was another: the counter is not exact, here
/// or where the log was recorded. (A BRANCHES record follows its entry, whose registers were equal; an APOINT
/// has their hash.)
bool is_counter_fault(const casm_divergence& divergence);

/// "counter fault: the branch counter of this host (or of the recording host) is not exact: 100 branches
/// expected, 101 counted since record 12". `report.expected` and `report.actual` are set and
/// is_counter_fault() holds. Moves `reader`.
std::string counter_fault_text(LogReader& reader, const DivergenceReport& report);

/// Fields of two APOINT records that differ: those of the header and words, and what the blob holds, against
/// RCX and RSP of the replay.
std::vector<FieldDifference> apoint_differences(const Record& expected, const Record& actual,
                                                const casm_divergence& divergence);

/// " rcx=... rsp=...": what the record of a replay's place lacks, for its line in the report. Empty unless
/// that is an APOINT.
std::string place_text(const casm_divergence& divergence);

/// Adds hints about a point that the replay did not find; nothing if the log's record is no APOINT.
void explain_point(DivergenceReport& report);

/// A field as the report prints it: addresses and hashes of an APOINT in hexadecimal, its kind by name, other
/// numbers in both notations.
std::string field_text(uint8_t cls, Place place, uint64_t value);

}  // namespace casmotion
