// SPDX-License-Identifier: GPL-2.0-or-later
#include "frame.h"

#include <cstring>

#include "crc32c.h"
#include "file.h"

namespace casmotion {

namespace {

// Puts and takes integers at increasing offsets; the host is little-endian (asserted in ring_codec.cc).
class Cursor {
  public:
    explicit Cursor(std::byte* at) : at_(at) {}
    template <typename T>
    void put(T value) {
        std::memcpy(at_, &value, sizeof(value));
        at_ += sizeof(value);
    }

  private:
    std::byte* at_;
};

template <typename T>
T take(std::span<const std::byte> bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
}

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

Status wrong_version(std::uint32_t version) {
    return log_invalid("log format version " + number(version) + ", this program reads version " +
                       number(kLogFormatVersion) +
                       (version < kLogFormatVersion
                            ? ": an older release recorded it; read and replay it with that one"
                            : ""));
}

}  // namespace

std::string frame_file(std::string_view magic, std::string_view payload) {
    std::array<std::byte, kFileHeaderBytes> header;
    std::memcpy(header.data(), magic.data(), 8);
    Cursor cursor(header.data() + 8);
    cursor.put(std::uint32_t{kLogFormatVersion});
    cursor.put(static_cast<std::uint32_t>(payload.size()));
    cursor.put(crc32c(as_bytes(payload)));
    cursor.put(crc32c(std::span(header).first(20)));
    std::string file(reinterpret_cast<const char*>(header.data()), header.size());
    file += payload;
    return file;
}

Result<std::string> read_framed(LogSource& source, const std::string& name, std::string_view magic,
                                std::uint32_t payload_bytes_max) {
    const std::string where = "file '" + name + "'";
    std::optional<std::uint64_t> size;
    CASM_ASSIGN(size, source.size_bytes(name));
    if (!size) return log_invalid("no " + where);
    if (*size < kFileHeaderBytes)
        return log_invalid(where + " has " + number(*size) + " bytes, its header alone has " +
                           number(kFileHeaderBytes));
    std::array<std::byte, kFileHeaderBytes> header;
    CASM_TRY(source.read(name, 0, header));
    if (std::memcmp(header.data(), magic.data(), 8) != 0)
        return log_invalid(where + " does not start with its magic");
    if (take<std::uint32_t>(header, 20) != crc32c(std::span(header).first(20)))
        return log_invalid(where + ": the header's checksum is wrong");
    if (const auto version = take<std::uint32_t>(header, 8); version != kLogFormatVersion)
        return wrong_version(version);
    const auto payload_bytes = take<std::uint32_t>(header, 12);
    if (payload_bytes > payload_bytes_max)
        return log_invalid(where + ": payload of " + number(payload_bytes) + " bytes, the limit is " +
                           number(payload_bytes_max));
    if (*size != kFileHeaderBytes + payload_bytes)
        return log_invalid(where + " has " + number(*size) + " bytes, its header says " +
                           number(kFileHeaderBytes + payload_bytes));
    std::string payload(payload_bytes, '\0');
    CASM_TRY(source.read(name, kFileHeaderBytes, std::as_writable_bytes(std::span(payload))));
    if (take<std::uint32_t>(header, 16) != crc32c(as_bytes(payload)))
        return log_invalid(where + ": the payload's checksum is wrong");
    return payload;
}

std::array<std::byte, kChunkHeaderBytes> frame_chunk(const ChunkInfo& chunk, std::uint64_t sequence) {
    std::array<std::byte, kChunkHeaderBytes> header;
    Cursor cursor(header.data());
    cursor.put(kChunkMagic);  // 0
    cursor.put(std::uint32_t{kLogFormatVersion});
    cursor.put(sequence);             // 8
    cursor.put(chunk.first_record);   // 16
    cursor.put(chunk.first_ordinal);  // 24
    cursor.put(chunk.digest_before);  // 32
    cursor.put(chunk.digest_after);   // 40
    cursor.put(chunk.records);        // 48
    cursor.put(chunk.ordinals);       // 52
    cursor.put(chunk.ring_bytes);     // 56
    cursor.put(chunk.raw_bytes);      // 60
    cursor.put(chunk.stored_bytes);   // 64
    cursor.put(chunk.flags);          // 68
    cursor.put(chunk.payload_crc);    // 72
    cursor.put(crc32c(std::span(header).first(76)));
    return header;
}

Status parse_chunk_header(std::span<const std::byte, kChunkHeaderBytes> bytes, ChunkInfo& chunk,
                          std::uint64_t& sequence) {
    if (take<std::uint32_t>(bytes, 0) != kChunkMagic) return log_invalid("no chunk starts here");
    if (take<std::uint32_t>(bytes, 76) != crc32c(bytes.first(76)))
        return log_invalid("the header's checksum is wrong");
    if (const auto version = take<std::uint32_t>(bytes, 4); version != kLogFormatVersion)
        return wrong_version(version);
    sequence = take<std::uint64_t>(bytes, 8);
    chunk.first_record = take<std::uint64_t>(bytes, 16);
    chunk.first_ordinal = take<std::uint64_t>(bytes, 24);
    chunk.digest_before = take<std::uint64_t>(bytes, 32);
    chunk.digest_after = take<std::uint64_t>(bytes, 40);
    chunk.records = take<std::uint32_t>(bytes, 48);
    chunk.ordinals = take<std::uint32_t>(bytes, 52);
    chunk.ring_bytes = take<std::uint32_t>(bytes, 56);
    chunk.raw_bytes = take<std::uint32_t>(bytes, 60);
    chunk.stored_bytes = take<std::uint32_t>(bytes, 64);
    chunk.flags = take<std::uint32_t>(bytes, 68);
    chunk.payload_crc = take<std::uint32_t>(bytes, 72);
    const auto check = [](const char* what, std::uint32_t value, std::uint32_t min,
                          std::uint32_t max) -> Status {
        if (value >= min && value <= max) return {};
        return log_invalid(std::string(what) + " is " + number(value) + ", must be " + number(min) + " to " +
                           number(max));
    };
    CASM_TRY(check("record count", chunk.records, 1, kChunkRecordsMax));
    CASM_TRY(check("entry count", chunk.ordinals, 0, chunk.records));
    CASM_TRY(check("ring size", chunk.ring_bytes, 8 * chunk.records, kChunkRingBytesMax));
    CASM_TRY(check("raw size", chunk.raw_bytes, 1, kChunkRawBytesMax));
    CASM_TRY(check("stored size", chunk.stored_bytes, 1, kChunkStoredBytesMax));
    if ((chunk.flags & ~kChunkFlagZstd) != 0)
        return log_invalid("unknown flags " + number(chunk.flags & ~kChunkFlagZstd));
    if ((chunk.flags & kChunkFlagZstd) == 0 && chunk.stored_bytes != chunk.raw_bytes)
        return log_invalid("stored and raw size differ without compression");
    return {};
}

}  // namespace casmotion
