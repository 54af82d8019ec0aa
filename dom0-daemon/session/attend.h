// SPDX-License-Identifier: GPL-2.0-or-later
//
// What becomes of a domain that `record CFG` created, when its guest has ended: what CFG says (on_poweroff,
// on_reboot, on_crash, ...), as xl does it. `xl create -e` left no xl to do it.
#pragma once

#include <functional>
#include <string>

#include "base/ids.h"
#include "casmotion/status.h"
#include "toolstack/toolstack.h"

namespace casmotion {

/// Where the attendant of a domain that goes on unrecorded writes what it did.
std::string attendant_log_path(const std::string& domain_name);

/// Stands by `domain`, created from the file `cfg_path`, until its guest has ended, then acts: also creates
/// the guest again, unrecorded, if its configuration says so; `wait_for_pool` waits until the memory of the
/// destroyed domain is back. Returns when there is nothing left to do.
Status attend(Toolstack& toolstack, DomId domain, const std::string& cfg_path,
              const std::function<Status()>& wait_for_pool,
              const std::function<void(const std::string&)>& say);

}  // namespace casmotion
