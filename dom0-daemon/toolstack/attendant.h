// SPDX-License-Identifier: GPL-2.0-or-later
//
// Starts `casmotion attend` as a process that outlives its starter.
#pragma once

#include <string>

#include "base/ids.h"
#include "casmotion/status.h"

namespace casmotion {

/// Starts this program as the attendant of `domain`, created from the file `cfg_path` (absolute), in a
/// session of its own, so that neither ^C nor the end of the terminal stops it; its messages are appended to
/// `log_path`. Host lacks (69): the log cannot be written, or no process can be started.
Status spawn_attendant(DomId domain, const std::string& cfg_path, const std::string& log_path);

}  // namespace casmotion
