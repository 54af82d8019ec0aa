// SPDX-License-Identifier: GPL-2.0-or-later
//
// Consumer side of a ring of events/abi/casm_abi.h, over any memory. What the ring says is checked before it
// is used: a nonsensical counter is an error, never an access outside the ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ids.h"
#include "casm_abi.h"
#include "casmotion/status.h"

namespace casmotion {

/// One thread uses an object. The mapping must outlive it.
class RingReader {
  public:
    /// `base` is the header page, followed by `bytes` of data. Internal error (70) if the header is not that
    /// of such a ring, or the ring is in use already.
    static Result<RingReader> open(void* base, RingBytes bytes);

    /// Bytes that can be read now; they never become fewer until consume(). Internal error (70) if the
    /// producer's counter is impossible, or the rest of the header is not what it was: Xen writes it once.
    Result<uint64_t> available() const;

    /// Copies the next out.size() unread bytes, or fewer if fewer are there, and returns how many. Copying
    /// takes what the producer wrote out of shared memory, so that nobody changes it after it was checked.
    Result<size_t> peek(std::span<std::byte> out) const;

    /// Gives `bytes` back to the producer; at most what peek() showed.
    void consume(size_t bytes);

    /// The ring says that nothing comes after what is available. Read it before available() to be sure. A
    /// hint: whoever can write the page can set it. What Xen says is its status.
    bool eof() const;

    uint64_t size_bytes() const { return size_; }

  private:
    RingReader(casm_ring* ring, uint64_t size);

    casm_ring* ring_;
    const std::byte* data_;
    uint64_t size_;
    uint64_t cons_;  // our own copy: what is in shared memory is for the producer
};

}  // namespace casmotion
