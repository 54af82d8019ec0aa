// SPDX-License-Identifier: GPL-2.0-or-later
//
// Mutants of logs at record level: one record changed, dropped, duplicated or swapped, everything around it
// (checksums, counts in index and summary, digests) made right again, so that only a check of the meaning or
// a replay can notice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casmotion/record.h"
#include "casmotion/status.h"

namespace casmotion::test {

enum class MutationOp : std::uint8_t { kChange, kDrop, kDuplicate, kSwap };

struct Mutation {
    std::uint8_t cls = 0;  // class of the record
    MutationOp op = MutationOp::kChange;
    std::uint64_t nth = 0;    // which record of that class, from 0
    std::uint64_t seed = 0;   // which field and bit kChange flips
    bool fix_counts = false;  // END's `applied` counters follow, so that completeness holds
};

struct MutationReport {
    std::uint64_t record = 0;   // index of the record in the original log; of the first of two for kSwap
    std::string before, after;  // the record as text; `after` is empty for a dropped one
};

// Applies `mutation` to `records`. kUsage if there is no such record, or nothing to swap it with. kSwap
// exchanges it with the next record of its class that differs, or, if there is none, with its neighbour.
[[nodiscard]] Result<MutationReport> mutate_records(std::vector<Record>& records, const Mutation& mutation);

// Writes the mutant of the log at `log` to the new folder `out`, with the embedded files. Without an END
// record the mutant is a log that was not closed.
[[nodiscard]] Result<MutationReport> mutate_log(const std::string& log, const std::string& out,
                                                const Mutation& mutation);

}  // namespace casmotion::test
