// SPDX-License-Identifier: GPL-2.0-or-later
//
// What `casmotion info` says about a log: the manifest, sizes, records and bytes per class, how it ended.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "casm_abi.h"
#include "casmotion/log_reader.h"
#include "casmotion/manifest.h"
#include "casmotion/status.h"
#include "report/json.h"

namespace casmotion {

struct LogInfo {
    std::string name;
    Manifest manifest;
    std::optional<Summary> summary;  ///< none: not closed
    std::optional<TornTail> torn_tail;
    uint64_t records = 0;
    uint64_t entries = 0;
    std::array<uint64_t, CASM_CLASSES_MAX> class_records{};
    std::array<uint64_t, CASM_CLASSES_MAX> class_bytes{};  ///< uncompressed, as ring records
    uint64_t ring_bytes = 0;                               ///< sum of class_bytes
    uint64_t apoints_canonical = 0, apoints_by_state = 0;  ///< APOINT records by enum casm_apoint_kind
    uint64_t branches = 0;      ///< total of the last BRANCHES record, 0: there is none
    uint64_t events_bytes = 0;  ///< as stored
};

/// Reads the whole log once, for the counts per class. Moves the reader. Log invalid (65) at the first
/// damage.
Result<LogInfo> read_log_info(LogReader& reader);

/// Several lines.
std::string to_text(const LogInfo& info);
Json to_json(const LogInfo& info);

}  // namespace casmotion
