// SPDX-License-Identifier: GPL-2.0-or-later
//
// A patched Xen in memory. A domain is a trace: the records that its execution produces. Recording puts them
// into the log ring, replaying compares the feed ring with them, both with the back-pressure and the
// notifications of the real one: a vCPU that waits for a ring goes on after a kick only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "casmotion/record.h"
#include "hypervisor/hypervisor.h"
#include "support/fake_clock.h"

namespace casmotion::test {

/// Ring memory; shared with mappings, so that it outlives the domain as the real frames do.
class FakeRing {
  public:
    explicit FakeRing(uint64_t size_bytes);
    casm_ring& header() { return *reinterpret_cast<casm_ring*>(memory_); }
    std::byte* data() { return memory_ + CASM_RING_DATA_OFFSET; }
    void* base() { return memory_; }

    /// Producer side of Xen: room, and writing one encoded record, wrapping around.
    uint64_t free_bytes();
    void produce(const std::vector<std::byte>& record);
    /// Consumer side of Xen: the next whole record, or nothing.
    std::optional<Record> consume();

  private:
    std::vector<std::byte> storage_;
    std::byte* memory_;  // aligned to a page inside storage_
};

struct FakeDomain {
    std::vector<Record> trace;              ///< begins with INIT* DIGEST(START), ends with END
    std::map<size_t, std::string> console;  ///< replay: printed when trace[index] was reached
    casm_status status = {};
    bool running = false;
    bool stop_requested = false;
    bool waits_for_log = false, waits_for_feed = false;
    size_t position = 0;              ///< in the trace
    std::optional<size_t> vanish_at;  ///< domain is destroyed, without END, when it gets there
    std::optional<size_t> hang_at;    ///< the vCPU makes no progress any more when it gets there
    std::shared_ptr<FakeRing> log, feed;
    std::optional<CpuPolicy> policy;  ///< nothing: the host's default
};

/// What a processor with these features shows: leaves 0, 1, 7, 0xd, 0x80000000, 0x80000001 and the MSRs.
CpuPolicy fake_policy(const std::vector<std::string>& features, const std::string& vendor = "AuthenticAMD",
                      uint32_t max_leaf = 0xd);

class FakeXen final : public Hypervisor {
  public:
    explicit FakeXen(FakeClock& clock) : clock_(clock) {
        info.abi = CASM_ABI_VERSION;
        info.cpupool = 1;
        info.pool_first_mfn = 0x10000;
        info.pool_frames = 70000;
        info.guest_frames_max = 65536;
        info.hook_switches = 0xffff;
    }

    OpResult host_info(HostInfo& out) override;
    OpResult set_cpupool(CpupoolId pool) override;
    OpResult attach(DomId domain, RingBytes log, RingBytes feed) override;
    OpResult start(DomId domain, const StartOptions& options) override;
    OpResult stop(DomId domain) override;
    OpResult status(DomId domain, casm_status& out) override;
    OpResult kick(DomId domain) override;
    OpResult detach(DomId domain) override;
    OpResult cpu_policy(DomId domain, CpuPolicy& out) override;
    OpResult set_cpu_policy(DomId domain, const CpuPolicy& policy, PolicyFault& fault) override;
    OpResult max_cpu_policy(CpuPolicy& out) override;
    OpResult host_features(std::vector<uint32_t>& out) override;
    OpResult cpu_identity(CpuId cpu, PhysicalCpu& out) override;
    Result<std::unique_ptr<RingMapping>> map_ring(DomId domain, RingKind kind, RingBytes bytes) override;
    void wait(std::chrono::milliseconds timeout) override;

    /// What the teardown of a replaying domain looks like while it still answers: an END that is not in the
    /// log.
    void tear_down_replay(FakeDomain& domain) {
        diverge(domain, domain.feed->consume(), {.cls = CASM_CLS_END, .kind = CASM_END_DESTROYED});
    }

    FakeDomain* find(DomId domain);
    void destroy(DomId domain) { domains.erase(domain.value); }

    // What a test sets.
    HostInfo info;
    int host_info_error = 0, attach_error = 0, start_error = 0, set_cpupool_error = 0;
    bool map_fails = false;
    /// By CPU; those that are not here are offline. All four are in the domains' cpupool.
    std::map<uint32_t, PhysicalCpu> cpus = {
        {0, {.apic_id = 0}}, {1, {.apic_id = 1}}, {2, {.apic_id = 2}}, {3, {.apic_id = 3}}};
    CpuPolicy default_policy = fake_policy({"fpu", "sse2", "lm"});  ///< of a new domain
    CpuPolicy max_policy = default_policy;                          ///< what a domain can have at most
    std::function<void(CpuPolicy&)> alter_policy;                   ///< what Xen makes of one that is set
    int cpu_policy_error = 0, set_cpu_policy_error = 0;
    size_t records_per_wait = 1000;            ///< how far the vCPU runs while the daemon waits
    std::function<void(FakeDomain&)> on_wait;  ///< called before the vCPU runs
    std::function<void()> on_wait_host;        ///< called once per wait, also without domains
    std::map<uint16_t, FakeDomain> domains;
    // What a test looks at.
    int attached = 0, mapped = 0, stops = 0, kicks = 0, waits = 0;
    std::vector<CpuPolicy> policies_set;
    StartOptions last_start;
    uint64_t max_fill_bytes = 0;

  private:
    void run(FakeDomain& domain, size_t records);
    bool record_one(FakeDomain& domain);
    bool replay_one(FakeDomain& domain, bool at_start);
    void diverge(FakeDomain& domain, const std::optional<Record>& expected, const Record& actual);

    FakeClock& clock_;
};

}  // namespace casmotion::test
