// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whole recordings and replays on a fake host: what is refused and how it is said, and that no failure leaves
// a domain, a ring, a mapping or a half-written log behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "casmotion/trace/hidden_inputs.h"
#include "report/session_report.h"
#include "session/doctor.h"
#include "session/record_session.h"
#include "session/replay_session.h"
#include "session/setup.h"
#include "support/fake_toolstack.h"
#include "support/fake_xen.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class SessionTest : public testing::Test {
  protected:
    SessionTest() {
        write_file(folder_ / "vmlinuz", std::string(5000, 'k'));
        write_file(folder_ / "initrd", std::string(7000, 'r'));
        write_file(folder_ / "guest.cfg", "name = \"guest\"\n");
        DomainConfig& config = toolstack_.config_template;
        config.json = "{\"c_info\": {}}";
        config.uuid = "7c35241c-c1b8-4f04-a0f0-24facc4ff614";
        config.kernel = folder_ / "vmlinuz";
        config.ramdisk = folder_ / "initrd";
        config.cmdline = "console=hvc0";
        config.memory_bytes = 128u << 20;
        config.vcpus = 1;
        config.pv = true;
        toolstack_.trace_of_created = trace_;
        request_.target = "guest";
        request_.log_path = folder_ / "log";
        request_.ring = RingBytes{CASM_RING_MIN_BYTES};
    }

    SessionHost host() { return {xen_, toolstack_, clock_, stop_, progress_}; }

    /// Records the domain "guest" and expects that to work.
    RecordReport recorded() {
        if (request_.target == "guest" && !toolstack_.find_domain("guest").ok())
            toolstack_.add_domain("guest", trace_);
        Result<RecordReport> report = record(host(), request_);
        EXPECT_TRUE(report.ok()) << report.status().message();
        return std::move(report).value();
    }

    /// The host has a branch counter, and `request_` uses it.
    void has_counter() {
        xen_.info.counter = CASM_COUNTER_INTEL;
        xen_.info.counter_why = CASM_COUNTER_READY;
        request_.counter = true;
    }

    void expect_nothing_left(bool log_too = true) {
        EXPECT_EQ(xen_.attached, 0);
        EXPECT_EQ(xen_.mapped, 0);
        if (log_too) {
            EXPECT_FALSE(std::filesystem::exists(folder_ / "log"));
            EXPECT_FALSE(std::filesystem::exists(folder_ / "log.incomplete"));
        }
    }

    /// Recording `request_` is refused with `category` and a line that contains `part`.
    void expect_refused(Category category, const std::string& part) {
        const Result<RecordReport> report = record(host(), request_);
        ASSERT_FALSE(report.ok());
        EXPECT_EQ(report.status().category(), category) << report.status().message();
        EXPECT_TRUE(contains(report.status().message(), part)) << report.status().message();
        expect_nothing_left();
    }

    TempFolder folder_;
    FakeClock clock_;
    FakeStop stop_;
    CollectedProgress progress_;
    FakeXen xen_{clock_};
    FakeToolstack toolstack_{xen_};
    std::vector<Record> trace_ = synthetic_log({.seed = 1, .entries = 3000});
    RecordRequest request_;
};

TEST_F(SessionTest, RecordsAPausedDomainAndLeavesItToItsOwner) {
    const RecordReport report = recorded();
    EXPECT_TRUE(report.closed);
    EXPECT_EQ(report.summary.records, trace_.size());
    EXPECT_EQ(toolstack_.destroyed, 0);
    EXPECT_TRUE(verdict_of(report).ok());
    EXPECT_TRUE(contains(to_text(report), "powered off")) << to_text(report);
    expect_nothing_left(false);

    auto reader = LogReader::open(folder_ / "log");
    ASSERT_TRUE(reader.ok());
    const Manifest& manifest = (*reader)->manifest();
    EXPECT_EQ(manifest.guest.name, "guest");
    EXPECT_EQ(manifest.guest.memory_kib, 128u << 10);
    EXPECT_EQ(manifest.kernel.size_bytes, 5000u);
    EXPECT_TRUE(manifest.kernel.embedded);
    EXPECT_TRUE(manifest.ramdisk->embedded);
    EXPECT_EQ(manifest.pool_first_mfn, xen_.info.pool_first_mfn);
    EXPECT_EQ(manifest.cpu.policy, "policy");
    EXPECT_EQ(manifest.xen.build_id, "b0b0");
    EXPECT_EQ(read_all(**reader).records, trace_);
}

