// SPDX-License-Identifier: GPL-2.0-or-later
//
// The divergence report (decision D9): where a replay left its log, what was expected and what came, the
// registers, the records before it, and which class of events the evidence points to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "casm_abi.h"
#include "casmotion/log_reader.h"
#include "casmotion/record.h"
#include "report/json.h"

namespace casmotion {

/// One field whose value differs.
struct FieldDifference {
    std::string field;
    std::string expected;
    std::string actual;
};

struct DivergenceReport {
    uint64_t record = 0;   ///< index of the log record
    uint64_t ordinal = 0;  ///< synchronous entries before it
    std::string cls;  ///< class of the first difference: of the log's record, or of what the replay produced
    std::optional<Record> expected;            ///< from the log; none: the log had no record left
    std::optional<Record> actual;              ///< none: the replay was at an injection point
    std::vector<FieldDifference> differences;  ///< empty when the classes differ
    std::optional<uint64_t> blob_offset;       ///< first differing byte
    std::string actual_place;  ///< RCX and RSP of the replay, as text, at an APOINT that it did not find
    std::optional<std::string> counter_fault;  ///< a line: the guest is not to blame, a branch counter is
    std::vector<std::pair<std::string, uint64_t>> registers;
    std::vector<std::string> before;  ///< up to ten records of the log before it, as text, the last one last
    std::vector<std::string> suspects;  ///< classes that the evidence points to
    std::vector<std::string> hints;     ///< one line each
};

/// Puts together what Xen reported and what the log says. Reads the log (checks it as `verify` does); moves
/// `reader`. `host_differences` are facts of the recording host that are others here.
DivergenceReport make_divergence_report(LogReader& reader, const casm_divergence& divergence,
                                        const std::vector<std::string>& host_differences);

/// Several lines; the first says class, record and ordinal.
std::string to_text(const DivergenceReport& report);

Json to_json(const DivergenceReport& report);

}  // namespace casmotion
