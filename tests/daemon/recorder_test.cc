// SPDX-License-Identifier: GPL-2.0-or-later
//
// The recording loop against a fake Xen: whatever the ring size, the pace and the end, the log holds exactly
// what the hypervisor produced.
#include "session/recorder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "casmotion/taxonomy.h"
#include "support/fake_clock.h"
#include "support/fake_xen.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

constexpr DomId kDomain{5};

class RecorderTest : public testing::Test {
  protected:
    void start(std::vector<Record> trace, RingBytes ring = RingBytes{CASM_RING_MIN_BYTES}) {
        trace_ = trace;
        FakeDomain& domain = xen_.domains[kDomain.value];
        domain.trace = std::move(trace);
        domain.status.mode = CASM_MODE_IDLE;
        ASSERT_TRUE(xen_.attach(kDomain, ring, RingBytes{0}).ok());
        mapping_ = std::move(xen_.map_ring(kDomain, RingKind::kLog, ring)).value();
        reader_.emplace(*RingReader::open(mapping_->base(), ring));
        auto writer = LogWriter::create(log_path_, synthetic_manifest({}), {});
        ASSERT_TRUE(writer.ok()) << writer.status().message();
        writer_ = std::move(writer).value();
        ASSERT_TRUE(xen_.start(kDomain, {}).ok());
        domain.running = true;
    }

    Result<RecordOutcome> run(const RecordLimits& limits = {}) {
        Recorder recorder(xen_, kDomain, *reader_, *writer_, clock_, stop_, progress_);
        return recorder.run(limits);
    }

    std::vector<Record> log_records() {
        auto reader = LogReader::open(log_path_);
        EXPECT_TRUE(reader.ok());
        return read_all(**reader).records;
    }

    TempFolder folder_;
    std::string log_path_ = folder_ / "log";
    FakeClock clock_;
    FakeStop stop_;
    CollectedProgress progress_;
    FakeXen xen_{clock_};
    std::vector<Record> trace_;
    std::unique_ptr<RingMapping> mapping_;
    std::optional<RingReader> reader_;
    std::unique_ptr<LogWriter> writer_;
};

TEST_F(RecorderTest, LogHoldsTheWholeTraceInTheSmallestRing) {
    start(synthetic_log({.seed = 1, .entries = 20000}));
    xen_.records_per_wait = 100000;  // the guest is faster than the daemon: the ring fills up
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_TRUE(outcome->has_end_record);
    EXPECT_EQ(outcome->end, RecordEnd::kGuest);
    EXPECT_GT(outcome->status.stalls_log, 10u);  // else this tests nothing
    ASSERT_TRUE(writer_->close({}).ok());
    EXPECT_EQ(log_records(), trace_);
}

TEST_F(RecorderTest, PaceOfTheGuestDoesNotMatter) {
    const char* given = std::getenv("CASM_SEED");
    const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    SCOPED_TRACE("repeat with CASM_SEED=" + std::to_string(seed));
    Random random(seed);
    start(synthetic_log({.seed = seed, .entries = 5000}),
          RingBytes{CASM_RING_MIN_BYTES << uniform(random, 0, 3)});
    xen_.on_wait = [&](FakeDomain&) { xen_.records_per_wait = uniform(random, 0, 3000); };
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    ASSERT_TRUE(writer_->close({}).ok());
    EXPECT_EQ(log_records(), trace_);
}

TEST_F(RecorderTest, InterruptEndsTheLogInOrder) {
    start(synthetic_log({.seed = 2, .entries = 20000}));
    xen_.on_wait = [&](FakeDomain&) {
        if (xen_.waits == 3) stop_.press();
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok());
    EXPECT_TRUE(outcome->has_end_record);
    EXPECT_EQ(outcome->end, RecordEnd::kInterrupt);
    ASSERT_TRUE(writer_->close({}).ok());
    const std::vector<Record> records = log_records();
    ASSERT_LT(records.size(), trace_.size());
    EXPECT_EQ(records.back().cls, CASM_CLS_END);
    EXPECT_EQ(records.back().kind, CASM_END_STOPPED);
    EXPECT_TRUE(std::equal(records.begin(), records.end() - 1, trace_.begin()));
}

