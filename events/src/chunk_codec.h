// SPDX-License-Identifier: GPL-2.0-or-later
//
// The columnar payload of a chunk: ring records <-> protobuf columns (message Chunk in log.proto), before
// compression. Which columns there are follows from the taxonomy.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"
#include "casmotion/taxonomy.h"

namespace casmotion {

// The payload of a chunk. From `noise_at` on it is hash bits, which no compressor makes smaller: they are
// better left alone than mixed with the rest.
struct EncodedChunk {
    std::string_view raw;
    std::size_t noise_at;
};

// Keeps its buffers between chunks. One thread at a time.
class ChunkEncoder {
  public:
    ChunkEncoder();
    ~ChunkEncoder();
    ChunkEncoder(const ChunkEncoder&) = delete;
    ChunkEncoder& operator=(const ChunkEncoder&) = delete;

    // Encodes the well-formed, logged ring records in `ring`, of which there are class_records[c] of class c,
    // all within the limits of a chunk. The result stays valid until the next call. Cost: about 30
    // instructions per ENTRY.
    [[nodiscard]] EncodedChunk encode(std::span<const std::byte> ring,
                                      const std::array<std::uint32_t, CASM_CLASSES_MAX>& class_records);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Decodes `raw` into `ring`, replacing its content. Everything is checked against `chunk` (records, ordinals,
// ring_bytes) and against the taxonomy; kLogInvalid says what is wrong, not where.
[[nodiscard]] Status decode_chunk(std::string_view raw, const ChunkInfo& chunk, std::vector<std::byte>& ring);

// Digest of the content of a log: `before` continued with the ring form of records. XXH64, seed `before`.
[[nodiscard]] std::uint64_t content_digest(std::uint64_t before, std::span<const std::byte> ring);

}  // namespace casmotion
