// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the daemon asks of the patched hypervisor: the operations of events/abi/casm_abi.h, the two rings and
// the notification, behind an interface so that recorder and replayer are tested against a fake in memory.
//
// Thread rule: one thread uses an object.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "casm_abi.h"
#include "casmotion/cpu_policy.h"
#include "casmotion/manifest.h"
#include "casmotion/status.h"

namespace casmotion {

/// Outcome of a control operation: 0, or the errno that Xen answered with (positive).
struct [[nodiscard]] OpResult {
    int error = 0;
    bool ok() const { return error == 0; }
};

/// What CASM_OP_host_info says.
struct HostInfo {
    uint32_t abi = 0;
    int32_t cpupool = -1;  ///< registered recording cpupool, -1: none
    uint64_t pool_first_mfn = 0;
    uint64_t pool_frames = 0;       ///< 0: no casm_pool= on the Xen command line
    uint64_t guest_frames_max = 0;  ///< biggest guest, in frames of 4 KiB
    int32_t user_domid = -1;        ///< domain that has the pool, -1: free
    uint32_t hook_switches = 0;     ///< classes (as bits) whose hook the debug switch can disable
    casm_counter counter = CASM_COUNTER_ABSENT;  ///< the processor's counter of conditional branches
    casm_counter_why counter_why = CASM_COUNTER_NO_EVENT;  ///< CASM_COUNTER_READY, or why it may not be used
    uint32_t isolation = 0;  ///< CASM_ISOLATE_*: what of the processor its recordable domains cannot see

    /// There is a counter, and nobody else has it. Says nothing about whether it counts exactly.
    bool counter_ready() const { return counter != CASM_COUNTER_ABSENT && counter_why == CASM_COUNTER_READY; }
};

/// Options of CASM_OP_start.
struct StartOptions {
    casm_mode mode = CASM_MODE_RECORD;  ///< CASM_MODE_RECORD or CASM_MODE_REPLAY
    bool account = false;               ///< measure cycles per cause
    uint64_t digest_interval = 0;       ///< entries between memory digests, 0: only start and end
    uint32_t check_bits = 16;           ///< top bits of the registers hash in an ENTRY's check, 0 to 16
    uint32_t disable = 0;               ///< bit n set: class n is not logged (record only, for tests)
    bool counter = false;               ///< use the branch counter: A-points and BRANCHES records
    uint64_t max_delay_ns = 0;  ///< record: an effect that waited this long for an entry gets an A-point
    uint32_t margin_branches =
        0;  ///< replay: overflow interrupts come at most this late; 0: CASM_MARGIN_BRANCHES
    uint32_t dense_every = 0;  ///< record, debug: an A-point at every n-th boundary of the range; 0: off
    uint64_t dense_first = 0, dense_last = 0;  ///< guest addresses, inclusive
    /// Physical CPU of the domain's cpupool that the vCPU keeps until the run ends; nothing: Xen chooses.
    /// casm_status.cpu says which.
    std::optional<CpuId> cpu;
};

/// What of a CPU policy Xen objected to; ~0 where it does not say.
struct PolicyFault {
    uint32_t leaf = ~0u, subleaf = ~0u, msr = ~0u;
};

enum class RingKind { kLog, kFeed };

/// A ring mapped into this process; unmapped when destroyed. The memory stays valid after the domain died.
class RingMapping {
  public:
    virtual ~RingMapping() = default;
    /// Start of the header page; the data follows at CASM_RING_DATA_OFFSET.
    virtual void* base() = 0;
};

class Hypervisor {
  public:
    virtual ~Hypervisor() = default;

    /// Facts about the host. ENOSYS or the like from a stock Xen.
    virtual OpResult host_info(HostInfo& out) = 0;
    /// Domains created in `pool` from now on are recordable.
    virtual OpResult set_cpupool(CpupoolId pool) = 0;
    /// Allocates the rings of `domain`. EBUSY: attached already. EINVAL: bad size. ENODEV: not a domain of
    /// the pool.
    virtual OpResult attach(DomId domain, RingBytes log, RingBytes feed) = 0;
    /// Starts recording or replaying a paused domain that never ran (else EBUSY). EXDEV: a replay's initial
    /// state differs from the log's; status().divergence says how. ENODEV: `counter` on a host without a
    /// usable one. ENXIO: `cpu` is not in the domain's cpupool.
    virtual OpResult start(DomId domain, const StartOptions& options) = 0;
    /// Record: ends at the next injection point, the guest goes on. Replay: pauses the domain for good.
    virtual OpResult stop(DomId domain) = 0;
    /// Reads the status. ESRCH: no such domain any more.
    virtual OpResult status(DomId domain, casm_status& out) = 0;
    /// Says that cons or prod moved, so that a waiting vCPU goes on. Cheap.
    virtual OpResult kick(DomId domain) = 0;
    /// Frees the rings; an open recording ends unlogged.
    virtual OpResult detach(DomId domain) = 0;

    /// The CPU policy of a domain: what CPUID and the MSRs of features tell it.
    virtual OpResult cpu_policy(DomId domain, CpuPolicy& out) = 0;
    /// Gives a domain that never ran another one. Rows that `policy` does not have stay as they are. Xen
    /// takes away what its processor lacks and adjusts what follows from it: read it back. EINVAL: not for
    /// this processor, `fault` says what. EEXIST: it ran.
    virtual OpResult set_cpu_policy(DomId domain, const CpuPolicy& policy, PolicyFault& fault) = 0;
    /// All that a PV guest can be shown on this host.
    virtual OpResult max_cpu_policy(CpuPolicy& out) = 0;
    /// The host's featureset, as Xen numbers it.
    virtual OpResult host_features(std::vector<uint32_t>& out) = 0;

    /// What a guest can see of a processor. ENXIO: there is none of this number, or it is offline.
    virtual OpResult cpu_identity(CpuId cpu, PhysicalCpu& out) = 0;

    /// Maps one ring of an attached domain; `bytes` as given to attach().
    virtual Result<std::unique_ptr<RingMapping>> map_ring(DomId domain, RingKind kind, RingBytes bytes) = 0;

    /// Returns when Xen says "look at the rings", on a signal, or after `timeout`, whichever comes first. May
    /// return early; the caller looks at the rings in any case.
    virtual void wait(std::chrono::milliseconds timeout) = 0;
};

/// Calls detach() when it goes out of scope.
class Attachment {
  public:
    Attachment(Hypervisor& hypervisor, DomId domain) : hypervisor_(&hypervisor), domain_(domain) {}
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;
    ~Attachment() { release(); }

    void release() {
        if (hypervisor_ != nullptr) {
            // The domain may be gone, and its rings with it: nothing is left to free then.
            (void)hypervisor_->detach(domain_);
            hypervisor_ = nullptr;
        }
    }

  private:
    Hypervisor* hypervisor_;
    DomId domain_;
};

}  // namespace casmotion
