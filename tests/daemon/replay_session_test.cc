// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whole replays on a fake host: what is rebuilt, what is refused and how it is said, and that no failure
// leaves a domain, a ring or a mapping behind.
#include "session/replay_session.h"

#include <cerrno>
#include <filesystem>

#include "cpu/policy_fit.h"
#include "report/session_report.h"
#include "support/session_fixture.h"

namespace casmotion::test {
namespace {

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
    EXPECT_TRUE(contains(toolstack_.rebuilt_json, "\"cmdline\":\"console=hvc0\"")) << toolstack_.rebuilt_json;
    EXPECT_FALSE(toolstack_.find_domain("guest-replay").ok());
    expect_nothing_left(false);
    EXPECT_NO_THROW(json_text(to_json(*report, *reader_, std::nullopt)));
}

TEST_F(ReplaySessionTest, GuestFilesComeFromTheLog) {
    recorded();
    write_file(folder_ / "vmlinuz", "another kernel by now");
    std::string kernel, ramdisk;
    // Read while the domain is built, as libxl does: the paths are only good then.
    toolstack_.on_rebuild = [&](const RebuildOptions& options) {
        kernel = read_file(options.kernel_path);
        ramdisk = read_file(options.ramdisk_path);
    };
    reader_ = std::move(LogReader::open(folder_ / "log")).value();
    replay_.log_ring = replay_.feed_ring = RingBytes{CASM_RING_MIN_BYTES};
    ASSERT_TRUE(replay(host(), *reader_, replay_, {}).ok());
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

// --- the guest's CPU --------------------------------------------------------------------------------------

// The recording's policy, not the default of this host, which shows more.
TEST_F(ReplaySessionTest, TheGuestGetsThePolicyOfTheLog) {
    const CpuPolicy policy = xen_.default_policy;
    recorded();
    xen_.default_policy = xen_.max_policy = fake_policy({"fpu", "sse2", "lm", "avx2"}, "GenuineIntel", 0x16);
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok()) << report.status().message();
    ASSERT_EQ(xen_.policies_set.size(), 1u);
    EXPECT_EQ(xen_.policies_set.front(), policy);
}

TEST_F(ReplaySessionTest, FeaturesThatTheHostLacksAreNamedBeforeAnythingIsBuilt) {
    xen_.default_policy = xen_.max_policy = fake_policy({"fpu", "sse2", "lm", "avx2", "sse4a", "xsave"});
    recorded();
    const uint16_t next = toolstack_.next_domid;
    xen_.max_policy = fake_policy({"fpu", "sse2", "lm"}, "GenuineIntel", 0xb);
    expect_replay_refused(Category::kHostLacks,
                          "this host lacks what the recorded guest was shown of its processor: xsave, sse4a, "
                          "avx2, CPUID leaves up to 0xd (it has 0xb)");
    EXPECT_EQ(toolstack_.next_domid, next);
}

TEST_F(ReplaySessionTest, APolicyThatXenAltersIsRefused) {
    xen_.default_policy.find(4)->eax = 0x121;
    xen_.default_policy.find(0xd)->ecx = 0x340;
    xen_.max_policy = xen_.default_policy;
    recorded();
    xen_.alter_policy = [](CpuPolicy& policy) { policy.find(0xd)->ecx = 0x988; };
    expect_replay_refused(
        Category::kHostLacks,
        "Xen cannot show the guest the processor that it was recorded on: CPUID leaf 0xd:0");
}

// What only CPUID tells comes from the log.
TEST_F(ReplaySessionTest, WhatOnlyCpuidTellsMayDiffer) {
    recorded();
    xen_.max_policy = fake_policy({"fpu", "sse2", "lm", "no-fpu-sel"});
    xen_.alter_policy = [](CpuPolicy& policy) {
        policy.find(1)->ebx ^= 0x00001800;
        policy.find(0x80000008)->eax ^= 0x0f;
    };
    const Result<ReplayReport> report = replay_log();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->outcome.end, ReplayEnd::kEqual);
    size_t rows = 0;
    for (const std::string& line : report->host_differences) rows += contains(line, "CPUID leaf ") ? 1 : 0;
    EXPECT_EQ(rows, 3u);
}

class PhysicalCpuTest : public ReplaySessionTest {
  protected:
    PhysicalCpuTest() {
        for (auto& [number, cpu] : xen_.cpus) cpu.signature = 0x800f12;
    }
    /// Records on CPU 1 of a host that traps what `isolation` says.
    void recorded_with(uint32_t isolation) {
        xen_.info.isolation = isolation;
        recorded();
    }
    void expect_replay_on(uint32_t cpu) {
        const Result<ReplayReport> report = replay_log();
        ASSERT_TRUE(report.ok()) << report.status().message();
        EXPECT_EQ(xen_.last_start.cpu, CpuId{cpu});
    }
};

TEST_F(PhysicalCpuTest, WhereTheGuestSeesNothingAnyCpuWillDo) {
    recorded_with(CASM_ISOLATE_CPUID | CASM_ISOLATE_DESCRIPTORS | CASM_ISOLATE_UMIP);
    toolstack_.pools[1].cpus = {CpuId{2}};
    expect_replay_on(2);
}

