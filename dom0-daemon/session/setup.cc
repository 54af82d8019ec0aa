// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/setup.h"

#include <algorithm>
#include <vector>

#include "base/failures.h"
#include "base/host_text.h"
#include "hypervisor/op_text.h"
#include "session/host_check.h"

namespace casmotion {
namespace {

std::string cpu_list(const std::vector<CpuId>& cpus) {
    std::string out;
    for (const CpuId cpu : cpus) out += (out.empty() ? "" : ",") + std::to_string(cpu.value);
    return out;
}

/// What to type to free a CPU; the last one of the biggest pool.
std::string how_to_free(const std::vector<CpupoolInfo>& pools) {
    const auto biggest = std::max_element(
        pools.begin(), pools.end(),
        [](const CpupoolInfo& a, const CpupoolInfo& b) { return a.cpus.size() < b.cpus.size(); });
    if (biggest == pools.end() || biggest->cpus.size() < 2)
        return "the host has no CPU to spare: recording needs two";
    return "free one with 'xl cpupool-cpu-remove " + biggest->name + " " +
           std::to_string(biggest->cpus.back().value) +
           "' (dom0 must not need it: dom0_max_vcpus= on Xen's command line)";
}

Result<CpuId> choose_cpu(Toolstack& toolstack, const std::vector<CpupoolInfo>& pools,
                         std::optional<CpuId> wanted) {
    CASM_ASSIGN(const std::vector<CpuId> free, toolstack.free_cpus());
    if (!wanted) {
        if (free.empty())
            return host_lacks("no CPU is free for the recording cpupool; " + how_to_free(pools));
        return free.back();
    }
    if (std::find(free.begin(), free.end(), *wanted) != free.end()) return *wanted;
    for (const CpupoolInfo& pool : pools)
        if (std::find(pool.cpus.begin(), pool.cpus.end(), *wanted) != pool.cpus.end())
            return usage_error("CPU " + std::to_string(wanted->value) + " is in cpupool '" + pool.name +
                               "': free it with 'xl cpupool-cpu-remove " + pool.name + " " +
                               std::to_string(wanted->value) + "'");
    return usage_error("there is no CPU " + std::to_string(wanted->value));
}

}  // namespace

Result<std::string> set_up(Hypervisor& hypervisor, Toolstack& toolstack, std::optional<CpuId> cpu) {
    CASM_ASSIGN(const HostInfo host, require_patched_xen(hypervisor));
    CASM_ASSIGN(const std::vector<CpupoolInfo> pools, toolstack.cpupools());
    const auto existing = std::find_if(
        pools.begin(), pools.end(), [](const CpupoolInfo& pool) { return pool.name == kRecordingPoolName; });
    CpupoolId id;
    std::vector<CpuId> cpus;
    const char* made = "";
    if (existing != pools.end()) {
        id = existing->id;
        cpus = existing->cpus;
        if (cpus.empty())
            return host_lacks("cpupool '" + std::string(kRecordingPoolName) +
                              "' has no CPU: add one with 'xl cpupool-cpu-add " + kRecordingPoolName + " N'");
        if (cpu && std::find(cpus.begin(), cpus.end(), *cpu) == cpus.end())
            return usage_error("cpupool '" + std::string(kRecordingPoolName) + "' exists already with CPU " +
                               cpu_list(cpus) + ", not " + std::to_string(cpu->value));
    } else {
        CASM_ASSIGN(const CpuId chosen, choose_cpu(toolstack, pools, cpu));
        CASM_ASSIGN(id, toolstack.create_cpupool(kRecordingPoolName, chosen));
        cpus = {chosen};
        made = "created ";
    }
    if (host.cpupool != static_cast<int32_t>(id.value)) {
        if (const OpResult result = hypervisor.set_cpupool(id); !result.ok())
            return op_failure("register the cpupool with", DomId{0}, result);
    }
    return std::string(made) + "cpupool '" + kRecordingPoolName + "' (id " + std::to_string(id.value) +
           ", CPU " + cpu_list(cpus) + ") records guests up to " +
           size_text(host.guest_frames_max * kFrameBytes);
}

}  // namespace casmotion
