// SPDX-License-Identifier: GPL-2.0-or-later
//
// `casmotion setup`: the cpupool whose domains are recordable.
#pragma once

#include <optional>
#include <string>

#include "base/ids.h"
#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"
#include "toolstack/toolstack.h"

namespace casmotion {

/// Creates the cpupool if it is not there, on `cpu` or on the last CPU that is in no pool, and registers it
/// with Xen. Idempotent. Returns one line that says what there is now. Host lacks (69) with what to do when
/// there is no free CPU; usage error (2) when `cpu` is not free.
Result<std::string> set_up(Hypervisor& hypervisor, Toolstack& toolstack, std::optional<CpuId> cpu);

}  // namespace casmotion
