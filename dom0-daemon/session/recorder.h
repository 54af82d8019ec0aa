// SPDX-License-Identifier: GPL-2.0-or-later
//
// The recording loop: drains the log ring of a started domain into a LogWriter until the recording ends.
// Knows nothing of the toolstack or the command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "casmotion/log_writer.h"
#include "casmotion/record_check.h"
#include "casmotion/status.h"
#include "hypervisor/hypervisor.h"
#include "rings/ring_reader.h"

namespace casmotion {

/// Limits after which the recording is stopped; the guest goes on.
struct RecordLimits {
    std::optional<uint64_t> duration_ns;
    std::optional<uint64_t> log_bytes;  ///< of LogWriter::size_estimate_bytes()
};

/// Why a recording ended.
enum class RecordEnd {
    kGuest,      ///< shutdown, reboot, crash: the END record says which
    kInterrupt,  ///< ^C or SIGTERM
    kDuration,   ///< --for
    kLogSize,    ///< --max-log
    kVanished,   ///< the domain went away (xl destroy)
};

struct RecordOutcome {
    RecordEnd end = RecordEnd::kGuest;
    bool has_end_record = false;  ///< the log holds END and can be closed
    casm_status status = {};      ///< last one that could be read
    bool status_known = false;
    uint64_t duration_ns = 0;
    uint64_t drains = 0;  ///< times the loop looked at the ring
    uint64_t kicks = 0;
    uint64_t longest_wait_ns =
        0;  ///< that events were seen to wait for the guest to enter Xen; 0: under a second
};

class Recorder {
  public:
    /// All arguments must outlive the object. The domain is started in RECORD mode or will be before run().
    Recorder(Hypervisor& hypervisor, DomId domain, RingReader& ring, LogWriter& writer, Clock& clock,
             const StopSignal& stop, Progress& progress);

    /// `look` is called about once a second while the recording runs. True: the domain has shut down. If its
    /// log has no END then, something outside crashed it (a broken page, a fault of Xen on another
    /// processor), and the recording is stopped.
    void each_second(std::function<bool()> look) { look_ = std::move(look); }

    /// Drains until END, until the domain vanishes, or until a limit or a stop request led to END. On failure
    /// (disk full, a ring or a record in it that makes no sense) the recording in Xen is stopped and the
    /// Status says why; the writer holds what was good.
    Result<RecordOutcome> run(const RecordLimits& limits);

  private:
    bool is_over();
    Status check_end();
    Status drain();
    Status store(std::span<const std::byte> bytes, size_t& taken);
    void look_at_status();
    void look_for_waiting(const casm_status& status, uint64_t now_ns);
    void apply_limits(const RecordLimits& limits);
    void request_stop(RecordEnd why);
    void show_progress();

    Hypervisor& hypervisor_;
    DomId domain_;
    RingReader& ring_;
    LogWriter& writer_;
    Clock& clock_;
    const StopSignal& stop_;
    Progress& progress_;

    std::function<bool()> look_;
    std::vector<std::byte> batch_;
    RecordCheck check_;
    RecordOutcome outcome_;
    uint64_t started_ns_ = 0;
    uint64_t last_flush_ns_ = 0;
    uint64_t last_status_ns_ = 0;
    uint64_t stop_requested_ns_ = 0;  // 0: not requested
    uint64_t waiting_since_ns_ = 0;   // that events wait and the guest does not enter Xen; 0: they do not
    uint64_t waiting_at_ordinal_ = 0, waiting_after_events_ = 0;  // where the guest stood then
    bool waiting_notice_shown_ = false;
    bool patience_notice_shown_ = false;
    bool vanished_ = false;
    bool over_ = false;  // Xen's status says that the recording has ended
    bool eof_notice_shown_ = false;
    bool was_pressed_ = false;  // the ring was filled so far that the vCPU may wait
};

}  // namespace casmotion
