// SPDX-License-Identifier: GPL-2.0-or-later
//
// The physical CPU that a guest ran on, where the guest can see it: which CPU of a host looks like another.
#pragma once

#include <string>
#include <vector>

#include "casmotion/manifest.h"
#include "casmotion/status.h"

namespace casmotion {

/// What of the processor a guest can see under `isolation` (CASM_ISOLATE_*), for messages: "plain CPUID" ...;
/// empty: nothing.
std::vector<std::string> visible_instructions(uint32_t isolation);

/// "CPU 1 (APIC id 1, family/model/stepping 0x800f12)".
std::string to_text(const PhysicalCpu& cpu);

/// Does a guest with `isolation` find the same on both?
bool looks_like(const PhysicalCpu& a, const PhysicalCpu& b, uint32_t isolation);

/// A log replays only where the same instructions trap: each trap is an entry. Host lacks (69) otherwise.
Status check_isolation(uint32_t recorded, uint32_t here);

}  // namespace casmotion
