// SPDX-License-Identifier: GPL-2.0-or-later
//
// The replay loop against a fake Xen that compares every record with its own execution.
#include "session/replayer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/host_text.h"
#include "casmotion/taxonomy.h"
#include "report/divergence_report.h"
#include "report/session_report.h"
#include "support/fake_clock.h"
#include "support/fake_xen.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

constexpr DomId kDomain{5};
constexpr RingBytes kRing{CASM_RING_MIN_BYTES};

class ReplayerTest : public testing::Test {
  protected:
    ReplayerTest() {
        xen_.info.counter = CASM_COUNTER_AMD;  // synthetic logs have one
        xen_.info.counter_why = CASM_COUNTER_READY;
    }

    /// Replays `log` in a domain whose execution is `trace`.
    Result<ReplayOutcome> replay(const std::vector<Record>& trace, const std::vector<Record>& log,
                                 bool closed = true, uint64_t stall_limit_ns = 0) {
        write_log(folder_ / log_name_, synthetic_manifest({}), log, {}, closed);
        reader_ = std::move(LogReader::open(folder_ / log_name_)).value();
        FakeDomain& domain = xen_.domains[kDomain.value];
        domain.trace = trace;
        domain.console = console_;
        domain.status.mode = CASM_MODE_IDLE;
        EXPECT_TRUE(xen_.attach(kDomain, kRing, kRing).ok());
        log_mapping_ = std::move(xen_.map_ring(kDomain, RingKind::kLog, kRing)).value();
        feed_mapping_ = std::move(xen_.map_ring(kDomain, RingKind::kFeed, kRing)).value();
        RingReader log_ring = *RingReader::open(log_mapping_->base(), kRing);
        RingWriter feed_ring = *RingWriter::open(feed_mapping_->base(), kRing);
        Replayer replayer(
            xen_, kDomain, log_ring, feed_ring, *reader_, clock_, stop_, progress_,
            [this](std::span<const uint8_t> bytes) { printed_.append(bytes.begin(), bytes.end()); });
        CASM_TRY(replayer.prefill());
        CASM_ASSIGN(const std::optional<ReplayOutcome> at_start, replayer.start());
        if (at_start) return *at_start;
        domain.running = true;
        return replayer.run(stall_limit_ns);
    }

    /// The report of a replay that differs.
    DivergenceReport diverged(const std::vector<Record>& execution, const std::vector<Record>& log) {
        const Result<ReplayOutcome> outcome = replay(execution, log);
        EXPECT_TRUE(outcome.ok());
        return outcome.ok() ? make_divergence_report(*reader_, outcome->status.divergence, {})
                            : DivergenceReport{};
    }

    TempFolder folder_;
    std::string log_name_ = "log";
    FakeClock clock_;
    FakeStop stop_;
    CollectedProgress progress_;
    FakeXen xen_{clock_};
    std::map<size_t, std::string> console_;
    std::unique_ptr<LogReader> reader_;
    std::unique_ptr<RingMapping> log_mapping_, feed_mapping_;
    std::string printed_;
};

TEST_F(ReplayerTest, SameExecutionIsEqual) {
    const std::vector<Record> trace = synthetic_log({.seed = 1, .entries = 20000});
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_EQ(outcome->end, ReplayEnd::kEqual);
    EXPECT_EQ(outcome->status.records, trace.size());
    EXPECT_EQ(outcome->status.ordinal, 20000u);
    EXPECT_GT(outcome->status.logged[CASM_CLS_DIGEST], 2u);
}

TEST_F(ReplayerTest, ABadRecordIsNeverFed) {
    const std::vector<Record> trace = synthetic_log({.seed = 8, .entries = 20000});
    struct Case {
        size_t at;
        Record record;
    };
    const Case cases[] = {
        {0, {.cls = CASM_CLS_INIT, .aux = 4090, .blob = std::vector<uint8_t>(100)}},
        {1, {.cls = CASM_CLS_DIGEST, .kind = 9}},
        {5000, {.cls = CASM_CLS_EVTCHN, .aux = 70000}},
        {trace.size() - 1, {.cls = CASM_CLS_END, .kind = 1, .blob = std::vector<uint8_t>(4096, 0x41)}},
    };
    int run_number = 0;
    for (const Case& c : cases) {
        SCOPED_TRACE(c.at);
        xen_.domains.clear();
        std::vector<Record> log = trace;
        log[c.at] = c.record;
        log_name_ = "log" + std::to_string(run_number++);
        const Result<ReplayOutcome> outcome = replay(trace, log);
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(outcome.status().category(), Category::kLogInvalid);
        const std::string place = "record " + std::to_string(c.at) + " (";
        EXPECT_NE(outcome.status().message().find(place), std::string::npos) << outcome.status().message();
        EXPECT_LE(xen_.domains[kDomain.value].position, c.at);
    }
}

