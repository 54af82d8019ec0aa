// SPDX-License-Identifier: GPL-2.0-or-later
#include "rings/ring_header.h"

#include <string>

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion {

Status check_ring_header(const casm_ring& ring, RingBytes bytes, const char* name) {
    const std::string what = std::string("the ") + name + " ring ";
    if (ring.magic != CASM_RING_MAGIC) return internal_error(what + "has magic " + hex_text(ring.magic));
    if (ring.abi != CASM_ABI_VERSION)
        return internal_error(what + "is of interface version " + std::to_string(ring.abi) + ", not " +
                              std::to_string(CASM_ABI_VERSION));
    if (ring.size_bytes != bytes.value)
        return internal_error(what + "has " + std::to_string(ring.size_bytes) + " bytes, not " +
                              std::to_string(bytes.value));
    return {};
}

}  // namespace casmotion
