// SPDX-License-Identifier: GPL-2.0-or-later
//
// Identity of the CPU that this program runs on.
#pragma once

#include <string>
#include <string_view>

#include "casmotion/manifest.h"

namespace casmotion {

/// Vendor, model name, family, model and stepping from text in the format of /proc/cpuinfo; what is missing
/// stays empty.
CpuIdentity parse_cpu_info(std::string_view cpuinfo);

/// The same for this host's /proc/cpuinfo.
CpuIdentity read_cpu_info();

/// Whole content of a small text file; empty when it cannot be read.
std::string read_small_file(const std::string& path);

}  // namespace casmotion
