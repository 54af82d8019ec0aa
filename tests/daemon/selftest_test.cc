// SPDX-License-Identifier: GPL-2.0-or-later
//
// The counter's self-test on a fake host: it says yes to an exact counter, and no, with the number that came
// out wrong, to any other; its result is remembered for one boot; recordings obey it.
#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "selftest/branch_readings.h"
#include "selftest/counter_gate.h"
#include "session/doctor.h"
#include "support/fake_toolstack.h"
#include "support/fake_xen.h"
#include "support/honest_config.h"
#include "support/log_files.h"
#include "support/selftest_trace.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class SelftestTest : public testing::Test {
  protected:
    SelftestTest() {
        xen_.info.counter = CASM_COUNTER_INTEL;
        xen_.info.counter_why = CASM_COUNTER_READY;
        DomainConfig& config = toolstack_.config_template;
        write_file(folder_ / "kernel", "k");
        config.json = honest_config(16384).dump();
        config.kernel = folder_ / "kernel";
        config.memory_bytes = 16u << 20;
        config.vcpus = 1;
        config.pv = true;
        toolstack_.trace_of_created = selftest_trace();
    }

    SessionHost host() { return {xen_, toolstack_, clock_, stop_, progress_}; }

    CounterVerdict examined(WhenToTest when = WhenToTest::kAlways) {
        const Result<CounterVerdict> verdict = examine_counter(host(), xen_.info, memory_, when);
        EXPECT_TRUE(verdict.ok()) << verdict.status().message();
        return verdict.ok() ? *verdict : CounterVerdict{};
    }

    Result<bool> decided(bool wanted = true) { return decide_counter(host(), xen_.info, memory_, wanted); }

    BranchReadings readings_of(const SelftestTraceOptions& options) {
        const std::string path = folder_ / ("log" + std::to_string(++logs_));
        write_log(path, synthetic_manifest({}), selftest_trace(options), {}, true);
        const auto reader = LogReader::open(path);
        Result<BranchReadings> readings = read_branches(**reader);
        EXPECT_TRUE(readings.ok()) << readings.status().message();
        return readings.ok() ? *readings : BranchReadings{};
    }

    TempFolder folder_;
    FakeClock clock_;
    FakeStop stop_;
    CollectedProgress progress_;
    FakeXen xen_{clock_};
    FakeToolstack toolstack_{xen_};
    CounterMemory memory_{folder_ / "run/counter"};
    int logs_ = 0;
};

TEST_F(SelftestTest, KnownNumbersOfAnExactCounterAreFoundWhereverTheRecordsFall) {
    for (unsigned first = 0; first < CASM_BRANCHES_INTERVAL; ++first) {
        const BranchReadings readings = readings_of({.first_entries = first});
        EXPECT_TRUE(readings.wrong.empty()) << first << ": " << to_text(readings.wrong.front());
        EXPECT_EQ(readings.points, 5u);
    }
}

TEST_F(SelftestTest, EveryPieceCanSayNo) {
    for (const char* piece : {
#define SELFTEST_PIECE(symbol, name, branches) #symbol,
#include "selftest/kernel/pieces.def"
#undef SELFTEST_PIECE
         }) {
        SCOPED_TRACE(piece);
        const BranchReadings more = readings_of({.off_by = {{piece, 1}}});
        ASSERT_EQ(more.wrong.size(), 1u);
        EXPECT_EQ(more.wrong[0].counted_branches, more.wrong[0].expected_branches + 1);
        const BranchReadings fewer = readings_of({.off_by = {{piece, -1}}});
        ASSERT_EQ(fewer.wrong.size(), 1u);
        EXPECT_EQ(fewer.wrong[0].counted_branches + 1, fewer.wrong[0].expected_branches);
    }
}

TEST_F(SelftestTest, CountOfAPointIsCompared) {
    const BranchReadings readings = readings_of({.point_off_by = 1});
    ASSERT_EQ(readings.wrong.size(), 1u);
    EXPECT_EQ(to_text(readings.wrong[0]),
              "'a point in the long loop' has 3,000,000 branches, 3,000,001 were counted");
}

TEST_F(SelftestTest, LogOfAnotherGuestIsNoResult) {
    write_log(folder_ / "other", synthetic_manifest({}), synthetic_log({}), {}, true);
    const auto reader = LogReader::open(folder_ / "other");
    EXPECT_EQ(read_branches(**reader).status().category(), Category::kInconclusive);
}

TEST_F(SelftestTest, ExactCounterIsUsableAndNothingIsLeft) {
    const CounterVerdict verdict = examined();
    EXPECT_EQ(verdict.health, CounterHealth::kUsable) << verdict.text;
    EXPECT_TRUE(contains(verdict.text, "branches counted exactly")) << verdict.text;
    EXPECT_EQ(toolstack_.created_in, "casmotion");
    EXPECT_TRUE(xen_.domains.empty());
    EXPECT_EQ(xen_.attached, 0);
    EXPECT_EQ(xen_.mapped, 0);
    EXPECT_FALSE(std::filesystem::exists(toolstack_.created_from)) << "the test's files";
    EXPECT_TRUE(progress_.notices.empty()) << progress_.notices.front();
    EXPECT_TRUE(*decided());
}

