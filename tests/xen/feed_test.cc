// SPDX-License-Identifier: GPL-2.0-or-later
//
// A log from somebody else: each place that takes records from the feed accepts the right one, and refuses
// what does not fit before it copies anything.
#include "support/feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string>

#include "support/seed.h"

namespace casmotion::test {
namespace {

class EachConsumer : public testing::TestWithParam<Consumer> {
  protected:
    // Takes the record, changed by `change`; what is in front of it and behind it is as it should be.
    template <typename Change>
    void take(Change change, std::uint64_t pos = 0) {
        const Consumer& consumer = GetParam();
        f.rewind(consumer.started, pos);
        const Bytes before = consumer.before(f);
        Bytes record = consumer.record(f);
        const Bytes behind = consumer.behind(f);
        change(record);
        logged_ = f.c.logged[consumer.cls] + (!before.empty() && before[0] == consumer.cls ? 1 : 0);
        f.feed(before);
        f.feed(record);
        f.feed(behind);
        if (consumer.started) f.feed(Bytes(CASM_TRIP_BYTES, 0xee));  // the log goes on
        consumer.take(f);
    }
    bool accepted() { return f.c.logged[GetParam().cls] > logged_; }
    void expect_refused(const casm_rec& header) {
        EXPECT_FALSE(accepted());
        EXPECT_EQ(casm_told_mode(&f.c), CASM_MODE_DIVERGED);
        EXPECT_EQ(std::memcmp(&f.c.divergence.expected, &header, 8), 0) << "the record at fault is named";
        EXPECT_EQ(f.world.cpu().paused, 1);
    }

