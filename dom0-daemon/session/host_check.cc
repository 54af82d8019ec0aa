// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/host_check.h"

#include <cerrno>
#include <optional>
#include <string>

#include "base/failures.h"
#include "base/host_text.h"
#include "hypervisor/op_text.h"

namespace casmotion {

Result<HostInfo> require_patched_xen(Hypervisor& hypervisor) {
    HostInfo host;
    const OpResult result = hypervisor.host_info(host);
    if (result.error == EPERM)
        return host_lacks("Xen does not let this domain control others: run casmotion as root in dom0");
    if (!result.ok())
        return host_lacks("the running Xen does not have CASMotion's patches (it answers: " +
                          error_text(result.error) + "); boot the patched hypervisor");
    if (host.abi != CASM_ABI_VERSION)
        return host_lacks("the running Xen speaks version " + std::to_string(host.abi) +
                          " of CASMotion's interface, this program version " +
                          std::to_string(CASM_ABI_VERSION) + ": use parts of one release");
    if (host.pool_frames == 0)
        return host_lacks(
            "Xen reserved no memory pool for recording: add casm_pool= to its command line and reboot");
    return host;
}

Result<HostInfo> require_recording_host(Hypervisor& hypervisor) {
    CASM_ASSIGN(HostInfo host, require_patched_xen(hypervisor));
    if (host.cpupool < 0) return host_lacks("no recording cpupool is registered: run 'casmotion setup' once");
    return host;
}

Status require_room(const HostInfo& host, uint64_t memory_bytes) {
    if (memory_bytes > host.guest_frames_max * kFrameBytes)
        return host_lacks("the memory pool is too small: the guest needs " + size_text(memory_bytes) +
                          ", the pool holds guests up to " + size_text(host.guest_frames_max * kFrameBytes) +
                          "; enlarge casm_pool= on Xen's command line");
    return {};
}

std::string counter_reason_text(const HostInfo& host) {
    switch (host.counter_why) {
        case CASM_COUNTER_READY:
            return host.counter == CASM_COUNTER_ABSENT
                       ? "this processor has no counter of conditional branches that Xen knows"
                       : "";
        case CASM_COUNTER_NO_EVENT:
            return "this processor has no counter of conditional branches that Xen knows";
        case CASM_COUNTER_WATCHDOG:
            return "Xen's NMI watchdog has the counter (remove 'watchdog' from Xen's command line and "
                   "reboot)";
        case CASM_COUNTER_VPMU:
            return "guests have the counter (remove 'vpmu' from Xen's command line and reboot)";
        case CASM_COUNTER_IN_USE:
            return "a profiler has the counter (end it)";
    }
    return "Xen does not let it be used (reason " + std::to_string(host.counter_why) + ")";
}

Status wait_for_pool(Hypervisor& hypervisor, Toolstack& toolstack, Clock& clock,
                     std::chrono::milliseconds patience) {
    constexpr std::chrono::milliseconds kStep{20};
    const uint64_t deadline_ns = clock.now_ns() + static_cast<uint64_t>(patience.count()) * 1'000'000;
    for (;;) {
        HostInfo host;
        if (const OpResult result = hypervisor.host_info(host); !result.ok())
            return op_failure("ask Xen about", DomId{0}, result);
        if (host.user_domid < 0) return {};
        const std::string user = std::to_string(host.user_domid);
        CASM_ASSIGN(const std::optional<DomainState> state,
                    toolstack.domain_state(DomId{static_cast<uint16_t>(host.user_domid)}));
        if (state && !state->dying)
            return host_lacks("the memory pool is in use by domain " + user +
                              ": one domain at a time; destroy it first ('xl destroy " + user + "')");
        if (clock.now_ns() >= deadline_ns)
            return host_lacks("domain " + user +
                              " was destroyed, but still has the memory pool: something in dom0 maps its "
                              "memory");
        hypervisor.wait(kStep);
    }
}

}  // namespace casmotion
