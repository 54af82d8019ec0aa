// SPDX-License-Identifier: GPL-2.0-or-later
//
// The payload of the file `index`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"

namespace casmotion {

[[nodiscard]] std::string serialize_index(std::span<const ChunkInfo> chunks);

// Does the index in `payload` describe exactly `chunks`? kLogInvalid with the first chunk that differs if
// not.
[[nodiscard]] Status check_index(std::string_view payload, std::span<const ChunkInfo> chunks);

}  // namespace casmotion
