// SPDX-License-Identifier: GPL-2.0-or-later
//
// The Toolstack interface on libxl.
#pragma once

#include <memory>

#include "casmotion/status.h"
#include "toolstack/toolstack.h"

namespace casmotion {

/// Opens libxl. Host lacks (69) when there is no Xen, no xenstored, or no permission. `verbose` shows libxl's
/// own messages on stderr; otherwise its first error is part of the Status that a call returns.
Result<std::unique_ptr<Toolstack>> open_libxl_toolstack(bool verbose);

}  // namespace casmotion
