// SPDX-License-Identifier: GPL-2.0-or-later
//
// Producer side of a ring of events/abi/casm_abi.h, over any memory: puts whole records into the feed ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ids.h"
#include "casm_abi.h"
#include "casmotion/status.h"

namespace casmotion {

/// One thread uses an object. The mapping must outlive it.
class RingWriter {
  public:
    /// `base` is the header page, followed by `bytes` of data. Internal error (70) if the header is not that
    /// of such a ring, or the ring is in use already.
    static Result<RingWriter> open(void* base, RingBytes bytes);

    /// Bytes that can be written now. Internal error (70) if the consumer's counter is impossible.
    Result<uint64_t> free_bytes() const;

    /// Writes as many of the ring records in `records` as fit, never a part of one, publishes them at once,
    /// and returns how many bytes that was. `records` must start at a record. Log invalid (65) for bytes that
    /// are no record.
    Result<size_t> write(std::span<const std::byte> records);

    /// Says that nothing follows what was written.
    void set_eof();

    uint64_t size_bytes() const { return size_; }

  private:
    RingWriter(casm_ring* ring, uint64_t size);

    casm_ring* ring_;
    std::byte* data_;
    uint64_t size_;
    uint64_t prod_;
};

}  // namespace casmotion
