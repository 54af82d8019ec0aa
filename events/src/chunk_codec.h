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

// Encodes records while they arrive, in one pass: this runs while the guest waits. One chunk at a time; keeps
// its buffers between chunks. One thread at a time.
class ChunkEncoder {
  public:
    ChunkEncoder();
    ~ChunkEncoder();
    ChunkEncoder(const ChunkEncoder&) = delete;
    ChunkEncoder& operator=(const ChunkEncoder&) = delete;

    // Starts a chunk whose content digest goes on from `digest_before`.
    void start(std::uint64_t digest_before);

    // Takes ring records from the start of `bytes` and returns how many bytes that were. Stops at the end of
    // `bytes`, when the chunk is full, behind an END, and before a record that is cut off, malformed, or of a
    // class that is in no log.
    [[nodiscard]] std::size_t add(std::span<const std::byte> bytes);

    // Has the chunk reached its size?
    [[nodiscard]] bool full() const;

    // What the chunk holds so far.
    [[nodiscard]] std::uint32_t records() const;
    [[nodiscard]] std::size_t ring_bytes() const;
    [[nodiscard]] const std::array<std::uint32_t, CASM_CLASSES_MAX>& class_records() const;
    [[nodiscard]] std::uint64_t digest() const;

    // The header of the END record of the chunk; cls is 0 if it has none.
    [[nodiscard]] casm_rec end_header() const;

    // The payload of the chunk. Valid until start(), which must come next.
    [[nodiscard]] EncodedChunk finish();

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