TEST_F(SessionTest, RecordsAConfigurationFileAndDestroysItsDomain) {
    request_.target = folder_ / "guest.cfg";
    const RecordReport report = recorded();
    EXPECT_TRUE(report.closed);
    EXPECT_EQ(toolstack_.created_in, "casmotion");
    EXPECT_EQ(toolstack_.destroyed, 1);
    EXPECT_FALSE(report.domain_left);
}

TEST_F(SessionTest, KeepLeavesTheDomainOfAConfigurationFile) {
    request_.target = folder_ / "guest.cfg";
    request_.keep = true;
    EXPECT_TRUE(recorded().domain_left);
    EXPECT_EQ(toolstack_.destroyed, 0);
}

TEST_F(SessionTest, GuestGoesOnAfterAnInterrupt) {
    request_.target = folder_ / "guest.cfg";
    xen_.on_wait = [this](FakeDomain&) {
        if (xen_.waits == 2) stop_.press();
    };
    const RecordReport report = recorded();
    EXPECT_TRUE(report.closed);
    EXPECT_TRUE(report.domain_left);
    EXPECT_EQ(toolstack_.destroyed, 0);
    EXPECT_TRUE(contains(to_text(report), "goes on unrecorded")) << to_text(report);
}

TEST_F(SessionTest, RebootEndsTheLogAndSaysSo) {
    trace_.back().kind = CASM_END_SHUTDOWN;
    trace_.back().aux = 1;
    EXPECT_TRUE(contains(to_text(recorded()), "rebooted"));
}

TEST_F(SessionTest, DestroyDuringRecordingLeavesAnIncompleteLog) {
    xen_.domains[toolstack_.add_domain("guest", trace_).value].vanish_at = 1000;
    const RecordReport report = recorded();
    EXPECT_FALSE(report.closed);
    EXPECT_EQ(verdict_of(report).category(), Category::kLogInvalid);
    EXPECT_TRUE(std::filesystem::exists(folder_ / "log.incomplete"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "log"));
}

TEST_F(SessionTest, OptionsReachXenAndTheManifest) {
    request_.account = true;
    request_.digest_interval = 500;
    request_.disable = 1u << CASM_CLS_EVTCHN;
    recorded();
    EXPECT_TRUE(xen_.last_start.account);
    EXPECT_EQ(xen_.last_start.digest_interval, 500u);
    EXPECT_EQ(xen_.last_start.disable, 1u << CASM_CLS_EVTCHN);
    auto reader = LogReader::open(folder_ / "log");
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ((*reader)->manifest().options.disabled_classes, 1u << CASM_CLS_EVTCHN);
    EXPECT_EQ((*reader)->manifest().options.digest_interval, 500u);
}

