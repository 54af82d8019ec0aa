// SPDX-License-Identifier: GPL-2.0-or-later
//
// The frames of a log: the small framed files (manifest, index, summary) and the headers of chunks, as bytes.
// Layouts: docs/log-format.md. All integers little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"

namespace casmotion {

inline constexpr std::size_t kFileHeaderBytes = 24;
inline constexpr std::size_t kChunkHeaderBytes = 80;
inline constexpr std::uint32_t kChunkMagic = 0x4b4e4843;  // "CHNK"
inline constexpr std::uint32_t kChunkFlagZstd = 1;

// The first 8 bytes of a framed file.
inline constexpr std::string_view kManifestMagic = "CASMmani", kIndexMagic = "CASMindx",
                                  kSummaryMagic = "CASMsumm";

// Biggest payloads of the framed files. They bound what a reader allocates for them.
inline constexpr std::uint32_t kManifestBytesMax = 4u << 20;
inline constexpr std::uint32_t kIndexBytesMax = 16u << 20;
inline constexpr std::uint32_t kSummaryBytesMax = 64u << 10;

// Header and payload of a framed file.
[[nodiscard]] std::string frame_file(std::string_view magic, std::string_view payload);

// The payload of the framed file `name`, read from `source` and checked.
[[nodiscard]] Result<std::string> read_framed(LogSource& source, const std::string& name,
                                              std::string_view magic, std::uint32_t payload_bytes_max);

// The header of chunk number `sequence`.
[[nodiscard]] std::array<std::byte, kChunkHeaderBytes> frame_chunk(const ChunkInfo& chunk,
                                                                   std::uint64_t sequence);

// The inverse. Checks magic, checksum, version, flags and limits; `offset` is not in the header and left
// alone. The message says what is wrong but not where.
[[nodiscard]] Status parse_chunk_header(std::span<const std::byte, kChunkHeaderBytes> bytes, ChunkInfo& chunk,
                                        std::uint64_t& sequence);

}  // namespace casmotion
