// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/cpu_session.h"

#include <algorithm>
#include <cerrno>

#include "base/cpu_info.h"
#include "base/failures.h"
#include "base/host_text.h"
#include "cpu/physical_cpu.h"
#include "cpu/policy_fit.h"
#include "hypervisor/op_text.h"
#include "session/host_check.h"

namespace casmotion {
namespace {

std::string list(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

Status set_failure(DomId domain, OpResult result, const PolicyFault& fault) {
    if (result.error != EINVAL && result.error != ERANGE)
        return op_failure("give a CPU policy to", domain, result);
    std::string where;
    if (fault.leaf != ~0u)
        where = "CPUID leaf " + hex_text(fault.leaf) +
                (fault.subleaf == ~0u ? "" : ":" + std::to_string(fault.subleaf));
    else if (fault.msr != ~0u)
        where = "MSR " + hex_text(fault.msr);
    return host_lacks("Xen does not accept the guest's CPU policy on this processor" +
                      (where.empty() ? std::string() : ": " + where));
}

/// Gives the domain a policy and returns the one that it has then: Xen may know better.
Result<CpuPolicy> give_policy(const SessionHost& host, DomId domain, const CpuPolicy& policy) {
    PolicyFault fault;
    if (const OpResult result = host.hypervisor.set_cpu_policy(domain, policy, fault); !result.ok())
        return set_failure(domain, result, fault);
    CpuPolicy given;
    if (const OpResult result = host.hypervisor.cpu_policy(domain, given); !result.ok())
        return op_failure("read the CPU policy of", domain, result);
    return given;
}

std::string numbers(const std::vector<CpuId>& cpus) {
    std::string out;
    for (const CpuId cpu : cpus) out += (out.empty() ? "" : ", ") + std::to_string(cpu.value);
    return out.empty() ? "none" : out;
}

/// CPUs of the recording cpupool, ascending.
Result<std::vector<CpuId>> recording_cpus(const SessionHost& host, const HostInfo& info) {
    CASM_ASSIGN(const std::vector<CpupoolInfo> pools, host.toolstack.cpupools());
    for (const CpupoolInfo& pool : pools)
        if (info.cpupool == static_cast<int32_t>(pool.id.value) && !pool.cpus.empty()) return pool.cpus;
    return host_lacks(std::string("the recording cpupool has no CPU: add one with 'xl cpupool-cpu-add ") +
                      kRecordingPoolName + " N'");
}

/// All that are in a cpupool or free.
std::vector<CpuId> host_cpus(const SessionHost& host) {
    std::vector<CpuId> out;
    if (const auto pools = host.toolstack.cpupools(); pools.ok())
        for (const CpupoolInfo& pool : *pools) out.insert(out.end(), pool.cpus.begin(), pool.cpus.end());
    if (const auto free = host.toolstack.free_cpus(); free.ok())
        out.insert(out.end(), free->begin(), free->end());
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

Result<CpuPolicy> choose_guest_cpu(const SessionHost& host, DomId domain, const GuestCpuChoice& choice) {
    CpuPolicy before;
    if (const OpResult result = host.hypervisor.cpu_policy(domain, before); !result.ok())
        return op_failure("read the CPU policy of", domain, result);
    const CpuPolicy wanted = recording_policy(before, choice);
    CpuPolicy after = before;
    if (wanted != before) {
        CASM_ASSIGN(after, give_policy(host, domain, wanted));
    }
    if (const auto stuck = hidden_features(after, wanted); !stuck.empty())
        return host_lacks("Xen does not hide " + list(stuck) + " from the guest");

    const std::vector<std::string> hidden = hidden_features(before, after);
    if (choice.portable)
        host.progress.notice("record: the guest sees what AMD and Intel have in common, and not " +
                             (hidden.empty() ? std::string("more") : list(hidden)));
    else if (!hidden.empty())
        host.progress.notice("record: hidden from the guest, as no log holds what they tell: " +
                             list(hidden) + " (--allow-hidden NAME keeps one)");
    if (const auto visible = visible_hidden_inputs(after); !visible.empty())
        host.progress.notice("record: the guest sees " + list(visible) +
                             ": if it uses them, its replays diverge");
    return after;
}

Status check_guest_cpu(const SessionHost& host, const Manifest& manifest) {
    const CpuPolicy& policy = manifest.cpu.policy;
    if (policy.leaves.empty())
        return Status(Category::kLogInvalid, "the log does not say what CPUID told the guest");
    CpuPolicy max;
    if (const OpResult result = host.hypervisor.max_cpu_policy(max); !result.ok())
        return host_lacks("Xen does not say which CPU features guests can have: " + error_text(result.error));
    if (const auto missing = lacking(policy, max); !missing.empty())
        return host_lacks(
            "this host lacks what the recorded guest was shown of its processor: " + list(missing) +
            "; replay it on a host that has them ('record --portable' shows the "
            "guest only what AMD and Intel have in common)");
    for (const std::string& line : vendor_differences(manifest.cpu, read_cpu_info()))
        host.progress.notice("replay: " + line);
    return {};
}

Status restore_guest_cpu(const SessionHost& host, DomId domain, const CpuPolicy& policy,
                         std::vector<std::string>& differences) {
    CASM_ASSIGN(const CpuPolicy given, give_policy(host, domain, policy));
    PolicyDifferences found = policy_differences(policy, given);
    if (!found.fatal.empty())
        return host_lacks(
            "Xen cannot show the guest the processor that it was recorded on: " + found.fatal.front() +
            (found.fatal.size() == 1 ? std::string()
                                     : " (and " + std::to_string(found.fatal.size() - 1) + " more)"));
    for (std::string& line : found.tolerated) differences.push_back(std::move(line));
    return {};
}

Result<PhysicalCpu> choose_physical_cpu(const SessionHost& host, const HostInfo& info, DomId domain) {
    CASM_ASSIGN(const std::vector<CpuId> cpus, recording_cpus(host, info));
    CASM_ASSIGN(const std::vector<CpuId> allowed, host.toolstack.domain_cpus(domain));
    const auto cpu = std::find_first_of(cpus.begin(), cpus.end(), allowed.begin(), allowed.end());
    if (cpu == cpus.end())
        return host_lacks("the recording cpupool has CPU " + numbers(cpus) +
                          ", and the domain may run on none of them (cpus= in its configuration)");
    PhysicalCpu out;
    if (const OpResult result = host.hypervisor.cpu_identity(*cpu, out); !result.ok())
        return host_lacks("Xen does not say what a guest sees of CPU " + std::to_string(cpu->value) + ": " +
                          error_text(result.error));
    return out;
}

Result<CpuId> find_physical_cpu(const SessionHost& host, const HostInfo& info, const Manifest& manifest) {
    const uint32_t isolation = manifest.cpu.isolation;
    const PhysicalCpu& recorded = manifest.cpu.physical;
    CASM_TRY(check_isolation(isolation, info.isolation));
    CASM_ASSIGN(const std::vector<CpuId> cpus, recording_cpus(host, info));
    const auto fits = [&](CpuId cpu) {
        PhysicalCpu here;
        return visible_instructions(isolation).empty() ||
               (host.hypervisor.cpu_identity(cpu, here).ok() && looks_like(recorded, here, isolation));
    };
    const CpuId same{recorded.cpu};
    if (std::find(cpus.begin(), cpus.end(), same) != cpus.end() && fits(same)) return same;
    if (const auto cpu = std::find_if(cpus.begin(), cpus.end(), fits); cpu != cpus.end()) return *cpu;

    std::string text = "the guest could see which CPU it was recorded on, as " +
                       list(visible_instructions(isolation)) + " did not trap: " + to_text(recorded) +
                       "; none in the recording cpupool (" + numbers(cpus) + ") looks like that";
    const std::vector<CpuId> others = host_cpus(host);
    if (const auto cpu = std::find_if(others.begin(), others.end(), fits); cpu != others.end())
        text += ", CPU " + std::to_string(cpu->value) +
                " of this host does: give it to the pool ('xl cpupool-cpu-add " + kRecordingPoolName + " " +
                std::to_string(cpu->value) + "')";
    else
        text += ", and no other of this host: replay it on the machine that recorded it";
    return host_lacks(text);
}

}  // namespace casmotion
