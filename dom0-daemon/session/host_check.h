// SPDX-License-Identifier: GPL-2.0-or-later
//
// Can this host record and replay? The same questions for every command that needs the hypervisor.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"
#include "toolstack/toolstack.h"

namespace casmotion {

/// Name of the cpupool whose domains are recordable.
inline constexpr const char* kRecordingPoolName = "casmotion";

/// Facts about a host that has patches of our interface version and a memory pool. Host lacks (69) otherwise.
Result<HostInfo> require_patched_xen(Hypervisor& hypervisor);

/// The same, and `casmotion setup` was run.
Result<HostInfo> require_recording_host(Hypervisor& hypervisor);

/// The pool can hold a guest of `memory_bytes`. Host lacks (69) otherwise.
Status require_room(const HostInfo& host, uint64_t memory_bytes);

/// Why the host's branch counter cannot be used, for messages: "this processor has no ...". For a ready one:
/// empty.
std::string counter_reason_text(const HostInfo& host);

/// Waits until no domain has the pool. A domain that is being destroyed gives its memory back a moment after
/// `xl destroy` returned, so that is waited for, up to `patience`; a domain that lives is not. Host lacks
/// (69) if the pool stays taken.
Status wait_for_pool(Hypervisor& hypervisor, Toolstack& toolstack, Clock& clock,
                     std::chrono::milliseconds patience);

/// How long a destroyed domain may keep the pool. Teardown takes milliseconds; what is left after this is
/// stuck.
inline constexpr std::chrono::milliseconds kPoolPatience{10'000};

/// Size of a memory frame.
inline constexpr uint64_t kFrameBytes = 4096;

}  // namespace casmotion
