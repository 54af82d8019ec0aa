// SPDX-License-Identifier: GPL-2.0-or-later
//
// The claim itself, on a model: record under one surrounding, replay under another, same states.
#include "support/model.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <span>
#include <vector>

#include "casmotion/ring_codec.h"

namespace casmotion::test {
namespace {

constexpr unsigned kCases = 25;

// The classes in a log, which must be well-formed records in the ranges of the taxonomy.
std::map<unsigned, unsigned> classes_in(const std::vector<std::uint8_t>& log) {
    std::map<unsigned, unsigned> counts;
    std::span<const std::byte> rest = std::as_bytes(std::span(log));
    while (!rest.empty()) {
        Record record;
        const auto size = decode_ring(rest, record);
        EXPECT_TRUE(size.ok() && *size != 0) << "not a record";
        if (!size.ok() || *size == 0) break;
        EXPECT_TRUE(check_fields(record).ok());
        counts[static_cast<unsigned>(record.cls)]++;
        rest = rest.subspan(*size);
    }
    return counts;
}

void expect_equal(const Outcome& replay, const Outcome& record) {
    EXPECT_EQ(replay.status.mode, CASM_MODE_ENDED);
    EXPECT_EQ(replay.status.end_reason, record.status.end_reason);
    EXPECT_EQ(replay.status.end_code, record.status.end_code);
    EXPECT_EQ(replay.status.ordinal, record.status.ordinal);
    EXPECT_EQ(replay.status.records, record.status.records);
    EXPECT_EQ(replay.status.hash, record.status.hash);
    EXPECT_EQ(replay.guest_state, record.guest_state);
    EXPECT_EQ(replay.memory, record.memory);
    EXPECT_EQ(replay.upcalls, record.upcalls);
    EXPECT_EQ(replay.printed, record.printed);
    EXPECT_EQ(replay.console, replay.printed) << "a replay shows all of it";
    EXPECT_TRUE(record.printed.starts_with(record.console)) << record.console;
    for (unsigned cls = 0; cls < CASM_CLASSES_MAX; ++cls)
        EXPECT_EQ(replay.status.applied[cls], record.status.applied[cls]) << "class " << cls;
}

TEST(Model, AReplayUnderOtherSurroundingsPassesThroughTheSameStates) {
    std::set<unsigned> seen;
    for (unsigned i = 0; i < kCases; ++i) {
        const std::uint64_t seed = base_seed() + i;
        CASMOTION_TRACE_SEED(seed);
        std::vector<std::uint8_t> log;
        const Outcome record = record_model(seed, seed + 1, {}, log);
        ASSERT_EQ(record.status.mode, CASM_MODE_ENDED);
        ASSERT_EQ(record.status.end_reason, CASM_END_SHUTDOWN);
        for (const auto& [cls, count] : classes_in(log)) {
            seen.insert(cls);
            EXPECT_EQ(count, record.status.logged[cls]) << "class " << cls;
        }
        const Outcome replay = replay_model(seed, seed + 2, {}, log);
        expect_equal(replay, record);
        EXPECT_GT(record.upcalls, 0u);
        EXPECT_GT(replay.stray_exits, 0u);
        EXPECT_GT(replay.events_dropped, 0u);
        if (HasFailure()) return;
    }
    for (unsigned cls = 1; cls <= CASM_CLS_END; ++cls)
        EXPECT_TRUE(seen.contains(cls)) << "class " << cls << " never came up";
}

TEST(Model, ARecordingThatDom0StopsReplaysUpToThere) {
    ModelOptions options;
    options.stop_early = true;
    for (unsigned i = 0; i < kCases; ++i) {
        const std::uint64_t seed = base_seed() + i;
        CASMOTION_TRACE_SEED(seed);
        std::vector<std::uint8_t> log;
        const Outcome record = record_model(seed, seed + 1, options, log);
        ASSERT_EQ(record.status.end_reason, CASM_END_STOPPED);
        const Outcome replay = replay_model(seed, seed + 2, options, log);
        EXPECT_EQ(replay.status.end_reason, CASM_END_STOPPED);
        EXPECT_EQ(replay.status.ordinal, record.status.ordinal);
        EXPECT_EQ(replay.status.hash, record.status.hash);
        if (HasFailure()) return;
    }
}

TEST(Model, ALogCutAnywhereReplaysUpToThere) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    ModelOptions options;
    options.steps = 300;
    std::vector<std::uint8_t> log;
    const Outcome record = record_model(seed, seed + 1, options, log);
    Random random(seed);
    for (int i = 0; i < 60; ++i) {
        // Past the first digest: without it there is no start.
        const std::size_t cut = (4200 + random.below(log.size() - 4200)) & ~std::size_t{7};
        const Outcome replay =
            replay_model(seed, seed + 3, options, {log.begin(), log.begin() + static_cast<long>(cut)});
        EXPECT_EQ(replay.status.mode, CASM_MODE_ENDED) << cut;
        EXPECT_EQ(replay.status.end_reason, CASM_END_NONE) << cut;
        EXPECT_LE(replay.status.ordinal, record.status.ordinal);
        if (HasFailure()) return;
    }
}

TEST(Model, EqualSurroundingsGiveEqualLogs) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    std::vector<std::uint8_t> first, second;
    record_model(seed, seed + 1, {}, first);
    record_model(seed, seed + 1, {}, second);
    EXPECT_EQ(first, second);
}

// The checks can say no: a class that is not logged must be noticed. META classes and checks have no hook to
// lose.
class EachLostClass : public testing::TestWithParam<unsigned> {};

TEST_P(EachLostClass, MakesTheReplayDiverge) {
    ModelOptions options;
    options.disable = 1u << GetParam();
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    std::vector<std::uint8_t> log;
    record_model(seed, seed + 1, options, log);
    const Outcome replay = replay_model(seed, seed + 2, options, log);
    EXPECT_EQ(replay.status.mode, CASM_MODE_DIVERGED);
}
INSTANTIATE_TEST_SUITE_P(Model, EachLostClass,
                         testing::Values(CASM_CLS_ENTRY, CASM_CLS_TSC, CASM_CLS_MSR, CASM_CLS_CPUID,
                                         CASM_CLS_RESULT, CASM_CLS_OUTMEM, CASM_CLS_EVTCHN, CASM_CLS_RING));

// One bit of one value in the log is another: the guest sees it, and the next check says so.
TEST(Model, AFlippedBitOfAnInputIsNoticed) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    ModelOptions options;
    options.steps = 300;
    std::vector<std::uint8_t> log;
    const Outcome record = record_model(seed, seed + 1, options, log);
    Random random(seed);
    for (int i = 0; i < 100; ++i) {
        auto changed = log;
        changed[random.below(log.size() - 168)] ^= static_cast<std::uint8_t>(1u << random.below(8));
        const Outcome replay = replay_model(seed, seed + 2, options, changed);
        // Padding, the flag words of a blob nobody reads, and an INIT that the guest overwrites change
        // nothing.
        const bool noticed =
            replay.status.mode == CASM_MODE_DIVERGED || replay.status.end_reason == CASM_END_NONE;
        EXPECT_TRUE(noticed || (replay.guest_state == record.guest_state && replay.memory == record.memory));
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace casmotion::test
