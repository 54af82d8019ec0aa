// SPDX-License-Identifier: GPL-2.0-or-later
//
// The hypervisor's counters and the names of its enumerations, for people and as JSON.
#pragma once

#include <string>

#include "casm_abi.h"
#include "report/json.h"

namespace casmotion {

/// "powered off", "rebooted", "crashed (its kernel panicked)", ... from the END record's reason and code.
std::string end_text(uint32_t reason, uint32_t code);

/// "1,203 under 10 us, 2 under 1 ms, at most 0.85 ms": how long effects waited for the point where they were
/// injected. Empty if there were none.
std::string delays_text(const casm_status& status);

/// "12 canonical, 1 by state, 3.2 steps each (at most 9): 10 up to 4, 3 up to 16": what points between
/// entries cost; with overflow interrupts (replay) also how late they came. Empty if there were no such
/// points.
std::string apoints_text(const casm_apoint_stats& points);

/// Counters of a recording or replay, without the divergence.
Json to_json(const casm_status& status);

}  // namespace casmotion
