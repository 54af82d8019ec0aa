// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/replay_session.h"

#include <memory>
#include <utility>

#include "base/cpu_info.h"
#include "base/failures.h"
#include "base/host_text.h"
#include "casmotion/taxonomy.h"
#include "hypervisor/op_text.h"
#include "rings/ring_reader.h"
#include "rings/ring_writer.h"
#include "session/boot_files.h"
#include "session/cpu_session.h"
#include "session/host_check.h"

namespace casmotion {
namespace {

/// The guest sees machine frame numbers, so its memory must lie where it lay.
Status check_pool_place(const HostInfo& host, const Manifest& manifest) {
    if (manifest.pool_first_mfn == host.pool_first_mfn) return {};
    return host_lacks("the log was recorded in a memory pool that begins at " +
                      hex_text(manifest.pool_first_mfn * kFrameBytes) + ", this host's begins at " +
                      hex_text(host.pool_first_mfn * kFrameBytes) +
                      ": boot Xen with the same casm_pool= as the recording host");
}

/// Before a process or a domain is started: the log may come from anybody.
Result<RecordableConfig> check_guest_config(const LogReader& reader) {
    const GuestIdentity& guest = reader.manifest().guest;
    const std::string whose = "log " + printable(reader.name());
    CASM_ASSIGN(RecordableConfig config,
                RecordableConfig::read(guest.config_json, Category::kLogInvalid, whose));
    // Room is looked for with the manifest's number.
    if (config.memory_kib() != guest.memory_kib)
        return log_invalid(whose + ": its configuration asks for " + with_thousands(config.memory_kib()) +
                           " KiB of memory (b_info.max_memkb), its manifest for " +
                           with_thousands(guest.memory_kib));
    return config;
}

/// Points between entries are found by the number of branches.
Status check_counter(const HostInfo& host, const Manifest& manifest) {
    if (manifest.options.counter == CASM_COUNTER_ABSENT || host.counter_ready()) return {};
    return host_lacks("the log was recorded with a branch counter (" +
                      std::string(counter_name(manifest.options.counter)) +
                      ") and cannot be replayed without one: " + counter_reason_text(host));
}

void compare(std::vector<std::string>& out, const char* what, const std::string& recorded,
             const std::string& here) {
    if (recorded != here && !recorded.empty())
        out.push_back(std::string(what) + ": recorded with " + printable(recorded) + ", this host has " +
                      printable(here));
}

/// Not refused: a difference may not matter to this guest, and the replay checks itself. Shown when it
/// diverges.
std::vector<std::string> host_differences(const SessionHost& host, const HostInfo& info,
                                          const Manifest& manifest) {
    std::vector<std::string> out;
    const XenIdentity xen = host.toolstack.xen_identity();
    compare(out, "Xen", manifest.xen.version, xen.version);
    compare(out, "Xen build id", manifest.xen.build_id, xen.build_id);
    const CpuIdentity cpu = read_cpu_info();
    compare(out, "CPU", manifest.cpu.model_name, cpu.model_name);
    if (manifest.pool_frames != info.pool_frames)
        out.push_back("memory pool: recorded with " + with_thousands(manifest.pool_frames) +
                      " frames, this host has " + with_thousands(info.pool_frames));
    if (manifest.options.counter != CASM_COUNTER_ABSENT)
        compare(out, "branch counter", std::string(counter_name(manifest.options.counter)),
                std::string(counter_name(info.counter)));
    return out;
}

Result<ReplayReport> replay_once(const SessionHost& host, LogReader& reader, const ReplayRequest& request,
                                 const ConsoleSink& console) {
    const Manifest& manifest = reader.manifest();
    CASM_TRY(reader.seek(RecordIndex{0}));
    if (reader.records() == 0)
        return Status(Category::kLogInvalid,
                      "the log holds no record: it was cut before its first chunk was complete");
    CASM_ASSIGN(const RecordableConfig config, check_guest_config(reader));
    CASM_ASSIGN(const HostInfo info, require_recording_host(host.hypervisor));
    CASM_TRY(check_pool_place(info, manifest));
    CASM_TRY(check_counter(info, manifest));
    CASM_TRY(check_guest_cpu(host, manifest));
    if (manifest.options.counter != CASM_COUNTER_ABSENT && manifest.options.counter != info.counter)
        host.progress.notice("replay: recorded with the branch counter of " +
                             std::string(counter_name(manifest.options.counter)) +
                             ", replayed with that of " + std::string(counter_name(info.counter)) +
                             ": both count conditional branches; points named by state are looked for with a "
                             "count of all branches, which the two do differently");
    CASM_ASSIGN(const CpuId cpu, find_physical_cpu(host, info, manifest));
    CASM_TRY(require_room(info, manifest.guest.memory_kib * 1024));
    CASM_TRY(wait_for_pool(host.hypervisor, host.toolstack, host.clock, kPoolPatience));
    CASM_ASSIGN(const BootFiles files, open_boot_files(reader, request.kernel, request.ramdisk));

    RebuildOptions rebuild;
    rebuild.name = without_controls(manifest.guest.name) + "-replay";  // `xl list` prints it as it is
    rebuild.cpupool = CpupoolId{static_cast<uint32_t>(info.cpupool)};
    rebuild.kernel_path = files.kernel.path();
    rebuild.ramdisk_path = files.ramdisk.path();
    CASM_ASSIGN(const DomId domain, host.toolstack.rebuild(config, rebuild));
    OwnedDomain owned(host.toolstack, domain);
    if (host.stop.requests() > 0)
        return Status(Category::kInconclusive, "interrupted before the replay began");
    ReplayReport report;
    report.domain = domain;
    report.host_differences = host_differences(host, info, manifest);
    CASM_TRY(restore_guest_cpu(host, domain, manifest.cpu.policy, report.host_differences));

    if (const OpResult result = host.hypervisor.attach(domain, request.log_ring, request.feed_ring);
        !result.ok())
        return op_failure("allocate the rings of", domain, result);
    Attachment attachment(host.hypervisor, domain);
    CASM_ASSIGN(std::unique_ptr<RingMapping> log_mapping,
                host.hypervisor.map_ring(domain, RingKind::kLog, request.log_ring));
    CASM_ASSIGN(std::unique_ptr<RingMapping> feed_mapping,
                host.hypervisor.map_ring(domain, RingKind::kFeed, request.feed_ring));
    CASM_ASSIGN(RingReader log_ring, RingReader::open(log_mapping->base(), request.log_ring));
    CASM_ASSIGN(RingWriter feed_ring, RingWriter::open(feed_mapping->base(), request.feed_ring));

    Replayer replayer(host.hypervisor, domain, log_ring, feed_ring, reader, host.clock, host.stop,
                      host.progress, console);
    CASM_TRY(replayer.prefill());
    CASM_ASSIGN(const std::optional<ReplayOutcome> at_start, replayer.start(request.margin_branches, cpu));
    if (at_start) {
        report.outcome = *at_start;
    } else {
        CASM_TRY(host.toolstack.unpause(domain));
        CASM_ASSIGN(report.outcome, replayer.run(request.stall_limit_ns));
    }
    if (request.keep && report.outcome.end != ReplayEnd::kVanished) {
        owned.keep();
        report.domain_left = true;
    }
    // Mappings go first, then the rings, then the domain: the reverse of the order above.
    return report;
}

}  // namespace

Result<ReplayReport> replay(const SessionHost& host, LogReader& reader, const ReplayRequest& request,
                            const ConsoleSink& console) {
    Result<ReplayReport> report = replay_once(host, reader, request, console);
    // Whoever creates the next domain finds the pool free. If it is not by then, that command will say so.
    if (!report.ok() || !report->domain_left)
        wait_for_pool(host.hypervisor, host.toolstack, host.clock, kPoolPatience).ignore();
    return report;
}

}  // namespace casmotion
