// SPDX-License-Identifier: GPL-2.0-or-later
//
// What reader and writer of a ring share: the ordering of accesses to the shared counters, and the check of
// the header.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/ids.h"
#include "casm_abi.h"
#include "casmotion/status.h"

namespace casmotion {

/// Reads a counter that the other side writes; what that side wrote before it is visible afterwards.
template <typename T>
inline T load_acquire(T& shared) {
    static_assert(std::atomic_ref<T>::is_always_lock_free);
    return std::atomic_ref<T>(shared).load(std::memory_order_acquire);
}

/// Writes a counter that the other side reads, after everything that was written before.
template <typename T>
inline void store_release(T& shared, T value) {
    static_assert(std::atomic_ref<T>::is_always_lock_free);
    std::atomic_ref<T>(shared).store(value, std::memory_order_release);
}

/// Is this the header of a `name` ring with `bytes` of data? Internal error (70) with the difference if not.
Status check_ring_header(const casm_ring& ring, RingBytes bytes, const char* name);

}  // namespace casmotion
