// SPDX-License-Identifier: GPL-2.0-or-later
//
// The shortest explanation of a record that is where it cannot be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casmotion/log_reader.h"

namespace casmotion::trace {

// The fewest records from the ENTRY before record `index` on that make the order rules refuse record `index`
// for the same reason (none of them can be left out), as lines of text; the record itself is the last. Moves
// the reader; time: that of reading the log up to there.
[[nodiscard]] std::vector<std::string> explain_order(LogReader& reader, std::uint64_t index);

// Record `index` alone; empty if it cannot be read.
[[nodiscard]] std::vector<std::string> show_record(LogReader& reader, std::uint64_t index);

}  // namespace casmotion::trace
