// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whole recordings on a fake host: what is recorded and kept, and what becomes of the domain.
#include "session/record_session.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "report/session_report.h"
#include "support/session_fixture.h"

namespace casmotion::test {
namespace {

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
    EXPECT_EQ(manifest.cpu.policy, xen_.default_policy);
    EXPECT_TRUE(xen_.policies_set.empty());  // nothing to hide
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

// As xenconsoled does it: some milliseconds after the guest's end.
TEST_F(SessionTest, ConsoleIsReadBeforeTheDomainGoes) {
    request_.target = folder_ / "guest.cfg";
    unsigned unread = 5;
    xen_.on_wait = [&](FakeDomain& domain) {
        if (domain.status.mode == CASM_MODE_ENDED) --unread;
        domain.status.console_unread_bytes = unread;
    };
    recorded();
    EXPECT_EQ(unread, 0u);
    EXPECT_EQ(toolstack_.destroyed, 1);
}

TEST_F(SessionTest, ConsoleThatNobodyReadsIsNotWaitedForLong) {
    request_.target = folder_ / "guest.cfg";
    xen_.on_wait = [&](FakeDomain& domain) { domain.status.console_unread_bytes = 100; };
    const uint64_t before_ns = clock_.now_ns();
    recorded();
    EXPECT_EQ(toolstack_.destroyed, 1);
    EXPECT_LT(clock_.now_ns() - before_ns, 5'000'000'000u);
}

TEST_F(SessionTest, KeepLeavesTheDomainOfAConfigurationFile) {
    request_.target = folder_ / "guest.cfg";
    request_.keep = true;
    EXPECT_TRUE(recorded().domain_left);
    EXPECT_EQ(toolstack_.destroyed, 0);
}

TEST_F(SessionTest, ASuspendedDomainIsLeftToWhoSavesIt) {
    request_.target = folder_ / "guest.cfg";
    trace_.back().kind = CASM_END_SHUTDOWN;
    trace_.back().aux = 2;  // SHUTDOWN_suspend
    toolstack_.trace_of_created = trace_;
    const RecordReport report = recorded();
    EXPECT_TRUE(report.closed);
    EXPECT_TRUE(report.domain_left);
    EXPECT_EQ(toolstack_.destroyed, 0);
    EXPECT_TRUE(contains(to_text(report), "suspended")) << to_text(report);
    EXPECT_TRUE(contains(toolstack_.attended, "guest.cfg")) << toolstack_.attended;  // for `xl save -c`
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
    EXPECT_EQ(toolstack_.attended, "5 " + folder_ / "guest.cfg" + " /var/log/xen/casmotion-from-file.log");
}

TEST_F(SessionTest, NobodyIsLeftWithAGuestThatEndedOrIsToBeKept) {
    request_.target = folder_ / "guest.cfg";
    recorded();
    EXPECT_EQ(toolstack_.attended, "");
}

TEST_F(SessionTest, AnAttendantThatCannotBeStartedIsSaid) {
    request_.target = folder_ / "guest.cfg";
    toolstack_.attendant_status = host_lacks("no processes");
    xen_.on_wait = [this](FakeDomain&) {
        if (xen_.waits == 2) stop_.press();
    };
    EXPECT_TRUE(recorded().closed);
    EXPECT_TRUE(contains(all_notices(), "nobody acts on the guest's end: no processes")) << all_notices();
}

TEST_F(SessionTest, ADeviceThatIsAttachedMeanwhileIsSaidOnce) {
    xen_.on_wait = [this](FakeDomain&) {
        toolstack_.attached = {"disk xvdb"};
        clock_.advance(2'000'000'000);
    };
    recorded();
    const std::string all = all_notices();
    const size_t at = all.find("disk xvdb was attached");
    ASSERT_NE(at, std::string::npos) << all;
    EXPECT_EQ(all.find("disk xvdb was attached", at + 1), std::string::npos) << all;
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

// From start to end, and the log says which and what the guest could see of it.
TEST_F(SessionTest, TheGuestKeepsOneCpuOfThePool) {
    xen_.info.isolation = CASM_ISOLATE_DESCRIPTORS;
    toolstack_.pools[1].cpus = {CpuId{2}, CpuId{3}};
    toolstack_.affinity = {CpuId{1}, CpuId{3}};
    xen_.cpus[3].idt_base = 0xffff830000003000;
    recorded();
    EXPECT_EQ(xen_.last_start.cpu, CpuId{3});
    auto reader = LogReader::open(folder_ / "log");
    ASSERT_TRUE(reader.ok());
    const CpuIdentity& cpu = (*reader)->manifest().cpu;
    EXPECT_EQ(cpu.isolation, CASM_ISOLATE_DESCRIPTORS);
    EXPECT_EQ(cpu.physical.cpu, 3u);
    EXPECT_EQ(cpu.physical.apic_id, 3u);
    EXPECT_EQ(cpu.physical.idt_base, 0xffff830000003000u);
}

TEST_F(SessionTest, WithoutACpuForTheGuestNothingIsRecorded) {
    toolstack_.add_domain("guest", trace_);
    toolstack_.affinity = {CpuId{0}};
    expect_refused(Category::kHostLacks,
                   "the recording cpupool has CPU 1, and the domain may run on none of them");
    toolstack_.pools[1].cpus.clear();
    expect_refused(Category::kHostLacks, "the recording cpupool has no CPU");
    toolstack_.pools[1].cpus = {CpuId{9}};
    toolstack_.affinity = {CpuId{9}};
    expect_refused(Category::kHostLacks, "Xen does not say what a guest sees of CPU 9");
}

class CpuOfRecordingTest : public SessionTest {
  protected:
    void expect_noticed(const std::string& part) {
        EXPECT_TRUE(std::any_of(progress_.notices.begin(), progress_.notices.end(),
                                [&](const std::string& line) { return contains(line, part); }))
            << part;
    }

    /// What the log says that the guest saw.
    CpuPolicy policy_of_log() {
        auto reader = LogReader::open(folder_ / "log");
        return reader.ok() ? (*reader)->manifest().cpu.policy : CpuPolicy();
    }
};

TEST_F(CpuOfRecordingTest, WhatNoLogHoldsIsHiddenFromAFileAndFromADomain) {
    xen_.max_policy = xen_.default_policy = fake_policy(
        {"fpu", "sse2", "xsave", "avx", "rdrand", "rdseed", "rtm", "rdpid", "xsavec", "xsaveopt"});
    const std::vector<std::string> left = {"fpu", "sse2", "xsave", "avx"};
    for (const bool file : {true, false}) {
        SCOPED_TRACE(file);
        request_.target = file ? folder_ / "guest.cfg" : "guest";
        request_.log_path = folder_ / (file ? "log-of-file" : "log");
        progress_.notices.clear();
        recorded();
        ASSERT_EQ(xen_.policies_set.size(), file ? 1u : 2u);
        EXPECT_EQ(feature_names(feature_words(xen_.policies_set.back())), left);
        expect_noticed(
            "hidden from the guest, as no log holds what they tell: rdrand, xsaveopt, xsavec, rtm, rdseed, "
            "rdpid "
            "(--allow-hidden NAME keeps one)");
    }
    EXPECT_EQ(feature_names(feature_words(policy_of_log())), left);
}

// Of a feature that nobody has judged, nobody knows that it is a function of the guest's state.
TEST_F(CpuOfRecordingTest, FeaturesOfUnknownMeaningAreHidden) {
    FeatureWords words = feature_words(xen_.default_policy);
    words[9] |= 1u << 31 | 1u << 6;
    set_feature_words(xen_.default_policy, words);
    xen_.max_policy = xen_.default_policy;
    recorded();
    EXPECT_EQ(feature_words(policy_of_log())[9], 1u << 31);
    expect_noticed("hidden from the guest, as no log holds what they tell: leaf 7:0 edx bit 6");
}

TEST_F(CpuOfRecordingTest, WhatIsAllowedStaysAndIsWarnedOf) {
    xen_.max_policy = xen_.default_policy = fake_policy({"fpu", "rdrand", "rdseed"});
    request_.cpu.allowed = {"rdrand"};
    recorded();
    EXPECT_EQ(feature_names(feature_words(policy_of_log())), (std::vector<std::string>{"fpu", "rdrand"}));
    expect_noticed("the guest sees rdrand: if it uses them, its replays diverge");
}

TEST_F(CpuOfRecordingTest, OnlyWhatIsHiddenCanBeAllowed) {
    EXPECT_TRUE(check_allowed({"rdrand", "waitpkg", "xsaveopt"}).ok());
    for (const char* name : {"avx", "RDRAND", "", "rdrand,rdseed"}) {
        const Status status = check_allowed({name});
        EXPECT_EQ(status.category(), Category::kUsage) << name;
        EXPECT_TRUE(contains(status.message(), "it hides: ds, rdrand, ")) << status.message();
    }
}

TEST_F(CpuOfRecordingTest, APortableGuestSeesWhatTheVendorsHaveInCommon) {
    xen_.max_policy = xen_.default_policy =
        fake_policy({"fpu", "sep", "sse2", "sse3", "xsave", "avx", "rdtscp", "syscall", "nx", "page1gb", "lm",
                     "lahf-lm", "sse4a", "fsgsbase"});
    request_.cpu.portable = true;
    recorded();
    const CpuPolicy policy = policy_of_log();
    EXPECT_EQ(feature_names(feature_words(policy)),
              (std::vector<std::string>{"fpu", "sse2", "sse3", "syscall", "nx", "lm", "lahf-lm"}));
    EXPECT_EQ(policy.vendor(), "CASMPortable");
    EXPECT_EQ(policy.find(0)->eax, 7u);
    EXPECT_EQ(policy.find(0x80000000)->eax, 0x80000008u);
    EXPECT_EQ(policy.find(0xd), nullptr);
    EXPECT_EQ(policy.find(0x8000001e), nullptr);
    expect_noticed(
        "what AMD and Intel have in common, and not sep, xsave, avx, page1gb, rdtscp, sse4a, fsgsbase");
}

// Levelled from two processors, the guest sees the same.
TEST_F(CpuOfRecordingTest, PortableGuestsOfTwoVendorsSeeTheSame) {
    const std::vector<std::string> common = {"fpu", "sse2", "sse4-2", "popcnt", "syscall", "nx", "lm"};
    std::vector<std::string> amd = common, intel = common;
    amd.insert(amd.end(), {"sse4a", "svm", "xsave", "avx", "3dnowprefetch", "cr8-legacy"});
    intel.insert(intel.end(), {"sep", "ss", "ds"});
    GuestCpuChoice choice;
    choice.portable = true;
    EXPECT_EQ(recording_policy(fake_policy(amd, "AuthenticAMD", 0xd), choice),
              recording_policy(fake_policy(intel, "GenuineIntel", 0xb), choice));
}

TEST_F(CpuOfRecordingTest, APolicyThatXenDoesNotTakeIsSaid) {
    xen_.max_policy = xen_.default_policy = fake_policy({"fpu", "rdrand"});
    toolstack_.add_domain("guest", trace_);
    xen_.set_cpu_policy_error = EINVAL;
    expect_refused(Category::kHostLacks,
                   "Xen does not accept the guest's CPU policy on this processor: CPUID leaf 0x7:0");
    xen_.set_cpu_policy_error = EPERM;
    expect_refused(Category::kHostLacks, "cannot give a CPU policy to domain 5: not permitted");
    xen_.set_cpu_policy_error = 0;
    xen_.cpu_policy_error = EOPNOTSUPP;
    expect_refused(Category::kHostLacks, "cannot read the CPU policy of domain 5");
}

TEST_F(SessionTest, DomainThatIsBeingDestroyedIsWaitedFor) {
    request_.target = folder_ / "guest.cfg";
    xen_.info.user_domid = 3;  // not a domain any more, but its memory is not back yet
    xen_.on_wait_host = [this] {
        if (xen_.waits == 5) xen_.info.user_domid = -1;
    };
    EXPECT_TRUE(recorded().closed);
}

}  // namespace
}  // namespace casmotion::test