    FeedWorld f;
    std::uint64_t logged_ = 0;
};

TEST_P(EachConsumer, TakesTheRightRecordWhereverItLiesInTheRing) {
    for (const std::uint64_t pos : {0, 8, 24, 64, 1000, 2048, 4104, 5000})
        for (const std::uint64_t lap : {0u, 1u, 77u}) {
            take([](Bytes&) {}, (lap + 1) * CASM_RING_MIN_BYTES - pos);
            EXPECT_TRUE(accepted()) << pos;
            EXPECT_NE(casm_told_mode(&f.c), CASM_MODE_DIVERGED) << pos;
        }
}

class EachBlob : public EachConsumer {};
class EachEnd : public EachConsumer {};

TEST_P(EachBlob, OfAnyLengthButThoseThatFitIsRefused) {
    unsigned taken = 0;
    for (unsigned length = 0; length <= CASM_BLOB_MAX_BYTES + 9; ++length) {
        const unsigned check = length <= CASM_BLOB_MAX_BYTES + 8 ? length : 0xffff;
        casm_rec header{};
        take([&](Bytes& record) {
            std::memcpy(&header, record.data(), 8);
            header.check = static_cast<std::uint16_t>(check);
            std::memcpy(record.data(), &header, 8);
        });
        if (accepted()) {
            ++taken;
            continue;
        }
        expect_refused(header);
        if (HasFailure()) FAIL() << "length " << check;
    }
    EXPECT_GE(taken, 1u);
    const bool small = GetParam().cls == CASM_CLS_END || GetParam().cls == CASM_CLS_APOINT;
    EXPECT_TRUE(!small || taken <= CASM_CLASSES_MAX * 8u) << "no more than the buffer holds";
}

TEST_P(EachConsumer, RefusesAnotherClass) {
    for (unsigned cls = 0; cls < 256; ++cls) {
        if (cls == GetParam().cls) continue;
        take([&](Bytes& record) { record[0] = static_cast<std::uint8_t>(cls); });
        EXPECT_FALSE(accepted()) << cls;
    }
}

// The producer's counter says anything, at any look: no record is taken that was never there.
TEST_P(EachConsumer, BelievesNoProducerThatWentBackOrTooFar) {
    const std::uint64_t pos = 3 * CASM_RING_MIN_BYTES;
    for (const std::uint64_t lie : {pos - 8, pos - 1, pos - CASM_RING_MIN_BYTES,
                                    pos + CASM_RING_MIN_BYTES + 1, pos + CASM_RING_MIN_BYTES + 8,
                                    ~std::uint64_t{0}, std::uint64_t{0}, pos + (std::uint64_t{1} << 63)}) {
        f.rewind(GetParam().started, pos);
        const Bytes before = GetParam().before(f), record = GetParam().record(f),
                    behind = GetParam().behind(f);
        logged_ = f.c.logged[GetParam().cls] + (!before.empty() && before[0] == GetParam().cls ? 1 : 0);
        f.feed(before);
        f.feed(record);
        f.feed(behind);
        f.header().prod = lie;
        GetParam().take(f);
        EXPECT_FALSE(accepted()) << std::hex << lie;
        EXPECT_EQ(f.c.feed.pos, pos);
        EXPECT_LE(f.c.feed.other - f.c.feed.pos, CASM_RING_MIN_BYTES);
    }
}

std::string name_of(const testing::TestParamInfo<Consumer>& info) {
    std::string name;
    for (const char* p = info.param.name; *p != 0; ++p)
        if (std::isalnum(static_cast<unsigned char>(*p)) != 0) name += *p;
    return name;
}
std::vector<Consumer> with_blobs() {
    std::vector<Consumer> list;
    std::copy_if(consumers().begin(), consumers().end(), std::back_inserter(list),
                 [](const Consumer& consumer) { return consumer.blob; });
    return list;
}
INSTANTIATE_TEST_SUITE_P(Feed, EachConsumer, testing::ValuesIn(consumers().begin(), consumers().end()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Feed, EachBlob, testing::ValuesIn(with_blobs()), name_of);

// The attack as it was seen: 4096 bytes into 128 on Xen's stack.
TEST(Feed, AnEndThatIsTooLongDiverges) {
    FeedWorld f;
    f.rewind(true);
    const std::array<std::uint64_t, 2> words{0, CASM_HASH_SEED};
    f.feed(record_bytes({CASM_CLS_END, CASM_END_DESTROYED, 0, 0}, words, Bytes(4096, 0x41)));
    casm_end(&f.c, CASM_END_DESTROYED, 0);
    EXPECT_EQ(casm_told_mode(&f.c), CASM_MODE_DIVERGED);
    EXPECT_EQ(f.c.divergence.expected.cls, CASM_CLS_END);
}

// An end is one place: a replay whose registers are others there diverges, whatever ended it.
TEST_P(EachEnd, WithOtherRegistersDiverges) {
    take([](Bytes&) {});
    ASSERT_TRUE(accepted());
    f.rewind(true);
    f.feed(GetParam().before(f));
    f.feed(GetParam().record(f));
    f.feed(Bytes(CASM_TRIP_BYTES, 0xee));
    shim.regs.r15 ^= 1;
    GetParam().take(f);
    shim.regs.r15 ^= 1;
    EXPECT_EQ(casm_told_mode(&f.c), CASM_MODE_DIVERGED);
    EXPECT_EQ(f.c.divergence.actual.cls, CASM_CLS_END);
    EXPECT_EQ(f.c.divergence.expected_w[0], f.c.divergence.actual_w[0]);
    EXPECT_NE(f.c.divergence.expected_w[1], f.c.divergence.actual_w[1]);
}
std::vector<Consumer> ends() {
    std::vector<Consumer> list;
    std::copy_if(consumers().begin(), consumers().end(), std::back_inserter(list),
                 [](const Consumer& consumer) {
                     return consumer.cls == CASM_CLS_END &&
                            std::string(consumer.name).find("destroyed") == std::string::npos;
                 });
    return list;
}
INSTANTIATE_TEST_SUITE_P(Feed, EachEnd, testing::ValuesIn(ends()), name_of);

TEST(Feed, ABlobFillsItsBufferAndNothingElse) {
    FeedWorld f;
    for (const unsigned size : {1u, 7u, 8u, 9u, 24u, 128u, 1024u, 4096u})
        for (const unsigned length : {1u, 2u, 7u, 8u, size - 1, size, size + 1, size + 8, 4096u}) {
            if (length == 0 || length > 4096) continue;
            f.rewind(true, 2 * CASM_RING_MIN_BYTES - 40);
            Bytes blob(length);
            std::iota(blob.begin(), blob.end(), 1);
            f.feed(record_bytes({CASM_CLS_RING, 0, 0, 0}, {}, blob));
            Bytes buffer(size + 64, 0xcc);
            casm_rec rec{CASM_CLS_RING, 0, 0, 0};
            const bool taken = casm_take_blob(&f.c, &rec, nullptr, 0, buffer.data(), size);
            EXPECT_EQ(taken, length <= size) << size << " " << length;
            const std::size_t filled = taken ? length : 0;
            for (std::size_t i = 0; i < buffer.size(); ++i)
                ASSERT_EQ(buffer[i], i < filled ? blob[i] : 0xcc) << size << " " << length << " " << i;
        }
}

// A prod that goes back and forth between two looks: what was there once stays.
TEST(Feed, WhatWasProducedOnceStaysProduced) {
    FeedWorld f;
    f.rewind(true, 4096);
    f.feed(record_bytes({CASM_CLS_EVTCHN, 0, 0, 5}));
    f.feed(record_bytes({CASM_CLS_EVTCHN, 0, 0, 6}));
    casm_rec next{};
    ASSERT_TRUE(casm_peek(&f.c, &next));
    f.header().prod -= 8;
    casm_rec rec{CASM_CLS_EVTCHN, 0, 0, 0};
    EXPECT_TRUE(casm_take(&f.c, &rec, nullptr, 0, 0));
    f.header().prod = 0;
    EXPECT_TRUE(casm_take(&f.c, &rec, nullptr, 0, 0));
    EXPECT_EQ(rec.aux, 6u);
    f.header().prod = ~std::uint64_t{0};
    EXPECT_FALSE(casm_peek(&f.c, &next));
    f.header().prod = f.c.feed.pos;
    f.feed(record_bytes({CASM_CLS_EVTCHN, 0, 0, 7}));
    EXPECT_TRUE(casm_peek(&f.c, &next)) << "a producer that comes to its senses";
    EXPECT_EQ(next.aux, 7u);
}

// A log cannot hold Xen in one hypercall for as long as it likes.
TEST(Feed, MoreThanOneTripMakesIsRefused) {
    FeedWorld f;
    f.rewind(true);
    const std::array<std::uint64_t, 1> va{World::va(4)};
    const Bytes one = record_bytes({CASM_CLS_OUTMEM, 0, 0, 0}, va, Bytes(1000, 7));
    for (std::size_t fed = 0; fed + one.size() <= CASM_RING_MIN_BYTES; fed += one.size()) f.feed(one);
    unsigned long result = 0;
    casm_wrap_enter(17, 0, 0, &result);
    EXPECT_EQ(casm_told_mode(&f.c), CASM_MODE_DIVERGED);
    EXPECT_EQ(f.c.divergence.expected.cls, CASM_CLS_OUTMEM);
    EXPECT_LE(f.c.feed.pos, CASM_TRIP_BYTES);
}

// ... nor at one injection point, though it may have any number of effects there.
TEST(Feed, EffectsOfOnePointAreAppliedInPasses) {
    FeedWorld f;
    f.rewind(true);
    const Bytes one = record_bytes({CASM_CLS_EVTCHN, 0, 0, kTimerPort});
    Bytes many;
    for (int i = 0; i < 3000; ++i) many.insert(many.end(), one.begin(), one.end());
    f.feed(many);
    f.feed(record_bytes({CASM_CLS_ENTRY, CASM_ENTRY_EXCEPTION, 0, 14}));
    f.header().eof = 1;
    f.c.point = CASM_POINT_OPEN;
    unsigned passes = 0;
    while (f.exit() == CASM_EXIT_AGAIN && passes < 100) {
        ++passes;
        EXPECT_LE(f.world.take_pending().size(), CASM_TRIP_SOFT_BYTES / 8);
    }
    EXPECT_EQ(passes, 3u);
    EXPECT_EQ(f.c.logged[CASM_CLS_EVTCHN], 3000u);
    EXPECT_EQ(casm_told_mode(&f.c), CASM_MODE_REPLAY);
}

}  // namespace
}  // namespace casmotion::test
