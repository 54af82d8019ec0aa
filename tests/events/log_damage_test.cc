// SPDX-License-Identifier: GPL-2.0-or-later
//
// Logs that are cut, damaged, of another version, or not logs at all.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "casmotion/log_check.h"
#include "crc32c.h"
#include "file.h"
#include "frame.h"
#include "support/raw_log.h"
#include "support/seed.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

namespace fs = std::filesystem;

const SyntheticOptions kOptions{.seed = 21, .entries = 250};
constexpr std::uint32_t kChunkRecords = 60;

const std::vector<Record>& records() {
    static const std::vector<Record> all = synthetic_log(kOptions);
    return all;
}

const Files& whole() {
    static const Files files = raw_log(manifest_file(synthetic_manifest(kOptions)), records(), kChunkRecords);
    return files;
}

Files unclosed() {
    Files files = whole();
    files.erase("index");
    files.erase("summary");
    return files;
}

std::vector<ChunkInfo> chunks() {
    return LogReader::open(memory_source(whole())).value()->chunks();
}

Status open_status(const Files& files) {
    return LogReader::open(memory_source(files)).status();
}

// Is `part` the beginning of the records of the undamaged log?
bool is_prefix(const std::vector<Record>& part) {
    return part.size() <= records().size() && std::equal(part.begin(), part.end(), records().begin());
}

TEST(LogDamage, TheUndamagedLogIsGood) {
    EXPECT_GT(chunks().size(), 5u);
    const ReadBack back = read_all(whole());
    EXPECT_TRUE(back.status.ok()) << back.status.message();
    EXPECT_EQ(back.records, records());
}

TEST(LogDamage, ALogThatWasNotClosedIsCutAnywhere) {
    const Files files = unclosed();
    const std::vector<ChunkInfo> all = chunks();
    const std::string& events = files.at("events");
    for (std::size_t size = 0; size <= events.size(); ++size) {
        Files cut = files;
        cut["events"].resize(size);
        auto reader = LogReader::open(memory_source(cut));
        ASSERT_TRUE(reader.ok()) << size << ": " << reader.status().message();
        std::size_t good = 0;
        while (good < all.size() && all[good].offset + kChunkHeaderBytes + all[good].stored_bytes <= size)
            ++good;
        const std::uint64_t end =
            good == 0 ? 0 : all[good - 1].offset + kChunkHeaderBytes + all[good - 1].stored_bytes;
        ASSERT_EQ((*reader)->chunks().size(), good) << size;
        ASSERT_EQ((*reader)->torn_tail()->chunk, good);
        ASSERT_EQ((*reader)->torn_tail()->offset, end);
        ASSERT_EQ((*reader)->torn_tail()->dropped_bytes, size - end);
        ASSERT_EQ((*reader)->records(), good == 0 ? 0 : all[good - 1].first_record + all[good - 1].records);
        if (size % 97 != 0) continue;
        const ReadBack back = read_all(**reader);
        ASSERT_TRUE(back.status.ok());
        ASSERT_EQ(back.records.size(), (*reader)->records());
        ASSERT_TRUE(is_prefix(back.records));
    }
}

TEST(LogDamage, AClosedLogThatIsCutIsInvalid) {
    for (std::size_t size = 0; size < whole().at("events").size(); ++size) {
        Files cut = whole();
        cut["events"].resize(size);
        ASSERT_EQ(open_status(cut).category(), Category::kLogInvalid) << size;
    }
}

TEST(LogDamage, ATailOfZerosIsCut) {
    Files files = unclosed();
    const std::size_t size = files["events"].size();
    files["events"].append(100000, '\0');  // what a file system may leave after a power failure
    auto reader = LogReader::open(memory_source(files));
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ((*reader)->torn_tail()->offset, size);
    EXPECT_EQ((*reader)->torn_tail()->dropped_bytes, 100000u);
}

TEST(LogDamage, EveryFlippedBitOfAClosedLogIsNoticed) {
    for (const auto& [name, content] : whole()) {
        for (std::size_t at = 0; at < content.size(); ++at) {
            Files flipped = whole();
            flipped[name][at] = static_cast<char>(flipped[name][at] ^ 1 << (at % 8));
            const ReadBack back = read_all(flipped);
            ASSERT_EQ(back.status.category(), Category::kLogInvalid) << name << " byte " << at;
            ASSERT_TRUE(is_prefix(back.records)) << name << " byte " << at;
        }
    }
}

