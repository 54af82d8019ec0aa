// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs `xl create`. The mapping from an xl.cfg file to a domain lives in the xl program (libxlutil reads the
// syntax only), so the real xl does it.
#pragma once

#include <string>

#include "casmotion/status.h"

namespace casmotion {

/// Runs `xl create -p -q -e CFG pool="POOL"` and waits for it: the domain exists afterwards, paused, and no
/// xl process watches it. Usage error (2) with xl's own last words when it fails; host lacks (69) when there
/// is no xl.
Status xl_create_paused(const std::string& cfg_path, const std::string& pool_name);

/// Name that the file gives its domain, read with libxlutil. Usage error (2): unreadable, bad syntax, no
/// name.
Result<std::string> domain_name_in_cfg(const std::string& cfg_path);

}  // namespace casmotion