TEST_F(SessionTest, CounterOptionsReachXenAndTheManifest) {
    has_counter();
    request_.max_delay_ns = 7'000;
    request_.dense_every = 3;
    request_.dense_first = 0x1000;
    request_.dense_last = 0x1fff;
    recorded();
    EXPECT_TRUE(xen_.last_start.counter);
    EXPECT_EQ(xen_.last_start.max_delay_ns, 7'000u);
    EXPECT_EQ(xen_.last_start.dense_every, 3u);
    EXPECT_EQ(xen_.last_start.dense_first, 0x1000u);
    EXPECT_EQ(xen_.last_start.dense_last, 0x1fffu);
    auto reader = LogReader::open(folder_ / "log");
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ((*reader)->manifest().options.counter, static_cast<uint32_t>(CASM_COUNTER_INTEL));
    EXPECT_EQ((*reader)->manifest().options.max_delay_ns, 7'000u);
}

TEST_F(SessionTest, WithoutACounterNothingOfItReachesXen) {
    request_.dense_every = 3;
    recorded();
    EXPECT_FALSE(xen_.last_start.counter);
    EXPECT_EQ(xen_.last_start.dense_every, 0u);
    auto reader = LogReader::open(folder_ / "log");
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ((*reader)->manifest().options.counter, static_cast<uint32_t>(CASM_COUNTER_ABSENT));
    EXPECT_EQ((*reader)->manifest().options.max_delay_ns, 0u);
}

TEST_F(SessionTest, CounterThatIsNotThereIsRefused) {
    request_.target = folder_ / "guest.cfg";
    has_counter();
    xen_.info.counter_why = CASM_COUNTER_WATCHDOG;
    expect_refused(Category::kHostLacks, "no branch counter");
}

TEST_F(SessionTest, WhatXenMeasuredIsToldAndKept) {
    has_counter();
    const DomId id = toolstack_.add_domain("guest", trace_);
    casm_status& status = xen_.domains[id.value].status;
    EXPECT_TRUE(measured_lines("record", status).empty());
    status.delay_count[0] = 1203;
    status.delay_count[4] = 2;
    status.delay_max_ns = 12'345'678;
    status.branches = 999;
    status.apoints.canonical = 9;
    status.apoints.by_state = 1;
    status.apoints.steps = 30;
    status.apoints.hits = 5;
    status.apoints.steps_max = 12;
    status.apoints.steps_count[1] = 8;
    status.apoints.steps_count[2] = 2;
    const RecordReport report = recorded();
    const std::vector<std::string> lines = measured_lines("record", report.outcome.status);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0],
              "record: effects waited for their point: 1,203 under 10 us, 2 under 100 ms, at most 12.346 ms");
    EXPECT_EQ(lines[1],
              "record: points between entries: 9 canonical, 1 by state, 3.5 steps each (at most 12): 8 up to "
              "4, 2 up to 16");
    EXPECT_EQ(report.summary.measurements.at("apoints_canonical"), 9u);
    EXPECT_EQ(report.summary.measurements.at("branches"), 999u);
    const Json json = to_json(report);
    EXPECT_EQ(json["xen"]["apoints"]["steps_max"], 12);
    EXPECT_EQ(json["xen"]["apoints"]["steps_count"][1], 8);
    EXPECT_EQ(json["xen"]["branches"], 999);
}

TEST_F(SessionTest, RandomNumbersOfTheProcessorAreWarnedOf) {
    using trace::CpuidRow;
    xen_.policy = trace::serialize_cpu_policy({CpuidRow{.leaf = 1, .subleaf = ~0u, .ecx = 1u << 30},
                                               CpuidRow{.leaf = 7, .subleaf = 0, .ebx = 1u << 18}});
    recorded();
    EXPECT_TRUE(std::any_of(progress_.notices.begin(), progress_.notices.end(), [](const std::string& line) {
        return contains(line, "cpuid=\"host,rdrand=0,rdseed=0\"");
    }));
}

TEST_F(SessionTest, GuestThatSeesNoRandomNumbersIsRecordedInSilence) {
    xen_.policy =
        trace::serialize_cpu_policy({trace::CpuidRow{.leaf = 1, .subleaf = ~0u, .ecx = ~(1u << 30)}});
    recorded();
    for (const std::string& line : progress_.notices) EXPECT_FALSE(contains(line, "random")) << line;
}

TEST_F(SessionTest, HostsThatCannotRecordAreRefused) {
    toolstack_.add_domain("guest", trace_);
    xen_.host_info_error = ENOSYS;
    expect_refused(Category::kHostLacks, "patches");
    xen_.host_info_error = EPERM;
    expect_refused(Category::kHostLacks, "root");
    xen_.host_info_error = 0;
    xen_.info.abi = 9;
    expect_refused(Category::kHostLacks, "version 9");
    xen_.info.abi = CASM_ABI_VERSION;
    xen_.info.pool_frames = 0;
    expect_refused(Category::kHostLacks, "casm_pool=");
    xen_.info.pool_frames = 70000;
    xen_.info.cpupool = -1;
    expect_refused(Category::kHostLacks, "casmotion setup");
    xen_.info.cpupool = 1;
    xen_.info.hook_switches = 0;
    request_.disable = 1u << CASM_CLS_TSC;
    expect_refused(Category::kHostLacks, "'tsc'");
}

