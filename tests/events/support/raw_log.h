// SPDX-License-Identifier: GPL-2.0-or-later
//
// Builds the files of a log without the writer's rules: any records in any order, with all checksums and
// digests right. For mutants that only a check of the meaning, or a replay, can notice.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/manifest.h"
#include "casmotion/record.h"
#include "support/log_files.h"

namespace casmotion {
class ChunkEncoder;
}

namespace casmotion::test {

// `manifest_file` is the framed file of another log, kept as it is. The records must be well-formed; a chunk
// holds at most `chunk_records` of them. Without `closed` there are no index and summary. `edit`, if there is
// one, changes the payload of each chunk, the message Chunk, before it is compressed.
using PayloadEdit = std::function<void(std::string& payload)>;
[[nodiscard]] Files raw_log(const std::string& manifest_file, const std::vector<Record>& records,
                            std::uint32_t chunk_records = 65536, bool closed = true, bool compressed = true,
                            const PayloadEdit& edit = {});

// The payload of a chunk of the records in `ring`, which fit into one; valid as long as `encoder`, which must
// be fresh.
[[nodiscard]] std::string_view encode_chunk(ChunkEncoder& encoder, std::span<const std::byte> ring);

// The content digest before the first record of a log with that framed manifest file.
[[nodiscard]] std::uint64_t manifest_digest(const std::string& manifest_file);

// The framed manifest file of `manifest`.
[[nodiscard]] std::string manifest_file(const Manifest& manifest);

}  // namespace casmotion::test
