// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a log of the self-test's kernel says about the branch counter: the counts of its BRANCHES and APOINT
// records against the numbers that are known from the kernel's code (kernel/pieces.def).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"

namespace casmotion {

/// A known number that came out as another.
struct WrongCount {
    std::string what;  ///< what was executed
    uint64_t expected_branches = 0;
    uint64_t counted_branches = 0;
};

struct BranchReadings {
    std::vector<WrongCount> wrong;  ///< empty: the counter is exact, as far as the kernel can tell
    uint64_t branches = 0;          ///< all that were compared
    uint64_t points = 0;            ///< APOINT records whose count was compared with a loop counter
};

/// Reads the whole log. Inconclusive (75) if it is not that of a self-test that ran to its end.
Result<BranchReadings> read_branches(LogReader& reader);

/// "'a long loop, across timer interrupts' has 100 branches, 101 were counted".
std::string to_text(const WrongCount& wrong);

}  // namespace casmotion