TEST_F(SessionTest, DomainsThatCannotBeRecordedAreRefused) {
    request_.target = "nobody";
    expect_refused(Category::kUsage, "no domain 'nobody'");
    request_.target = "guest";
    const DomId id = toolstack_.add_domain("guest", trace_);
    DomainState& state = toolstack_.states[id.value];
    casm_status& status = xen_.domains[id.value].status;
    DomainConfig& config = toolstack_.configs[id.value];

    state.cpupool = CpupoolId{0};
    expect_refused(Category::kUsage, "not in the recording cpupool");
    state.cpupool = CpupoolId{1};
    status.mode = CASM_MODE_OFF;
    expect_refused(Category::kUsage, "before 'casmotion setup'");
    status.mode = CASM_MODE_RECORD;
    expect_refused(Category::kUsage, "being recorded already");
    status.mode = CASM_MODE_REPLAY;
    expect_refused(Category::kUsage, "is a replay");
    status.mode = CASM_MODE_ENDED;
    expect_refused(Category::kUsage, "recorded already");
    status.mode = CASM_MODE_IDLE;
    state.paused = false;
    expect_refused(Category::kUsage, "running already");
    state.paused = true;
    state.cpu_time_ns = 1;
    expect_refused(Category::kUsage, "running already");
    state.cpu_time_ns = 0;
    state.dying = true;
    expect_refused(Category::kUsage, "being destroyed");
    state.dying = false;
    state.shutdown = true;
    expect_refused(Category::kUsage, "shut down");
    state.shutdown = false;

    config.pv = false;
    expect_refused(Category::kUsage, "not a PV guest");
    config.pv = true;
    config.vcpus = 2;
    expect_refused(Category::kUsage, "2 vCPUs");
    config.vcpus = 1;
    config.devices = {"disk xvda"};
    expect_refused(Category::kUsage, "disk xvda");
    config.devices.clear();
    config.kernel.clear();
    expect_refused(Category::kUsage, "boot loader");
    config.kernel = folder_ / "missing";
    expect_refused(Category::kUsage, "missing");
    EXPECT_EQ(toolstack_.destroyed, 0);
}

TEST_F(SessionTest, DomainZeroIsRefused) {
    xen_.domains[0] = FakeDomain{};
    toolstack_.configs[0].name = "Domain-0";
    request_.target = "0";
    expect_refused(Category::kUsage, "domain 0");
}

TEST_F(SessionTest, PlaceOfTheLogIsCheckedBeforeADomainIsCreated) {
    request_.target = folder_ / "guest.cfg";
    const uint16_t next = toolstack_.next_domid;
    request_.log_path = folder_ / "no-such-folder/log";
    expect_refused(Category::kUsage, "no folder");
    request_.log_path = folder_ / "vmlinuz";
    expect_refused(Category::kUsage, "exists already");
    request_.log_path = folder_ / "vmlinuz/log";
    expect_refused(Category::kUsage, "not a folder");
    std::filesystem::create_directory(folder_ / "cut.incomplete");
    request_.log_path = folder_ / "cut";
    expect_refused(Category::kUsage, "cut.incomplete");
    request_.log_path = "/proc/log";
    expect_refused(Category::kHostLacks, "/proc/log");
    EXPECT_EQ(toolstack_.destroyed, toolstack_.next_domid - next);  // whatever was created is gone again
}

TEST_F(SessionTest, NoFailureLeavesADomainOrALog) {
    request_.target = folder_ / "guest.cfg";
    toolstack_.create_status = usage_error("xl create failed");
    expect_refused(Category::kUsage, "xl create failed");
    EXPECT_EQ(toolstack_.destroyed, 0);
    toolstack_.create_status = {};

    xen_.attach_error = ENOMEM;
    expect_refused(Category::kHostLacks, "out of memory");
    xen_.attach_error = 0;
    xen_.map_fails = true;
    expect_refused(Category::kHostLacks, "map");
    xen_.map_fails = false;
    xen_.start_error = EBUSY;
    expect_refused(Category::kUsage, "start recording");
    xen_.start_error = 0;
    toolstack_.unpause_status = host_lacks("cannot unpause");
    expect_refused(Category::kHostLacks, "unpause");
    EXPECT_EQ(toolstack_.destroyed, 4);
    EXPECT_TRUE(xen_.domains.empty());
}

TEST_F(SessionTest, PoolInUseIsSaidBeforeXlFails) {
    request_.target = folder_ / "guest.cfg";
    xen_.info.user_domid = toolstack_.add_domain("other", trace_).value;
    expect_refused(Category::kHostLacks, "in use by domain " + std::to_string(xen_.info.user_domid));
    EXPECT_TRUE(toolstack_.created_from.empty());
}

