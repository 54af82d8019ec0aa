// SPDX-License-Identifier: GPL-2.0-or-later
//
// A reader takes no more memory than it promises (kReaderMemoryMaxBytes), whatever the files say. Counts what
// operator new hands out; zstd's context, from malloc, is not counted and does not depend on the input.
#include <gtest/gtest.h>
#include <malloc.h>
#include <zstd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "casmotion/log_check.h"
#include "crc32c.h"
#include "file.h"
#include "frame.h"
#include "support/raw_log.h"
#include "support/synthetic_log.h"

namespace {
std::atomic<std::size_t> live_bytes{0}, peak_bytes{0};
}

// Not inlined: GCC would see malloc() on one side and delete on the other and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    void* memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    const std::size_t live = live_bytes += ::malloc_usable_size(memory);
    if (live > peak_bytes) peak_bytes = live;
    return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    if (memory != nullptr) live_bytes -= ::malloc_usable_size(memory);
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    operator delete(memory);
}

namespace casmotion::test {
namespace {

// Peak memory, beyond the files themselves, of opening and checking `files`.
std::size_t peak_of(const Files& files) {
    auto source = memory_source(files);
    const std::size_t before = live_bytes;
    peak_bytes = before;
    auto reader = LogReader::open(std::move(source));
    if (reader.ok()) {
        const LogReport report = check_log(**reader);
        EXPECT_EQ(report.checks.size(), 4u);
    }
    return peak_bytes - before;
}

// A log of one chunk with payload `raw`, compressed; everything else is right.
Files with_chunk(const std::string& raw, std::uint32_t records, std::uint32_t ring_bytes) {
    Files files = raw_log(manifest_file(synthetic_manifest({})), {}, 1, false);
    std::string stored(ZSTD_compressBound(raw.size()), '\0');
    stored.resize(ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), 1));
    ChunkInfo chunk;
    chunk.records = records;
    chunk.ring_bytes = ring_bytes;
    chunk.raw_bytes = static_cast<std::uint32_t>(raw.size());
    chunk.stored_bytes = static_cast<std::uint32_t>(stored.size());
    chunk.flags = kChunkFlagZstd;
    chunk.payload_crc = crc32c(as_bytes(stored));
    chunk.digest_before = manifest_digest(files.at("manifest"));
    const auto header = frame_chunk(chunk, 0);
    files["events"] = std::string(reinterpret_cast<const char*>(header.data()), header.size()) + stored;
    return files;
}

std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
}

std::string field(unsigned number, const std::string& content) {
    return static_cast<char>(number << 3 | 2) + varint(content.size()) + content;
}

TEST(ReaderMemory, CanaryTheCounterCounts) {
    const std::size_t before = live_bytes;
    peak_bytes = before;
    { const std::vector<char> big(100u << 20); }
    EXPECT_GE(peak_bytes - before, 100u << 20);
    EXPECT_LT(live_bytes - before, 1u << 20);
}

TEST(ReaderMemory, AnOrdinaryLog) {
    std::vector<Record> log = synthetic_log({.entries = 60000});
    const Files files = raw_log(manifest_file(synthetic_manifest({})), log);
    EXPECT_LT(peak_of(files), kReaderMemoryMaxBytes);
}

TEST(ReaderMemory, ChunksThatUnpackToMuch) {
    const std::size_t room = kChunkRawBytesMax - 64;
    const std::string tsc_column = std::string("\x08\x02", 2);  // cls 2
    const std::pair<const char*, std::string> bombs[] = {
        {"one column of small values", field(1, "x") + field(3, tsc_column + field(4, std::string(room, 1)))},
        {"the wrong value field", field(1, "x") + field(3, tsc_column + field(3, std::string(room, 1)))},
        {"lengths", field(1, "x") + field(3, tsc_column + field(7, std::string(room, 1)))},
        {"empty columns", field(1, "x") +
                              [] {
                                  std::string columns;
                                  for (int i = 0; i < 1000000; ++i) columns += std::string("\x1a\0", 2);
                                  return columns;
                              }()},
        {"empty shapes", field(1, "x") +
                             [] {
                                 std::string shapes;
                                 for (int i = 0; i < 1000000; ++i) shapes += std::string("\x12\0", 2);
                                 return shapes;
                             }()},
        {"unknown fields", field(1, "x") + field(3, tsc_column + field(15, std::string(room, 1)))},
        {"zeros", std::string(kChunkRawBytesMax, '\0')},
    };
    for (const auto& [what, raw] : bombs) {
        ASSERT_LE(raw.size(), kChunkRawBytesMax) << what;
        const Files files = with_chunk(raw, kChunkRecordsMax, kChunkRingBytesMax);
        EXPECT_EQ(read_all(files).status.category(), Category::kLogInvalid) << what;
        EXPECT_LT(peak_of(files), kReaderMemoryMaxBytes) << what;
    }
}

TEST(ReaderMemory, FramedFilesThatUnpackToMuch) {
    const Files good = raw_log(manifest_file(synthetic_manifest({})), synthetic_log({}));
    Files files = good;
    std::string entries;
    for (std::uint32_t i = 0; i < kIndexBytesMax / 2; ++i) entries += std::string("\x0a\0", 2);
    files["index"] = with_payload(files["index"], entries);
    EXPECT_LT(peak_of(files), kReaderMemoryMaxBytes) << "index";
    files = good;
    std::string rows;
    for (std::uint32_t i = 0; i < kSummaryBytesMax / 2; ++i) rows += std::string("\x5a\0", 2);
    files["summary"] = with_payload(files["summary"], rows);
    EXPECT_LT(peak_of(files), kReaderMemoryMaxBytes) << "summary";
    files = good;
    const std::string words = field(6, std::string(kManifestBytesMax - 100, 1));
    files["manifest"] = with_payload(files["manifest"], field(6, words));
    EXPECT_LT(peak_of(files), kReaderMemoryMaxBytes) << "manifest";
    files = good;
    files["manifest"] = with_payload(files["manifest"], std::string(kManifestBytesMax + 1, 'x'));
    EXPECT_LT(peak_of(files), 1u << 20) << "too large to be read at all";
}

}  // namespace
}  // namespace casmotion::test
