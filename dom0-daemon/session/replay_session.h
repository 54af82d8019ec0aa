// SPDX-License-Identifier: GPL-2.0-or-later
//
// `casmotion replay` without the command line: builds the log's domain again, replays it, and destroys it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "casmotion/log_reader.h"
#include "casmotion/status.h"
#include "session/record_session.h"
#include "session/replayer.h"

namespace casmotion {

struct ReplayRequest {
    std::string kernel;  ///< file to use if the log holds none; must have the log's hash
    std::string ramdisk;
    bool keep = false;  ///< leave the domain, paused where the replay ended
    RingBytes log_ring{kDefaultLogRingBytes};
    RingBytes feed_ring{kDefaultFeedRingBytes};
    uint64_t stall_limit_ns = 0;  ///< give up after that long without progress, 0: never
    uint32_t margin_branches =
        0;  ///< the counter's overflow interrupts come at most this late; 0: Xen's default
};

struct ReplayReport {
    ReplayOutcome outcome;
    DomId domain;
    bool domain_left = false;
    std::vector<std::string>
        host_differences;  ///< facts of the recording host that are others here, one line each
};

/// Replays the whole log that `reader` has open (it is moved to record 0 first). Failures are about the log
/// (65), the request (2), the host (69) or CASMotion (70); a divergence is a report.
Result<ReplayReport> replay(const SessionHost& host, LogReader& reader, const ReplayRequest& request,
                            const ConsoleSink& console);

}  // namespace casmotion