TEST(LogDamage, EveryFlippedBitOfAnUnclosedLogIsNoticedOrCutOff) {
    const Files files = unclosed();
    const std::vector<ChunkInfo> all = chunks();
    for (std::size_t at = 0; at < files.at("events").size(); ++at) {
        Files flipped = files;
        flipped["events"][at] = static_cast<char>(flipped["events"][at] ^ 1 << (at % 8));
        const ReadBack back = read_all(flipped);
        if (at < all.back().offset) {  // more chunks follow: damage
            ASSERT_EQ(back.status.category(), Category::kLogInvalid) << "byte " << at;
            ASSERT_NE(back.status.message().find("chunk "), std::string::npos) << back.status.message();
        } else {  // the last chunk: cut off
            ASSERT_TRUE(back.status.ok()) << "byte " << at << ": " << back.status.message();
            ASSERT_EQ(back.records.size(), all.back().first_record);
        }
        ASSERT_TRUE(is_prefix(back.records));
    }
}

TEST(LogDamage, SaysWhere) {
    Files files = whole();
    const ChunkInfo chunk = chunks()[2];
    files["events"][chunk.offset + kChunkHeaderBytes + 5] ^= 4;
    const ReadBack back = read_all(files);
    EXPECT_EQ(back.status.message(), "log 'memory': chunk 2 at offset " + std::to_string(chunk.offset) +
                                         " of 'events': the payload's checksum is wrong");
    EXPECT_EQ(back.records.size(), chunk.first_record) << "what comes before is still read";
}

// Exchanges two chunks' bytes, or repeats or drops one; all their checksums are right.
TEST(LogDamage, ChunksCannotBeReorderedRepeatedOrDropped) {
    const std::vector<ChunkInfo> all = chunks();
    const std::string& events = whole().at("events");
    const auto part = [&](std::size_t i) {
        return events.substr(all[i].offset, kChunkHeaderBytes + all[i].stored_bytes);
    };
    std::string swapped = part(0) + part(2) + part(1), repeated = part(0) + part(0), dropped = part(1);
    for (std::size_t i = 3; i < all.size(); ++i) swapped += part(i);
    for (std::size_t i = 1; i < all.size(); ++i) repeated += part(i);
    for (std::size_t i = 2; i < all.size(); ++i) dropped += part(i);
    for (const std::string& changed : {swapped, repeated, dropped}) {
        for (const bool closed : {true, false}) {
            Files files = closed ? whole() : unclosed();
            files["events"] = changed;
            EXPECT_EQ(open_status(files).category(), Category::kLogInvalid);
        }
    }
}

TEST(LogDamage, AChunkOrManifestOfAnotherLogIsNoticed) {
    SyntheticOptions other = kOptions;
    other.seed = 22;
    const Files theirs =
        raw_log(manifest_file(synthetic_manifest(kOptions)), synthetic_log(other), kChunkRecords);
    Files files = unclosed();
    const auto their_chunks = LogReader::open(memory_source(theirs)).value()->chunks();
    files["events"] = whole().at("events").substr(0, chunks()[1].offset) +
                      theirs.at("events").substr(their_chunks[1].offset);
    EXPECT_EQ(open_status(files).category(), Category::kLogInvalid) << "content digests do not continue";

    files = whole();
    Manifest manifest = synthetic_manifest(kOptions);
    manifest.guest.memory_kib *= 2;
    files["manifest"] = manifest_file(manifest);
    EXPECT_EQ(open_status(files).category(), Category::kLogInvalid) << "the digest starts with the manifest";
}

