// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an errno of a control operation means, in words.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"

namespace casmotion {

/// "cannot `what` domain 5: ..." with the category that fits: a domain that is gone or was started is a usage
/// error, lack of memory or of the patches is the host's, everything else is internal.
Status op_failure(std::string_view what, DomId domain, OpResult result);

}  // namespace casmotion
