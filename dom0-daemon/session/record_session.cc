// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/record_session.h"

#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "base/cpu_info.h"
#include "base/failures.h"
#include "base/host_text.h"
#include "casmotion/log_writer.h"
#include "casmotion/taxonomy.h"
#include "hypervisor/op_text.h"
#include "rings/ring_reader.h"
#include "session/attend.h"
#include "session/cpu_session.h"
#include "session/host_check.h"
#include "toolstack/xl_create.h"

namespace casmotion {
namespace {

bool exists(const std::string& path) {
    struct stat info;
    return lstat(path.c_str(), &info) == 0;
}

bool is_regular_file(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// A number is a domain id; what has a slash or ends in .cfg is a file; the rest is a name, or a file if
/// there is one.
bool target_is_file(Toolstack& toolstack, const std::string& target) {
    if (parse_u64(target)) return false;
    if (target.find('/') != std::string::npos || target.ends_with(".cfg")) return true;
    return is_regular_file(target) && !toolstack.find_domain(target).ok();
}

std::string quoted(const DomainConfig& config) {
    return "domain '" + printable(config.name) + "'";
}

/// Only a domain that exists, is paused, and never ran an instruction can be recorded from its first one.
Status check_domain(const SessionHost& host, const HostInfo& info, DomId domain, const std::string& target) {
    const std::string who = "domain '" + printable(target) + "'";
    CASM_ASSIGN(const std::optional<DomainState> state, host.toolstack.domain_state(domain));
    if (!state || state->dying) return usage_error(who + " is being destroyed");
    if (domain == DomId{0}) return usage_error("domain 0 cannot be recorded");
    if (state->cpupool.value != static_cast<uint32_t>(info.cpupool))
        return usage_error(who + " is not in the recording cpupool: put pool=\"" + kRecordingPoolName +
                           "\" into its configuration and create it again with 'xl create -p'");
    casm_status status = {};
    const OpResult result = host.hypervisor.status(domain, status);
    if (!result.ok() && result.error != EOPNOTSUPP && result.error != ENODEV)
        return op_failure("read the status of", domain, result);
    const casm_mode mode = result.ok() ? static_cast<casm_mode>(status.mode) : CASM_MODE_OFF;
    switch (mode) {
        case CASM_MODE_OFF:
            return usage_error(
                who +
                " was created before 'casmotion setup', so its memory is not in the pool: create it again");
        case CASM_MODE_RECORD:
            return usage_error(who + " is being recorded already");
        case CASM_MODE_REPLAY:
        case CASM_MODE_DIVERGED:
            return usage_error(who + " is a replay");
        case CASM_MODE_ENDED:
            return usage_error(who + " was recorded already: create it again to record it once more");
        case CASM_MODE_IDLE:
            break;
    }
    if (state->shutdown) return usage_error(who + " has shut down");
    if (!state->paused || state->cpu_time_ns != 0)
        return usage_error(who +
                           " is running already: a recording begins with the first instruction; create it "
                           "with 'xl create -p'");
    return {};
}

Status check_config(const DomainConfig& config) {
    const std::string who = quoted(config);
    if (!config.pv) return usage_error(who + " is not a PV guest (type=\"pv\")");
    if (config.vcpus != 1)
        return usage_error(who + " has " + std::to_string(config.vcpus) +
                           " vCPUs: only guests with one can be recorded");
    if (!config.devices.empty())
        return usage_error(
            who + " has a device that this version cannot record: " + printable(config.devices.front()));
    if (config.kernel.empty())
        return usage_error(who +
                           " gets its kernel from a boot loader: give it one with kernel= (and ramdisk=)");
    // All of it, and the rest: what is refused above has friendlier words there.
    return RecordableConfig::read(config.json, Category::kUsage, who).status();
}

Manifest make_manifest(const SessionHost& host, const HostInfo& info, DomId domain,
                       const DomainConfig& config, const RecordRequest& request, CpuPolicy policy,
                       const PhysicalCpu& physical) {
    Manifest out;
    out.guest.name = config.name;
    out.guest.uuid = config.uuid;
    out.guest.config_json = config.json;
    out.guest.cmdline = config.cmdline;
    out.guest.memory_kib = config.memory_bytes / 1024;
    out.guest.vcpus = config.vcpus;
    out.cpu = read_cpu_info();
    // Identity only, compared for a message when a replay differs: a host that does not tell is no obstacle.
    if (!host.hypervisor.host_features(out.cpu.feature_words).ok()) out.cpu.feature_words.clear();
    out.cpu.policy = std::move(policy);
    out.cpu.isolation = info.isolation;
    out.cpu.physical = physical;
    out.xen = host.toolstack.xen_identity();
    out.pool_first_mfn = info.pool_first_mfn;
    out.pool_frames = info.pool_frames;
    casm_status status = {};
    if (host.hypervisor.status(domain, status).ok()) out.tsc_khz = status.tsc_khz;
    out.options.digest_interval = request.digest_interval;
    out.options.check_bits = kCheckBits;
    out.options.disabled_classes = request.disable;
    if (request.counter) {
        out.options.counter = info.counter;
        out.options.max_delay_ns = request.max_delay_ns;
    }
    out.created_unix_s = static_cast<int64_t>(std::time(nullptr));
    out.tool_version = request.tool_version;
    return out;
}

void add_measurements(const RecordOutcome& outcome, Summary& summary) {
    auto& out = summary.measurements;
    out["duration_ns"] = outcome.duration_ns;
    out["daemon_drains"] = outcome.drains;
    out["daemon_kicks"] = outcome.kicks;
    if (!outcome.status_known) return;
    const casm_status& status = outcome.status;
    out["stalls_log"] = status.stalls_log;
    out["events_queued"] = status.events_queued;
    out["delay_max_ns"] = status.delay_max_ns;
    out["spurious_faults"] = status.spurious_faults;
    static constexpr const char* kDelays[] = {"delays_under_10us", "delays_under_100us", "delays_under_1ms",
                                              "delays_under_10ms", "delays_under_100ms", "delays_under_1s",
                                              "delays_under_10s",  "delays_longer"};
    static_assert(std::size(kDelays) == std::size(decltype(casm_status::delay_count){}));
    for (size_t i = 0; i < std::size(kDelays); ++i) out[kDelays[i]] = status.delay_count[i];
    if (status.branches != 0) out["branches"] = status.branches;
    const casm_apoint_stats& points = status.apoints;
    if (points.canonical + points.by_state != 0) {
        out["apoints_canonical"] = points.canonical;
        out["apoints_by_state"] = points.by_state;
        out["apoint_steps"] = points.steps;
        out["apoint_hits"] = points.hits;
        out["apoint_steps_max"] = points.steps_max;
    }
    static constexpr std::pair<casm_cause, const char*> kCauses[] = {
        {CASM_CAUSE_ENTRY, "cycles_entry"},         {CASM_CAUSE_TSC, "cycles_tsc"},
        {CASM_CAUSE_EXIT, "cycles_exit"},           {CASM_CAUSE_DIGEST, "cycles_digest"},
        {CASM_CAUSE_START_END, "cycles_start_end"},
    };
    for (const auto& [cause, name] : kCauses)
        if (status.cycles[cause] != 0) out[name] = status.cycles[cause];
}

/// Xen maps no page of a recorded guest to a back end but console's and xenstore's, so that a device which is
/// attached meanwhile (`xl block-attach` says nothing) never comes to life: the user should know why.
void tell_of_devices(const SessionHost& host, DomId domain, std::set<std::string>& seen) {
    for (const std::string& device : host.toolstack.attached_devices(domain))
        if (seen.insert(device).second)
            host.progress.notice(
                "record: " + printable(device) +
                " was attached to the guest; no device can be recorded, so Xen keeps its back "
                "end away from the guest's memory and it will not work: detach it again");
}

/// Removes the log again unless the recording got under way.
class PendingLog {
  public:
    explicit PendingLog(LogWriter& writer) : writer_(&writer) {}
    PendingLog(const PendingLog&) = delete;
    PendingLog& operator=(const PendingLog&) = delete;
    ~PendingLog() {
        if (writer_ != nullptr)
            writer_->discard().ignore();  // a failure being reported already is the one that matters
    }
    void keep() { writer_ = nullptr; }

  private:
    LogWriter* writer_;
};

/// Everything after the domain is there and fit to be recorded. `fate_on_failure` says what becomes of a
/// guest that runs when the recording fails.
Result<RecordReport> record_domain(const SessionHost& host, const HostInfo& info, DomId domain,
                                   const DomainConfig& config, const RecordRequest& request,
                                   const char* fate_on_failure) {
    LogWriterOptions log_options;
    log_options.kernel = BootFileSource{config.kernel, !request.by_hash};
    if (!config.ramdisk.empty()) log_options.ramdisk = BootFileSource{config.ramdisk, !request.by_hash};
    CASM_ASSIGN(const PhysicalCpu physical, choose_physical_cpu(host, info, domain));
    CASM_ASSIGN(CpuPolicy policy, choose_guest_cpu(host, domain, request.cpu));
    const Manifest manifest = make_manifest(host, info, domain, config, request, std::move(policy), physical);
    CASM_ASSIGN(const std::unique_ptr<LogWriter> writer,
                LogWriter::create(request.log_path, manifest, log_options));
    PendingLog pending(*writer);

    if (const OpResult result = host.hypervisor.attach(domain, request.ring, RingBytes{0}); !result.ok())
        return op_failure("allocate the log ring of", domain, result);
    Attachment attachment(host.hypervisor, domain);
    CASM_ASSIGN(std::unique_ptr<RingMapping> mapping,
                host.hypervisor.map_ring(domain, RingKind::kLog, request.ring));
    CASM_ASSIGN(RingReader ring, RingReader::open(mapping->base(), request.ring));

    StartOptions start;
    start.mode = CASM_MODE_RECORD;
    start.cpu = CpuId{physical.cpu};
    start.account = request.account;
    start.digest_interval = request.digest_interval;
    start.disable = request.disable;
    start.check_bits = kCheckBits;
    if (request.counter) {
        start.counter = true;
        start.max_delay_ns = request.max_delay_ns;
        start.dense_every = request.dense_every;
        start.dense_first = request.dense_first;
        start.dense_last = request.dense_last;
    }
    if (const OpResult result = host.hypervisor.start(domain, start); !result.ok())
        return op_failure("start recording", domain, result);
    CASM_TRY(host.toolstack.unpause(domain));
    pending.keep();

    host.progress.notice("record: recording domain " + std::to_string(domain.value) + " '" +
                         printable(config.name) + "' to " + request.log_path);
    Recorder recorder(host.hypervisor, domain, ring, *writer, host.clock, host.stop, host.progress);
    std::set<std::string> seen;
    recorder.each_second([&] {
        tell_of_devices(host, domain, seen);
        const Result<std::optional<DomainState>> state = host.toolstack.domain_state(domain);
        return state.ok() && *state && (*state)->shutdown;
    });
    Result<RecordOutcome> run = recorder.run(request.limits);
    if (!run.ok()) {
        writer->abandon().ignore();
        return Status(run.status().category(), run.status().message() + "; " + fate_on_failure + ", and " +
                                                   writer->folder() + " holds the log up to there");
    }
    // Unmapped before the guest's frames are wanted back by whoever destroys the domain.
    mapping.reset();
    attachment.release();

    RecordReport report;
    report.outcome = *run;
    report.guest_name = config.name;
    report.domain = domain;
    if (report.outcome.has_end_record) {
        Summary measured;
        add_measurements(report.outcome, measured);
        CASM_TRY(writer->close(measured));
        report.closed = true;
    } else {
        CASM_TRY(writer->abandon());
    }
    report.summary = writer->progress();
    report.log_path = writer->folder();
    return report;
}

/// The last words of a guest, of a panic perhaps, are lost to its console's log if the domain goes before
/// xenconsoled has read them. Nobody may be reading: bounded.
void let_console_be_read(const SessionHost& host, DomId domain) {
    constexpr std::chrono::milliseconds kStep{20};
    constexpr uint64_t kPatienceNs = 2'000'000'000;
    const uint64_t deadline_ns = host.clock.now_ns() + kPatienceNs;
    casm_status status;
    while (host.hypervisor.status(domain, status).ok() && status.console_unread_bytes != 0 &&
           host.clock.now_ns() < deadline_ns && host.stop.requests() < 2)
        host.hypervisor.wait(kStep);
}

/// `xl create -e` left nobody who acts on the end of a guest that goes on.
void leave_to_attendant(const SessionHost& host, DomId domain, const std::string& cfg_path,
                        const std::string& name) {
    std::error_code error;
    const std::string path = std::filesystem::absolute(cfg_path, error).string();
    const std::string log = attendant_log_path(name);
    const Status started = host.toolstack.start_attendant(domain, error ? cfg_path : path, log);
    host.progress.notice(started.ok() ? "record: 'casmotion attend' acts on the guest's end (on_poweroff, "
                                        "on_reboot, ...) and writes to " +
                                            log
                                      : "record: nobody acts on the guest's end: " + started.message() +
                                            "; 'xl destroy' it when it is no longer needed");
}

/// `record guest.cfg`: the domain is ours.
Result<RecordReport> record_file(const SessionHost& host, const HostInfo& info,
                                 const RecordRequest& request) {
    if (!is_regular_file(request.target)) return usage_error("there is no file " + request.target);
    CASM_ASSIGN(const CfgFacts facts, read_cfg(request.target));
    if (facts.vcpus != 1)
        return usage_error(request.target + " asks for " + std::to_string(facts.vcpus) +
                           " vCPUs: only guests with one can be recorded");
    CASM_TRY(require_room(info, facts.memory_bytes));
    CASM_TRY(wait_for_pool(host.hypervisor, host.toolstack, host.clock, kPoolPatience));
    CASM_ASSIGN(const DomId domain, host.toolstack.create_from_file(request.target, kRecordingPoolName));
    OwnedDomain owned(host.toolstack, domain);
    CASM_TRY(check_domain(host, info, domain, host.toolstack.domain_name(domain)));
    CASM_ASSIGN(const DomainConfig config, host.toolstack.domain_config(domain));
    CASM_TRY(check_config(config));
    if (host.stop.requests() > 0)
        return Status(Category::kInconclusive, "interrupted before the recording began");
    Result<RecordReport> recorded =
        record_domain(host, info, domain, config, request, "the domain is destroyed");
    if (!recorded.ok()) {
        let_console_be_read(host, domain);
        return recorded.status();
    }
    RecordReport report = std::move(*recorded);
    switch (report.outcome.end) {
        case RecordEnd::kGuest: {
            // Who suspended it (xl save) reads the domain now, and destroys or resumes it himself.
            constexpr uint32_t kSuspend = 2;  // SHUTDOWN_suspend of xen/include/public/sched.h
            const bool suspended =
                report.summary.end_reason == CASM_END_SHUTDOWN && report.summary.end_code == kSuspend;
            report.domain_left = request.keep || suspended;
            if (report.domain_left) owned.keep();
            if (suspended && !request.keep) leave_to_attendant(host, domain, request.target, config.name);
            break;
        }
        case RecordEnd::kInterrupt:
        case RecordEnd::kDuration:
        case RecordEnd::kLogSize:
            // The guest runs on, unless it ended by itself in the same moment.
            if (report.summary.end_reason == CASM_END_STOPPED || !report.closed || request.keep) {
                owned.keep();
                report.domain_left = true;
                if (!request.keep) leave_to_attendant(host, domain, request.target, config.name);
            }
            break;
        case RecordEnd::kVanished:
            break;
    }
    if (!report.domain_left) let_console_be_read(host, domain);
    return report;
}

}  // namespace

Status check_log_target(const std::string& path) {
    std::string bare = path;
    while (bare.size() > 1 && bare.back() == '/') bare.pop_back();
    if (bare.empty()) return usage_error("the log needs a path (-o LOG)");
    if (exists(bare)) return usage_error(bare + " exists already: a log is never overwritten");
    if (exists(incomplete_path(bare)))
        return usage_error(incomplete_path(bare) +
                           " exists already: it is the log of a recording that runs, or that "
                           "was cut off; choose another path or remove it");
    const size_t slash = bare.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : bare.substr(0, slash);
    struct stat info;
    if (stat(parent.c_str(), &info) != 0) {
        const int error = errno;
        if (error == ENOENT || error == ENOTDIR)
            return usage_error("there is no folder " + parent + " for the log");
        return errno_status(parent, error);
    }
    if (!S_ISDIR(info.st_mode)) return usage_error(parent + " is not a folder");
    if (access(parent.c_str(), W_OK | X_OK) != 0) return errno_status("cannot write to " + parent, errno);
    return {};
}

Result<RingBytes> check_ring_size(uint64_t bytes) {
    if (!std::has_single_bit(bytes) || bytes < CASM_RING_MIN_BYTES || bytes > CASM_RING_MAX_BYTES)
        return usage_error("a ring must be a power of two from " + size_text(CASM_RING_MIN_BYTES) + " to " +
                           size_text(CASM_RING_MAX_BYTES) + ", not " + size_text(bytes));
    return RingBytes{bytes};
}

Result<RecordReport> record(const SessionHost& host, const RecordRequest& request) {
    CASM_TRY(check_log_target(request.log_path));
    CASM_ASSIGN(const HostInfo info, require_recording_host(host.hypervisor));
    if ((request.disable & ~info.hook_switches) != 0) {
        const auto bit = static_cast<uint8_t>(std::countr_zero(request.disable & ~info.hook_switches));
        return host_lacks("this Xen cannot switch off the hook of class '" + std::string(class_name(bit)) +
                          "'");
    }

    if (request.counter && !info.counter_ready())
        return host_lacks("this host has no branch counter that could be used");

    if (!target_is_file(host.toolstack, request.target)) {
        CASM_ASSIGN(const DomId domain, host.toolstack.find_domain(request.target));
        CASM_TRY(check_domain(host, info, domain, request.target));
        CASM_ASSIGN(const DomainConfig config, host.toolstack.domain_config(domain));
        CASM_TRY(check_config(config));
        CASM_ASSIGN(RecordReport report,
                    record_domain(host, info, domain, config, request, "the guest goes on unrecorded"));
        report.domain_left = report.outcome.end != RecordEnd::kVanished;
        return report;
    }

    Result<RecordReport> report = record_file(host, info, request);
    // Whoever creates the next domain finds the pool free. If it is not by then, that command will say so.
    if (!report.ok() || !report->domain_left)
        wait_for_pool(host.hypervisor, host.toolstack, host.clock, kPoolPatience).ignore();
    return report;
}

}  // namespace casmotion