TEST(LogDamage, AReencodedChunkMustHoldTheSameRecords) {
    // Right checksums everywhere, but one record of chunk 0 differs from what its digest says.
    std::vector<Record> changed = records();
    changed[1].w[2] ^= 1;
    const Files good = whole();
    const Files bad = raw_log(good.at("manifest"), changed, kChunkRecords);
    Files files = unclosed();
    std::string header = good.at("events").substr(0, kChunkHeaderBytes);
    const auto bad_chunk = LogReader::open(memory_source(bad)).value()->chunks()[0];
    // Take their payload, and keep our digests in the header.
    for (const std::size_t at : {60u, 64u, 72u}) header.replace(at, 4, bad.at("events").substr(at, 4));
    const std::uint32_t crc = crc32c(as_bytes(std::string_view(header).substr(0, 76)));
    std::memcpy(header.data() + 76, &crc, sizeof(crc));
    files["events"] = header + bad.at("events").substr(kChunkHeaderBytes, bad_chunk.stored_bytes);
    const ReadBack back = read_all(files);
    EXPECT_NE(back.status.message().find("content digest"), std::string::npos) << back.status.message();
}

TEST(LogDamage, OtherVersionsAreNamed) {
    Files files = whole();
    std::string& manifest = files["manifest"];
    manifest[8] = 9;
    const std::uint32_t crc = crc32c(as_bytes(std::string_view(manifest).substr(0, 20)));
    std::memcpy(manifest.data() + 20, &crc, sizeof(crc));
    EXPECT_EQ(open_status(files).category(), Category::kLogInvalid);
    EXPECT_EQ(open_status(files).message(),
              "log 'memory': log format version 9, this program reads version 2");
}

TEST(LogDamage, MissingFilesAreNamed) {
    for (const char* name : {"manifest", "events", "index"}) {
        Files files = whole();
        files.erase(name);
        EXPECT_EQ(open_status(files).category(), Category::kLogInvalid);
        EXPECT_NE(open_status(files).message().find(name), std::string::npos) << open_status(files).message();
    }
    EXPECT_EQ(open_status({}).category(), Category::kLogInvalid);
}

TEST(LogDamage, GarbageIsRefused) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    for (int round = 0; round < 300; ++round) {
        Files files = whole();
        auto file = files.begin();
        std::advance(file, uniform(random, 0, files.size() - 1));
        for (char& byte : file->second) byte = static_cast<char>(random());
        EXPECT_EQ(open_status(files).category(), Category::kLogInvalid) << file->first;
    }
}

TEST(LogDamage, FoldersThatAreNoLogs) {
    const TempFolder folder;
    EXPECT_EQ(LogReader::open(folder / "none").status().category(), Category::kUsage);
    fs::create_directory(folder / "empty");
    EXPECT_EQ(LogReader::open(folder / "empty").status().category(), Category::kLogInvalid);
    write_file(folder / "file", "text");
    EXPECT_EQ(LogReader::open(folder / "file").status().category(), Category::kLogInvalid);
    fs::create_directory(folder / "pipe");
    ASSERT_EQ(::mkfifo((folder / "pipe/manifest").c_str(), 0600), 0);
    EXPECT_EQ(LogReader::open(folder / "pipe").status().category(), Category::kLogInvalid)
        << "must not block";
    for (const char* name : {"none", "empty", "file", "pipe"}) {
        const std::string message = LogReader::open(folder / name).status().message();
        EXPECT_FALSE(message.empty());
        EXPECT_EQ(message.find('\n'), std::string::npos);
    }
}

TEST(LogDamage, SummariesThatLieAreRefused) {
    const Summary good = *LogReader::open(memory_source(whole())).value()->summary();
    const auto lie = [&](auto change) {
        Summary summary = good;
        change(summary);
        Files files = whole();
        files["summary"] = with_payload(files["summary"], serialize(summary).value());
        auto reader = LogReader::open(memory_source(files));
        if (!reader.ok()) return reader.status().category();
        return check_log(**reader).verdict().category();
    };
    EXPECT_EQ(lie([](Summary&) {}), Category::kOk) << "canary: the unchanged one is good";
    EXPECT_EQ(lie([](Summary& s) { ++s.records; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { --s.ordinals; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { ++s.chunks; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { ++s.events_bytes; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { ++s.ring_bytes; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { ++s.content_digest; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { ++s.class_records[CASM_CLS_TSC]; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { s.end_reason = CASM_END_STOPPED; }), Category::kLogInvalid);
    EXPECT_EQ(lie([](Summary& s) { ++s.end_code; }), Category::kLogInvalid);
}

}  // namespace
}  // namespace casmotion::test
