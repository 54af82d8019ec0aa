// SPDX-License-Identifier: GPL-2.0-or-later
//
// Folders, files and logs for tests.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/log_writer.h"
#include "casmotion/record.h"

namespace casmotion::test {

// A fresh folder that goes away with the object.
class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

[[nodiscard]] std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);

// A log in memory, file name -> content.
using Files = std::map<std::string, std::string>;
[[nodiscard]] Files files_of(const std::string& folder);
[[nodiscard]] std::unique_ptr<LogSource> memory_source(Files files);

// All records in ring form.
[[nodiscard]] std::vector<std::byte> ring_of(const std::vector<Record>& records);

// Writes `records` to a log and closes it (they must end with END) or leaves it incomplete; a chunk ends
// behind each index in `flush_after`. Failures abort.
void write_log(const std::string& path, const Manifest& manifest, const std::vector<Record>& records,
               const std::vector<std::size_t>& flush_after = {}, bool close = true);

// All records that can be read, and the status that ended it (ok at the end of the log).
struct ReadBack {
    std::vector<Record> records;
    Status status;
};
[[nodiscard]] ReadBack read_all(LogReader& reader);
[[nodiscard]] ReadBack read_all(const Files& files);

// `file`, a framed file, with another payload and right checksums.
[[nodiscard]] std::string with_payload(const std::string& file, const std::string& payload);

}  // namespace casmotion::test