TEST_F(SelftestTest, CounterThatIsOffByOneIsNotExactAndRefused) {
    toolstack_.trace_of_created = selftest_trace({.off_by = {{"forced_cpuid", 1}, {"long_loop", -1}}});
    const CounterVerdict verdict = examined();
    EXPECT_EQ(verdict.health, CounterHealth::kNotExact);
    EXPECT_EQ(verdict.text,
              "'branches between forced CPUIDs' has 40 branches, 41 were counted, and 1 more known numbers "
              "came out wrong");
    const Result<bool> refused = decided();
    EXPECT_EQ(refused.status().category(), Category::kHostLacks);
    EXPECT_TRUE(contains(refused.status().message(), "41 were counted")) << refused.status().message();
    EXPECT_TRUE(contains(refused.status().message(), "--no-counter"));
    EXPECT_FALSE(*decided(false));
    EXPECT_EQ(counter_finding(verdict).health, Health::kBad);
}

TEST_F(SelftestTest, CounterThatWasWrongOnceStaysRefused) {
    toolstack_.trace_of_created = selftest_trace({.off_by = {{"taken", 1}}});
    examined();
    toolstack_.trace_of_created = selftest_trace();
    for (int i = 0; i < 2; ++i) {
        const CounterVerdict verdict = examined();
        EXPECT_EQ(verdict.health, CounterHealth::kNotExact);
        EXPECT_EQ(
            verdict.text,
            "'a loop of taken branches' has 1,000 branches, 1,001 were counted (in an earlier test since the "
            "host booted; the last one found nothing)");
    }
    EXPECT_EQ(decided().status().category(), Category::kHostLacks);
}

TEST_F(SelftestTest, ReplayThatCountsDifferentlyIsNotExact) {
    bool changed = false;
    xen_.on_wait = [&](FakeDomain& domain) {
        if (domain.status.mode != CASM_MODE_REPLAY || std::exchange(changed, true)) return;
        for (Record& record : domain.trace)
            if (record.cls == CASM_CLS_BRANCHES && record.w[0] > 1000) record.w[0] += 2;
    };
    const CounterVerdict verdict = examined();
    EXPECT_EQ(verdict.health, CounterHealth::kNotExact);
    EXPECT_TRUE(contains(verdict.text, "a replay counted")) << verdict.text;
}

TEST_F(SelftestTest, LateInterruptsGiveALargerMargin) {
    bool replaying = false;
    xen_.on_wait = [&](FakeDomain& domain) {
        if (domain.status.mode != CASM_MODE_REPLAY) return;
        replaying = true;
        domain.status.apoints.overflows = 5;
        domain.status.apoints.late_max_branches = 300;
    };
    const CounterVerdict verdict = examined();
    EXPECT_TRUE(replaying);
    EXPECT_EQ(verdict.health, CounterHealth::kUsable);
    EXPECT_EQ(verdict.late_max_branches, 300u);
    EXPECT_EQ(verdict.margin_branches, 1024u);
    EXPECT_TRUE(contains(verdict.text, "at most 300 branches late (margin 1,024)")) << verdict.text;
}

TEST_F(SelftestTest, RunWithoutOverflowInterruptsIsRepeated) {
    std::set<int> replays;  // by the number of the next domain
    xen_.on_wait = [&](FakeDomain& domain) {
        if (domain.status.mode != CASM_MODE_REPLAY) return;
        replays.insert(static_cast<int>(toolstack_.next_domid));
        if (replays.size() < 3) return;
        domain.status.apoints.overflows = 1;
        domain.status.apoints.late_max_branches = 20;
    };
    const CounterVerdict verdict = examined();
    EXPECT_EQ(replays.size(), 3u);
    EXPECT_EQ(verdict.health, CounterHealth::kUsable);
    EXPECT_TRUE(contains(verdict.text, "at most 20 branches late")) << verdict.text;
}

TEST_F(SelftestTest, RepetitionThatFailsTakesNothingBack) {
    xen_.on_wait = [&](FakeDomain& domain) {
        if (domain.status.mode == CASM_MODE_REPLAY) toolstack_.create_status = host_lacks("the pool is busy");
    };
    const CounterVerdict verdict = examined();
    EXPECT_EQ(verdict.health, CounterHealth::kUsable);
    EXPECT_TRUE(contains(verdict.text, "how late they come is not known")) << verdict.text;
}

TEST_F(SelftestTest, CounterWithoutOverflowInterruptsIsUsableAndItsLatenessUnknown) {
    EXPECT_TRUE(contains(examined().text, "how late they come is not known"));
}

TEST_F(SelftestTest, PointThatWasPassedIsTriedWithALargerMargin) {
    // Runs past its point unless the margin is large enough.
    xen_.on_wait = [this](FakeDomain& domain) {
        if (domain.status.mode != CASM_MODE_REPLAY || xen_.last_start.margin_branches >= 4096) return;
        for (Record& record : domain.trace)
            if (record.cls == CASM_CLS_APOINT && record.w[1] == 0x101000) {
                record.w[0] += 1000;
                record.w[1] += 8;
            }
    };
    const CounterVerdict verdict = examined();
    EXPECT_EQ(verdict.health, CounterHealth::kUsable) << verdict.text;
    EXPECT_EQ(verdict.margin_branches, 4096u);
}

