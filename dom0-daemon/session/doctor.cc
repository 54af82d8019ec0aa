// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/doctor.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "base/cpu_info.h"
#include "base/failures.h"
#include "base/host_text.h"
#include "hypervisor/xen_hypervisor.h"
#include "selftest/counter_gate.h"
#include "session/host_check.h"
#include "toolstack/libxl_toolstack.h"

namespace casmotion {
namespace {

bool process_runs(const std::string& name) {
    DIR* proc = opendir("/proc");
    if (proc == nullptr) return false;
    bool found = false;
    while (const dirent* entry = readdir(proc)) {
        if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
        if (read_small_file("/proc/" + std::string(entry->d_name) + "/comm") == name + "\n") {
            found = true;
            break;
        }
    }
    closedir(proc);
    return found;
}

bool program_exists(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::string folders = path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
    for (size_t begin = 0; begin <= folders.size();) {
        const size_t end = std::min(folders.find(':', begin), folders.size());
        if (access((folders.substr(begin, end - begin) + "/" + name).c_str(), X_OK) == 0) return true;
        begin = end + 1;
    }
    return false;
}

class Findings {
  public:
    void add(std::string check, Health health, std::string text) {
        list_.push_back({std::move(check), health, std::move(text)});
    }
    void skip(std::initializer_list<const char*> checks, const char* why) {
        for (const char* check : checks) add(check, Health::kSkipped, why);
    }
    std::vector<Finding> take() { return std::move(list_); }

