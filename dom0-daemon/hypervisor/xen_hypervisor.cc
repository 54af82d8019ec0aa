// SPDX-License-Identifier: GPL-2.0-or-later
#include "hypervisor/xen_hypervisor.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

// The public headers show the domctl structures to tools only.
#define __XEN_TOOLS__ 1
extern "C" {
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/xen.h>
#include <xencall.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
}

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion {
namespace {

static_assert(sizeof(casm_domctl) <= sizeof(xen_domctl::u.pad));

struct CallCloser {
    void operator()(xencall_handle* handle) const { xencall_close(handle); }
};
struct MemoryCloser {
    void operator()(xenforeignmemory_handle* handle) const { xenforeignmemory_close(handle); }
};
struct EventCloser {
    void operator()(xenevtchn_handle* handle) const { xenevtchn_close(handle); }
};
using CallHandle = std::unique_ptr<xencall_handle, CallCloser>;
using MemoryHandle = std::unique_ptr<xenforeignmemory_handle, MemoryCloser>;
using EventHandle = std::unique_ptr<xenevtchn_handle, EventCloser>;

/// Memory that a hypercall can read and write without faulting; holds one T.
template <typename T>
class HypercallBuffer {
  public:
    explicit HypercallBuffer(xencall_handle* call)
        : call_(call), data_(static_cast<T*>(xencall_alloc_buffer(call, sizeof(T)))) {
        if (data_ != nullptr) std::memset(static_cast<void*>(data_), 0, sizeof(T));
    }
    HypercallBuffer(const HypercallBuffer&) = delete;
    HypercallBuffer& operator=(const HypercallBuffer&) = delete;
    ~HypercallBuffer() { xencall_free_buffer(call_, data_); }

    explicit operator bool() const { return data_ != nullptr; }
    T* get() { return data_; }
    T* operator->() { return data_; }

  private:
    xencall_handle* call_;
    T* data_;
};

class XenRingMapping final : public RingMapping {
  public:
    XenRingMapping(xenforeignmemory_handle* memory, xenforeignmemory_resource_handle* resource, void* base)
        : memory_(memory), resource_(resource), base_(base) {}
    XenRingMapping(const XenRingMapping&) = delete;
    XenRingMapping& operator=(const XenRingMapping&) = delete;
    ~XenRingMapping() override { xenforeignmemory_unmap_resource(memory_, resource_); }
    void* base() override { return base_; }

  private:
    xenforeignmemory_handle* memory_;
    xenforeignmemory_resource_handle* resource_;
    void* base_;
};

class XenHypervisor final : public Hypervisor {
  public:
    XenHypervisor(CallHandle call, MemoryHandle memory)
        : call_(std::move(call)), memory_(std::move(memory)) {}

    OpResult host_info(HostInfo& out) override {
        casm_domctl control = {};
        control.op = CASM_OP_host_info;
        const OpResult result = domctl(DomId{0}, control);
        if (!result.ok()) return result;
        const auto& host = control.u.host;
        out = HostInfo{.abi = host.abi,
                       .cpupool = host.cpupool,
                       .pool_first_mfn = host.pool_first_mfn,
                       .pool_frames = host.pool_frames,
                       .guest_frames_max = host.guest_frames_max,
                       .user_domid = host.user_domid,
                       .hook_switches = host.hook_switches,
                       .counter = static_cast<casm_counter>(host.counter),
                       .counter_why = static_cast<casm_counter_why>(host.counter_why),
                       .isolation = host.isolation};
        return result;
    }

    OpResult set_cpupool(CpupoolId pool) override {
        casm_domctl control = {};
        control.op = CASM_OP_set_cpupool;
        control.u.pool.cpupool = static_cast<int32_t>(pool.value);
        return domctl(DomId{0}, control);
    }

    OpResult attach(DomId domain, RingBytes log, RingBytes feed) override {
        casm_domctl control = {};
        control.op = CASM_OP_attach;
        control.u.attach.log_bytes = log.value;
        control.u.attach.feed_bytes = feed.value;
        return domctl(domain, control);
    }

    OpResult start(DomId domain, const StartOptions& options) override {
        casm_domctl control = {};
        control.op = CASM_OP_start;
        control.u.start.mode = options.mode;
        control.u.start.flags =
            (options.account ? CASM_START_ACCOUNT : 0) | (options.counter ? CASM_START_COUNTER : 0);
        control.u.start.digest_interval = options.digest_interval;
        control.u.start.disable = options.disable;
        control.u.start.check_bits = options.check_bits;
        control.u.start.max_delay_ns = options.max_delay_ns;
        control.u.start.margin_branches = options.margin_branches;
        control.u.start.dense_every = options.dense_every;
        control.u.start.dense_first = options.dense_first;
        control.u.start.dense_last = options.dense_last;
        control.u.start.cpu = options.cpu ? options.cpu->value : CASM_CPU_ANY;
        return domctl(domain, control);
    }

    OpResult stop(DomId domain) override { return simple(domain, CASM_OP_stop); }
    OpResult kick(DomId domain) override { return simple(domain, CASM_OP_kick); }
    OpResult detach(DomId domain) override { return simple(domain, CASM_OP_detach); }

    OpResult status(DomId domain, casm_status& out) override {
        HypercallBuffer<casm_status> buffer(call_.get());
        if (!buffer) return OpResult{ENOMEM};
        casm_domctl control = {};
        control.op = CASM_OP_status;
        control.u.status.addr = reinterpret_cast<uintptr_t>(buffer.get());
        control.u.status.size_bytes = sizeof(casm_status);
        const OpResult result = domctl(domain, control);
        if (result.ok()) out = *buffer.get();
        return result;
    }

    OpResult cpu_policy(DomId domain, CpuPolicy& out) override {
        HypercallBuffer<PolicyData> data(call_.get());
        HypercallBuffer<xen_domctl> buffer(call_.get());
        if (!data || !buffer) return OpResult{ENOMEM};
        buffer->cmd = XEN_DOMCTL_get_cpu_policy;
        buffer->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        buffer->domain = domain.value;
        offer(buffer->u.cpu_policy, *data.get());
        const OpResult result = hypercall(__HYPERVISOR_domctl, buffer.get());
        return result.ok() ? take(buffer->u.cpu_policy, *data.get(), out) : result;
    }

    OpResult set_cpu_policy(DomId domain, const CpuPolicy& policy, PolicyFault& fault) override {
        if (policy.leaves.size() > kPolicyLeaves || policy.msrs.size() > kPolicyMsrs) return OpResult{E2BIG};
        HypercallBuffer<PolicyData> data(call_.get());
        HypercallBuffer<xen_domctl> buffer(call_.get());
        if (!data || !buffer) return OpResult{ENOMEM};
        std::memcpy(data->leaves, policy.leaves.data(), policy.leaves.size() * sizeof(CpuidRow));
        std::memcpy(data->msrs, policy.msrs.data(), policy.msrs.size() * sizeof(MsrRow));
        buffer->cmd = XEN_DOMCTL_set_cpu_policy;
        buffer->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        buffer->domain = domain.value;
        auto& request = buffer->u.cpu_policy;
        offer(request, *data.get());
        request.nr_leaves = static_cast<uint32_t>(policy.leaves.size());
        request.nr_msrs = static_cast<uint32_t>(policy.msrs.size());
        request.err_leaf = request.err_subleaf = request.err_msr = ~0u;
        const OpResult result = hypercall(__HYPERVISOR_domctl, buffer.get());
        fault = {.leaf = request.err_leaf, .subleaf = request.err_subleaf, .msr = request.err_msr};
        return result;
    }

    OpResult max_cpu_policy(CpuPolicy& out) override {
        HypercallBuffer<PolicyData> data(call_.get());
        HypercallBuffer<xen_sysctl> buffer(call_.get());
        if (!data || !buffer) return OpResult{ENOMEM};
        buffer->cmd = XEN_SYSCTL_get_cpu_policy;
        buffer->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        buffer->u.cpu_policy.index = XEN_SYSCTL_cpu_policy_pv_max;
        offer(buffer->u.cpu_policy, *data.get());
        const OpResult result = hypercall(__HYPERVISOR_sysctl, buffer.get());
        return result.ok() ? take(buffer->u.cpu_policy, *data.get(), out) : result;
    }

    OpResult host_features(std::vector<uint32_t>& out) override {
        struct Words {
            uint32_t word[kHostFeatureWords];
        };
        HypercallBuffer<Words> words(call_.get());
        HypercallBuffer<xen_sysctl> buffer(call_.get());
        if (!words || !buffer) return OpResult{ENOMEM};
        buffer->cmd = XEN_SYSCTL_get_cpu_featureset;
        buffer->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        auto& request = buffer->u.cpu_featureset;
        request.index = XEN_SYSCTL_cpu_featureset_host;
        request.nr_features = kHostFeatureWords;
        set_xen_guest_handle_raw(request.features, words->word);
        if (const OpResult result = hypercall(__HYPERVISOR_sysctl, buffer.get()); !result.ok()) return result;
        if (request.nr_features > kHostFeatureWords) return OpResult{EIO};
        out.assign(words->word, words->word + request.nr_features);
        return OpResult{};
    }

    OpResult cpu_identity(CpuId cpu, PhysicalCpu& out) override {
        casm_domctl control = {};
        control.op = CASM_OP_cpu_identity;
        control.u.cpu.cpu = cpu.value;
        const OpResult result = domctl(DomId{0}, control);
        if (!result.ok()) return result;
        const auto& words = control.u.cpu;
        out = PhysicalCpu{.cpu = cpu.value,
                          .apic_id = words.apic_id,
                          .x2apic_id = words.x2apic_id,
                          .ext_apic_id = words.ext_apic_id,
                          .ext_core = words.ext_core,
                          .ext_node = words.ext_node,
                          .signature = words.signature,
                          .leaves = words.leaves,
                          .idt_base = words.idt_base};
        return result;
    }

    Result<std::unique_ptr<RingMapping>> map_ring(DomId domain, RingKind kind, RingBytes bytes) override {
        const unsigned type = kind == RingKind::kLog ? CASM_RESOURCE_LOG : CASM_RESOURCE_FEED;
        const unsigned long frames = (CASM_RING_DATA_OFFSET + bytes.value) / kPageBytes;
        void* base = nullptr;
        auto* resource = xenforeignmemory_map_resource(memory_.get(), domain.value, type, 0, 0, frames, &base,
                                                       PROT_READ | PROT_WRITE, 0);
        if (resource == nullptr) {
            const int error = errno;
            return host_lacks(
                "cannot map the " + std::string(kind == RingKind::kLog ? "log" : "feed") +
                " ring of domain " + std::to_string(domain.value) + ": " + error_text(error) +
                " (does dom0's kernel have privcmd with IOCTL_PRIVCMD_MMAP_RESOURCE, Linux 4.18 or later?)");
        }
        return std::unique_ptr<RingMapping>(std::make_unique<XenRingMapping>(memory_.get(), resource, base));
    }

    void wait(std::chrono::milliseconds timeout) override {
        bind_notification();
        pollfd entry = {};
        entry.fd = events_ ? xenevtchn_fd(events_.get()) : -1;  // poll() ignores a negative fd: a plain sleep
        entry.events = POLLIN;
        if (poll(&entry, 1, static_cast<int>(timeout.count())) > 0 && (entry.revents & POLLIN) != 0) {
            const xenevtchn_port_or_error_t port = xenevtchn_pending(events_.get());
            if (port >= 0) xenevtchn_unmask(events_.get(), static_cast<evtchn_port_t>(port));
        }
    }

  private:
    static constexpr unsigned long kPageBytes = 4096;
    // Room for more than CPUID_MAX_SERIALISED_LEAVES and MSR_MAX_SERIALISED_ENTRIES (Xen's
    // lib/x86/cpu-policy.h).
    static constexpr uint32_t kPolicyLeaves = 512;
    static constexpr uint32_t kPolicyMsrs = 64;
    static constexpr uint32_t kHostFeatureWords = 64;
    struct PolicyData {
        xen_cpuid_leaf_t leaves[kPolicyLeaves];
        xen_msr_entry_t msrs[kPolicyMsrs];
    };
    static_assert(sizeof(xen_cpuid_leaf_t) == sizeof(CpuidRow) && sizeof(xen_msr_entry_t) == sizeof(MsrRow));
    static_assert(CpuidRow::kNoSubleaf == XEN_CPUID_NO_SUBLEAF);

    /// `Request`: the structure of the domctl or of the sysctl. Room for a policy.
    template <typename Request>
    static void offer(Request& request, PolicyData& data) {
        request.nr_leaves = kPolicyLeaves;
        request.nr_msrs = kPolicyMsrs;
        set_xen_guest_handle_raw(request.leaves, data.leaves);
        set_xen_guest_handle_raw(request.msrs, data.msrs);
    }

    template <typename Request>
    static OpResult take(const Request& request, const PolicyData& data, CpuPolicy& out) {
        if (request.nr_leaves > kPolicyLeaves || request.nr_msrs > kPolicyMsrs) return OpResult{EIO};
        out.leaves.clear();
        out.msrs.clear();
        for (uint32_t i = 0; i < request.nr_leaves; ++i) {
            const xen_cpuid_leaf_t& row = data.leaves[i];
            out.leaves.push_back({row.leaf, row.subleaf, row.a, row.b, row.c, row.d});
        }
        for (uint32_t i = 0; i < request.nr_msrs; ++i)
            out.msrs.push_back({data.msrs[i].idx, data.msrs[i].flags, data.msrs[i].val});
        return OpResult{};
    }

    OpResult hypercall(unsigned number, const void* request) {
        if (xencall1(call_.get(), number, reinterpret_cast<uintptr_t>(request)) < 0)
            return OpResult{errno == 0 ? EIO : errno};
        return OpResult{};
    }

    /// Binds the VIRQ at the first wait. Where that fails the timeout of each wait is the notification.
    void bind_notification() {
        if (events_tried_) return;
        events_tried_ = true;
        EventHandle events(xenevtchn_open(nullptr, 0));
        if (events && xenevtchn_bind_virq(events.get(), CASM_VIRQ) >= 0) events_ = std::move(events);
    }

    OpResult simple(DomId domain, casm_op op) {
        casm_domctl control = {};
        control.op = op;
        return domctl(domain, control);
    }

    OpResult domctl(DomId domain, casm_domctl& control) {
        HypercallBuffer<xen_domctl> buffer(call_.get());
        if (!buffer) return OpResult{ENOMEM};
        control.abi = CASM_ABI_VERSION;
        buffer->cmd = XEN_DOMCTL_casm;
        buffer->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        buffer->domain = domain.value;
        std::memcpy(buffer->u.pad, &control, sizeof(control));
        if (const OpResult result = hypercall(__HYPERVISOR_domctl, buffer.get()); !result.ok()) return result;
        std::memcpy(&control, buffer->u.pad, sizeof(control));
        return OpResult{};
    }

    CallHandle call_;
    MemoryHandle memory_;
    EventHandle events_;
    bool events_tried_ = false;
};

}  // namespace

Result<std::unique_ptr<Hypervisor>> open_xen_hypervisor() {
    // The library prints its own lines about a missing device node; ours is enough.
    if (access("/dev/xen/privcmd", F_OK) != 0 && access("/proc/xen/privcmd", F_OK) != 0)
        return host_lacks(
            "this host does not run Xen, or this is not its control domain: no /dev/xen/privcmd");
    CallHandle call(xencall_open(nullptr, 0));
    if (!call) {
        const int error = errno;
        return host_lacks("cannot open /dev/xen/privcmd: " + error_text(error) +
                          (error == EACCES || error == EPERM ? " (run as root)" : ""));
    }
    MemoryHandle memory(xenforeignmemory_open(nullptr, 0));
    if (!memory) return host_lacks("cannot map domain memory: " + error_text(errno));
    return std::unique_ptr<Hypervisor>(std::make_unique<XenHypervisor>(std::move(call), std::move(memory)));
}

}  // namespace casmotion