TEST_F(SessionTest, FileThatCannotBeRecordedIsRefusedBeforeADomainExists) {
    request_.target = folder_ / "guest.cfg";
    write_file(request_.target, "name = 'g'\nvcpus = 2\n");
    expect_refused(Category::kUsage, "2 vCPUs");
    write_file(request_.target, "name = 'g'\nmemory = 1024\n");
    expect_refused(Category::kHostLacks, "too small");
    write_file(request_.target, "name = [[\n");
    expect_refused(Category::kUsage, "guest.cfg");
    std::filesystem::remove(request_.target);
    expect_refused(Category::kUsage, "no file");
    EXPECT_TRUE(toolstack_.created_from.empty());
}

TEST_F(SessionTest, DomainThatIsBeingDestroyedIsWaitedFor) {
    request_.target = folder_ / "guest.cfg";
    xen_.info.user_domid = 3;  // not a domain any more, but its memory is not back yet
    xen_.on_wait_host = [this] {
        if (xen_.waits == 5) xen_.info.user_domid = -1;
    };
    EXPECT_TRUE(recorded().closed);
}

TEST_F(SessionTest, DomainThatIsStuckInDestructionIsReported) {
    request_.target = folder_ / "guest.cfg";
    xen_.info.user_domid = 3;
    expect_refused(Category::kHostLacks, "still has the memory pool");
}

TEST_F(SessionTest, RingSizesArePowersOfTwoInRange) {
    EXPECT_TRUE(check_ring_size(64 << 10).ok());
    EXPECT_TRUE(check_ring_size(64 << 20).ok());
    for (const uint64_t bytes : {0ull, 1ull, 32ull << 10, 65ull << 10, 128ull << 20})
        EXPECT_EQ(check_ring_size(bytes).status().category(), Category::kUsage) << bytes;
}

class ReplaySessionTest : public SessionTest {
  protected:
    Result<ReplayReport> replay_log() {
        reader_ = std::move(LogReader::open(folder_ / "log")).value();
        replay_.log_ring = replay_.feed_ring = RingBytes{CASM_RING_MIN_BYTES};
        return replay(host(), *reader_, replay_, {});
    }

    void expect_replay_refused(Category category, const std::string& part) {
        const Result<ReplayReport> report = replay_log();
        ASSERT_FALSE(report.ok());
        EXPECT_EQ(report.status().category(), category) << report.status().message();
        EXPECT_TRUE(contains(report.status().message(), part)) << report.status().message();
        expect_nothing_left(false);
        EXPECT_FALSE(toolstack_.find_domain("guest-replay").ok());
    }

    ReplayRequest replay_;
    std::unique_ptr<LogReader> reader_;
};

TEST_F(ReplaySessionTest, RebuildsReplaysAndDestroys) {
    recorded();
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->outcome.end, ReplayEnd::kEqual);
    EXPECT_TRUE(verdict_of(*report, *reader_).ok());
    EXPECT_TRUE(contains(to_line(*report, *reader_), "replay: equal: 3,000 entries"))
        << to_line(*report, *reader_);
    EXPECT_EQ(toolstack_.rebuilt.name, "guest-replay");
    EXPECT_EQ(toolstack_.rebuilt.cpupool, CpupoolId{1});
    EXPECT_EQ(toolstack_.rebuilt_json, toolstack_.config_template.json);
    EXPECT_FALSE(toolstack_.find_domain("guest-replay").ok());
    expect_nothing_left(false);
    EXPECT_NO_THROW(json_text(to_json(*report, *reader_, std::nullopt)));
}

