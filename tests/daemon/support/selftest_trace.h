// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a recording of the self-test's kernel holds, with a counter that is exact or not.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "casmotion/record.h"

namespace casmotion::test {

struct SelftestTraceOptions {
    std::map<std::string, int> off_by =
        {};                      ///< by piece (kernel/pieces.def): branches counted too many or too few
    int point_off_by = 0;        ///< the same for the count of the third point in the long loop
    unsigned first_entries = 5;  ///< entries before the kernel's own: moves the BRANCHES records
};

/// The whole log, from INIT to END(SHUTDOWN).
std::vector<Record> selftest_trace(const SelftestTraceOptions& options = {});

}  // namespace casmotion::test
