// SPDX-License-Identifier: GPL-2.0-or-later
//
// What `casmotion verify` can say about a log: the sufficient conditions C1 to C6, one by one, and the
// verdict.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "casmotion/condition.h"
#include "casmotion/log_check.h"
#include "casmotion/manifest.h"
#include "casmotion/status.h"

namespace casmotion {

// The answer for one condition.
struct ConditionResult {
    Condition condition = Condition::kC1;
    Verdict verdict = Verdict::kHolds;
    std::string reason;  // one line: what was checked, what is wrong, or why it cannot be told
    std::optional<std::uint64_t> record;   // refuted: index of the record at fault, if one is
    std::optional<std::uint64_t> ordinal;  // ENTRY records before it
    std::string cls;                       // class at fault, if there is one
    std::string expected, actual;          // if that makes sense
    // Refuted: the fewest records that together show the contradiction, as `casmotion events` prints them;
    // the last is the one at fault. At most 64.
    std::vector<std::string> explanation;
};

// What the queries over the trace came to; see docs/what-is-proved.md.
struct QueryStatistics {
    std::uint64_t windows = 0;  // trips of the guest through Xen: one ENTRY with its outputs and effects
    std::uint64_t shapes = 0;   // different ones among them; each was put to the solver once
    std::uint64_t queries = 0;
    std::uint64_t steps = 0;  // of the solver; the same on every machine
};

// The log over time, for people.
struct Timeline {
    struct Bucket {
        std::array<std::uint64_t, CASM_CLASSES_MAX> records{};
        std::optional<std::uint64_t>
            first_tsc;  // first guest TSC read in it, in units of 2^CASM_TSC_QUANTUM_BITS
    };
    std::uint64_t entries_per_bucket = 1;                      // the last bucket may have fewer
    std::vector<Bucket> buckets;                               // 1 to 240
    std::array<std::uint64_t, CASM_CLASSES_MAX> ring_bytes{};  // by class, uncompressed
};

// A time point that is no S-point.
struct APointRow {
    std::uint64_t record = 0, ordinal = 0, branches = 0, rip = 0;
    bool canonical = true;
};

struct TraceReport {
    LogReport log;                              // integrity, fields, order, completeness
    std::array<ConditionResult, 6> conditions;  // in order
    QueryStatistics queries;
    Timeline timeline;
    std::uint64_t apoints = 0, apoints_by_state = 0;
    std::vector<APointRow> first_apoints;    // at most 1000
    std::uint32_t isolation = 0;             // CASM_ISOLATE_*: what the guest could not see of the processor
    PhysicalCpu physical;                    // that it ran on
    std::vector<std::string> hidden_inputs;  // that its CPU policy shows, by name

    // ok if integrity and all conditions hold. A log that is damaged or was cut: kLogInvalid. Otherwise
    // kRefuted if a condition is refuted, kInconclusive if one cannot be told. The message names the first at
    // fault.
    [[nodiscard]] Status verdict() const;
};

// Tells the report that a replay of this log was equal to its end: what only a replay can tell then holds.
void add_equal_replay(TraceReport& report, std::uint64_t entries, std::uint64_t digests);

// One line per condition, with the explanation of what is refuted. Ends with a newline.
[[nodiscard]] std::string to_text(const TraceReport& report);

// {"conditions":[...],"queries":{...}}, without newline.
[[nodiscard]] std::string to_json(const TraceReport& report);

}  // namespace casmotion
