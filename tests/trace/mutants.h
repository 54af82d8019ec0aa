// SPDX-License-Identifier: GPL-2.0-or-later
//
// Mutants of a log, systematically: every class, and in each of its records that is chosen every field;
// dropped, doubled, swapped, moved in time, with END's counters as they were and made right; points between
// entries renamed, parted from their effects, moved with them; another manifest; cuts. Checksums and digests
// are right in all but the cut ones, so that only the meaning is wrong.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/trace/trace_report.h"
#include "support/log_files.h"

namespace casmotion::test {

struct Mutant {
    std::string cls;   // "tsc"; "manifest"; "file" for cuts
    std::string op;    // "change quanta", "drop", "drop, counted", ...
    std::string what;  // which record, which bit
    // Verify may accept it: consistent in itself, so that only a replay can tell. Says why; empty: must be
    // refuted.
    std::string only_replay;
    bool same_states =
        false;  // a replay passes through the same states too: nobody can tell, and nothing is wrong
    std::uint64_t record = 0;
    Files files;
};

// All mutants of the log whose folder is `log`; `seed` chooses bits and records.
[[nodiscard]] Result<std::vector<Mutant>> mutants_of(const std::string& log, std::uint64_t seed);

// Conditions that verify cannot tell about, by Condition.
using Untold = std::array<bool, 6>;
// Those of the log whose folder is `log`, unmutated; an error if it is refuted.
[[nodiscard]] Result<Untold> untold_of(const std::string& log);

// Who kills it: "integrity", "C1" to "C6" (the first refuted), "cannot be told" (more than of the log itself:
// not killed, not accepted), or nothing.
[[nodiscard]] std::string killer_of(const Mutant& mutant, const Untold& untold);

// The condition that the mutant breaks if it breaks one, by what was changed: "C1" to "C6".
[[nodiscard]] std::string_view condition_of(const Mutant& mutant);

}  // namespace casmotion::test
