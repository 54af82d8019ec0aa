// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/log_files.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "casmotion/ring_codec.h"
#include "crc32c.h"
#include "file.h"

namespace casmotion::test {

namespace {

class MemorySource final : public LogSource {
  public:
    explicit MemorySource(Files files) : files_(std::move(files)) {}

    Result<std::optional<std::uint64_t>> size_bytes(const std::string& name) override {
        const auto file = files_.find(name);
        if (file == files_.end()) return std::optional<std::uint64_t>();
        return std::optional<std::uint64_t>(file->second.size());
    }

    Status read(const std::string& name, std::uint64_t offset, std::span<std::byte> out) override {
        const std::string& file = files_[name];
        if (offset > file.size() || out.size() > file.size() - offset)
            return log_invalid("file '" + name + "' ends early");
        std::memcpy(out.data(), file.data() + offset, out.size());
        return {};
    }

    std::string name() const override { return "memory"; }

  private:
    Files files_;
};

void must(const Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "%s\n", status.message().c_str());
    std::abort();
}

}  // namespace

TempFolder::TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "casmotion-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) std::abort();
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& content) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << content;
    if (!out.flush()) std::abort();
}

Files files_of(const std::string& folder) {
    Files files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        files[entry.path().filename().string()] = read_file(entry.path().string());
    return files;
}

std::unique_ptr<LogSource> memory_source(Files files) {
    return std::make_unique<MemorySource>(std::move(files));
}

std::vector<std::byte> ring_of(const std::vector<Record>& records) {
    std::vector<std::byte> ring;
    for (const Record& record : records) must(encode_ring(record, ring));
    return ring;
}

void write_log(const std::string& path, const Manifest& manifest, const std::vector<Record>& records,
               const std::vector<std::size_t>& flush_after, bool close) {
    auto writer = LogWriter::create(path, manifest, {});
    must(writer.status());
    for (std::size_t i = 0; i < records.size(); ++i) {
        must((*writer)->append(records[i]));
        if (std::find(flush_after.begin(), flush_after.end(), i) != flush_after.end())
            must((*writer)->flush());
    }
    must(close ? (*writer)->close({}) : (*writer)->abandon());
}

ReadBack read_all(LogReader& reader) {
    ReadBack back;
    Record record;
    for (;;) {
        const Result<bool> more = reader.next_unchecked(record);
        if (!more.ok()) {
            back.status = more.status();
            return back;
        }
        if (!*more) return back;
        back.records.push_back(record);
    }
}

ReadBack read_all(const Files& files) {
    auto reader = LogReader::open(memory_source(files));
    if (!reader.ok()) return {{}, reader.status()};
    return read_all(**reader);
}

std::string with_payload(const std::string& file, const std::string& payload) {
    std::string out = file.substr(0, 12) + std::string(12, '\0') + payload;
    const auto put = [&out](std::size_t at, std::uint32_t value) {
        std::memcpy(out.data() + at, &value, sizeof(value));
    };
    put(12, static_cast<std::uint32_t>(payload.size()));
    put(16, crc32c(as_bytes(payload)));
    put(20, crc32c(as_bytes(std::string_view(out).substr(0, 20))));
    return out;
}

}  // namespace casmotion::test
