// SPDX-License-Identifier: GPL-2.0-or-later
//
// Can this host record and replay? The same questions for every command that needs the hypervisor.
#pragma once

#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"

namespace casmotion {

/// Name of the cpupool whose domains are recordable.
inline constexpr const char* kRecordingPoolName = "casmotion";

/// Facts about a host that has patches of our interface version and a memory pool. Host lacks (69) otherwise.
Result<HostInfo> require_patched_xen(Hypervisor& hypervisor);

/// The same, and `casmotion setup` was run.
Result<HostInfo> require_recording_host(Hypervisor& hypervisor);

/// The pool is free for a new guest of `memory_bytes` (0: not known yet). Host lacks (69) otherwise.
Status require_room(const HostInfo& host, uint64_t memory_bytes);

/// Size of a memory frame.
inline constexpr uint64_t kFrameBytes = 4096;

}  // namespace casmotion
