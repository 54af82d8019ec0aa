// SPDX-License-Identifier: GPL-2.0-or-later
//
// Short ways to say which kind of failure a Status is. log_invalid() is in casmotion/status.h.
#pragma once

#include <string>
#include <utility>

#include "casmotion/status.h"

namespace casmotion {

/// Wrong arguments, a domain that does not exist or cannot be recorded, a file that is in the way: exit
/// code 2.
[[nodiscard]] inline Status usage_error(std::string message) {
    return {Category::kUsage, std::move(message)};
}

/// The host lacks what is needed (Xen, patches, pool, permission, space): exit code 69.
[[nodiscard]] inline Status host_lacks(std::string message) {
    return {Category::kHostLacks, std::move(message)};
}

/// A bug in CASMotion, in the daemon or in the hypervisor: exit code 70.
[[nodiscard]] inline Status internal_error(std::string message) {
    return {Category::kInternal, std::move(message)};
}

}  // namespace casmotion
