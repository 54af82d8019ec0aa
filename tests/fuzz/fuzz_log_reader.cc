// SPDX-License-Identifier: GPL-2.0-or-later
//
// The log reader on any bytes. Input: first byte bit 0 = with summary and index; then the files, each as u32
// length and content, in the order manifest, events, index, summary. Checksums stand between a fuzzer and the
// code behind them, so they are made right first, unless bit 1 of the first byte is set; payloads may be
// given uncompressed.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "casmotion/log_check.h"
#include "casmotion/record_text.h"
#include "casmotion/ring_codec.h"
#include "chunk_codec.h"
#include "crc32c.h"
#include "file.h"
#include "frame.h"
#include "support/log_files.h"

namespace {

using namespace casmotion;

void put32(std::string& bytes, std::size_t at, std::uint32_t value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
}

std::uint32_t get32(const std::string& bytes, std::size_t at) {
    std::uint32_t value;
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
}

void fix_framed(std::string& file) {
    if (file.size() < kFileHeaderBytes) return;
    put32(file, 12, static_cast<std::uint32_t>(file.size() - kFileHeaderBytes));
    put32(file, 16, crc32c(as_bytes(std::string_view(file).substr(kFileHeaderBytes))));
    put32(file, 20, crc32c(as_bytes(std::string_view(file).substr(0, 20))));
}

// Makes checksums, numbers and digests of the chunks continue, as far as their sizes make sense.
void fix_events(std::string& events, const std::string& manifest) {
    if (manifest.size() < kFileHeaderBytes) return;
    std::uint64_t digest = content_digest(0, as_bytes(std::string_view(manifest).substr(kFileHeaderBytes)));
    std::uint64_t first_record = 0, first_ordinal = 0, number = 0;
    for (std::size_t at = 0; events.size() - at >= kChunkHeaderBytes;) {
        const std::uint32_t stored = get32(events, at + 64), records = get32(events, at + 48);
        if (stored > events.size() - at - kChunkHeaderBytes) return;
        const auto payload = std::string_view(events).substr(at + kChunkHeaderBytes, stored);
        put32(events, at, kChunkMagic);
        std::memcpy(events.data() + at + 8, &number, 8);
        std::memcpy(events.data() + at + 16, &first_record, 8);
        std::memcpy(events.data() + at + 24, &first_ordinal, 8);
        std::memcpy(events.data() + at + 32, &digest, 8);
        put32(events, at + 72, crc32c(as_bytes(payload)));
        if (get32(events, at + 68) == 0) {
            put32(events, at + 60, stored);
            // The digest of what it decodes to, if it does.
            ChunkInfo chunk{
                .records = records, .ordinals = get32(events, at + 52), .ring_bytes = get32(events, at + 56)};
            std::vector<std::byte> ring;
            if (decode_chunk(payload, chunk, ring).ok()) {
                const std::uint64_t after = content_digest(digest, ring);
                std::memcpy(events.data() + at + 40, &after, 8);
            }
        }
        put32(events, at + 76, crc32c(as_bytes(std::string_view(events).substr(at, 76))));
        std::memcpy(&digest, events.data() + at + 40, 8);
        first_record += records;
        first_ordinal += get32(events, at + 52);
        ++number;
        at += kChunkHeaderBytes + stored;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool closed = (data[0] & 1) != 0, fix = (data[0] & 2) == 0;
    std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    test::Files files;
    for (const char* name : {"manifest", "events", "index", "summary"}) {
        if (rest.size() < 4) break;
        const std::size_t length = std::min<std::size_t>(get32(rest, 0), rest.size() - 4);
        if (closed || name[0] == 'm' || name[0] == 'e') files[name] = rest.substr(4, length);
        rest.erase(0, 4 + length);
    }
    if (fix) {
        for (const char* name : {"manifest", "index", "summary"})
            if (files.contains(name)) fix_framed(files[name]);
        if (files.contains("events")) fix_events(files["events"], files["manifest"]);
    }
    auto reader = LogReader::open(test::memory_source(files));
    // A seed must get to the end of this function (tests/fuzz/run).
    static const bool seed = std::getenv("CASMOTION_FUZZ_SEED") != nullptr;
    if (!reader.ok()) return seed ? std::abort(), 0 : 0;
    if (seed && (*reader)->records() < 5) std::abort();
    const LogReport report = check_log(**reader);
    if (to_text(report).empty() || to_json(report).empty()) std::abort();
    if (!(*reader)->seek({(*reader)->records() / 2}).ok()) return 0;
    Record record;
    for (int i = 0; i < 100; ++i) {
        const auto more = (*reader)->next(record);
        if (!more.ok() || !*more) break;
        std::vector<std::byte> ring;
        if (!encode_ring(record, ring).ok()) std::abort();  // what is read can be written
        if (to_text(record, {0}, {0}).empty() || to_json(record, {0}, {0}).empty()) std::abort();
    }
    return 0;
}
