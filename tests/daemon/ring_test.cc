// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <cstring>

#include "casmotion/ring_codec.h"
#include "rings/ring_reader.h"
#include "rings/ring_writer.h"
#include "support/fake_xen.h"
#include "support/log_files.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

constexpr RingBytes kSize{CASM_RING_MIN_BYTES};

std::vector<std::byte> bytes_of(const Record& record) {
    std::vector<std::byte> out;
    EXPECT_TRUE(encode_ring(record, out).ok());
    return out;
}

TEST(RingReader, RefusesAHeaderThatIsNotOfThisRing) {
    FakeRing ring(kSize.value);
    EXPECT_TRUE(RingReader::open(ring.base(), kSize).ok());
    EXPECT_EQ(RingReader::open(ring.base(), RingBytes{2 * kSize.value}).status().category(),
              Category::kInternal);
    ring.header().abi = 99;
    EXPECT_FALSE(RingReader::open(ring.base(), kSize).ok());
    ring.header().abi = CASM_ABI_VERSION;
    ring.header().magic = 1;
    EXPECT_FALSE(RingReader::open(ring.base(), kSize).ok());
    ring.header().magic = CASM_RING_MAGIC;
    ring.header().cons = 8;
    EXPECT_FALSE(RingReader::open(ring.base(), kSize).ok());
}

TEST(RingReader, ReportsImpossibleProducersInsteadOfReadingOutside) {
    FakeRing ring(kSize.value);
    Result<RingReader> reader = RingReader::open(ring.base(), kSize);
    ASSERT_TRUE(reader.ok());
    std::vector<std::byte> out(100);
    for (const uint64_t prod : {kSize.value + 8, ~uint64_t{0}, ~uint64_t{7}, uint64_t{3}}) {
        ring.header().prod = prod;
        EXPECT_EQ(reader->peek(out).status().category(), Category::kInternal) << prod;
    }
    ring.header().prod = kSize.value;
    EXPECT_TRUE(reader->peek(out).ok());
}

TEST(RingReader, GivesBackWhatWasProducedAcrossManyTurnsOfTheRing) {
    Random random(1);
    FakeRing ring(kSize.value);
    Result<RingReader> reader = RingReader::open(ring.base(), kSize);
    ASSERT_TRUE(reader.ok());
    std::vector<std::byte> produced, consumed;
    while (produced.size() < 20 * kSize.value) {
        const std::vector<std::byte> record = bytes_of(random_record(random, CASM_CLS_OUTMEM));
        if (record.size() <= ring.free_bytes() && uniform(random, 0, 3) != 0) {
            ring.produce(record);
            produced.insert(produced.end(), record.begin(), record.end());
            continue;
        }
        std::vector<std::byte> out(uniform(random, 1, 2 * kSize.value));
        const Result<size_t> got = reader->peek(out);
        ASSERT_TRUE(got.ok());
        consumed.insert(consumed.end(), out.begin(), out.begin() + static_cast<ptrdiff_t>(*got));
        reader->consume(*got);
    }
    std::vector<std::byte> rest(kSize.value);
    const Result<size_t> got = reader->peek(rest);
    ASSERT_TRUE(got.ok());
    consumed.insert(consumed.end(), rest.begin(), rest.begin() + static_cast<ptrdiff_t>(*got));
    EXPECT_EQ(produced, consumed);
}

TEST(RingWriter, NeverShowsAPartOfARecordAndLosesNone) {
    // FakeRing::consume() aborts on a part of a record or on garbage.
    const std::vector<Record> records = synthetic_log({.seed = 2, .entries = 4000});
    const std::vector<std::byte> bytes = ring_of(records);
    FakeRing ring(kSize.value);
    Result<RingWriter> writer = RingWriter::open(ring.base(), kSize);
    ASSERT_TRUE(writer.ok());
    Random random(3);
    std::span<const std::byte> left(bytes);
    size_t seen = 0;
    while (seen < records.size()) {
        if (!left.empty() && uniform(random, 0, 1) == 0) {
            const Result<size_t> written = writer->write(left);
            ASSERT_TRUE(written.ok());
            left = left.subspan(*written);
        }
        for (uint64_t n = uniform(random, 0, 200); n > 0; --n) {
            const std::optional<Record> record = ring.consume();
            if (!record) break;
            ASSERT_EQ(record->cls, records[seen].cls);
            ASSERT_EQ(record->blob, records[seen].blob);
            ++seen;
        }
    }
    EXPECT_EQ(ring.header().eof, 0u);
    writer->set_eof();
    EXPECT_EQ(ring.header().eof, 1u);
}

TEST(RingWriter, FillsTheRingToTheLastByteThatARecordFits) {
    FakeRing ring(kSize.value);
    Result<RingWriter> writer = RingWriter::open(ring.base(), kSize);
    ASSERT_TRUE(writer.ok());
    const std::vector<std::byte> entry = bytes_of({.cls = CASM_CLS_ENTRY, .kind = CASM_ENTRY_HYPERCALL});
    std::vector<std::byte> many;
    for (size_t i = 0; i < kSize.value / entry.size() + 5; ++i)
        many.insert(many.end(), entry.begin(), entry.end());
    const Result<size_t> written = writer->write(many);
    ASSERT_TRUE(written.ok());
    EXPECT_EQ(*written, kSize.value);
    EXPECT_EQ(*writer->write(many), 0u);
    ASSERT_TRUE(ring.consume());
    EXPECT_EQ(*writer->write(many), entry.size());
}

TEST(RingWriter, RefusesBytesThatAreNoRecordAndImpossibleConsumers) {
    FakeRing ring(kSize.value);
    Result<RingWriter> writer = RingWriter::open(ring.base(), kSize);
    ASSERT_TRUE(writer.ok());
    const std::vector<std::byte> garbage(64, std::byte{0xee});
    EXPECT_FALSE(writer->write(garbage).ok());
    const std::vector<std::byte> entry = bytes_of({.cls = CASM_CLS_TSC});
    EXPECT_FALSE(writer->write(std::span(entry).first(8)).ok());
    EXPECT_EQ(ring.header().prod, 0u);
    ring.header().cons = 8;  // more than was written
    EXPECT_EQ(writer->free_bytes().status().category(), Category::kInternal);
}

}  // namespace
}  // namespace casmotion::test
