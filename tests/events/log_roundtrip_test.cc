// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is written is read back.
#include <gtest/gtest.h>

#include <cstring>

#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "chunk_codec.h"
#include "crc32c.h"
#include "file.h"
#include "support/log_files.h"
#include "support/raw_log.h"
#include "support/seed.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

// Encodes `records` as one chunk and decodes it again.
std::vector<std::byte> through_chunk(const std::vector<Record>& records) {
    const std::vector<std::byte> ring = ring_of(records);
    std::array<std::uint32_t, CASM_CLASSES_MAX> counts{};
    for (const Record& record : records) ++counts[record.cls];
    ChunkEncoder encoder;
    const std::string raw(encode_chunk(encoder, ring));
    const ChunkInfo chunk{.records = static_cast<std::uint32_t>(records.size()),
                          .ordinals = counts[CASM_CLS_ENTRY],
                          .ring_bytes = static_cast<std::uint32_t>(ring.size())};
    std::vector<std::byte> back;
    const Status status = decode_chunk(raw, chunk, back);
    EXPECT_TRUE(status.ok()) << status.message();
    return back;
}

std::vector<std::uint8_t> logged_classes() {
    std::vector<std::uint8_t> classes;
    for (const ClassInfo& info : kClasses)
        if (kLayouts[info.id].logged) classes.push_back(info.id);
    return classes;
}

TEST(Crc32c, IsTheStandardOne) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
    EXPECT_EQ(crc32c_by_table(as_bytes("123456789")), 0xe3069283u);
    EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, BothWaysAgree) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    for (std::size_t size = 0; size < 200; ++size) {
        std::string bytes(size, 0);
        for (char& byte : bytes) byte = static_cast<char>(random());
        ASSERT_EQ(crc32c(as_bytes(bytes)), crc32c_by_table(as_bytes(bytes))) << size;
    }
}

TEST(ChunkCodec, RoundTripsOneRecordOfEachClass) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    for (const std::uint8_t cls : logged_classes())
        for (int i = 0; i < 50; ++i) {
            const std::vector<Record> records = {random_record(random, cls)};
            ASSERT_EQ(through_chunk(records), ring_of(records)) << class_name(cls);
        }
}

TEST(ChunkCodec, RoundTripsRandomMixtures) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    const std::vector<std::uint8_t> classes = logged_classes();
    for (int round = 0; round < 100; ++round) {
        std::vector<Record> records;
        for (std::uint64_t i = uniform(random, 1, 300); i != 0; --i)
            records.push_back(random_record(random, classes[uniform(random, 0, classes.size() - 1)]));
        ASSERT_EQ(through_chunk(records), ring_of(records)) << "round " << round;
    }
}

TEST(ChunkCodec, PacksChecksToTheBitsThatTheyNeed) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    for (unsigned bits = 0; bits <= 16; ++bits) {
        std::vector<Record> records;
        for (std::uint64_t i = uniform(random, 1, 100); i != 0; --i)
            records.push_back({.cls = CASM_CLS_ENTRY,
                               .kind = 1,
                               .check = static_cast<std::uint16_t>(random() & ((1u << bits) - 1)),
                               .aux = 5});
        ASSERT_EQ(through_chunk(records), ring_of(records)) << bits << " bits";
    }
}

TEST(ChunkCodec, TakesMoreShapesThanTheDictionaryHolds) {
    std::vector<Record> records;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        records.push_back(
            {.cls = CASM_CLS_ENTRY, .kind = static_cast<std::uint8_t>(i), .check = 7, .aux = i * 77777});
        records.push_back({.cls = CASM_CLS_EVTCHN, .aux = i});
        records.push_back({.cls = CASM_CLS_ENTRY, .kind = 1, .aux = i % 3});
    }
    ASSERT_EQ(through_chunk(records), ring_of(records));
}

