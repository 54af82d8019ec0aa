// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes a log. While it is written it is the folder PATH.incomplete; close() makes it durable and renames it
// to PATH, so a folder under the final name is always a whole log. Format: docs/log-format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "casmotion/manifest.h"
#include "casmotion/record.h"
#include "casmotion/status.h"

namespace casmotion {

// What to do with a boot file: its identity always goes into the manifest, a copy of it only if `embed`.
struct BootFileSource {
    std::string path;
    bool embed = true;
};

struct LogWriterOptions {
    std::optional<BootFileSource> kernel{};   // if set, manifest.kernel is filled in by create()
    std::optional<BootFileSource> ramdisk{};  // if set, manifest.ramdisk is filled in by create()
    int zstd_level = 1;                       // 1 to 19; measured: docs/log-format.md
};

// Not thread-safe: one thread at a time. After a failed append or flush every later call returns the same
// Status, and the chunks that were written before stay readable in PATH.incomplete.
class LogWriter {
  public:
    // Makes PATH.incomplete with the manifest and the embedded files. Failures, each with nothing left
    // behind: PATH or PATH.incomplete exists (kUsage), a boot file cannot be read (kUsage), the folder cannot
    // be written (kHostLacks).
    [[nodiscard]] static Result<std::unique_ptr<LogWriter>> create(const std::string& path, Manifest manifest,
                                                                   const LogWriterOptions& options);

    // A writer that was neither closed nor discarded is abandoned, see abandon().
    ~LogWriter();
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    // Appends one record. kInternal: the record is not well-formed, of a class that is never stored, or
    // follows END. kHostLacks: a chunk could not be written (disk full, ...). Cost: see tests/events (bench).
    [[nodiscard]] Status append(const Record& record);

    // Appends the ring records in `bytes`, in order, without making Records of them: the fast path of a
    // recorder. Returns the number of bytes taken, which ends at a record boundary: a record that is cut at
    // the end of `bytes` is left for the next call. Failures as append; kLogInvalid for bytes that are no
    // record.
    [[nodiscard]] Result<std::size_t> append_ring(std::span<const std::byte> bytes);

    // Writes what is buffered as a chunk of its own, so that it survives the death of this process (not of
    // the host: there is no fsync). Costs compression: call it about once a second, and when the source is
    // idle. No-op if nothing is buffered.
    [[nodiscard]] Status flush();

    // Ends the log: writes the last chunk, index and summary, makes all of it durable, renames the folder to
    // PATH. Only `summary.measurements` is taken from the caller. kInternal if the last record is not END;
    // kUsage if PATH exists by now; kHostLacks if something could not be written. After a failure the folder
    // is still PATH.incomplete.
    [[nodiscard]] Status close(const Summary& summary);

    // Writes what is buffered and leaves PATH.incomplete, readable up to the last chunk.
    [[nodiscard]] Status abandon();

    // Removes PATH.incomplete: for a recording that never started.
    [[nodiscard]] Status discard();

    // The manifest as written, with the boot files filled in.
    [[nodiscard]] const Manifest& manifest() const;

    // Counts so far. `events_bytes` covers the chunks written; the rest includes what is buffered.
    [[nodiscard]] const Summary& progress() const;

    // Bytes on disk if the log ended now, without embedded files; what is buffered counts uncompressed. For
    // --max-log.
    [[nodiscard]] std::uint64_t size_estimate_bytes() const;

    // Where the log is now: PATH.incomplete, or PATH after close().
    [[nodiscard]] const std::string& folder() const;

  private:
    struct Impl;
    explicit LogWriter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// The folder in which a log that will be `path` is written: `path`.incomplete, without trailing slashes.
[[nodiscard]] std::string incomplete_path(const std::string& path);

}  // namespace casmotion
