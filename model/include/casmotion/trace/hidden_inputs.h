// SPDX-License-Identifier: GPL-2.0-or-later
//
// C2 as far as a log can tell: what the processor offers a PV guest that no hypervisor can see it use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/manifest.h"

namespace casmotion::trace {

// One row of a guest's CPU policy as Xen serialises it: what CPUID answers.
struct CpuidRow {
    std::uint32_t leaf = 0, subleaf = 0, eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// The rows of `policy` (CpuIdentity::policy); nullopt if it is not of that form.
[[nodiscard]] std::optional<std::vector<CpuidRow>> parse_cpu_policy(std::string_view policy);

// Instructions whose result is not a function of the guest's state and that do not trap, as far as the
// guest's CPU policy shows them. Empty: none.
[[nodiscard]] std::vector<std::string> visible_hidden_inputs(const std::vector<CpuidRow>& rows);

// A policy in Xen's form, for tests: the inverse of parse_cpu_policy().
[[nodiscard]] std::string serialize_cpu_policy(const std::vector<CpuidRow>& rows);

}  // namespace casmotion::trace
