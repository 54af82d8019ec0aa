// SPDX-License-Identifier: GPL-2.0-or-later
//
// JSON as the commands print it: keys in the order in which they were added, one object, a newline at the
// end. Numbers are JSON integers (which may exceed 2^53); hashes, addresses and registers are strings
// "0x...".
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace casmotion {

using Json = nlohmann::ordered_json;

/// Indented text with a newline. Bytes that are not UTF-8 (names from a log) become the replacement
/// character.
inline std::string json_text(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace casmotion
