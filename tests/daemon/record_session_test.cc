// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whole recordings on a fake host: what is recorded and kept, and what becomes of the domain.
#include "session/record_session.h"

#include <algorithm>
#include <filesystem>

#include "casmotion/trace/hidden_inputs.h"
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