TEST_F(SelftestTest, ResultIsRememberedForThisBootAndKey) {
    EXPECT_EQ(examined(WhenToTest::kIfUnknown).health, CounterHealth::kUsable);
    ASSERT_EQ(progress_.notices.size(), 1u);
    EXPECT_TRUE(contains(progress_.notices[0], "testing it")) << progress_.notices[0];
    const int destroyed = toolstack_.destroyed;
    const CounterVerdict again = examined(WhenToTest::kIfUnknown);
    EXPECT_EQ(toolstack_.destroyed, destroyed) << "it was not tested again";
    EXPECT_TRUE(contains(again.text, "counted exactly")) << again.text;

    CounterKey key = counter_key(toolstack_, CASM_COUNTER_INTEL);
    EXPECT_TRUE(memory_.recall(key));
    for (const auto& change : std::initializer_list<void (*)(CounterKey&)>{
             [](CounterKey& k) { k.boot_id += "x"; }, [](CounterKey& k) { k.xen_build_id = "other"; },
             [](CounterKey& k) { k.tool_version = "9"; },
             [](CounterKey& k) { k.counter = CASM_COUNTER_AMD; }}) {
        CounterKey other = key;
        change(other);
        EXPECT_FALSE(memory_.recall(other));
    }
}

TEST_F(SelftestTest, MemoryThatMakesNoSenseCountsAsNone) {
    const CounterKey key = counter_key(toolstack_, CASM_COUNTER_INTEL);
    for (const char* content : {"", "{", "[]", "{\"for\": 1}", "\xff\xff", "{\"for\":{},\"exact\":true}"}) {
        std::filesystem::create_directories(folder_ / "run");
        write_file(folder_ / "run/counter", content);
        EXPECT_FALSE(memory_.recall(key)) << content;
    }
    ASSERT_TRUE(memory_.remember(key, {CounterHealth::kNotExact, "why", 7, 8}).ok());
    const auto known = memory_.recall(key);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->health, CounterHealth::kNotExact);
    EXPECT_EQ(known->text, "why");
    EXPECT_EQ(known->late_max_branches, 7u);
    EXPECT_EQ(known->margin_branches, 8u);
}

TEST_F(SelftestTest, HostWithoutACounterRecordsAndSaysWhatThatMeans) {
    xen_.info.counter = CASM_COUNTER_ABSENT;
    xen_.info.counter_why = CASM_COUNTER_NO_EVENT;
    EXPECT_EQ(examined().health, CounterHealth::kAbsent);
    EXPECT_EQ(counter_finding(examined()).health, Health::kNote);
    EXPECT_FALSE(*decided());
    ASSERT_EQ(progress_.notices.size(), 2u);
    EXPECT_TRUE(contains(progress_.notices[0], "wait until the guest enters Xen"));
    EXPECT_TRUE(contains(progress_.notices[1], "290 ms"));
    EXPECT_EQ(toolstack_.next_domid, 5) << "no domain was built";
}

TEST_F(SelftestTest, PoolInUseSkipsTheTestAndRefusesARecording) {
    xen_.info.user_domid = toolstack_.add_domain("other", {}).value;
    const CounterVerdict verdict = examined();
    EXPECT_EQ(verdict.health, CounterHealth::kUntested);
    EXPECT_EQ(counter_finding(verdict).health, Health::kSkipped);
    EXPECT_TRUE(contains(counter_finding(verdict).text, "in use by domain 5"));
    EXPECT_EQ(decided().status().category(), Category::kHostLacks);
    EXPECT_TRUE(contains(decided().status().message(), "casmotion doctor"));
    // Once it is known, the pool may be in use: a domain that waits to be recorded has it.
    xen_.info.user_domid = -1;
    examined();
    xen_.info.user_domid = 5;
    EXPECT_TRUE(*decided());
    EXPECT_EQ(examined().health, CounterHealth::kUsable);
}

TEST_F(SelftestTest, TestThatFailsIsNoVerdict) {
    toolstack_.create_status = host_lacks("cannot run xl");
    EXPECT_EQ(examine_counter(host(), xen_.info, memory_, WhenToTest::kAlways).status().category(),
              Category::kHostLacks);
    EXPECT_TRUE(contains(decided().status().message(), "cannot run xl"));
    toolstack_.create_status = {};
    toolstack_.trace_of_created = selftest_trace();
    toolstack_.trace_of_created.back().kind = CASM_END_CRASHED;
    EXPECT_TRUE(contains(decided().status().message(), "did not run to its end"))
        << decided().status().message();
    toolstack_.trace_of_created = selftest_trace();
    stop_.press();
    EXPECT_EQ(decided().status().category(), Category::kInconclusive);
    EXPECT_TRUE(xen_.domains.empty());
}

}  // namespace
}  // namespace casmotion::test
