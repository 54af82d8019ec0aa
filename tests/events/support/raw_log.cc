// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/raw_log.h"

#include <zstd.h>

#include <cstdio>
#include <cstdlib>

#include "casmotion/ring_codec.h"
#include "chunk_codec.h"
#include "crc32c.h"
#include "file.h"
#include "frame.h"
#include "index.h"

namespace casmotion::test {

namespace {

constexpr std::size_t kChunkTargetBytes = 1u << 20;

// Appends the chunk of `records[first .. last)` to `events` and its description to `chunks`.
void add_chunk(const std::vector<Record>& records, std::size_t first, std::size_t last, std::uint64_t digest,
               bool compressed, const PayloadEdit& edit, std::string& events,
               std::vector<ChunkInfo>& chunks) {
    std::array<std::uint32_t, CASM_CLASSES_MAX> counts{};
    for (std::size_t i = first; i < last; ++i) ++counts[records[i].cls];
    const auto ring = ring_of({records.begin() + static_cast<std::ptrdiff_t>(first),
                               records.begin() + static_cast<std::ptrdiff_t>(last)});
    ChunkEncoder encoder;
    std::string raw(encode_chunk(encoder, ring));
    if (edit) edit(raw);
    std::string stored = raw;
    if (compressed) {
        stored.resize(ZSTD_compressBound(raw.size()));
        stored.resize(ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), 1));
    }

    ChunkInfo chunk;
    chunk.offset = events.size();
    chunk.first_record = first;
    chunk.first_ordinal = chunks.empty() ? 0 : chunks.back().first_ordinal + chunks.back().ordinals;
    chunk.records = static_cast<std::uint32_t>(last - first);
    chunk.ordinals = counts[CASM_CLS_ENTRY];
    chunk.ring_bytes = static_cast<std::uint32_t>(ring.size());
    chunk.raw_bytes = static_cast<std::uint32_t>(raw.size());
    chunk.stored_bytes = static_cast<std::uint32_t>(stored.size());
    chunk.flags = compressed ? kChunkFlagZstd : 0;
    chunk.payload_crc = crc32c(as_bytes(stored));
    chunk.digest_before = digest;
    chunk.digest_after = content_digest(digest, ring);
    const auto header = frame_chunk(chunk, chunks.size());
    events.append(reinterpret_cast<const char*>(header.data()), header.size());
    events += stored;
    chunks.push_back(chunk);
}

}  // namespace

std::string_view encode_chunk(ChunkEncoder& encoder, std::span<const std::byte> ring) {
    while (!ring.empty()) {
        const std::size_t taken = encoder.add(ring);  // stops behind an END, which a mutant may have anywhere
        if (taken == 0) std::abort();
        ring = ring.subspan(taken);
    }
    return encoder.finish().raw;
}

Files raw_log(const std::string& manifest_file, const std::vector<Record>& records,
              std::uint32_t chunk_records, bool closed, bool compressed, const PayloadEdit& edit) {
    Files files;
    files["manifest"] = manifest_file;
    std::uint64_t digest =
        content_digest(0, as_bytes(std::string_view(manifest_file).substr(kFileHeaderBytes)));
    std::string& events = files["events"];
    std::vector<ChunkInfo> chunks;
    Summary summary;
    for (std::size_t first = 0; first < records.size();) {
        std::size_t last = first, bytes = 0;
        while (last < records.size() && last - first < chunk_records && bytes < kChunkTargetBytes)
            bytes += ring_size_bytes(records[last++]);
        add_chunk(records, first, last, digest, compressed, edit, events, chunks);
        digest = chunks.back().digest_after;
        summary.ring_bytes += bytes;
        first = last;
    }
    if (!closed) return files;
    for (const Record& record : records) {
        ++summary.class_records[record.cls];
        if (record.cls != CASM_CLS_END) continue;
        summary.end_reason = record.kind;
        summary.end_code = record.aux;
    }
    summary.records = records.size();
    summary.ordinals = summary.class_records[CASM_CLS_ENTRY];
    summary.content_digest = digest;
    summary.chunks = chunks.size();
    summary.events_bytes = events.size();
    files["index"] = frame_file(kIndexMagic, serialize_index(chunks));
    files["summary"] = frame_file(kSummaryMagic, serialize(summary).value());
    return files;
}

std::uint64_t manifest_digest(const std::string& manifest_file) {
    return content_digest(0, as_bytes(std::string_view(manifest_file).substr(kFileHeaderBytes)));
}

std::string manifest_file(const Manifest& manifest) {
    return frame_file(kManifestMagic, serialize(manifest).value());
}

}  // namespace casmotion::test
