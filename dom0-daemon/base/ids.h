// SPDX-License-Identifier: GPL-2.0-or-later
//
// Identifiers that must not mix. Plain integers wrapped once, compared but never calculated with.
#pragma once

#include <compare>
#include <cstdint>

namespace casmotion {

/// A Xen domain id, 0 (dom0) to 0x7fef.
struct DomId {
    uint16_t value = 0;
    auto operator<=>(const DomId&) const = default;
};

/// A cpupool id as Xen numbers them; Pool-0 is 0.
struct CpupoolId {
    uint32_t value = 0;
    auto operator<=>(const CpupoolId&) const = default;
};

/// A physical CPU as `xl` numbers them, from 0.
struct CpuId {
    uint32_t value = 0;
    auto operator<=>(const CpuId&) const = default;
};

/// Size of a ring's data area in bytes: a power of two, CASM_RING_MIN_BYTES to CASM_RING_MAX_BYTES (or 0: no
/// ring).
struct RingBytes {
    uint64_t value = 0;
    auto operator<=>(const RingBytes&) const = default;
};

}  // namespace casmotion
