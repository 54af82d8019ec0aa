// SPDX-License-Identifier: GPL-2.0-or-later
#include "index.h"

#include <google/protobuf/io/coded_stream.h>

#include "casmotion/log/v1/log.pb.h"

namespace casmotion {

namespace pb = log::v1;

std::string serialize_index(std::span<const ChunkInfo> chunks) {
    pb::Index index;
    for (const ChunkInfo& chunk : chunks) {
        pb::IndexEntry* entry = index.add_chunks();
        entry->set_offset(chunk.offset);
        entry->set_first_record(chunk.first_record);
        entry->set_first_ordinal(chunk.first_ordinal);
        entry->set_records(chunk.records);
        entry->set_ordinals(chunk.ordinals);
        entry->set_ring_bytes(chunk.ring_bytes);
        entry->set_raw_bytes(chunk.raw_bytes);
        entry->set_stored_bytes(chunk.stored_bytes);
        entry->set_digest_after(chunk.digest_after);
    }
    return index.SerializeAsString();
}

// Entry by entry, so that an index of millions of empty entries takes no memory.
Status check_index(std::string_view payload, std::span<const ChunkInfo> chunks) {
    google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(payload.data()),
                                              static_cast<int>(payload.size()));
    std::size_t number = 0;
    pb::IndexEntry entry;
    while (const std::uint32_t tag = in.ReadTag()) {
        std::uint32_t bytes = 0;
        const bool framed = tag == (1 << 3 | 2) && in.ReadVarint32(&bytes) &&
                            bytes <= payload.size() - static_cast<std::size_t>(in.CurrentPosition());
        const auto start = static_cast<std::size_t>(in.CurrentPosition());
        if (!framed || !in.Skip(static_cast<int>(bytes)) ||
            !entry.ParseFromArray(payload.data() + start, static_cast<int>(bytes)))
            return log_invalid("the index is not a valid message");
        if (number >= chunks.size())
            return log_invalid("the index has more chunks than 'events', which has " +
                               std::to_string(chunks.size()));
        const ChunkInfo& chunk = chunks[number];
        if (entry.offset() != chunk.offset || entry.first_record() != chunk.first_record ||
            entry.first_ordinal() != chunk.first_ordinal || entry.records() != chunk.records ||
            entry.ordinals() != chunk.ordinals || entry.ring_bytes() != chunk.ring_bytes ||
            entry.raw_bytes() != chunk.raw_bytes || entry.stored_bytes() != chunk.stored_bytes ||
            entry.digest_after() != chunk.digest_after)
            return log_invalid("index and header of chunk " + std::to_string(number) + " at offset " +
                               std::to_string(chunk.offset) + " differ");
        ++number;
    }
    if (!in.ConsumedEntireMessage()) return log_invalid("the index is not a valid message");
    if (number != chunks.size())
        return log_invalid("the index has " + std::to_string(number) + " chunks, 'events' has " +
                           std::to_string(chunks.size()));
    return {};
}

}  // namespace casmotion
