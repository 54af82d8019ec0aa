// SPDX-License-Identifier: GPL-2.0-or-later
//
// Reads a log. Everything in it is untrusted: sizes, counts, checksums, order and content digest are checked
// before use, and reading takes at most kReaderMemoryMaxBytes whatever the files say.
//
// The files may be in order and their records not (a forged log): each record is checked before it is given
// out, see record_check.h.
//
// A log without summary (the recorder died) is cut behind its last good chunk, and torn_tail() says so.
// Damage anywhere else, and any damage of a log with summary, is kLogInvalid with chunk and file offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "casmotion/manifest.h"
#include "casmotion/record.h"
#include "casmotion/status.h"

namespace casmotion {

// Limits of one chunk; a chunk that exceeds one is damaged. They bound the memory of a reader.
inline constexpr std::uint32_t kChunkRecordsMax = 65536;
inline constexpr std::uint32_t kChunkRingBytesMax =
    (1u << 20) + CASM_REC_MAX_BYTES;                          // records as ring records
inline constexpr std::uint32_t kChunkRawBytesMax = 2u << 20;  // payload, uncompressed
inline constexpr std::uint32_t kChunkStoredBytesMax = kChunkRawBytesMax + (64u << 10);
inline constexpr std::uint32_t kFramedBytesMax = 8u << 20;  // payload of manifest, index and summary
inline constexpr std::uint64_t kReaderMemoryMaxBytes = 64u << 20;

// The files of a log, wherever they are. Names: "manifest", "events", "index", "summary", "kernel",
// "ramdisk". Implementations need not be thread-safe.
class LogSource {
  public:
    virtual ~LogSource() = default;

    // Size in bytes of the file `name`; nullopt if there is none. kHostLacks if it cannot be told.
    [[nodiscard]] virtual Result<std::optional<std::uint64_t>> size_bytes(const std::string& name) = 0;

    // Fills `out` from `offset` on. kLogInvalid if the file ends before, kHostLacks if it cannot be read.
    [[nodiscard]] virtual Status read(const std::string& name, std::uint64_t offset,
                                      std::span<std::byte> out) = 0;

    // What messages call the log; its path.
    [[nodiscard]] virtual std::string name() const = 0;
};

// The folder `path`. kUsage if it does not exist, kLogInvalid if it is no folder, kHostLacks if it cannot be
// read.
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_folder(const std::string& path);

// A chunk as its header describes it.
struct ChunkInfo {
    std::uint64_t offset = 0;  // of the header, in `events`
    std::uint64_t first_record = 0;
    std::uint64_t first_ordinal = 0;  // ENTRY records before it
    std::uint32_t records = 0;
    std::uint32_t ordinals = 0;      // ENTRY records in it
    std::uint32_t ring_bytes = 0;    // its records as ring records
    std::uint32_t raw_bytes = 0;     // payload, uncompressed
    std::uint32_t stored_bytes = 0;  // payload, as stored
    std::uint32_t flags = 0;
    std::uint32_t payload_crc = 0;
    std::uint64_t digest_before = 0;  // content digest up to it
    std::uint64_t digest_after = 0;   // content digest including it

    bool operator==(const ChunkInfo&) const = default;
};

// The end of a log that was cut.
struct TornTail {
    std::uint64_t chunk = 0;   // number of the first chunk that is not good
    std::uint64_t offset = 0;  // where it starts in `events`; everything before is good
    std::uint64_t dropped_bytes =
        0;               // from there to the end of the file; 0 if the file ends with a good chunk
    std::string reason;  // "the file ends inside the chunk's header", ...
};

// Not thread-safe: one thread at a time. Movable between threads.
class LogReader {
  public:
    // Opens the log at `path`, or, if there is nothing, at `path`.incomplete. Reads and checks the manifest,
    // the chunk headers, and index and summary if they are there; chunk contents are checked when they are
    // read, in a log without summary also now. kUsage: nothing there; kLogInvalid: not a log, other version,
    // damaged; kHostLacks: unreadable.
    [[nodiscard]] static Result<std::unique_ptr<LogReader>> open(const std::string& path);

    // The same for any source.
    [[nodiscard]] static Result<std::unique_ptr<LogReader>> open(std::unique_ptr<LogSource> source);

    ~LogReader();
    LogReader(const LogReader&) = delete;
    LogReader& operator=(const LogReader&) = delete;

    [[nodiscard]] const Manifest& manifest() const;
    [[nodiscard]] const std::optional<Summary>& summary() const;     // none: the log was not closed
    [[nodiscard]] const std::optional<TornTail>& torn_tail() const;  // set if and only if there is no summary
    [[nodiscard]] const std::vector<ChunkInfo>& chunks() const;
    [[nodiscard]] std::string name() const;  // path, for messages

    // Records that can be read.
    [[nodiscard]] std::uint64_t records() const;

    // The next record, checked (record_check.h): true and `record` is set, or false at the end of the log.
    // Failures are kLogInvalid (with chunk and offset, or the record and what is wrong with it) or
    // kHostLacks, and repeat. Reuses the memory of record.blob.
    [[nodiscard]] Result<bool> next(Record& record);

    // The same without the check of what the record says: for who judges or shows bad records (check_log),
    // or makes them.
    [[nodiscard]] Result<bool> next_unchecked(Record& record);

    // The next records as ring records, checked: those that are left of the current chunk, up to the first
    // bad one, which is then the next call's failure. Empty at the end of the log. The bytes stay valid
    // until the next call that moves the reader. For feeding a replay.
    [[nodiscard]] Result<std::span<const std::byte>> next_ring();

    // The next call to next() or next_ring() will return record `index`, 0 to records(). Decodes at most one
    // chunk. kUsage if the log has fewer records.
    [[nodiscard]] Status seek(RecordIndex index);

    // Index of the record that next() would return.
    [[nodiscard]] RecordIndex position() const;

    // ENTRY records before position().
    [[nodiscard]] SyncOrdinal ordinal() const;

    // The embedded file "kernel" or "ramdisk", checked against its SHA-256 in the manifest, written to `path`
    // (created or overwritten; on failure removed). kLogInvalid if the log does not hold it or the hash is
    // another.
    [[nodiscard]] Status extract(const std::string& file, const std::string& path);

  private:
    struct Impl;
    explicit LogReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace casmotion