  private:
    std::vector<Finding> list_;
};

void examine_pool(Findings& out, const HostInfo& info) {
    if (info.pool_frames == 0) {
        out.add("pool", Health::kBad,
                "no memory is reserved for recording: add casm_pool= to Xen's command line and reboot");
        out.skip({"pool-free"}, "there is no pool");
        return;
    }
    out.add("pool", Health::kGood,
            size_text(info.pool_frames * kFrameBytes) + " at " + hex_text(info.pool_first_mfn * kFrameBytes) +
                ", guests up to " + size_text(info.guest_frames_max * kFrameBytes));
    if (info.user_domid >= 0)
        out.add("pool-free", Health::kNote,
                "domain " + std::to_string(info.user_domid) +
                    " has the pool: the next recording or replay needs it gone");
    else
        out.add("pool-free", Health::kGood, "no domain has the pool");
}

void examine_cpupool(Findings& out, const HostInfo& info, Toolstack& toolstack) {
    const Result<std::vector<CpupoolInfo>> pools = toolstack.cpupools();
    if (!pools.ok()) {
        out.add("cpupool", Health::kBad, pools.status().message());
        return;
    }
    const auto pool = std::find_if(pools->begin(), pools->end(),
                                   [](const CpupoolInfo& each) { return each.name == kRecordingPoolName; });
    if (pool == pools->end())
        out.add("cpupool", Health::kBad, "there is no cpupool 'casmotion': run 'casmotion setup'");
    else if (info.cpupool != static_cast<int32_t>(pool->id.value))
        out.add("cpupool", Health::kBad,
                "cpupool 'casmotion' is not registered with Xen: run 'casmotion setup'");
    else if (pool->cpus.empty())
        out.add("cpupool", Health::kBad,
                "cpupool 'casmotion' has no CPU: add one with 'xl cpupool-cpu-add casmotion N'");
    else
        out.add("cpupool", Health::kGood,
                "'casmotion', id " + std::to_string(pool->id.value) + ", " +
                    std::to_string(pool->cpus.size()) +
                    (pool->cpus.size() == 1 ? " CPU" : " CPUs, of which each recording keeps one") +
                    ", registered with Xen");
}

/// What a guest can see of the processor without Xen's noticing.
void examine_isolation(Findings& out, const HostInfo& info) {
    const bool cpuid = (info.isolation & CASM_ISOLATE_CPUID) != 0;
    const bool descriptors = (info.isolation & CASM_ISOLATE_DESCRIPTORS) != 0;
    out.add("cpuid", cpuid ? Health::kGood : Health::kNote,
            cpuid ? "plain CPUID traps (CPUID faulting): guests see their CPU policy and not this processor"
                  : "plain CPUID does not trap (no CPUID faulting): guests see the physical CPU, so a log "
                    "replays only on one that looks like it, and verify cannot tell C2 from the log alone");
    out.add("descriptors", descriptors ? Health::kGood : Health::kNote,
            !descriptors
                ? "SIDT, SGDT, SLDT, STR and SMSW do not trap (no UMIP): guests see addresses of Xen, so "
                  "verify cannot tell C2 from the log alone"
            : (info.isolation & CASM_ISOLATE_UMIP) != 0
                ? "SIDT, SGDT, SLDT, STR and SMSW trap (UMIP) and show guests constants"
                : "SIDT, SGDT, SLDT, STR and SMSW do not trap (no UMIP), but show guests what is the same on "
                  "each host with this build of Xen");
}

void examine_counter_of(Findings& out, const DoctorHost& host, const HostInfo& info, Hypervisor& hypervisor,
                        Toolstack& toolstack) {
    if (info.counter_ready() && (info.pool_frames == 0 || info.cpupool < 0)) {
        out.skip({"counter"}, info.pool_frames == 0 ? "there is no pool to test it in"
                                                    : "there is no recording cpupool to test it in");
        return;
    }
    Finding finding = counter_finding(host.examine_counter(hypervisor, toolstack, info));
    out.add(std::move(finding.check), finding.health, std::move(finding.text));
}

Result<CounterVerdict> examine_real_counter(Hypervisor& hypervisor, Toolstack& toolstack,
                                            const HostInfo& info) {
    SteadyClock clock;
    ProcessStopSignal stop;  // ^C ends the test in an orderly way: its domain goes too
    TerminalProgress progress(clock, false);
    return examine_counter({hypervisor, toolstack, clock, stop, progress}, info, CounterMemory(),
                           WhenToTest::kAlways);
}

}  // namespace

Finding counter_finding(const Result<CounterVerdict>& verdict) {
    const std::string check = "counter";
    if (!verdict.ok())
        return {check, Health::kBad, "present, but its test failed: " + verdict.status().message()};
    switch (verdict->health) {
        case CounterHealth::kAbsent:
            return {check, Health::kNote,
                    "absent: " + verdict->text + "; events are injected at entries into Xen only"};
        case CounterHealth::kUsable:
            return {check, Health::kGood, "usable: " + verdict->text};
        case CounterHealth::kNotExact:
            return {check, Health::kBad,
                    "not exact: " + verdict->text + "; only 'record --no-counter' works here"};
        case CounterHealth::kUntested:
            return {check, Health::kSkipped, verdict->text};
    }
    return {check, Health::kBad, "unknown verdict"};
}

std::string_view name_of(Health health) {
    switch (health) {
        case Health::kGood:
            return "ok";
        case Health::kNote:
            return "note";
        case Health::kBad:
            return "bad";
        case Health::kSkipped:
            return "skipped";
    }
    return "unknown";
}

DoctorHost real_host() {
    return {open_xen_hypervisor, [] { return open_libxl_toolstack(false); },      process_runs,
            program_exists,      [] { return read_small_file("/proc/cpuinfo"); }, examine_real_counter};
}

std::vector<Finding> examine(const DoctorHost& host) {
    Findings out;
    Result<std::unique_ptr<Hypervisor>> hypervisor = host.open_hypervisor();
    HostInfo info;
    bool patched = false;
    std::unique_ptr<Toolstack> toolstack;  // only for a Xen that we can work with
    if (!hypervisor.ok()) {
        out.add("xen", Health::kBad, hypervisor.status().message());
        out.skip({"patches", "interface", "pool", "pool-free", "cpuid", "descriptors"},
                 "there is no Xen to ask");
    } else {
        out.add("xen", Health::kGood, "this is the control domain of a Xen");
        const OpResult result = (*hypervisor)->host_info(info);
        patched = result.ok();
        if (!patched) {
            out.add("patches", Health::kBad,
                    "this Xen does not have CASMotion's patches, or does not let us ask (" +
                        error_text(result.error) + ")");
            out.skip({"interface", "pool", "pool-free", "cpuid", "descriptors"}, "Xen has no patches");
        } else {
            out.add("patches", Health::kGood, "Xen has CASMotion's patches");
            const bool same = info.abi == CASM_ABI_VERSION;
            out.add("interface", same ? Health::kGood : Health::kBad,
                    same ? "version " + std::to_string(info.abi)
                         : "Xen speaks version " + std::to_string(info.abi) + ", this program version " +
                               std::to_string(CASM_ABI_VERSION) + ": use parts of one release");
            examine_pool(out, info);
            if (same)
                examine_isolation(out, info);
            else
                out.skip({"cpuid", "descriptors"}, "Xen speaks another version");
        }
    }

    if (!hypervisor.ok()) {
        out.skip({"libxl", "cpupool"}, "there is no Xen to ask");
    } else {
        Result<std::unique_ptr<Toolstack>> opened = host.open_toolstack();
        if (!opened.ok()) {
            out.add("libxl", Health::kBad, opened.status().message());
            out.skip({"cpupool"}, "libxl does not work");
        } else {
            if (patched && info.abi == CASM_ABI_VERSION) toolstack = std::move(*opened);
            Toolstack& libxl = toolstack ? *toolstack : **opened;
            out.add("libxl", Health::kGood,
                    "libxl and xenstored answer, Xen " + libxl.xen_identity().version);
            if (patched)
                examine_cpupool(out, info, libxl);
            else
                out.skip({"cpupool"}, "Xen has no patches");
        }
    }

    out.add("xl", host.program_exists("xl") ? Health::kGood : Health::kNote,
            host.program_exists("xl")
                ? "the xl program is there"
                : "no xl in PATH: only domains that exist can be recorded (install xen-utils)");
    const bool consoled = host.process_runs("xenconsoled");
    out.add("xenconsoled", consoled ? Health::kGood : Health::kNote,
            consoled ? "runs" : "does not run: 'xl console' shows nothing of a recorded guest");

    const std::string cpuinfo = host.cpuinfo();
    const CpuIdentity cpu = parse_cpu_info(cpuinfo);
    const bool steady =
        cpuinfo.find("constant_tsc") != std::string::npos || cpuinfo.find("nonstop_tsc") != std::string::npos;
    out.add("cpu", steady ? Health::kGood : Health::kNote,
            (cpu.model_name.empty() ? std::string("unknown CPU") : printable(cpu.model_name)) +
                (steady ? ", steady TSC"
                        : ", dom0 sees no sign of a steady TSC: guest time may be scaled by Xen"));
    if (toolstack)
        examine_counter_of(out, host, info, **hypervisor, *toolstack);
    else
        out.skip({"counter"}, "Xen, its patches or libxl do not answer");
    return out.take();
}

Status verdict_of(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings)
        if (finding.health == Health::kBad) return host_lacks("this host cannot record: " + finding.text);
    return {};
}

}  // namespace casmotion