TEST_F(RecorderTest, SecondInterruptDoesNotWaitForAGuestThatNeverEntersXen) {
    start(synthetic_log({.seed = 2, .entries = 3000}));
    xen_.domains[kDomain.value].hang_at = 1000;
    xen_.on_wait = [&](FakeDomain&) {
        if (xen_.waits == 20) stop_.press();
        if (xen_.waits == 100) stop_.press();
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok());
    EXPECT_FALSE(outcome->has_end_record);
    EXPECT_EQ(progress_.notices.size(), 1u);  // it said what it was waiting for
    ASSERT_TRUE(writer_->abandon().ok());
    EXPECT_EQ(log_records(), std::vector<Record>(trace_.begin(), trace_.begin() + 1000));
}

TEST_F(RecorderTest, EventsThatWaitForSecondsAreNoticedOnce) {
    start(synthetic_log({.seed = 2, .entries = 3000}));
    FakeDomain& domain = xen_.domains[kDomain.value];
    domain.hang_at = 1000;  // the guest computes, and does not enter Xen
    xen_.on_wait = [&](FakeDomain&) {
        if (xen_.waits == 20) domain.status.events_queued = 2;
        if (xen_.waits == 200) domain.hang_at.reset();  // twenty seconds later
        if (xen_.waits == 201) domain.status.applied[CASM_CLS_EVTCHN] = 2;
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_EQ(outcome->end, RecordEnd::kGuest);
    ASSERT_EQ(progress_.notices.size(), 1u);
    EXPECT_NE(progress_.notices[0].find("2 events have waited 3"), std::string::npos) << progress_.notices[0];
    EXPECT_GE(outcome->longest_wait_ns, 15 * kNsPerSecond);
    EXPECT_LE(outcome->longest_wait_ns, 19 * kNsPerSecond);
}

TEST_F(RecorderTest, EventsThatWaitInAGuestThatGetsOnAreNotNoticed) {
    start(synthetic_log({.seed = 2, .entries = 3000}));
    xen_.records_per_wait = 10;
    xen_.domains[kDomain.value].status.events_queued = 1;  // another one each time
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_EQ(progress_.notices.size(), 0u);
    EXPECT_EQ(outcome->longest_wait_ns, 0u);
}

TEST_F(RecorderTest, TimeLimitStops) {
    start(synthetic_log({.seed = 3, .entries = 20000}));
    xen_.records_per_wait = 10;  // with 100 ms per wait
    RecordLimits limits;
    limits.duration_ns = 5 * kNsPerSecond;
    const Result<RecordOutcome> outcome = run(limits);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, RecordEnd::kDuration);
    EXPECT_TRUE(outcome->has_end_record);
    EXPECT_GE(outcome->duration_ns, 5 * kNsPerSecond);
    EXPECT_LT(outcome->duration_ns, 6 * kNsPerSecond);
}

TEST_F(RecorderTest, SizeLimitStops) {
    start(synthetic_log({.seed = 4, .entries = 50000}));
    RecordLimits limits;
    limits.log_bytes = 100'000;
    const Result<RecordOutcome> outcome = run(limits);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, RecordEnd::kLogSize);
    EXPECT_TRUE(outcome->has_end_record);
    EXPECT_LT(writer_->size_estimate_bytes(), 300'000u);
}

TEST_F(RecorderTest, AGuestThatEndsByItselfWhileItIsLookedAtIsNotStopped) {
    start(synthetic_log({.seed = 2, .entries = 20000}));
    xen_.records_per_wait = 1;
    Recorder recorder(xen_, kDomain, *reader_, *writer_, clock_, stop_, progress_);
    bool looked = false;
    recorder.each_second([&] {
        // It shut down a moment ago: Xen has logged the END, and says so in its status.
        FakeDomain& domain = xen_.domains[kDomain.value];
        domain.status.mode = CASM_MODE_ENDED;
        xen_.records_per_wait = 100000;
        looked = true;
        return true;
    });
    const Result<RecordOutcome> outcome = recorder.run({});
    EXPECT_TRUE(looked);
    EXPECT_EQ(xen_.stops, 0);
    EXPECT_TRUE(progress_.notices.empty()) << testing::PrintToString(progress_.notices);
}

