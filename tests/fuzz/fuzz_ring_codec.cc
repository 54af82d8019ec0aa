// SPDX-License-Identifier: GPL-2.0-or-later
//
// Ring records from any bytes: decoding never reads too far, and what it accepts is encoded to the same bytes
// again.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "casmotion/record_text.h"
#include "casmotion/ring_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace casmotion;
    auto rest = std::as_bytes(std::span(data, size));
    Record record;
    std::vector<std::byte> again;
    while (!rest.empty()) {
        const auto bytes = decode_ring(rest, record);
        if (!bytes.ok() || *bytes == 0) {
            if (std::getenv("CASMOTION_FUZZ_SEED") != nullptr)
                std::abort();  // a seed is all records (tests/fuzz/run)
            return 0;
        }
        again.clear();
        if (!encode_ring(record, again).ok() || again.size() != *bytes ||
            std::memcmp(again.data(), rest.data(), again.size()) != 0 || ring_size_bytes(record) != *bytes)
            std::abort();
        check_fields(record).ignore();
        if (to_text(record, {0}, {0}).empty() || to_json(record, {0}, {0}).empty()) std::abort();
        rest = rest.subspan(*bytes);
    }
    return 0;
}
