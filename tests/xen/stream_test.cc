// SPDX-License-Identifier: GPL-2.0-or-later
//
// The two rings (casm/stream.c): what is put comes out again, what differs is named, and nothing overflows.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <vector>

#include "support/seed.h"
#include "support/world.h"

namespace casmotion::test {
namespace {

using Words = std::array<std::uint64_t, 3>;

// Brings a stream to byte position `pos` without records.
void seek(casm_stream& stream, std::uint64_t pos) {
    stream.pos = stream.other = stream.notified = pos;
    stream.limit = pos + CASM_TRIP_BYTES;
    stream.hdr->prod = stream.hdr->cons = pos;
}

class Recording : public testing::Test {
  protected:
    Recording() {
        EXPECT_EQ(world.attach(), 0);
        EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
        RingEnd(c.log).consume();
        world.guest();
    }
    World world;
    casm_domain& c = world.casm();
};

class Replaying : public testing::Test {
  protected:
    Replaying() {
        EXPECT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        // The start of every replay: one digest. Its value comes from a recording of an equal domain.
        c.feed.hdr->eof = 0;
        c.state = CASM_STATE_REPLAY;
        world.guest();
    }
    void feed(casm_rec header, std::vector<std::uint64_t> words = {}, std::vector<std::uint8_t> blob = {}) {
        const auto bytes = record_bytes(header, words, blob);
        ASSERT_EQ(RingEnd(c.feed).produce(bytes), bytes.size());
    }
    World world;
    casm_domain& c = world.casm();
};

// --- Producing ---

TEST_F(Recording, ARecordIsHeaderWordsAndAPaddedBlob) {
    const std::array<std::uint64_t, 2> words = {0x1111, 0x2222};
    const std::array<std::uint8_t, 5> blob = {1, 2, 3, 4, 5};
    const std::uint64_t before = c.records;
    std::memset(c.log.data, 0xff, c.log.mask + 1);
    casm_put_blob(&c, {CASM_CLS_END, 7, 5, 9}, words.data(), 2, blob.data(), 5);
    EXPECT_EQ(RingEnd(c.log).published(), 0u) << "published at exits only";
    casm_publish(&c, false);
    EXPECT_EQ(RingEnd(c.log).consume(), record_bytes({CASM_CLS_END, 7, 5, 9}, words, blob));
    EXPECT_EQ(c.records, before + 1);
    EXPECT_EQ(c.logged[CASM_CLS_END], 1u);
}

TEST_F(Recording, RecordsWrapAroundTheEnd) {
    for (unsigned before_end = 8; before_end <= 48; before_end += 8) {
        seek(c.log, 5 * CASM_RING_MIN_BYTES - before_end);
        const Words words = {1, 2, 3};
        std::array<std::uint8_t, 13> blob;
        std::iota(blob.begin(), blob.end(), 1);
        casm_put_blob(&c, {CASM_CLS_END, 1, 13, 0}, words.data(), 3, blob.data(), 13);
        casm_publish(&c, false);
        EXPECT_EQ(RingEnd(c.log).consume(), record_bytes({CASM_CLS_END, 1, 13, 0}, words, blob))
            << before_end;
    }
}

TEST_F(Recording, DataIsPublishedBeforeTheIndex) {
    casm_put(&c, {CASM_CLS_EVTCHN, 0, 0, 3}, nullptr, 0);
    const std::uint64_t old = c.log.hdr->prod;
    struct {
        casm_stream* log;
        std::uint64_t old;
    } context{&c.log, old};
    shim.ctx = &context;
    shim.on_wmb = [](void* ctx) {
        auto& seen = *static_cast<decltype(context)*>(ctx);
        EXPECT_EQ(seen.log->hdr->prod, seen.old);
    };
    const unsigned barriers = shim.wmbs;
    casm_publish(&c, false);
    EXPECT_EQ(shim.wmbs, barriers + 1);
    EXPECT_EQ(c.log.hdr->prod, old + 8);
}

TEST_F(Recording, DisabledClassesAreNotLogged) {
    c.disable = 1u << CASM_CLS_TSC;
    const std::uint64_t pos = c.log.pos, word = 1;
    casm_put(&c, {CASM_CLS_TSC, 0, 0, 0}, &word, 1);
    EXPECT_EQ(c.log.pos, pos);
    casm_put(&c, {CASM_CLS_MSR, 0, 0, 0}, &word, 1);
    EXPECT_EQ(c.log.pos, pos + 16);
}

TEST_F(Recording, Dom0IsToldAfterAQuarterOfTheRing) {
    const unsigned before = shim.virqs;
    while (c.log.pos - c.log.notified + 8 < CASM_RING_MIN_BYTES / 4) {
        casm_put(&c, {CASM_CLS_EVTCHN, 0, 0, 3}, nullptr, 0);
        casm_publish(&c, false);
    }
    EXPECT_EQ(shim.virqs, before);
    casm_put(&c, {CASM_CLS_EVTCHN, 0, 0, 3}, nullptr, 0);
    casm_publish(&c, false);
    EXPECT_EQ(shim.virqs, before + 1);
    casm_publish(&c, true);
    EXPECT_EQ(shim.virqs, before + 2) << "asked for";
}

TEST_F(Recording, AFullRingStopsTheVcpuUntilAKick) {
    while (casm_room(&c)) casm_put(&c, {CASM_CLS_EVTCHN, 0, 0, 3}, nullptr, 0);
    EXPECT_EQ(world.cpu().paused, 1);
    EXPECT_EQ(c.stalls_log, 1u);
    EXPECT_EQ(RingEnd(c.log).published(), c.log.pos - c.log.hdr->cons) << "all of it is published";
    EXPECT_LE(RingEnd(c.log).published(), CASM_RING_MIN_BYTES - CASM_TRIP_BYTES + 8)
        << "the reserve is still there";

    RingEnd(c.log).consume();
    EXPECT_EQ(world.kick(), 0);
    EXPECT_EQ(world.cpu().paused, 0);
    EXPECT_TRUE(casm_room(&c));
    EXPECT_EQ(world.kick(), 0) << "one kick too many";
    EXPECT_EQ(world.cpu().paused, 0);
}

TEST_F(Recording, ALogReaderThatMakesRoomMeanwhileIsNotMissed) {
    // Consumes between the first look and the flag: in the notification.
    while (c.log.mask + 1 - (c.log.pos - c.log.hdr->cons) >= CASM_TRIP_BYTES) {
        ASSERT_TRUE(casm_room(&c));
        casm_put(&c, {CASM_CLS_EVTCHN, 0, 0, 3}, nullptr, 0);
    }
    shim.ctx = &c;
    shim.on_wmb = [](void* ctx) {
        casm_stream& log = static_cast<casm_domain*>(ctx)->log;
        log.hdr->cons = log.pos;
    };
    EXPECT_FALSE(casm_room(&c)) << "tests run again";
    EXPECT_EQ(world.cpu().paused, 0);
    EXPECT_EQ(c.stalled, 0u);
    EXPECT_TRUE(casm_room(&c));
}

TEST_F(Recording, AMadConsumerIsNotBelieved) {
    for (const std::uint64_t lead :
         {std::uint64_t{8}, std::uint64_t{CASM_RING_MIN_BYTES}, ~std::uint64_t{0} >> 1}) {
        while (c.log.mask + 1 - (c.log.pos - c.log.other) >= CASM_TRIP_BYTES) {
            ASSERT_TRUE(casm_room(&c));
            casm_put(&c, {CASM_CLS_EVTCHN, 0, 0, 3}, nullptr, 0);
        }
        c.log.hdr->cons = c.log.pos + lead;
        EXPECT_FALSE(casm_room(&c));
        EXPECT_EQ(world.cpu().paused, 1);
        c.log.hdr->cons = c.log.pos;
        world.kick();
    }
}

TEST_F(Recording, ARecordWithoutRoomCrashesTheDomainAndNothingElse) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(c.log.data);
    std::array<std::uint8_t, 4096> blob;
    blob.fill(7);
    std::vector<std::uint8_t> last;
    for (int i = 0; i < 100 && casm_told_mode(&c) == CASM_MODE_RECORD; ++i) {
        last.assign(data, data + c.log.mask + 1);
        casm_put_blob(&c, {CASM_CLS_RING, 0, 4096, 0}, nullptr, 0, blob.data(), 4096);
    }
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(shim.crashes, 0u) << "not yet: the caller may hold locks";
    world.guest();
    c.point = CASM_POINT_OPEN;
    shim.irqs_on = false;
    casm_exit_work();
    shim.irqs_on = true;
    EXPECT_EQ(shim.crashes, 1u) << "at the exit";
    EXPECT_TRUE(std::equal(last.begin(), last.end(), data)) << "the ring is untouched";
    EXPECT_LE(c.log.pos - c.log.hdr->cons, CASM_RING_MIN_BYTES);
}

// --- Consuming ---

TEST_F(Replaying, TakesWhatIsInTheFeed) {
    feed({CASM_CLS_MSR, 0, 0, 0x10}, {0xabcdef});
    casm_rec rec{CASM_CLS_MSR, 0, 0, 0x10};
    std::uint64_t value = 0;
    EXPECT_TRUE(casm_take(&c, &rec, &value, 1, CASM_CMP_KIND | CASM_CMP_AUX));
    EXPECT_EQ(value, 0xabcdefu);
    casm_publish(&c, false);
    EXPECT_EQ(c.feed.hdr->cons, 16u);
    EXPECT_EQ(c.records, 1u);
}

struct Mismatch {
    const char* name;
    casm_rec log;
    std::uint64_t log_word;
    unsigned cmp;
};
class EachMismatch : public Replaying, public testing::WithParamInterface<Mismatch> {};

TEST_P(EachMismatch, StopsTheReplayAndNamesBoth) {
    const casm_rec expected = GetParam().log;
    feed(expected, {GetParam().log_word});
    c.ordinal = 33;
    c.records = 44;
    shim.regs.rip = 0x1234;
    shim.regs.rflags = 0x202;
    casm_rec rec{CASM_CLS_MSR, 1, 2, 3};
    std::uint64_t word = 4;
    EXPECT_FALSE(casm_take(&c, &rec, &word, 1, GetParam().cmp));
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
    EXPECT_EQ(c.end_reason, CASM_END_DIVERGED);
    EXPECT_EQ(world.cpu().paused, 1);
    EXPECT_EQ(c.log.hdr->eof, 1u);
    const casm_divergence d = world.status().divergence;
    EXPECT_EQ(std::memcmp(&d.expected, &expected, 8), 0);
    const casm_rec actual{CASM_CLS_MSR, 1, 2, 3};
    EXPECT_EQ(std::memcmp(&d.actual, &actual, 8), 0);
    EXPECT_EQ(d.actual_w[0], 4u);
    if (expected.cls == CASM_CLS_MSR) {
        EXPECT_EQ(d.expected_w[0], GetParam().log_word);
    }
    EXPECT_EQ(d.ordinal, 33u);
    EXPECT_EQ(d.record, 44u);
    EXPECT_EQ(d.regs[16], 0x1234u);
    EXPECT_EQ(d.regs[17], 0x202u);
    EXPECT_EQ(word, 4u) << "outputs are as they were";

    EXPECT_FALSE(casm_take(&c, &rec, &word, 1, 0)) << "nothing is taken any more";
    EXPECT_EQ(c.feed.pos, 0u);
}
INSTANTIATE_TEST_SUITE_P(Stream, EachMismatch,
                         testing::Values(Mismatch{"Class", {CASM_CLS_TSC, 1, 2, 3}, 4, 0},
                                         Mismatch{"Kind", {CASM_CLS_MSR, 9, 2, 3}, 4, CASM_CMP_KIND},
                                         Mismatch{"Check", {CASM_CLS_MSR, 1, 9, 3}, 4, CASM_CMP_CHECK},
                                         Mismatch{"Aux", {CASM_CLS_MSR, 1, 2, 9}, 4, CASM_CMP_AUX},
                                         Mismatch{"Words", {CASM_CLS_MSR, 1, 2, 3}, 9, CASM_CMP_WORDS}),
                         [](const auto& info) { return info.param.name; });

TEST_F(Replaying, WhatIsNotComparedMayDiffer) {
    feed({CASM_CLS_MSR, 9, 8, 7}, {6});
    casm_rec rec{CASM_CLS_MSR, 1, 2, 3};
    std::uint64_t word = 4;
    EXPECT_TRUE(casm_take(&c, &rec, &word, 1, 0));
    EXPECT_EQ(rec.kind, 9);
    EXPECT_EQ(word, 6u);
}

TEST_F(Replaying, ACutLogEndsTheReplayAndIsNoDivergence) {
    casm_rec rec{CASM_CLS_TSC, 0, 0, 0};
    std::uint64_t word;
    EXPECT_FALSE(casm_take(&c, &rec, &word, 1, 0));
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(c.end_reason, CASM_END_NONE);
    EXPECT_EQ(world.cpu().paused, 1);
    EXPECT_EQ(world.status().divergence.expected.cls, 0);
}

// dom0 looks at the state first, and then at the rings for the last time.
TEST_F(Replaying, WhatWasSaidBeforeTheEndIsThereBeforeItsState) {
    const std::array<std::uint8_t, 5> text = {'l', 'a', 's', 't', '!'};
    casm_put_blob(&c, {CASM_CLS_CONSOLE, 0, 5, 0}, nullptr, 0, text.data(), 5);
    struct Seen {
        casm_domain* c;
        unsigned state;
    } seen{&c, ~0u};
    shim.ctx = &seen;
    shim.on_wmb = [](void* ctx) {
        auto* s = static_cast<Seen*>(ctx);
        s->state = s->c->state;
    };
    casm_stop_vcpu(&c, CASM_STATE_REPLAYED);
    EXPECT_EQ(seen.state, unsigned{CASM_STATE_REPLAY})
        << "published when the state said already that it was over";
    EXPECT_EQ(c.log.hdr->prod, c.log.pos);
    EXPECT_EQ(c.log.hdr->eof, 1u);
}

TEST_F(Replaying, ALogCutInARecordEndsTheReplay) {
    feed({CASM_CLS_TSC, 0, 0, 0});  // without its word
    casm_rec rec{CASM_CLS_TSC, 0, 0, 0};
    std::uint64_t word;
    EXPECT_FALSE(casm_take(&c, &rec, &word, 1, 0));
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
}

TEST_F(Replaying, ALogCutInABlobEndsTheReplay) {
    auto bytes = record_bytes({CASM_CLS_RING, 0, 100, 0}, {}, std::vector<std::uint8_t>(100));
    bytes.resize(64);
    RingEnd(c.feed).produce(bytes);
    casm_rec rec{CASM_CLS_RING, 0, 0, 0};
    std::array<std::uint8_t, CASM_BLOB_MAX_BYTES> blob;
    EXPECT_FALSE(casm_take_blob(&c, &rec, nullptr, 0, blob.data(), CASM_BLOB_MAX_BYTES));
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
}

TEST(ReplayingBlobs, LengthsOutOfRangeDiverge) {
    for (const std::uint16_t length : {std::uint16_t{0}, std::uint16_t{4097}, std::uint16_t{0xffff}}) {
        World fresh;
        ASSERT_EQ(fresh.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        fresh.casm().state = CASM_STATE_REPLAY;
        fresh.guest();
        RingEnd(fresh.casm().feed).produce(record_bytes({CASM_CLS_RING, 0, length, 0}));
        RingEnd(fresh.casm().feed).produce(std::vector<std::uint8_t>(CASM_RING_MIN_BYTES, 1));
        casm_rec rec{CASM_CLS_RING, 0, 0, 0};
        auto blob = std::make_unique<std::array<std::uint8_t, CASM_BLOB_MAX_BYTES>>();
        EXPECT_FALSE(casm_take_blob(&fresh.casm(), &rec, nullptr, 0, blob->data(), CASM_BLOB_MAX_BYTES))
            << length;
        EXPECT_EQ(casm_told_mode(&fresh.casm()), CASM_MODE_DIVERGED) << length;
    }
}

TEST_F(Replaying, StarvationStopsTheVcpuUntilAKick) {
    EXPECT_FALSE(casm_room(&c));
    EXPECT_EQ(c.stalls_feed, 1u);
    EXPECT_EQ(world.cpu().paused, 1);
    RingEnd(c.feed).produce(std::vector<std::uint8_t>(CASM_TRIP_BYTES));
    world.kick();
    EXPECT_EQ(world.cpu().paused, 0);
    EXPECT_TRUE(casm_room(&c));
}

TEST_F(Replaying, TheEndOfTheFeedNeedsNoReserve) {
    RingEnd(c.feed).produce(std::vector<std::uint8_t>(8));
    EXPECT_FALSE(casm_room(&c));
    RingEnd(c.feed).finish();
    world.kick();
    EXPECT_TRUE(casm_room(&c));
}

TEST_F(Replaying, APeekTakesNothing) {
    casm_rec next{};
    EXPECT_FALSE(casm_peek(&c, &next));
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY) << "an empty feed is not yet an end";
    feed({CASM_CLS_EVTCHN, 0, 0, 5});
    EXPECT_TRUE(casm_peek(&c, &next));
    EXPECT_EQ(next.aux, 5u);
    EXPECT_EQ(c.feed.pos, 0u);
}

// --- Both ---

struct Item {
    casm_rec header;
    std::vector<std::uint64_t> words;
    std::vector<std::uint8_t> blob;
};

std::vector<Item> random_items(Random& random, unsigned count) {
    std::vector<Item> items(count);
    for (Item& item : items) {
        item.header = {static_cast<std::uint8_t>(1 + random.below(CASM_CLS_END)),
                       static_cast<std::uint8_t>(random.word()), static_cast<std::uint16_t>(random.word()),
                       static_cast<std::uint32_t>(random.word())};
        for (auto n = random.below(4); n != 0; --n) item.words.push_back(random.word());
        if (random.one_in(3)) {
            item.blob.resize(1 + random.below(random.one_in(10) ? 4096 : 100));
            for (auto& byte : item.blob) byte = static_cast<std::uint8_t>(random.word());
            item.header.check = static_cast<std::uint16_t>(item.blob.size());
        }
    }
    return items;
}

TEST(StreamProperty, WhatIsRecordedComesOutOfTheFeed) {
    for (std::uint64_t i = 0; i < 20; ++i) {
        const std::uint64_t seed = base_seed() + i;
        CASMOTION_TRACE_SEED(seed);
        Random random(seed);
        const std::vector<Item> items = random_items(random, 500);

        std::vector<std::uint8_t> log;
        {
            World world;
            ASSERT_EQ(world.attach(), 0);
            ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
            casm_domain& c = world.casm();
            RingEnd end(c.log);
            end.consume();
            seek(c.log,
                 random.word() & ~std::uint64_t{7});  // counters never wrap: a start at any place below 2^63
            c.log.pos &= ~std::uint64_t{0} >> 1;
            seek(c.log, c.log.pos);
            world.guest();
            for (const Item& item : items) {
                while (!casm_room(&c)) {
                    const auto part = end.consume(1 + random.below(CASM_RING_MIN_BYTES));
                    log.insert(log.end(), part.begin(), part.end());
                    world.kick();
                }
                const auto words = static_cast<unsigned>(item.words.size());
                if (item.blob.empty())
                    casm_put(&c, item.header, item.words.data(), words);
                else
                    casm_put_blob(&c, item.header, item.words.data(), words, item.blob.data(),
                                  static_cast<unsigned>(item.blob.size()));
                if (random.one_in(3)) casm_publish(&c, false);
                if (random.one_in(5)) {
                    const auto part = end.consume(random.below(3000));
                    log.insert(log.end(), part.begin(), part.end());
                }
            }
            casm_publish(&c, true);
            const auto part = end.consume();
            log.insert(log.end(), part.begin(), part.end());
            ASSERT_EQ(shim.crashes, 0u);
        }

        World world;
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        casm_domain& c = world.casm();
        c.state = CASM_STATE_REPLAY;
        seek(c.feed, (random.word() >> 1) & ~std::uint64_t{7});
        world.guest();
        std::span<const std::uint8_t> rest(log);
        RingEnd end(c.feed);
        for (const Item& item : items) {
            while (!casm_room(&c)) {
                rest = rest.subspan(end.produce(rest, 8 * (1 + random.below(4000))));
                if (rest.empty()) end.finish();
                world.kick();
            }
            casm_rec rec = item.header;
            Words words{};
            std::array<std::uint8_t, CASM_BLOB_MAX_BYTES> blob;
            const auto nw = static_cast<unsigned>(item.words.size());
            if (item.blob.empty()) {
                ASSERT_TRUE(
                    casm_take(&c, &rec, words.data(), nw, CASM_CMP_KIND | CASM_CMP_CHECK | CASM_CMP_AUX));
            } else {
                ASSERT_TRUE(casm_take_blob(&c, &rec, words.data(), nw, blob.data(), CASM_BLOB_MAX_BYTES));
                ASSERT_TRUE(std::equal(item.blob.begin(), item.blob.end(), blob.begin()));
            }
            ASSERT_EQ(std::memcmp(&rec, &item.header, 8), 0);
            ASSERT_TRUE(std::equal(item.words.begin(), item.words.end(), words.begin()));
            casm_publish(&c, false);
        }
        ASSERT_EQ(RingEnd(c.feed).published(), 0u);
    }
}

}  // namespace
}  // namespace casmotion::test