TEST_F(RecorderTest, AGuestThatSomethingElseCrashedEndsItsLog) {
    start(synthetic_log({.seed = 2, .entries = 20000}));
    xen_.records_per_wait = 0;  // its vCPU never runs again
    Recorder recorder(xen_, kDomain, *reader_, *writer_, clock_, stop_, progress_);
    int looks = 0;
    recorder.each_second([&] {
        const bool down = ++looks == 3;
        if (down) xen_.records_per_wait = 1;  // Xen ends the log for it when it is asked to
        return down;
    });
    const Result<RecordOutcome> outcome = recorder.run({});
    ASSERT_TRUE(outcome.ok());
    EXPECT_GE(looks, 3);
    EXPECT_EQ(xen_.stops, 1);
    EXPECT_EQ(outcome->end, RecordEnd::kGuest);
    EXPECT_TRUE(outcome->has_end_record);
    EXPECT_NE(testing::PrintToString(progress_.notices).find("something outside"), std::string::npos);
}

// A stop was asked for while it still ran, and met no injection point any more.
TEST_F(RecorderTest, AGuestThatIsCrashedWhileItIsToStopEndsItsLog) {
    start(synthetic_log({.seed = 2, .entries = 20000}));
    xen_.records_per_wait = 0;
    Recorder recorder(xen_, kDomain, *reader_, *writer_, clock_, stop_, progress_);
    RecordLimits limits;
    limits.duration_ns = kNsPerSecond;
    int looks = 0;
    recorder.each_second([&] { return ++looks == 4; });
    xen_.on_wait = [&](FakeDomain&) {
        if (xen_.stops == 2) xen_.records_per_wait = 1;
    };
    const Result<RecordOutcome> outcome = recorder.run(limits);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(xen_.stops, 2) << "again, when it was down";
    EXPECT_TRUE(outcome->has_end_record);
}

TEST_F(RecorderTest, DomainThatVanishesLeavesAnIncompleteLogOfAllThatCame) {
    start(synthetic_log({.seed = 5, .entries = 5000}));
    xen_.domains[kDomain.value].vanish_at = 2345;
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->end, RecordEnd::kVanished);
    EXPECT_FALSE(outcome->has_end_record);
    ASSERT_TRUE(writer_->abandon().ok());
    EXPECT_FALSE(std::filesystem::exists(log_path_));
    EXPECT_EQ(log_records(), std::vector<Record>(trace_.begin(), trace_.begin() + 2345));
}

TEST_F(RecorderTest, GarbageInTheRingIsReportedAndStopsTheRecording) {
    start(synthetic_log({.seed = 6, .entries = 5000}));
    xen_.on_wait = [&](FakeDomain& domain) {
        if (xen_.waits != 3) return;
        domain.running = false;
        std::vector<std::byte> garbage(64, std::byte{0xee});
        domain.log->produce(garbage);
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.status().category(), Category::kInternal);
    EXPECT_EQ(xen_.stops, 1);
}

