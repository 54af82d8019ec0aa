// SPDX-License-Identifier: GPL-2.0-or-later
//
// `casmotion record` without the command line: finds or creates the domain, checks it, starts the recording,
// runs it, closes the log, and leaves nothing behind when something fails.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "casmotion/manifest.h"
#include "casmotion/status.h"
#include "cpu/guest_policy.h"
#include "hypervisor/hypervisor.h"
#include "session/recorder.h"
#include "toolstack/toolstack.h"

namespace casmotion {

inline constexpr uint64_t kDefaultLogRingBytes = 4u << 20;
inline constexpr uint64_t kDefaultFeedRingBytes = 4u << 20;
/// Bits of the running registers hash that the log keeps per entry. They are half of what an entry costs in
/// the log; a difference that 8 bits miss (1 in 256) is met at the next entry, because the hash runs on.
inline constexpr uint32_t kCheckBits = 8;
/// A digest of a 128 MiB guest costs about 31 million instructions, 500,000 entries with the guest's work
/// between them about 2 billion [measured in the lab]: 1.5 %.
inline constexpr uint64_t kDefaultDigestInterval = 500'000;

/// An effect that finds no entry for so long gets a point in the middle of the guest's code. About what an
/// interrupt takes through a loaded hypervisor, and far above what an A-point costs.
inline constexpr uint64_t kDefaultMaxDelayNs = 100'000;

struct RecordRequest {
    std::string target;  ///< domain id, domain name, or path of an xl.cfg file
    std::string log_path;
    bool by_hash = false;  ///< leave kernel and ramdisk out of the log
    RecordLimits limits;
    uint64_t digest_interval =
        kDefaultDigestInterval;  ///< entries between memory digests, 0: only start and end
    GuestCpuChoice cpu;          ///< what the guest sees of the processor
    RingBytes ring{kDefaultLogRingBytes};
    bool account = false;
    uint32_t disable = 0;  ///< classes (as bits) whose hook is switched off, for tests
    bool counter =
        false;  ///< use the host's branch counter; the caller has found it exact (selftest/counter_gate.h)
    uint64_t max_delay_ns = kDefaultMaxDelayNs;  ///< with the counter: how long an effect waits for an entry
    uint32_t dense_every =
        0;  ///< debug, with the counter: an A-point at every n-th boundary of the range; 0: off
    uint64_t dense_first = 0, dense_last = 0;  ///< guest addresses, inclusive
    bool keep = false;  ///< do not destroy a domain that we created when its guest ended
    std::string tool_version;
};

struct RecordReport {
    RecordOutcome outcome;
    Summary summary;       ///< counts as written
    std::string log_path;  ///< where the log is now; ends in .incomplete if it has no END
    bool closed = false;   ///< the log is under its final name
    std::string guest_name;
    DomId domain;
    bool domain_left = false;  ///< the domain still exists
};

/// The parts of the host that a session uses; all must outlive the call.
struct SessionHost {
    Hypervisor& hypervisor;
    Toolstack& toolstack;
    Clock& clock;
    const StopSignal& stop;
    Progress& progress;
};

/// Is nothing in the way of writing a log at `path`? Usage error (2): exists, or its folder does not; host
/// lacks (69): not writable. To be asked before anything is started.
Status check_log_target(const std::string& path);

/// A data size that Xen takes for a ring. Usage error (2) otherwise.
Result<RingBytes> check_ring_size(uint64_t bytes);

/// Records until the end. A report also for a log that had to stay incomplete; its `closed` says so.
Result<RecordReport> record(const SessionHost& host, const RecordRequest& request);

}  // namespace casmotion
