// SPDX-License-Identifier: GPL-2.0-or-later
//
// Each condition on real logs, on synthetic ones, and where it must say no or "cannot be told".
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "casmotion/taxonomy.h"
#include "casmotion/trace/trace_check.h"
#include "support/log_files.h"
#include "support/raw_log.h"
#include "support/synthetic_log.h"

namespace casmotion {
namespace {

TraceReport check(const Manifest& manifest, const std::vector<Record>& records,
                  const TraceOptions& options = {}) {
    auto reader = LogReader::open(test::memory_source(test::raw_log(test::manifest_file(manifest), records)));
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    return check_trace(**reader, options);
}

const ConditionResult& of(const TraceReport& report, Condition condition) {
    return report.conditions[static_cast<std::size_t>(condition)];
}

// A log of a recording without a branch counter: with entries as the only time points, a log can be verified
// without a replay.
std::vector<Record> plain_log() {
    std::vector<Record> records;
    std::array<std::uint64_t, CASM_CLASSES_MAX> applied{};
    bool between = false;  // behind a point between entries
    std::uint64_t last_check = 0;
    for (Record& record : test::synthetic_log({})) {
        const Timing timing = find_class(record.cls)->timing;
        if (record.cls == CASM_CLS_ENTRY) {
            between = false;
            last_check = record.check;
        }
        between = between || timing == Timing::kPoint;
        if (record.cls == CASM_CLS_BRANCHES || timing == Timing::kPoint ||
            (between && timing == Timing::kAsync))
            continue;
        if (record.cls == CASM_CLS_END) {
            record.w[1] = last_check << 48;
            std::memcpy(record.blob.data(), applied.data(), sizeof(applied));
        }
        ++applied[record.cls];
        records.push_back(std::move(record));
    }
    return records;
}

Manifest plain_manifest() {
    Manifest manifest = test::synthetic_manifest({});
    manifest.options.counter = 0;
    return manifest;
}

TEST(Conditions, SharedAnswersAreTheSame) {
    TraceOptions shared;
    shared.answers = make_window_answers();
    const TraceReport first = check(plain_manifest(), plain_log(), shared);
    const TraceReport again = check(plain_manifest(), plain_log(), shared);
    EXPECT_EQ(to_text(first), to_text(check(plain_manifest(), plain_log())));
    EXPECT_EQ(to_text(again), to_text(first)) << "nothing was asked a second time";
}

class RealLog : public testing::TestWithParam<const char*> {};

TEST_P(RealLog, IsVerified) {
    auto reader = LogReader::open(std::string(TRACE_TEST_DATA) + "/" + GetParam());
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    const TraceReport report = check_trace(**reader);
    // For a replay to tell: names by state, and a processor of which nothing trapped.
    for (const ConditionResult& result : report.conditions) {
        const bool told = result.condition != Condition::kC2 &&
                          (result.condition != Condition::kC4 || report.apoints_by_state == 0);
        EXPECT_EQ(result.verdict, told ? Verdict::kHolds : Verdict::kCannotTell)
            << name_of(result.condition) << ": " << result.reason;
    }
    EXPECT_GT(report.queries.shapes, 10u);
    EXPECT_GE(report.queries.queries, 2 * report.queries.shapes);
    const auto json = nlohmann::json::parse(to_json(report));
    EXPECT_EQ(json["conditions"].size(), 6u);
}
INSTANTIATE_TEST_SUITE_P(All, RealLog,
                         testing::Values("probe-shutdown.log", "probe-stopped.log", "probe-points.log"));

TEST(Conditions, EndWithEveryReason) {
    for (const std::uint32_t reason :
         {CASM_END_SHUTDOWN, CASM_END_CRASHED, CASM_END_STOPPED, CASM_END_DESTROYED}) {
        const test::SyntheticOptions options{.end_reason = reason};
        const TraceReport report = check(test::synthetic_manifest(options), test::synthetic_log(options));
        for (const ConditionResult& result : report.conditions)
            EXPECT_EQ(result.verdict,
                      result.condition == Condition::kC4 ? Verdict::kCannotTell : Verdict::kHolds)
                << name_of(result.condition) << ": " << result.reason;
    }
}

TEST(Conditions, AReplayThatWasEqualDecidesWhatTheLogCannotTell) {
    TraceReport report = check(test::synthetic_manifest({}), test::synthetic_log({}));
    EXPECT_EQ(report.verdict().category(), Category::kInconclusive);
    add_equal_replay(report, 1000, 3);
    EXPECT_TRUE(report.verdict().ok()) << report.verdict().message();
    EXPECT_EQ(of(report, Condition::kC4).reason.find("by replay"), 0u);
}

TEST(Conditions, AnEqualReplayDoesNotHealWhatIsRefuted) {
    Manifest manifest = plain_manifest();
    manifest.options.disabled_classes = 1u << CASM_CLS_EVTCHN;
    TraceReport report = check(manifest, plain_log());
    add_equal_replay(report, 1000, 3);
    EXPECT_EQ(report.verdict().category(), Category::kRefuted);
    EXPECT_EQ(of(report, Condition::kC2).cls, "evtchn");
}

TEST(HiddenInputs, InstructionsThatCannotBeTrappedAreNamed) {
    Manifest manifest = plain_manifest();
    EXPECT_EQ(of(check(manifest, plain_log()), Condition::kC2).verdict, Verdict::kHolds);
    manifest.cpu.policy.leaves = {{.leaf = 1, .ecx = 1u << 30},
                                  {.leaf = 7, .subleaf = 0, .ebx = 1u << 18},
                                  {.leaf = 0xd, .subleaf = 1, .eax = 2}};
    const TraceReport report = check(manifest, plain_log());
    EXPECT_EQ(of(report, Condition::kC2).verdict, Verdict::kCannotTell);
    EXPECT_NE(of(report, Condition::kC2).reason.find("rdrand, xsavec, rdseed"), std::string::npos);
    EXPECT_EQ(report.verdict().category(), Category::kInconclusive);
}

TEST(HiddenInputs, FeaturesOfUnknownMeaningAreNamedByTheirPlace) {
    Manifest manifest = plain_manifest();
    manifest.cpu.policy.leaves.push_back({.leaf = 7, .subleaf = 0, .edx = 1u << 6});
    const ConditionResult c2 = of(check(manifest, plain_log()), Condition::kC2);
    EXPECT_EQ(c2.verdict, Verdict::kCannotTell);
    EXPECT_NE(c2.reason.find("leaf 7:0 edx bit 6"), std::string::npos) << c2.reason;
}

TEST(HiddenInputs, WithoutAPolicyNothingIsKnown) {
    Manifest manifest = plain_manifest();
    manifest.cpu.policy.leaves.clear();
    EXPECT_EQ(of(check(manifest, plain_log()), Condition::kC2).verdict, Verdict::kCannotTell);
}

// A processor whose CPUID does not trap shows a guest where it runs: the log alone cannot say that it did not
// look.
TEST(HiddenInputs, ThePhysicalProcessorIsOneWhereItCanBeSeen) {
    Manifest manifest = plain_manifest();
    manifest.cpu.physical.cpu = 3;
    manifest.cpu.isolation = CASM_ISOLATE_DESCRIPTORS;
    const auto json = nlohmann::json::parse(to_json(check(manifest, plain_log())));
    EXPECT_EQ(json["processor"]["cpu"], 3);
    EXPECT_EQ(json["processor"]["cpuid_trapped"], false);
    EXPECT_EQ(json["processor"]["descriptors_constant"], true);
    ConditionResult c2 = of(check(manifest, plain_log()), Condition::kC2);
    EXPECT_EQ(c2.verdict, Verdict::kCannotTell);
    EXPECT_NE(c2.reason.find("plain CPUID did not trap: the guest could see CPU 3 of the host"),
              std::string::npos)
        << c2.reason;
    EXPECT_EQ(c2.reason.find("SIDT"), std::string::npos);
    manifest.cpu.isolation = CASM_ISOLATE_CPUID;
    c2 = of(check(manifest, plain_log()), Condition::kC2);
    EXPECT_EQ(c2.verdict, Verdict::kCannotTell);
    EXPECT_NE(c2.reason.find("SIDT, SGDT, SLDT, STR and SMSW did not trap"), std::string::npos) << c2.reason;
    EXPECT_EQ(c2.reason.find("plain CPUID"), std::string::npos);
    manifest.cpu.isolation = 0;
    c2 = of(check(manifest, plain_log()), Condition::kC2);
    EXPECT_NE(c2.reason.find("plain CPUID"), std::string::npos);
    EXPECT_NE(c2.reason.find("SIDT"), std::string::npos);
}

TEST(Conditions, ANewerHypervisorCannotBeJudged) {
    Manifest manifest = plain_manifest();
    manifest.abi_version = CASM_ABI_VERSION + 1;
    EXPECT_EQ(of(check(manifest, plain_log()), Condition::kC2).verdict, Verdict::kCannotTell);
}

TEST(Conditions, TheExplanationIsAsShortAsPossible) {
    std::vector<Record> records = plain_log();
    const auto result = std::find_if(records.begin(), records.end(), [](const Record& r) {
        return r.cls == CASM_CLS_RESULT && r.kind == 17;
    });
    const Record twice = *result;
    const auto at = static_cast<std::uint64_t>(result - records.begin());
    records.insert(result, twice);
    const TraceReport report = check(plain_manifest(), records);
    const ConditionResult& c3 = of(report, Condition::kC3);
    EXPECT_EQ(c3.verdict, Verdict::kRefuted);
    ASSERT_EQ(c3.explanation.size(), 3u) << "two results and their entry";
    EXPECT_NE(c3.explanation[0].find("result"), std::string::npos);
    EXPECT_NE(c3.explanation[1].find("result"), std::string::npos);
    EXPECT_NE(c3.explanation[2].find("entry"), std::string::npos);
    EXPECT_EQ(c3.record, at + 2);
}

TEST(Conditions, OneFaultIsInOneCondition) {
    std::vector<Record> records = plain_log();
    for (Record& record : records)
        if (record.cls == CASM_CLS_ENTRY) {
            record.kind = 77;
            break;
        }
    const TraceReport report = check(plain_manifest(), records);
    unsigned refuted = 0;
    for (const ConditionResult& each : report.conditions)
        refuted += each.verdict == Verdict::kRefuted ? 1 : 0;
    EXPECT_EQ(refuted, 1u);
    EXPECT_EQ(of(report, Condition::kC6).verdict, Verdict::kRefuted);
}

TEST(Conditions, TooFewStepsOrShapesAreInconclusive) {
    EXPECT_EQ(check(plain_manifest(), plain_log(), {.rlimit_per_query = 1}).verdict().category(),
              Category::kInconclusive);
    EXPECT_EQ(check(plain_manifest(), plain_log(), {.shapes_max = 2}).verdict().category(),
              Category::kInconclusive);
    EXPECT_TRUE(check(plain_manifest(), plain_log(), {.queries = false}).verdict().ok());
}

TEST(Conditions, ALogWithoutRecordsIsNoLog) {
    auto reader = LogReader::open(test::memory_source(
        test::raw_log(test::manifest_file(test::synthetic_manifest({})), {}, 65536, false)));
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    const TraceReport report = check_trace(**reader);
    EXPECT_EQ(report.verdict().category(), Category::kLogInvalid);
    EXPECT_FALSE(to_text(report).empty());
}

TEST(Timeline, CountsEveryRecordOnce) {
    const std::vector<Record> records = test::synthetic_log({.entries = 5000});
    const TraceReport report = check(test::synthetic_manifest({}), records);
    std::uint64_t sum = 0;
    for (const Timeline::Bucket& bucket : report.timeline.buckets)
        for (const std::uint64_t count : bucket.records) sum += count;
    EXPECT_EQ(sum, records.size());
    EXPECT_LE(report.timeline.buckets.size(), 241u);
    EXPECT_GT(report.timeline.buckets.size(), 100u);
}

}  // namespace
}  // namespace casmotion
