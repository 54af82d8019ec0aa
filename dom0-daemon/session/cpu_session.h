// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a recording or a replay does about the guest's CPU before it starts: gives it its CPU policy, and a
// physical CPU to keep.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "casmotion/cpu_policy.h"
#include "casmotion/manifest.h"
#include "casmotion/status.h"
#include "cpu/guest_policy.h"
#include "session/record_session.h"

namespace casmotion {

/// Record: takes from a paused domain that never ran what no log can hold (and what is not portable), says
/// so, and returns the policy that it has now. Host lacks (69): Xen did not take it.
Result<CpuPolicy> choose_guest_cpu(const SessionHost& host, DomId domain, const GuestCpuChoice& choice);

/// Replay, before there is a domain: can this host show what the recorded guest saw? Host lacks (69) naming
/// the features that it lacks; log invalid (65) if the log has no policy. Says what the two processors do
/// differently and nobody can hide.
Status check_guest_cpu(const SessionHost& host, const Manifest& manifest);

/// Replay: gives a paused domain that never ran the policy of the log, whatever this host's default is. Host
/// lacks (69) if that is not what the guest would see. Differences that do no harm are added to
/// `differences`.
Status restore_guest_cpu(const SessionHost& host, DomId domain, const CpuPolicy& policy,
                         std::vector<std::string>& differences);

/// Record: the physical CPU that the guest keeps: the first of the recording cpupool that its affinity
/// allows, as Xen names it. Host lacks (69): there is none.
Result<PhysicalCpu> choose_physical_cpu(const SessionHost& host, const HostInfo& info, DomId domain);

/// Replay: a CPU of the recording cpupool on which the guest finds what it found when it was recorded; the
/// one of the same number if that is one. Host lacks (69): there is none, with the CPU of this host that
/// would do, or other instructions trap here than there.
Result<CpuId> find_physical_cpu(const SessionHost& host, const HostInfo& info, const Manifest& manifest);

}  // namespace casmotion
