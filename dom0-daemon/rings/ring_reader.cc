// SPDX-License-Identifier: GPL-2.0-or-later
#include "rings/ring_reader.h"

#include <algorithm>
#include <cstring>

#include "base/failures.h"
#include "base/host_text.h"
#include "rings/ring_header.h"

namespace casmotion {

RingReader::RingReader(casm_ring* ring, uint64_t size)
    : ring_(ring),
      data_(reinterpret_cast<const std::byte*>(ring) + CASM_RING_DATA_OFFSET),
      size_(size),
      cons_(load_acquire(ring->cons)) {}

Result<RingReader> RingReader::open(void* base, RingBytes bytes) {
    auto* ring = static_cast<casm_ring*>(base);
    CASM_TRY(check_ring_header(*ring, bytes, "log"));
    if (load_acquire(ring->cons) != 0) return internal_error("the log ring was read from before");
    return RingReader(ring, bytes.value);
}

Result<uint64_t> RingReader::available() const {
    CASM_TRY(check_ring_header(*ring_, RingBytes{size_}, "log"));
    const uint64_t prod = load_acquire(ring_->prod);
    const uint64_t unread = prod - cons_;
    if (unread > size_ || prod % 8 != 0)
        return internal_error("the log ring is damaged: producer at " + std::to_string(prod) +
                              ", consumer at " + std::to_string(cons_) + ", size " + std::to_string(size_));
    return unread;
}

Result<size_t> RingReader::peek(std::span<std::byte> out) const {
    CASM_ASSIGN(const uint64_t unread, available());
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(unread, out.size()));
    const uint64_t offset = cons_ & (size_ - 1);
    const auto first = static_cast<size_t>(std::min<uint64_t>(wanted, size_ - offset));
    std::memcpy(out.data(), data_ + offset, first);
    std::memcpy(out.data() + first, data_, wanted - first);
    return wanted;
}

void RingReader::consume(size_t bytes) {
    cons_ += bytes;
    store_release(ring_->cons, cons_);
}

bool RingReader::eof() const {
    return load_acquire(ring_->eof) != 0;
}

}  // namespace casmotion