TEST_F(PhysicalCpuTest, TheSameCpuIsPreferred) {
    recorded_with(CASM_ISOLATE_CPUID | CASM_ISOLATE_DESCRIPTORS);
    toolstack_.pools[1].cpus = {CpuId{0}, CpuId{1}, CpuId{2}};
    expect_replay_on(1);
}

TEST_F(PhysicalCpuTest, AReplayPlacesItselfWhereTheGuestFindsTheSame) {
    recorded_with(CASM_ISOLATE_DESCRIPTORS);
    toolstack_.pools[1].cpus = {CpuId{0}, CpuId{2}, CpuId{3}};
    xen_.cpus[3].apic_id = 1;  // the host numbers them differently today
    expect_replay_on(3);
}

TEST_F(PhysicalCpuTest, WithoutACpuThatLooksAlikeItIsRefusedBeforeAnythingIsBuilt) {
    recorded_with(CASM_ISOLATE_DESCRIPTORS);
    const uint16_t next = toolstack_.next_domid;
    toolstack_.pools[1].cpus = {CpuId{2}, CpuId{3}};
    toolstack_.free = {CpuId{1}};
    expect_replay_refused(
        Category::kHostLacks,
        "the guest could see which CPU it was recorded on, as plain CPUID did not trap: CPU 1 (APIC id 1, "
        "family, model and stepping 0x800f12); none in the recording cpupool (2, 3) looks like that, CPU 1 "
        "of this host does: give it to the pool ('xl cpupool-cpu-add casmotion 1')");
    EXPECT_EQ(toolstack_.next_domid, next);
    toolstack_.free.clear();
    expect_replay_refused(Category::kHostLacks,
                          "and no other of this host: replay it on the machine that recorded it");
}

// Each word of the identity.
TEST_F(PhysicalCpuTest, ACpuOfAnotherKindDoesNotLookAlike) {
    recorded_with(CASM_ISOLATE_DESCRIPTORS);
    const PhysicalCpu same = xen_.cpus[1];
    const auto refused = [&](auto&& change) {
        xen_.cpus[1] = same;
        change(xen_.cpus[1]);
        expect_replay_refused(Category::kHostLacks, "looks like that");
    };
    refused([](PhysicalCpu& cpu) { cpu.apic_id = 9; });
    refused([](PhysicalCpu& cpu) { cpu.x2apic_id = 9; });
    refused([](PhysicalCpu& cpu) { cpu.ext_apic_id = 9; });
    refused([](PhysicalCpu& cpu) { cpu.ext_core = 9; });
    refused([](PhysicalCpu& cpu) { cpu.ext_node = 9; });
    refused([](PhysicalCpu& cpu) { cpu.signature = 9; });
    refused([](PhysicalCpu& cpu) { cpu.leaves = 9; });
    xen_.cpus[1] = same;
    xen_.cpus[1].idt_base = 9;  // does not matter: constant for the guest
    expect_replay_on(1);
}

TEST_F(PhysicalCpuTest, WhereXensTablesLieMattersIfTheGuestCanSeeIt) {
    recorded_with(CASM_ISOLATE_CPUID);
    xen_.cpus[1].apic_id = 9;
    expect_replay_on(1);
    xen_.cpus[1].idt_base = 0x1000;
    expect_replay_refused(Category::kHostLacks, "as SIDT, SGDT, SLDT, STR and SMSW did not trap");
}

// Each trap is an entry of the log.
TEST_F(PhysicalCpuTest, ALogReplaysOnlyWhereTheSameTraps) {
    recorded_with(CASM_ISOLATE_DESCRIPTORS);
    xen_.info.isolation = CASM_ISOLATE_DESCRIPTORS | CASM_ISOLATE_CPUID;
    expect_replay_refused(Category::kHostLacks,
                          "recorded where plain CPUID did not trap, and on this host it does");
    std::filesystem::remove_all(folder_ / "log");
    xen_.domains.clear();
    recorded_with(CASM_ISOLATE_CPUID | CASM_ISOLATE_DESCRIPTORS | CASM_ISOLATE_UMIP);
    xen_.info.isolation = CASM_ISOLATE_CPUID | CASM_ISOLATE_DESCRIPTORS;
    expect_replay_refused(Category::kHostLacks,
                          "recorded where SIDT, SGDT, SLDT, STR and SMSW trapped, and this processor does "
                          "not let Xen trap them");
}

TEST(ProcessorsOfTwoKinds, WhatNobodyCanHideIsSaid) {
    CpuIdentity amd, zen3, intel;
    amd.vendor = zen3.vendor = "AuthenticAMD";
    intel.vendor = "GenuineIntel";
    amd.family = 23;
    zen3.family = 25;
    EXPECT_TRUE(vendor_differences(amd, amd).empty());
    ASSERT_EQ(vendor_differences(amd, intel).size(), 1u);
    EXPECT_TRUE(contains(vendor_differences(amd, intel).front(),
                         "recorded on AuthenticAMD, replayed on GenuineIntel: RCPPS"));
    ASSERT_EQ(vendor_differences(amd, zen3).size(), 1u);
    EXPECT_TRUE(contains(vendor_differences(amd, zen3).front(), "recorded on family 23"));
}

}  // namespace
}  // namespace casmotion::test
