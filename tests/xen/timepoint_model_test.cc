// SPDX-License-Identifier: GPL-2.0-or-later
//
// Time points from end to end: small random programs, recorded, and replayed under other surroundings: the
// same states.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/small_guest.h"

namespace casmotion::test {
namespace {

struct Totals {
    std::uint64_t canonical = 0, by_state = 0, upcalls = 0, entries = 0, overflows = 0, late_max = 0;
    unsigned nameless = 0;
};

void round_trip(std::uint64_t seed, GuestOptions options, Totals& totals) {
    CASMOTION_TRACE_SEED(seed);
    options.program = seed;
    options.surroundings = seed + 1;
    std::vector<std::uint8_t> log;
    const GuestRun record = record_small_guest(options, log);
    ASSERT_EQ(record.leak, nullptr) << record.leak;
    if (record.status.mode == CASM_MODE_RECORD && record.nameless) {
        totals.nameless++;
        return;
    }
    ASSERT_EQ(record.status.end_reason, CASM_END_STOPPED);

    options.surroundings = seed + 2;
    const GuestRun replay = replay_small_guest(options, log);
    ASSERT_EQ(replay.leak, nullptr) << replay.leak;
    ASSERT_EQ(replay.status.mode, CASM_MODE_ENDED)
        << "diverged at record " << replay.status.divergence.record << ", class "
        << unsigned{replay.status.divergence.expected.cls};
    EXPECT_EQ(replay.status.end_reason, CASM_END_STOPPED);
    EXPECT_EQ(replay.passages, record.passages);
    EXPECT_EQ(replay.status.hash, record.status.hash);
    EXPECT_EQ(replay.status.ordinal, record.status.ordinal);
    EXPECT_EQ(replay.status.branches, record.status.branches);
    EXPECT_EQ(replay.status.records, record.status.records);
    EXPECT_EQ(replay.status.apoints.canonical, record.status.apoints.canonical);
    EXPECT_EQ(replay.status.apoints.by_state, record.status.apoints.by_state);
    EXPECT_LE(replay.status.apoints.late_max_branches,
              options.skid + 1);  // the interrupt itself may be counted
    totals.overflows += replay.status.apoints.overflows;
    totals.late_max = std::max(totals.late_max, replay.status.apoints.late_max_branches);
    totals.canonical += record.status.apoints.canonical;
    totals.by_state += record.status.apoints.by_state;
    for (const Passage& passage : record.passages) (passage.upcall ? totals.upcalls : totals.entries)++;
}

TEST(SmallGuests, AReplayPassesThroughTheSameStates) {
    Totals totals;
    for (unsigned i = 0; i < 150; ++i) {
        round_trip(base_seed() + i, {}, totals);
        if (HasFailure()) return;
    }
    EXPECT_GT(totals.canonical, 100u);
    EXPECT_GT(totals.by_state, 0u);
    EXPECT_GT(totals.upcalls, 100u);
    EXPECT_GT(totals.entries, 1000u);
    EXPECT_LT(totals.nameless, 30u) << "of 150";
}

TEST(SmallGuests, LateInterruptsUpToTheMarginChangeNothing) {
    Totals totals;
    GuestOptions options;
    options.cpu_bound = true;
    options.instructions = 40000;
    options.instructions_per_signal = 6000;
    for (const std::uint64_t skid :
         {std::uint64_t{0}, std::uint64_t{200}, std::uint64_t{CASM_MATCH_MARGIN_DEFAULT - 1}}) {
        options.skid = skid;
        for (unsigned i = 0; i < 25; ++i) {
            round_trip(base_seed() + i, options, totals);
            if (HasFailure()) return;
        }
    }
    EXPECT_GT(totals.overflows, 5u);
    EXPECT_GT(totals.late_max, 30u);
}

TEST(SmallGuests, PointsAtEveryBoundaryLeakNothing) {
    Totals totals;
    GuestOptions options;
    options.instructions = 600;
    for (unsigned i = 0; i < 60; ++i) {
        options.dense_every = 1 + i % 3;
        round_trip(base_seed() + i, options, totals);
        if (HasFailure()) return;
    }
    EXPECT_GT(totals.canonical, 100u);
    EXPECT_GT(totals.by_state, 1000u);
}

// The round trip can say no: an interrupt later than the margin passes points, and is never taken for one.
TEST(SmallGuests, ALaterInterruptThanTheMarginIsNoticed) {
    GuestOptions options;
    unsigned diverged = 0;
    for (unsigned i = 0; i < 1000 && diverged < 3; ++i) {
        const std::uint64_t seed = base_seed() + i;
        CASMOTION_TRACE_SEED(seed);
        options.program = seed;
        options.surroundings = seed + 1;
        options.cpu_bound = true;
        options.instructions = 40000;
        options.instructions_per_signal = 6000;
        options.skid = 0;
        std::vector<std::uint8_t> log;
        const GuestRun record = record_small_guest(options, log);
        if (record.nameless) continue;
        options.skid = 4000;
        const GuestRun replay = replay_small_guest(options, log);
        if (replay.status.mode == CASM_MODE_DIVERGED) {
            diverged++;
            EXPECT_EQ(replay.status.divergence.expected.cls, CASM_CLS_APOINT);
        } else {
            EXPECT_EQ(replay.passages, record.passages);
        }
        if (HasFailure()) return;
    }
    EXPECT_EQ(diverged, 3u);
}

}  // namespace
}  // namespace casmotion::test