TEST(Log, RoundTripsManifestSummaryAndRecords) {
    const TempFolder folder;
    const SyntheticOptions options{.seed = 7, .entries = 500};
    const std::vector<Record> records = synthetic_log(options);
    const Manifest manifest = synthetic_manifest(options);
    auto writer = LogWriter::create(folder / "log", manifest, {});
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    for (const Record& record : records) ASSERT_TRUE((*writer)->append(record).ok());
    Summary summary;
    summary.measurements = {{"delay_max_ns", 290000000}, {"stalls_log", 3}};
    ASSERT_TRUE((*writer)->close(summary).ok());
    EXPECT_EQ((*writer)->folder(), folder / "log");
    EXPECT_FALSE(std::filesystem::exists(folder / "log.incomplete"));

    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ((*reader)->manifest(), manifest);
    EXPECT_EQ((*reader)->records(), records.size());
    EXPECT_FALSE((*reader)->torn_tail());
    ASSERT_TRUE((*reader)->summary());
    EXPECT_EQ((*reader)->summary()->measurements, summary.measurements);
    EXPECT_EQ((*reader)->summary()->ordinals, 500u);
    EXPECT_EQ((*reader)->summary()->end_reason, CASM_END_SHUTDOWN);
    EXPECT_EQ((*reader)->summary()->ring_bytes, ring_of(records).size());
    EXPECT_EQ((*reader)->summary()->class_records[CASM_CLS_ENTRY], 500u);
    const ReadBack back = read_all(**reader);
    EXPECT_TRUE(back.status.ok());
    EXPECT_EQ(back.records, records);
}

TEST(Log, IsTheSameHoweverTheBytesArrive) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    const SyntheticOptions options{.seed = seed, .entries = 3000};
    const std::vector<Record> records = synthetic_log(options);
    const std::vector<std::byte> ring = ring_of(records);
    const TempFolder folder;
    auto writer = LogWriter::create(folder / "log", synthetic_manifest(options), {});
    ASSERT_TRUE(writer.ok());
    std::size_t offered = 0, taken = 0;
    while (taken < ring.size()) {
        offered = std::min<std::size_t>(ring.size(), offered + uniform(random, 0, 5000));
        const auto result = (*writer)->append_ring(std::span(ring).subspan(taken, offered - taken));
        ASSERT_TRUE(result.ok()) << result.status().message();
        taken += *result;
        if (uniform(random, 0, 5) == 0) {
            ASSERT_TRUE((*writer)->flush().ok());
        }
    }
    ASSERT_TRUE((*writer)->close({}).ok());
    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_GT((*reader)->chunks().size(), 1u);
    std::vector<std::byte> back;
    for (;;) {
        const auto part = (*reader)->next_ring();
        ASSERT_TRUE(part.ok());
        if (part->empty()) break;
        back.insert(back.end(), part->begin(), part->end());
    }
    EXPECT_EQ(back, ring);
    EXPECT_EQ((*reader)->ordinal().value, 3000u);
}

TEST(Log, ChunksEndAtTheirLimits) {
    // 65,536 records of 8 bytes fill one chunk by count; blobs of 4 KiB fill one by size.
    const TempFolder folder;
    auto writer = LogWriter::create(folder / "log", {}, {});
    ASSERT_TRUE(writer.ok());
    const std::vector<std::byte> entries =
        ring_of(std::vector<Record>(65536 + 1, {.cls = CASM_CLS_ENTRY, .kind = 1}));
    ASSERT_EQ((*writer)->append_ring(entries).value(), entries.size());
    const Record outmem{.cls = CASM_CLS_OUTMEM, .blob = std::vector<std::uint8_t>(4096, 1)};
    for (int i = 0; i < 600; ++i) ASSERT_TRUE((*writer)->append(outmem).ok());
    ASSERT_TRUE((*writer)->abandon().ok());
    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    ASSERT_EQ((*reader)->chunks().size(), 4u);
    EXPECT_EQ((*reader)->chunks()[0].records, 65536u);
    EXPECT_GE((*reader)->chunks()[1].ring_bytes, 1u << 20);
    EXPECT_EQ((*reader)->records(), 65537u + 600u);
    EXPECT_TRUE(read_all(**reader).status.ok());
}

