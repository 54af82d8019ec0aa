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

/// Counters of a recording or replay, without the divergence.
Json to_json(const casm_status& status);

}  // namespace casmotion