TEST_F(ReplaySessionTest, GuestFilesComeFromTheLog) {
    recorded();
    write_file(folder_ / "vmlinuz", "another kernel by now");
    std::string kernel, ramdisk;
    // Read while the domain is built, as libxl does: the paths are only good then.
    class Reading final : public Toolstack {
      public:
        Reading(FakeToolstack& inner, std::string& kernel, std::string& ramdisk)
            : inner_(inner), kernel_(kernel), ramdisk_(ramdisk) {}
        Result<DomId> find_domain(std::string_view name) override { return inner_.find_domain(name); }
        std::string domain_name(DomId domain) override { return inner_.domain_name(domain); }
        Result<std::optional<DomainState>> domain_state(DomId domain) override {
            return inner_.domain_state(domain);
        }
        Result<DomainConfig> domain_config(DomId domain) override { return inner_.domain_config(domain); }
        Result<DomId> create_from_file(const std::string& path, const std::string& pool) override {
            return inner_.create_from_file(path, pool);
        }
        Result<DomId> rebuild(const std::string& json, const RebuildOptions& options) override {
            kernel_ = read_file(options.kernel_path);
            ramdisk_ = read_file(options.ramdisk_path);
            return inner_.rebuild(json, options);
        }
        Status unpause(DomId domain) override { return inner_.unpause(domain); }
        Status destroy(DomId domain) override { return inner_.destroy(domain); }
        XenIdentity xen_identity() override { return inner_.xen_identity(); }
        Result<std::vector<CpupoolInfo>> cpupools() override { return inner_.cpupools(); }
        Result<std::vector<CpuId>> free_cpus() override { return inner_.free_cpus(); }
        Result<CpupoolId> create_cpupool(const std::string& name, CpuId cpu) override {
            return inner_.create_cpupool(name, cpu);
        }

      private:
        FakeToolstack& inner_;
        std::string& kernel_;
        std::string& ramdisk_;
    } reading(toolstack_, kernel, ramdisk);
    reader_ = std::move(LogReader::open(folder_ / "log")).value();
    replay_.log_ring = replay_.feed_ring = RingBytes{CASM_RING_MIN_BYTES};
    ASSERT_TRUE(replay({xen_, reading, clock_, stop_, progress_}, *reader_, replay_, {}).ok());
    EXPECT_EQ(kernel, std::string(5000, 'k'));
    EXPECT_EQ(ramdisk, std::string(7000, 'r'));
}

TEST_F(ReplaySessionTest, WrongKernelOrRamdiskIsRefused) {
    recorded();
    replay_.kernel = folder_ / "initrd";
    expect_replay_refused(Category::kUsage, "is not the kernel of this log");
    replay_.kernel = folder_ / "vmlinuz";
    replay_.ramdisk = folder_ / "vmlinuz";
    expect_replay_refused(Category::kUsage, "is not the ramdisk of this log");
    replay_.ramdisk = folder_ / "none";
    expect_replay_refused(Category::kUsage, "none");
    replay_.ramdisk = folder_ / "initrd";
    EXPECT_TRUE(replay_log().ok());
}

TEST_F(ReplaySessionTest, LogByHashWantsTheFiles) {
    request_.by_hash = true;
    recorded();
    expect_replay_refused(Category::kUsage, "--kernel");
    replay_.kernel = folder_ / "vmlinuz";
    expect_replay_refused(Category::kUsage, "--ramdisk");
    replay_.ramdisk = folder_ / "initrd";
    EXPECT_TRUE(replay_log().ok());
}

TEST_F(ReplaySessionTest, HostThatDoesNotFitIsRefused) {
    recorded();
    xen_.info.pool_first_mfn += 1;
    expect_replay_refused(Category::kHostLacks, "casm_pool=");
    xen_.info.pool_first_mfn -= 1;
    xen_.info.user_domid = toolstack_.add_domain("other", trace_).value;
    expect_replay_refused(Category::kHostLacks, "in use by domain " + std::to_string(xen_.info.user_domid));
    xen_.info.user_domid = -1;
    xen_.info.guest_frames_max = 1000;
    expect_replay_refused(Category::kHostLacks, "too small");
    xen_.info.guest_frames_max = 65536;
    toolstack_.rebuild_status = host_lacks("cannot build");
    expect_replay_refused(Category::kHostLacks, "cannot build");
}

TEST_F(ReplaySessionTest, LogWithACounterNeedsOne) {
    has_counter();
    recorded();
    replay_.margin_branches = 77;
    ASSERT_TRUE(replay_log().ok());
    EXPECT_TRUE(xen_.last_start.counter);
    EXPECT_EQ(xen_.last_start.margin_branches, 77u);
    for (const auto& [why, part] : std::initializer_list<std::pair<casm_counter_why, const char*>>{
             {CASM_COUNTER_WATCHDOG, "NMI watchdog"},
             {CASM_COUNTER_VPMU, "vpmu"},
             {CASM_COUNTER_IN_USE, "profiler"}}) {
        xen_.info.counter_why = why;
        expect_replay_refused(Category::kHostLacks, part);
    }
    xen_.info.counter = CASM_COUNTER_ABSENT;
    xen_.info.counter_why = CASM_COUNTER_NO_EVENT;
    expect_replay_refused(Category::kHostLacks, "recorded with a branch counter (Intel)");
}

