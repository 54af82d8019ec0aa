// SPDX-License-Identifier: GPL-2.0-or-later
//
// Kernel and ramdisk of a replay: taken out of the log, or given by the user and checked against the log's
// hash.
#pragma once

#include <string>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"

namespace casmotion {

/// A readable file that disappears with the object. Its path works in this process only.
class BootFileHandle {
  public:
    BootFileHandle() = default;  ///< no file; path() is empty
    explicit BootFileHandle(int fd) : fd_(fd) {}
    BootFileHandle(BootFileHandle&& other) noexcept;
    BootFileHandle& operator=(BootFileHandle&& other) noexcept;
    ~BootFileHandle();

    /// "/proc/self/fd/N"; empty without a file.
    std::string path() const;

  private:
    int fd_ = -1;
};

struct BootFiles {
    BootFileHandle kernel;
    BootFileHandle ramdisk;
};

/// Opens both for the log of `reader`. A path given by the user is used instead of the log's copy and must
/// have the same hash: usage error (2) if it has another, cannot be read, or is missing although the log was
/// recorded by hash. Log invalid (65) if the log's own copy is damaged.
Result<BootFiles> open_boot_files(LogReader& reader, const std::string& kernel, const std::string& ramdisk);

}  // namespace casmotion
