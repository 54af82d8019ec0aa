// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs a replay for `replay` and `verify --replay`: the options they share, where the console goes, the
// report.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"
#include "cli/command.h"
#include "report/divergence_report.h"
#include "session/replay_session.h"

namespace casmotion {

/// Options of a replay as given on the command line.
struct ReplayOptions {
    std::string kernel, ramdisk, console_to, ring, stall_timeout, margin;
    bool keep = false;

    void declare(CLI::App& app);
};

struct ReplayResult {
    ReplayReport report;
    std::optional<DivergenceReport> divergence;
};

/// Replays the log. The console goes to --console-to, else to stdout if `console_on_stdout`, else nowhere.
/// The divergence report, if there is one, is printed on stderr.
Result<ReplayResult> run_replay(LogReader& reader, const ReplayOptions& options, const GlobalOptions& global,
                                bool console_on_stdout);

}  // namespace casmotion
