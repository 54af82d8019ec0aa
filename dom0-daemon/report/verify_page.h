// SPDX-License-Identifier: GPL-2.0-or-later
//
// What `casmotion verify --report` writes: one HTML page for people, without anything from elsewhere.
#pragma once

#include <optional>
#include <string>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"
#include "casmotion/trace/trace_report.h"

namespace casmotion {

/// The page. `verdict`: of the whole command; `replay`: its line, if there was a replay. Everything that
/// comes from the log is escaped: a log is untrusted. At most about 1 MiB.
std::string verify_page(const TraceReport& report, const LogReader& reader, const Status& verdict,
                        const std::optional<std::string>& replay);

/// Writes `text` to the file `path`, which is replaced as a whole or not touched. Host lacks (69) if it
/// cannot be written.
Status write_page(const std::string& path, const std::string& text);

}  // namespace casmotion