TEST(Log, FindsEveryRecordByItsIndex) {
    const SyntheticOptions options{.seed = 3, .entries = 300};
    const std::vector<Record> records = synthetic_log(options);
    const TempFolder folder;
    write_log(folder / "log", synthetic_manifest(options), records, {0, 10, 11, 200});
    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ((*reader)->chunks().size(), 5u);
    std::vector<std::uint64_t> ordinals;
    std::uint64_t ordinal = 0;
    for (const Record& record : records) {
        ordinals.push_back(ordinal);
        ordinal += record.cls == CASM_CLS_ENTRY ? 1 : 0;
    }
    for (std::size_t i = records.size(); i-- != 0;) {
        ASSERT_TRUE((*reader)->seek({i}).ok());
        EXPECT_EQ((*reader)->position().value, i);
        EXPECT_EQ((*reader)->ordinal().value, ordinals[i]);
        Record record;
        ASSERT_TRUE((*reader)->next(record).value());
        EXPECT_EQ(record, records[i]);
        EXPECT_EQ((*reader)->position().value, i + 1);
    }
    ASSERT_TRUE((*reader)->seek({records.size()}).ok());
    Record record;
    EXPECT_FALSE((*reader)->next(record).value());
    EXPECT_EQ((*reader)->seek({records.size() + 1}).category(), Category::kUsage);
}

TEST(Log, AnEmptyOneIsReadable) {
    const TempFolder folder;
    write_log(folder / "log", {}, {}, {}, false);
    auto reader = LogReader::open(folder / "log");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ((*reader)->records(), 0u);
    EXPECT_TRUE((*reader)->torn_tail());
    EXPECT_TRUE((*reader)->seek({0}).ok());
    Record record;
    EXPECT_FALSE((*reader)->next(record).value());
    EXPECT_TRUE((*reader)->next_ring()->empty());
}

TEST(Manifest, RoundTripsWithoutRamdisk) {
    Manifest manifest = synthetic_manifest({});
    manifest.ramdisk.reset();
    manifest.guest.cmdline = "\xff\xfe not UTF-8";
    EXPECT_EQ(parse_manifest(serialize(manifest).value()).value(), manifest);
}

TEST(Manifest, RefusesNonsense) {
    EXPECT_EQ(parse_manifest("\xff\xff\xff").status().category(), Category::kLogInvalid);
    EXPECT_FALSE(parse_manifest("").ok()) << "no version, no hash";
    Manifest manifest = synthetic_manifest({});
    manifest.options.check_bits = 17;
    EXPECT_FALSE(parse_manifest(serialize(manifest).value()).ok());
    manifest = synthetic_manifest({});
    manifest.format_version = kLogFormatVersion + 1;
    EXPECT_NE(parse_manifest(serialize(manifest).value())
                  .status()
                  .message()
                  .find("version " + std::to_string(kLogFormatVersion + 1)),
              std::string::npos);
    manifest = synthetic_manifest({});
    manifest.guest.config_json.assign((1u << 20) + 1, 'x');
    EXPECT_EQ(serialize(manifest).status().category(), Category::kUsage);
}

TEST(Manifest, HashesBootFiles) {
    const TempFolder folder;
    write_file(folder / "abc", "abc");
    const auto file = identify_boot_file(folder / "abc");
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file->size_bytes, 3u);
    EXPECT_EQ(file->name, "abc");
    EXPECT_EQ(to_hex(file->sha256),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4
    EXPECT_EQ(identify_boot_file(folder / "none").status().category(), Category::kUsage);
    EXPECT_EQ(identify_boot_file(folder / ".").status().category(), Category::kUsage);
}

}  // namespace
}  // namespace casmotion::test
