// SPDX-License-Identifier: GPL-2.0-or-later
//
// The query over one window says yes, no and "cannot be told" where it should, and agrees with the order
// rules.
#include "window_query.h"

#include <gtest/gtest.h>

#include "casmotion/entry_outputs.h"
#include "casmotion/order_check.h"
#include "casmotion/taxonomy.h"
#include "support/seed.h"
#include "support/synthetic_log.h"

namespace casmotion::trace {
namespace {

constexpr std::uint32_t kPlenty = 2'000'000;

Record entry(casm_entry_kind kind, std::uint32_t detail) {
    return {.cls = CASM_CLS_ENTRY, .kind = static_cast<std::uint8_t>(kind), .aux = detail};
}
Record tsc() {
    return {.cls = CASM_CLS_TSC, .w = {1, 0, 0}};
}
Record evtchn() {
    return {.cls = CASM_CLS_EVTCHN, .aux = 3};
}
Record apoint(casm_apoint_kind kind) {
    return {.cls = CASM_CLS_APOINT,
            .kind = static_cast<std::uint8_t>(kind),
            .w = {1, 2, 3},
            .blob = std::vector<std::uint8_t>(24)};
}

WindowAnswer ask(const std::vector<Record>& records, std::uint32_t rlimit = kPlenty) {
    WindowQuery query(rlimit);
    std::vector<Symbol> shape;
    for (const Record& record : records) shape.push_back(symbol_of(record));
    return query.ask(shape);
}

TEST(WindowQuery, ATripWithAllItsOutputsHasOneEnd) {
    EXPECT_EQ(ask({tsc(), entry(CASM_ENTRY_PRIVOP, kPrivopFastRdtsc), evtchn()}).verdict, Verdict::kHolds);
    EXPECT_EQ(ask({entry(CASM_ENTRY_EXCEPTION, 14)}).verdict, Verdict::kHolds);
    EXPECT_EQ(ask({{.cls = CASM_CLS_OUTMEM, .blob = {1}},
                   {.cls = CASM_CLS_RESULT, .kind = 17},
                   entry(CASM_ENTRY_HYPERCALL, 17)})
                  .verdict,
              Verdict::kHolds);
}

// A guest that steps itself: its trap is raised while the instruction is emulated.
TEST(WindowQuery, ADebugTrapWithinAnEmulatedInstructionIsPartOfItsTrip) {
    const std::vector<Record> records{tsc(), entry(CASM_ENTRY_EXCEPTION, 1),
                                      entry(CASM_ENTRY_PRIVOP, kPrivopFastRdtsc), evtchn(),
                                      entry(CASM_ENTRY_EXCEPTION, 1)};
    WindowCollector collector(10);
    for (std::size_t i = 0; i < records.size(); ++i) collector.add(records[i], i, 0);
    collector.finish();
    ASSERT_EQ(collector.shapes().size(), 2u);
    EXPECT_EQ(to_text(collector.shapes()[0].shape), "tsc, entry exception, entry privop 0xf31, evtchn");
    EXPECT_EQ(ask({records.begin(), records.begin() + 4}).verdict, Verdict::kHolds);
}

// A point at each instruction: what is asked about a stretch grows faster than the stretch.
TEST(WindowQuery, ALongStretchOfPointsIsCut) {
    WindowCollector collector(10);
    collector.add(entry(CASM_ENTRY_EXCEPTION, 14), 0, 0);
    for (std::uint64_t i = 1; i <= 1000; ++i) collector.add(apoint(CASM_APOINT_BY_STATE), i, 1);
    collector.finish();
    EXPECT_EQ(collector.windows(), 250u);
    EXPECT_EQ(collector.shapes().size(), 2u) << "the one with the entry, and all others";
    for (const ShapeUse& use : collector.shapes()) EXPECT_LE(use.shape.size(), 5u);
}

TEST(WindowQuery, AMissingInputIsNamed) {
    for (const auto& [record, cls] : {std::pair{entry(CASM_ENTRY_PRIVOP, kPrivopFastRdtsc), "tsc"},
                                      std::pair{entry(CASM_ENTRY_FORCED_CPUID, 0), "cpuid"},
                                      std::pair{entry(CASM_ENTRY_HYPERCALL, 17), "result"}}) {
        const WindowAnswer answer = ask({record, evtchn()});
        EXPECT_EQ(answer.verdict, Verdict::kRefuted) << cls;
        EXPECT_EQ(answer.condition, Condition::kC3) << cls;
        EXPECT_NE(answer.reason.find("class " + std::string(cls)), std::string::npos) << answer.reason;
    }
}

TEST(WindowQuery, OutputsThatNobodyAsksForAreImpossible) {
    for (const std::vector<Record>& records :
         {std::vector{tsc(), tsc(), entry(CASM_ENTRY_PRIVOP, kPrivopFastRdtsc)},
          std::vector{tsc(), entry(CASM_ENTRY_PRIVOP, 0xfa)},
          std::vector{Record{.cls = CASM_CLS_RESULT, .kind = 1}, entry(CASM_ENTRY_HYPERCALL, 1)}}) {
        const WindowAnswer answer = ask(records);
        EXPECT_EQ(answer.verdict, Verdict::kRefuted) << answer.reason;
        EXPECT_EQ(answer.condition, Condition::kC3) << answer.reason;
    }
}

TEST(WindowQuery, ABranchCountNamesOnePlaceAndAStateMayNot) {
    const Record before = entry(CASM_ENTRY_TOGGLE, 0);
    EXPECT_EQ(ask({before, apoint(CASM_APOINT_CANONICAL), evtchn()}).verdict, Verdict::kHolds);
    EXPECT_EQ(ask({before, evtchn(), apoint(CASM_APOINT_CANONICAL), evtchn(), apoint(CASM_APOINT_CANONICAL)})
                  .verdict,
              Verdict::kHolds);
    const WindowAnswer answer = ask({before, apoint(CASM_APOINT_BY_STATE), evtchn()});
    EXPECT_EQ(answer.verdict, Verdict::kCannotTell);
    EXPECT_EQ(answer.condition, Condition::kC4);
    // A missing input is the graver fault, wherever it is.
    EXPECT_EQ(ask({entry(CASM_ENTRY_FORCED_CPUID, 0), apoint(CASM_APOINT_CANONICAL)}).verdict,
              Verdict::kRefuted);
}

TEST(WindowQuery, ASolverThatGivesUpIsNoYes) {
    const WindowAnswer answer = ask({tsc(), entry(CASM_ENTRY_PRIVOP, kPrivopFastRdtsc), evtchn()}, 1);
    EXPECT_EQ(answer.verdict, Verdict::kCannotTell);
    EXPECT_NE(answer.reason.find("gave up"), std::string::npos);
}

TEST(WindowQuery, TheSameQuestionsTakeTheSameSteps) {
    const auto steps = [] {
        WindowQuery query(kPlenty);
        static_cast<void>(
            query.ask({symbol_of(tsc()), symbol_of(entry(CASM_ENTRY_PRIVOP, kPrivopFastRdtsc))}));
        static_cast<void>(
            query.ask({symbol_of(entry(CASM_ENTRY_PTWR, 0)), symbol_of(apoint(CASM_APOINT_CANONICAL))}));
        return query.steps();
    };
    EXPECT_GT(steps(), 0u);
    EXPECT_EQ(steps(), steps());
}

// Two answers to one question: is this a possible set of outputs of that entry? One by rules, one by the
// solver.
TEST(WindowQuery, AgreesWithTheOrderRules) {
    const std::uint64_t seed = test::test_seed();
    SCOPED_TRACE(test::repeat_with(seed));
    test::Random random(seed);
    WindowQuery query(kPlenty);
    unsigned good = 0, bad = 0;
    for (int i = 0; i < 400; ++i) {
        std::vector<Record> trip;
        constexpr std::uint8_t kOutputs[] = {CASM_CLS_TSC, CASM_CLS_MSR, CASM_CLS_CPUID};
        const bool call = test::uniform(random, 0, 1) != 0;
        for (std::uint64_t n = test::uniform(random, 0, 2); n != 0; --n) {
            constexpr std::uint8_t kCalls[] = {1, 12, 17};
            if (call) {
                trip.push_back({.cls = CASM_CLS_RESULT, .kind = kCalls[test::uniform(random, 0, 2)]});
            } else {
                trip.push_back({.cls = kOutputs[test::uniform(random, 0, 2)]});
            }
        }
        if (call) {
            constexpr std::uint32_t kNumbers[] = {1, 12, 17};
            trip.push_back(entry(CASM_ENTRY_HYPERCALL, kNumbers[test::uniform(random, 0, 2)]));
        } else {
            constexpr std::uint32_t kOpcodes[] = {kPrivopFastRdtsc, 0x31, 0x32, 0xa2, 0xfa};
            trip.push_back(entry(CASM_ENTRY_PRIVOP, kOpcodes[test::uniform(random, 0, 4)]));
        }
        // What calls the results are of is for the order rules alone: the query counts.
        for (Record& record : trip)
            if (record.cls == CASM_CLS_RESULT && trip.back().aux != 1)
                record.kind = static_cast<std::uint8_t>(trip.back().aux);
        OrderCheck rules({.digest_interval = 0, .check_bits = 8});
        EXPECT_FALSE(rules.next({.cls = CASM_CLS_INIT}));
        EXPECT_FALSE(rules.next({.cls = CASM_CLS_DIGEST}));
        bool refused = false;
        for (const Record& record : trip) refused = refused || rules.next(record).has_value();
        std::vector<Symbol> shape;
        for (const Record& record : trip) shape.push_back(symbol_of(record));
        const WindowAnswer answer = query.ask(shape);
        EXPECT_EQ(answer.verdict == Verdict::kHolds, !refused) << to_text(shape) << ": " << answer.reason;
        (refused ? bad : good) += 1;
    }
    EXPECT_GT(good, 20u);
    EXPECT_GT(bad, 20u);
}

TEST(Windows, EveryRecordIsInOneWindowAndShapesAreFew) {
    const std::uint64_t seed = test::test_seed();
    SCOPED_TRACE(test::repeat_with(seed));
    WindowCollector collector(100'000);
    std::uint64_t index = 0, ordinal = 0, inside = 0;
    for (const Record& record : test::synthetic_log({.seed = seed, .entries = 5000})) {
        collector.add(record, index++, ordinal);
        const Timing timing = find_class(record.cls)->timing;
        inside += timing != Timing::kMeta ? 1 : 0;
        ordinal += record.cls == CASM_CLS_ENTRY ? 1 : 0;
    }
    collector.finish();
    std::uint64_t windows = 0, records = 0;
    for (const ShapeUse& use : collector.shapes()) {
        windows += use.windows;
        records += use.windows * use.shape.size();
    }
    EXPECT_EQ(windows, collector.windows());
    EXPECT_EQ(records, inside);
    EXPECT_LT(collector.shapes().size(), windows / 2);
}

TEST(Windows, TooManyShapesAreSaid) {
    WindowCollector collector(1);
    for (int i = 0; i < 3; ++i) collector.add(entry(CASM_ENTRY_PTWR, 0), 0, 0);
    EXPECT_TRUE(collector.complete());
    collector.add(entry(CASM_ENTRY_TOGGLE, 0), 3, 3);
    collector.finish();
    EXPECT_FALSE(collector.complete());
}

}  // namespace
}  // namespace casmotion::trace
