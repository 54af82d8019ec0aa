// SPDX-License-Identifier: GPL-2.0-or-later
//
// The Hypervisor interface on a real Xen: libxencall for the domctl, libxenforeignmemory for the rings,
// libxenevtchn for the notification.
#pragma once

#include <memory>

#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"

namespace casmotion {

/// Opens the hypercall interfaces. Fails (host lacks what is needed, 69) when this is not the control domain
/// of a Xen. A stock Xen is not an error here: host_info() tells.
Result<std::unique_ptr<Hypervisor>> open_xen_hypervisor();

}  // namespace casmotion