TEST_F(ReplaySessionTest, LogWithoutACounterReplaysOnAnyHost) {
    recorded();
    ASSERT_TRUE(replay_log().ok());
    EXPECT_FALSE(xen_.last_start.counter);
}

TEST_F(ReplaySessionTest, NoFailureLeavesADomain) {
    recorded();
    xen_.attach_error = ENOMEM;
    expect_replay_refused(Category::kHostLacks, "out of memory");
    xen_.attach_error = 0;
    xen_.map_fails = true;
    expect_replay_refused(Category::kHostLacks, "map");
    xen_.map_fails = false;
    xen_.start_error = EINVAL;
    expect_replay_refused(Category::kInternal, "start the replay");
    xen_.start_error = 0;
    toolstack_.unpause_status = host_lacks("cannot unpause");
    expect_replay_refused(Category::kHostLacks, "unpause");
    EXPECT_EQ(toolstack_.destroyed, 4);
}

TEST_F(ReplaySessionTest, DivergenceIsReportedAndTheDomainDestroyed) {
    recorded();
    toolstack_.trace_of_created[100].aux ^= 1;
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->outcome.end, ReplayEnd::kDiverged);
    EXPECT_EQ(verdict_of(*report, *reader_).exit_code(), 1);
    const DivergenceReport divergence =
        make_divergence_report(*reader_, report->outcome.status.divergence, {});
    EXPECT_EQ(divergence.record, 100u);
    EXPECT_FALSE(json_text(to_json(*report, *reader_, divergence)).empty());
    expect_nothing_left(false);
}

TEST_F(ReplaySessionTest, KeepLeavesTheDomain) {
    recorded();
    replay_.keep = true;
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->domain_left);
    EXPECT_TRUE(toolstack_.find_domain("guest-replay").ok());
}

TEST_F(ReplaySessionTest, IncompleteLogReplaysAndSaysSo) {
    xen_.domains[toolstack_.add_domain("guest", trace_).value].vanish_at = 1000;
    recorded();
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->outcome.end, ReplayEnd::kLogRanOut);
    EXPECT_EQ(verdict_of(*report, *reader_).category(), Category::kLogInvalid);
}

TEST_F(SessionTest, SetupMakesThePoolOnceAndRegistersIt) {
    xen_.info.cpupool = -1;
    toolstack_.pools = {{CpupoolId{0}, "Pool-0", {CpuId{0}, CpuId{1}}}};
    const Result<std::string> none = set_up(xen_, toolstack_, std::nullopt);
    EXPECT_EQ(none.status().category(), Category::kHostLacks);
    EXPECT_TRUE(contains(none.status().message(), "xl cpupool-cpu-remove Pool-0 1"))
        << none.status().message();
    const Result<std::string> taken = set_up(xen_, toolstack_, CpuId{1});
    EXPECT_EQ(taken.status().category(), Category::kUsage);
    EXPECT_EQ(set_up(xen_, toolstack_, CpuId{64}).status().category(), Category::kUsage);

    toolstack_.free = {CpuId{1}};
    const Result<std::string> made = set_up(xen_, toolstack_, std::nullopt);
    ASSERT_TRUE(made.ok()) << made.status().message();
    EXPECT_EQ(xen_.info.cpupool, 7);
    EXPECT_EQ(toolstack_.pools.size(), 2u);
    toolstack_.free.clear();
    EXPECT_TRUE(set_up(xen_, toolstack_, std::nullopt).ok());
    EXPECT_TRUE(set_up(xen_, toolstack_, CpuId{1}).ok());
    EXPECT_EQ(set_up(xen_, toolstack_, CpuId{0}).status().category(), Category::kUsage);
    EXPECT_EQ(toolstack_.pools.size(), 2u);
}

TEST_F(SessionTest, SetupOnAHostWithOneCpuSaysWhatItNeeds) {
    toolstack_.pools = {{CpupoolId{0}, "Pool-0", {CpuId{0}}}};
    const Result<std::string> line = set_up(xen_, toolstack_, std::nullopt);
    EXPECT_TRUE(contains(line.status().message(), "needs two")) << line.status().message();
}

