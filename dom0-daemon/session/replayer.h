// SPDX-License-Identifier: GPL-2.0-or-later
//
// The replay loop: feeds a log to a domain and drains what comes back, until the replay ends, diverges or is
// stopped. Knows nothing of the toolstack or the command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "casmotion/log_reader.h"
#include "casmotion/record.h"
#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"
#include "rings/ring_reader.h"
#include "rings/ring_writer.h"

namespace casmotion {

enum class ReplayEnd {
    kEqual,        ///< the replay came to the log's END with everything equal
    kDiverged,     ///< status.divergence says where and how
    kLogRanOut,    ///< equal to the last record of a log that has no END
    kInterrupted,  ///< ^C
    kStalled,      ///< no progress for the stall limit
    kVanished,     ///< somebody destroyed the domain
};

struct ReplayOutcome {
    ReplayEnd end = ReplayEnd::kEqual;
    casm_status status = {};  ///< at the end; for kVanished the last one known
    uint64_t duration_ns = 0;
    uint64_t console_bytes = 0;
};

/// Receives console output of the replayed guest, as it happens.
using ConsoleSink = std::function<void(std::span<const uint8_t>)>;

class Replayer {
  public:
    /// All arguments must outlive the object. `reader` stands at record 0, the rings are those of a paused
    /// domain that never ran.
    Replayer(Hypervisor& hypervisor, DomId domain, RingReader& log_ring, RingWriter& feed_ring,
             LogReader& reader, Clock& clock, const StopSignal& stop, Progress& progress,
             ConsoleSink console);

    /// Fills the feed ring. To be called before start(): Xen takes the initial records from there.
    Status prefill();

    /// Starts the replay in Xen and compares the initial state. Outcome kDiverged if it differs; nothing then
    /// runs. nullopt: all right, unpause the domain and call run(). A log with a branch counter is replayed
    /// with the host's; `margin_branches` and `cpu` as in StartOptions.
    Result<std::optional<ReplayOutcome>> start(uint32_t margin_branches = 0,
                                               std::optional<CpuId> cpu = std::nullopt);

    /// Feeds and drains until the end. `stall_limit_ns`: give up after that long without progress, 0: never.
    Result<ReplayOutcome> run(uint64_t stall_limit_ns);

  private:
    Status feed();
    Status drain();
    Result<bool> look_at_status(uint64_t stall_limit_ns);
    Result<bool> conclude();
    void show_progress();

    Hypervisor& hypervisor_;
    DomId domain_;
    RingReader& log_ring_;
    RingWriter& feed_ring_;
    LogReader& reader_;
    Clock& clock_;
    const StopSignal& stop_;
    Progress& progress_;
    ConsoleSink console_;

    std::span<const std::byte> pending_;  // of the reader's current chunk, not fed yet
    bool fed_all_ = false;
    std::vector<std::byte> batch_;
    Record record_;
    ReplayOutcome outcome_;
    uint64_t started_ns_ = 0;
    uint64_t last_status_ns_ = 0;
    uint64_t last_progress_ns_ = 0;  // when ordinal or records last moved
    bool vanished_ = false;
    bool over_ = false;  // Xen's status says that the replay has ended
    bool eof_notice_shown_ = false;
};

}  // namespace casmotion