/// The ring's page could be written by somebody else: what it says of the end counts only if Xen says so too.
TEST_F(RecorderTest, AnEndThatOnlyTheRingSaysIsNone) {
    start(synthetic_log({.seed = 6, .entries = 5000}));
    xen_.on_wait = [&](FakeDomain& domain) {
        if (xen_.waits == 3) domain.log->header().eof = 1;
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_TRUE(outcome->has_end_record);
    EXPECT_EQ(outcome->end, RecordEnd::kGuest);
    EXPECT_EQ(progress_.notices.size(), 1u);
    ASSERT_TRUE(writer_->close({}).ok());
    EXPECT_EQ(log_records(), trace_);
}

TEST_F(RecorderTest, AnEndRecordThatXenDidNotWriteClosesNoLog) {
    start(synthetic_log({.seed = 6, .entries = 5000}));
    xen_.on_wait = [&](FakeDomain& domain) {
        if (xen_.waits != 3) return;
        domain.log->produce(ring_of({trace_.back()}));
        domain.log->header().eof = 1;
        domain.running = false;
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.status().category(), Category::kInternal) << outcome.status().message();
    EXPECT_EQ(xen_.stops, 1);
}

TEST_F(RecorderTest, AnEndThatTheRingDoesNotSayIsNoticed) {
    start(synthetic_log({.seed = 6, .entries = 5000}));
    xen_.on_wait = [&](FakeDomain& domain) {
        if (xen_.waits != 3) return;
        domain.running = false;
        domain.status.mode = CASM_MODE_ENDED;  // somebody detached the rings
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_FALSE(outcome->has_end_record);
}

TEST_F(RecorderTest, AHeaderThatChangesIsReported) {
    for (const int field : {0, 1, 2}) {
        log_path_ = folder_ / ("log" + std::to_string(field));
        xen_.domains.clear();
        xen_.waits = xen_.stops = 0;
        start(synthetic_log({.seed = 6, .entries = 5000}));
        xen_.on_wait = [&](FakeDomain& domain) {
            casm_ring& header = domain.log->header();
            if (xen_.waits != 3) return;
            if (field == 0) header.magic = 0;
            if (field == 1) header.abi ^= 1;
            if (field == 2) header.size_bytes *= 2;
            domain.running = false;
        };
        const Result<RecordOutcome> outcome = run();
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(outcome.status().category(), Category::kInternal);
        EXPECT_EQ(xen_.stops, 1);
    }
}

/// Well-formed records that no recording can hold. What came before is kept, and can be read.
TEST_F(RecorderTest, RecordThatCannotBeIsReportedAndTheLogEndsBeforeIt) {
    const Record bad[] = {
        {.cls = CASM_CLS_EVTCHN, .aux = 0},
        {.cls = CASM_CLS_ENTRY, .kind = 9},
        {.cls = CASM_CLS_RING, .kind = 7, .blob = {1}},
        {.cls = CASM_CLS_INIT, .blob = std::vector<uint8_t>(4096)},
        {.cls = CASM_CLS_DIGEST, .kind = CASM_DIGEST_START},
        {.cls = CASM_CLS_END, .kind = CASM_END_SHUTDOWN, .blob = std::vector<uint8_t>(8)},
        {.cls = CASM_CLS_CONSOLE, .blob = {'x'}},
    };
    int run_number = 0;
    for (const Record& record : bad) {
        SCOPED_TRACE(std::string(class_name(record.cls)));
        log_path_ = folder_ / ("log" + std::to_string(run_number++));
        xen_.domains.clear();
        xen_.waits = xen_.stops = 0;
        start(synthetic_log({.seed = 6, .entries = 5000}));
        xen_.on_wait = [&](FakeDomain& domain) {
            if (xen_.waits != 3) return;
            domain.running = false;
            domain.log->produce(ring_of({record}));
        };
        const Result<RecordOutcome> outcome = run();
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(outcome.status().category(), Category::kInternal);
        const size_t good = xen_.domains[kDomain.value].position;
        EXPECT_NE(outcome.status().message().find("record " + std::to_string(good) + " (" +
                                                  std::string(class_name(record.cls)) + ")"),
                  std::string::npos)
            << outcome.status().message();
        EXPECT_EQ(xen_.stops, 1);
        ASSERT_TRUE(writer_->abandon().ok());
        EXPECT_EQ(log_records(),
                  std::vector<Record>(trace_.begin(), trace_.begin() + static_cast<ptrdiff_t>(good)));
    }
}

TEST_F(RecorderTest, PartOfARecordIsReported) {
    start(synthetic_log({.seed = 6, .entries = 5000}));
    xen_.on_wait = [&](FakeDomain& domain) {
        if (xen_.waits != 3) return;
        domain.running = false;
        domain.log->produce(ring_of({random_record(*std::make_unique<Random>(1), CASM_CLS_OUTMEM)}));
        domain.log->header().prod -= 8;
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.status().category(), Category::kInternal);
}

TEST_F(RecorderTest, ImpossibleProducerIsReported) {
    start(synthetic_log({.seed = 6, .entries = 5000}));
    xen_.on_wait = [&](FakeDomain& domain) {
        domain.running = false;
        domain.log->header().prod = ~uint64_t{0};
    };
    const Result<RecordOutcome> outcome = run();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.status().category(), Category::kInternal);
}

TEST_F(RecorderTest, FullDiskStopsTheRecordingAndKeepsTheGoodChunks) {
    // A limit on file sizes makes write() fail as a full disk does.
    start(synthetic_log({.seed = 7, .entries = 200000}));
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit small = before;
    small.rlim_cur = 200'000;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    const Result<RecordOutcome> outcome = run();
    const Status abandoned = writer_->abandon();
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.status().category(), Category::kHostLacks) << outcome.status().message();
    EXPECT_EQ(xen_.stops, 1);
    EXPECT_FALSE(std::filesystem::exists(log_path_));
    const std::vector<Record> records = log_records();
    EXPECT_GT(records.size(), 1000u);
    ASSERT_LT(records.size(), trace_.size());
    EXPECT_TRUE(std::equal(records.begin(), records.end(), trace_.begin()));
}

}  // namespace
}  // namespace casmotion::test