class DoctorTest : public SessionTest {
  protected:
    /// Hands the fixture's Xen to the doctor, who wants to own one.
    class Borrowed;
    std::vector<Finding> examined();
    Health health_of(const std::string& check) {
        for (const Finding& finding : examined())
            if (finding.check == check) return finding.health;
        ADD_FAILURE() << "no finding " << check;
        return Health::kSkipped;
    }
    bool has_xen_ = true;
    Result<CounterVerdict> counter_ = CounterVerdict{.health = CounterHealth::kUsable, .text = "fine"};
};

std::vector<Finding> DoctorTest::examined() {
    DoctorHost host;
    host.open_hypervisor = [this]() -> Result<std::unique_ptr<Hypervisor>> {
        if (!has_xen_) return host_lacks("this host does not run Xen");
        auto xen = std::make_unique<FakeXen>(clock_);
        xen->info = xen_.info;
        xen->host_info_error = xen_.host_info_error;
        return std::unique_ptr<Hypervisor>(std::move(xen));
    };
    host.open_toolstack = [this]() -> Result<std::unique_ptr<Toolstack>> {
        auto toolstack = std::make_unique<FakeToolstack>(xen_);
        toolstack->pools = toolstack_.pools;
        return std::unique_ptr<Toolstack>(std::move(toolstack));
    };
    host.process_runs = [](const std::string&) { return true; };
    host.program_exists = [](const std::string&) { return true; };
    host.examine_counter = [this](Hypervisor&, Toolstack&, const HostInfo&) { return counter_; };
    host.cpuinfo = [] { return std::string("model name : Test CPU\nflags : constant_tsc\n"); };
    return examine(host);
}

TEST_F(DoctorTest, GoodHostHasNothingBad) {
    EXPECT_TRUE(verdict_of(examined()).ok()) << verdict_of(examined()).message();
    EXPECT_EQ(health_of("pool-free"), Health::kGood);
}

TEST_F(DoctorTest, CounterIsJudgedByItsTest) {
    EXPECT_EQ(health_of("counter"), Health::kGood);
    counter_->health = CounterHealth::kAbsent;
    EXPECT_EQ(health_of("counter"), Health::kNote);
    EXPECT_TRUE(verdict_of(examined()).ok());
    counter_->health = CounterHealth::kNotExact;
    EXPECT_EQ(health_of("counter"), Health::kBad);
    EXPECT_TRUE(contains(verdict_of(examined()).message(), "not exact: fine"));
    counter_->health = CounterHealth::kUntested;
    EXPECT_EQ(health_of("counter"), Health::kSkipped);
    counter_ = host_lacks("xl is missing");
    EXPECT_EQ(health_of("counter"), Health::kBad);
    counter_ = CounterVerdict{.health = CounterHealth::kUsable, .text = ""};
    xen_.info.counter = CASM_COUNTER_INTEL;
    xen_.info.counter_why = CASM_COUNTER_READY;
    xen_.info.cpupool = -1;
    EXPECT_EQ(health_of("counter"), Health::kSkipped);
    has_xen_ = false;
    EXPECT_EQ(health_of("counter"), Health::kSkipped);
}

TEST_F(DoctorTest, NamesWhatIsMissing) {
    has_xen_ = false;
    EXPECT_EQ(health_of("xen"), Health::kBad);
    EXPECT_EQ(health_of("cpupool"), Health::kSkipped);
    EXPECT_EQ(verdict_of(examined()).category(), Category::kHostLacks);
    has_xen_ = true;
    xen_.host_info_error = ENOSYS;
    EXPECT_EQ(health_of("patches"), Health::kBad);
    xen_.host_info_error = 0;
    xen_.info.abi = CASM_ABI_VERSION + 1;
    EXPECT_EQ(health_of("interface"), Health::kBad);
    xen_.info.abi = CASM_ABI_VERSION;
    xen_.info.pool_frames = 0;
    EXPECT_EQ(health_of("pool"), Health::kBad);
    xen_.info.pool_frames = 70000;
    xen_.info.cpupool = -1;
    EXPECT_EQ(health_of("cpupool"), Health::kBad);
    xen_.info.cpupool = 1;
    toolstack_.pools.pop_back();
    EXPECT_EQ(health_of("cpupool"), Health::kBad);
    xen_.info.user_domid = 4;
    EXPECT_EQ(health_of("pool-free"), Health::kNote);
}

}  // namespace
}  // namespace casmotion::test
