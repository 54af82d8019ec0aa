// SPDX-License-Identifier: GPL-2.0-or-later
#include "rings/ring_writer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/failures.h"
#include "casmotion/ring_codec.h"
#include "rings/ring_header.h"

namespace casmotion {

RingWriter::RingWriter(casm_ring* ring, uint64_t size)
    : ring_(ring), data_(reinterpret_cast<std::byte*>(ring) + CASM_RING_DATA_OFFSET), size_(size), prod_(0) {}

Result<RingWriter> RingWriter::open(void* base, RingBytes bytes) {
    auto* ring = static_cast<casm_ring*>(base);
    CASM_TRY(check_ring_header(*ring, bytes, "feed"));
    if (load_acquire(ring->prod) != 0) return internal_error("the feed ring was written to before");
    return RingWriter(ring, bytes.value);
}

Result<uint64_t> RingWriter::free_bytes() const {
    const uint64_t cons = load_acquire(ring_->cons);
    const uint64_t used = prod_ - cons;
    if (used > size_)
        return internal_error("the feed ring is damaged: consumer at " + std::to_string(cons) +
                              ", producer at " + std::to_string(prod_));
    return size_ - used;
}

Result<size_t> RingWriter::write(std::span<const std::byte> records) {
    CASM_ASSIGN(const uint64_t room, free_bytes());
    size_t taken = 0;
    while (taken < records.size()) {
        CASM_ASSIGN(const size_t record_bytes, peek_ring_size(records.subspan(taken)));
        if (record_bytes == 0 || record_bytes > records.size() - taken)
            return internal_error("a record to be fed is cut off");
        if (taken + record_bytes > room) break;
        taken += record_bytes;
    }
    const uint64_t offset = prod_ & (size_ - 1);
    const auto first = static_cast<size_t>(std::min<uint64_t>(taken, size_ - offset));
    std::memcpy(data_ + offset, records.data(), first);
    std::memcpy(data_, records.data() + first, taken - first);
    prod_ += taken;
    store_release(ring_->prod, prod_);
    return taken;
}

void RingWriter::set_eof() {
    store_release(ring_->eof, uint32_t{1});
}

}  // namespace casmotion