TEST_F(ReplayerTest, AnEndThatOnlyTheRingSaysIsNone) {
    const std::vector<Record> trace = synthetic_log({.seed = 8, .entries = 20000});
    xen_.on_wait = [&](FakeDomain& domain) {
        if (xen_.waits == 3) domain.log->header().eof = 1;
    };
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_EQ(outcome->end, ReplayEnd::kEqual);
    EXPECT_EQ(outcome->status.records, trace.size());
    EXPECT_EQ(progress_.notices.size(), 1u);
}

TEST_F(ReplayerTest, AnEndThatTheRingDoesNotSayIsNoticed) {
    const std::vector<Record> trace = synthetic_log({.seed = 8, .entries = 20000});
    xen_.on_wait = [&](FakeDomain& domain) {
        if (xen_.waits != 3) return;
        domain.running = false;
        domain.status.mode = CASM_MODE_ENDED;  // somebody detached the rings
    };
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_EQ(outcome->end, ReplayEnd::kVanished);
}

TEST_F(ReplayerTest, SlowFeedingAndStarvingDoNotMatter) {
    const std::vector<Record> trace = synthetic_log({.seed = 2, .entries = 30000});
    xen_.records_per_wait = 1'000'000;  // the guest outruns the feed ring each time
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kEqual);
    EXPECT_GT(outcome->status.stalls_feed, 5u);  // else this tests nothing
}

TEST_F(ReplayerTest, ConsoleOutputArrivesWholeAndInOrder) {
    const std::vector<Record> trace = synthetic_log({.seed = 3, .entries = 5000});
    std::string expected;
    for (size_t i = 10; i < trace.size(); i += 3) {
        console_[i] = "line " + std::to_string(i) + "\n";
        expected += console_[i];
    }
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kEqual);
    EXPECT_EQ(printed_, expected);
    EXPECT_EQ(outcome->console_bytes, expected.size());
}

/// For every class: one changed record is reported at that record, and the report names class and field.
class EveryClass : public ReplayerTest, public testing::WithParamInterface<casm_class> {};

