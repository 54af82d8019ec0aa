// SPDX-License-Identifier: GPL-2.0-or-later
//
// Can this host show a guest the CPU that it was recorded on? Asked before a replay starts.
#pragma once

#include <string>
#include <vector>

#include "casmotion/cpu_policy.h"
#include "casmotion/manifest.h"

namespace casmotion {

/// What a guest with `recorded` was shown and a host that can show `host_max` lacks: features by name, and
/// leaves of CPUID. Empty: nothing.
std::vector<std::string> lacking(const CpuPolicy& recorded, const CpuPolicy& host_max);

/// How the policy that Xen gave differs from the one that was asked for.
struct PolicyDifferences {
    std::vector<std::string> fatal;  ///< the guest's memory or the course of its instructions depend on it
    std::vector<std::string> tolerated;  ///< CPUID tells it, and what CPUID tells comes from the log
};
PolicyDifferences policy_differences(const CpuPolicy& asked, const CpuPolicy& given);

/// Lines about what differs between the processor of the recording and this one and can be neither hidden nor
/// logged; empty: the same model.
std::vector<std::string> vendor_differences(const CpuIdentity& recorded, const CpuIdentity& here);

}  // namespace casmotion