TEST_P(EveryClass, ChangedRecordIsReportedWhereItIs) {
    const std::vector<Record> trace = synthetic_log({.seed = 4, .entries = 2000});
    std::vector<Record> log = trace;
    size_t at = log.size();
    for (size_t i = 0; i < log.size(); ++i)
        if (log[i].cls == GetParam() && (at == log.size() || i < log.size() / 2)) at = i;
    ASSERT_LT(at, log.size()) << "the synthetic log has no such record";
    const FieldInfo& field = fields_of(log[at].cls).back();
    switch (field.place) {
        case Place::kKind:
            log[at].kind ^= 1;
            break;
        case Place::kCheck:
            log[at].check ^= 1;
            break;
        case Place::kAux:
            log[at].aux ^= 1;
            break;
        case Place::kW0:
            log[at].w[0] ^= 1;
            break;
        case Place::kW1:
            log[at].w[1] ^= 1;
            break;
        case Place::kW2:
            log[at].w[2] ^= 1;
            break;
        case Place::kBlob:
            log[at].blob.back() ^= 1;
            break;
    }
    const Result<ReplayOutcome> outcome = replay(trace, log);
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    ASSERT_EQ(outcome->end, ReplayEnd::kDiverged);

    const DivergenceReport report = make_divergence_report(*reader_, outcome->status.divergence, {});
    EXPECT_EQ(report.record, at);
    EXPECT_EQ(report.cls, class_name(GetParam()));
    ASSERT_EQ(report.differences.size(), 1u);
    EXPECT_EQ(report.differences[0].field, field.name);
    EXPECT_EQ(report.before.size(), std::min<size_t>(at, 10));
    EXPECT_EQ(report.registers.size(), 18u);
    const std::string text = to_text(report);
    EXPECT_NE(text.find("class " + std::string(class_name(GetParam()))), std::string::npos);
    EXPECT_NE(text.find("field " + std::string(field.name)), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Replayer, EveryClass,
                         testing::Values(CASM_CLS_ENTRY, CASM_CLS_TSC, CASM_CLS_MSR, CASM_CLS_CPUID,
                                         CASM_CLS_RESULT, CASM_CLS_OUTMEM, CASM_CLS_EVTCHN, CASM_CLS_RING,
                                         CASM_CLS_INIT, CASM_CLS_DIGEST, CASM_CLS_END),
                         [](const auto& each) { return std::string(find_class(each.param)->symbol); });

/// For every class whose loss the log's own counters show: dropping all of its records names the class.
class EveryInput : public ReplayerTest, public testing::WithParamInterface<casm_class> {};

TEST_P(EveryInput, DroppedClassIsNamed) {
    const std::vector<Record> trace = synthetic_log({.seed = 5, .entries = 2000});
    std::vector<Record> log;
    for (const Record& record : trace)
        if (record.cls != GetParam()) log.push_back(record);
    ASSERT_LT(log.size(), trace.size());
    const Result<ReplayOutcome> outcome = replay(trace, log);
    ASSERT_TRUE(outcome.ok());
    ASSERT_EQ(outcome->end, ReplayEnd::kDiverged);
    const DivergenceReport report = make_divergence_report(*reader_, outcome->status.divergence, {});
    EXPECT_NE(std::find(report.suspects.begin(), report.suspects.end(), class_name(GetParam())),
              report.suspects.end())
        << to_text(report);
}

INSTANTIATE_TEST_SUITE_P(Replayer, EveryInput,
                         testing::Values(CASM_CLS_TSC, CASM_CLS_MSR, CASM_CLS_CPUID, CASM_CLS_RESULT,
                                         CASM_CLS_OUTMEM, CASM_CLS_EVTCHN, CASM_CLS_RING),
                         [](const auto& each) { return std::string(find_class(each.param)->symbol); });

/// Index of the first record of `cls` behind the tenth record.
size_t index_of(const std::vector<Record>& log, casm_class cls) {
    const auto found =
        std::find_if(log.begin() + 10, log.end(), [cls](const Record& r) { return r.cls == cls; });
    return static_cast<size_t>(found - log.begin());
}

void put_word(Record& record, size_t byte, uint64_t value) {
    std::memcpy(record.blob.data() + byte, &value, sizeof(value));
}

TEST_F(ReplayerTest, WrongBranchCountIsNamedACounterFault) {
    const std::vector<Record> log = synthetic_log({.seed = 13, .entries = 2000});
    const size_t first = index_of(log, CASM_CLS_BRANCHES);
    size_t at = first + 1;
    while (log[at].cls != CASM_CLS_BRANCHES) ++at;
    std::vector<Record> execution = log;
    execution[at].w[0] += 1;
    const Result<ReplayOutcome> outcome = replay(execution, log);
    ASSERT_TRUE(outcome.ok());
    const DivergenceReport report = make_divergence_report(*reader_, outcome->status.divergence, {});
    EXPECT_EQ(report.record, at);
    const uint64_t counted = log[at].w[0] - log[first].w[0];
    ASSERT_TRUE(report.counter_fault);
    EXPECT_EQ(*report.counter_fault,
              "counter fault: the branch counter of this host (or of the recording host) is not exact: " +
                  with_thousands(counted) + " branches expected, " + with_thousands(counted + 1) +
                  " counted since record " + with_thousands(first));
    EXPECT_NE(to_text(report).find(*report.counter_fault), std::string::npos);
    EXPECT_EQ(to_json(report)["counter_fault"], *report.counter_fault);
    ReplayReport whole;
    whole.outcome = *outcome;
    EXPECT_NE(verdict_of(whole, *reader_).message().find("counter fault at record"), std::string::npos);
}

TEST_F(ReplayerTest, SameStateAtAnotherCountIsACounterFaultToo) {
    const std::vector<Record> log = synthetic_log({.seed = 14, .entries = 2000});
    const size_t at = index_of(log, CASM_CLS_APOINT);
    std::vector<Record> execution = log;
    execution[at].w[0] -= 1;
    const DivergenceReport report = diverged(execution, log);
    ASSERT_TRUE(report.counter_fault);
    EXPECT_NE(report.counter_fault->find(with_thousands(log[at].w[0] - 1) + " counted"), std::string::npos)
        << *report.counter_fault;
}

struct PointHint {
    const char* says;
    void (*change)(Record&);
};

/// What the report says of a point that was not found depends on what the replay was at.
class HintOfAPoint : public ReplayerTest, public testing::WithParamInterface<PointHint> {};

TEST_P(HintOfAPoint, TellsWhatMayBeToBlame) {
    const std::vector<Record> log = synthetic_log({.seed = 15, .entries = 2000});
    std::vector<Record> execution = log;
    GetParam().change(execution[index_of(log, CASM_CLS_APOINT)]);
    const DivergenceReport report = diverged(execution, log);
    EXPECT_TRUE(std::any_of(report.hints.begin(), report.hints.end(), [](const std::string& hint) {
        return hint.find(GetParam().says) != std::string::npos;
    })) << to_text(report);
}

INSTANTIATE_TEST_SUITE_P(
    Replayer, HintOfAPoint,
    testing::Values(PointHint{" 3 branches past the point", [](Record& r) { r.w[0] += 3, r.w[1] += 2; }},
                    PointHint{"came to the instruction of the point", [](Record& r) { r.w[2] ^= 1; }},
                    PointHint{"the guest did something else before, or the counter is not exact",
                              [](Record& r) { r.w[2] ^= 1; }},
                    PointHint{"in another state than recorded", [](Record& r) { r.w[1] += 2, r.w[2] ^= 1; }},
                    PointHint{"gave up 1 branch", [](Record& r) { r.w[0] -= 1, r.w[1] += 2; }}));

struct PointChange {
    const char* field;
    void (*change)(Record&);
};

/// For every field of an APOINT: a replay that is elsewhere in it is reported there, and the guest is blamed.
class EveryFieldOfAPoint : public ReplayerTest, public testing::WithParamInterface<PointChange> {};

TEST_P(EveryFieldOfAPoint, IsComparedAndShown) {
    const std::vector<Record> log = synthetic_log({.seed = 15, .entries = 2000});
    const size_t at = index_of(log, CASM_CLS_APOINT);
    std::vector<Record> execution = log;
    GetParam().change(execution[at]);
    const DivergenceReport report = diverged(execution, log);
    EXPECT_EQ(report.record, at);
    EXPECT_FALSE(report.counter_fault);
    EXPECT_TRUE(std::any_of(report.differences.begin(), report.differences.end(),
                            [](const FieldDifference& d) { return d.field == GetParam().field; }))
        << to_text(report);
    EXPECT_FALSE(report.hints.empty());
    const std::string text = to_text(report);
    EXPECT_NE(text.find("field " + std::string(GetParam().field)), std::string::npos) << text;
    EXPECT_NE(text.find(" rsp=0x"), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(Replayer, EveryFieldOfAPoint,
                         testing::Values(PointChange{"branches",
                                                     [](Record& r) {
                                                         r.w[0] += 2;
                                                         r.w[2] ^= 1;
                                                     }},
                                         PointChange{"rip", [](Record& r) { r.w[1] += 3; }},
                                         PointChange{"hash", [](Record& r) { r.w[2] ^= 1; }},
                                         PointChange{"from", [](Record& r) { put_word(r, 0, 0x1234); }},
                                         PointChange{"rcx", [](Record& r) { put_word(r, 8, 0x1234); }},
                                         PointChange{"rsp", [](Record& r) { put_word(r, 16, 0x1234); }}),
                         [](const auto& each) { return std::string(each.param.field); });

TEST_F(ReplayerTest, EntryBeforeAPointIsExplained) {
    const std::vector<Record> log = synthetic_log({.seed = 16, .entries = 2000});
    const size_t at = index_of(log, CASM_CLS_APOINT);
    std::vector<Record> execution = log;
    execution[at] = {.cls = CASM_CLS_ENTRY, .kind = CASM_ENTRY_EXCEPTION, .aux = 14};
    const DivergenceReport report = diverged(execution, log);
    EXPECT_EQ(report.cls, "apoint");
    EXPECT_NE(to_text(report).find("entered Xen before it came to the point"), std::string::npos)
        << to_text(report);
    EXPECT_NE(to_text(report).find("#PF"), std::string::npos) << to_text(report);
}

TEST_F(ReplayerTest, OtherInitialMemoryIsReportedBeforeTheGuestRuns) {
    const std::vector<Record> trace = synthetic_log({.seed = 6, .entries = 2000});
    std::vector<Record> log = trace;
    const auto digest =
        std::find_if(log.begin(), log.end(), [](const Record& r) { return r.cls == CASM_CLS_DIGEST; });
    digest->w[1] += 100;  // frames
    const Result<ReplayOutcome> outcome = replay(trace, log);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kDiverged);
    EXPECT_EQ(outcome->status.ordinal, 0u);
    const DivergenceReport report =
        make_divergence_report(*reader_, outcome->status.divergence, {"CPU: another"});
    const std::string text = to_text(report);
    EXPECT_NE(text.find("another size"), std::string::npos) << text;
    EXPECT_NE(text.find("CPU: another"), std::string::npos) << text;
}

TEST_F(ReplayerTest, LogWithoutEndReplaysAsFarAsItGoes) {
    const std::vector<Record> trace = synthetic_log({.seed = 7, .entries = 2000});
    const std::vector<Record> log(trace.begin(), trace.begin() + 1500);
    const Result<ReplayOutcome> outcome = replay(trace, log, false);
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_EQ(outcome->end, ReplayEnd::kLogRanOut);
    EXPECT_EQ(outcome->status.records, 1500u);
}

TEST_F(ReplayerTest, DestroyedDomainIsNoticed) {
    const std::vector<Record> trace = synthetic_log({.seed = 8, .entries = 5000});
    xen_.on_wait = [](FakeDomain& domain) { domain.vanish_at = 3000; };
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kVanished);
}

TEST_F(ReplayerTest, TeardownThatStillAnswersIsNotCalledADivergence) {
    const std::vector<Record> trace = synthetic_log({.seed = 8, .entries = 5000});
    xen_.on_wait = [this](FakeDomain& domain) {
        if (xen_.waits == 3) xen_.tear_down_replay(domain);
    };
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kVanished);
}

TEST_F(ReplayerTest, LogOfADestroyedDomainIsEqualToItsEnd) {
    const std::vector<Record> trace =
        synthetic_log({.seed = 12, .entries = 2000, .end_reason = CASM_END_DESTROYED});
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kEqual);
}

TEST_F(ReplayerTest, StallIsNoticed) {
    const std::vector<Record> trace = synthetic_log({.seed = 9, .entries = 5000});
    xen_.on_wait = [](FakeDomain& domain) { domain.hang_at = 3000; };
    const Result<ReplayOutcome> outcome = replay(trace, trace, true, 30 * kNsPerSecond);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kStalled);
    EXPECT_GE(outcome->duration_ns, 30 * kNsPerSecond);
    EXPECT_EQ(xen_.stops, 1);
}

TEST_F(ReplayerTest, InterruptStops) {
    const std::vector<Record> trace = synthetic_log({.seed = 10, .entries = 5000});
    xen_.on_wait = [this](FakeDomain&) {
        if (xen_.waits == 2) stop_.press();
    };
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, ReplayEnd::kInterrupted);
    EXPECT_EQ(xen_.stops, 1);
}

TEST_F(ReplayerTest, GarbageFromXenIsAnInternalError) {
    const std::vector<Record> trace = synthetic_log({.seed = 11, .entries = 5000});
    xen_.on_wait = [](FakeDomain& domain) {
        domain.running = false;
        domain.log->produce(ring_of({{.cls = CASM_CLS_TSC}}));
    };
    const Result<ReplayOutcome> outcome = replay(trace, trace);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.status().category(), Category::kInternal);
}

}  // namespace
}  // namespace casmotion::test
