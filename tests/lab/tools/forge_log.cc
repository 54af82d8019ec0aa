// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm-forge-log: logs for tests that no recording makes. Every checksum is right, so that what is wrong is
// the meaning.
//   casm-forge-log memory MIB LOG OUT    a log of the same guest with another memory size
//   casm-forge-log config TEXT LOG OUT   the log with TEXT, JSON, at the beginning of its b_info
//   casm-forge-log version N LOG OUT     a log of another format version
//   casm-forge-log apoint FIELD+N LOG OUT  the log with the middle one of its canonical apoints changed:
//   FIELD is branches, rip,
//                                        hash, from, rcx or rsp; N may be negative. Prints the number of the
//                                        record
//   casm-forge-log cuts LOG              where to cut 'events': at each end of a chunk, and in the middle of
//   each
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <regex>
#include <span>
#include <string>
#include <vector>

#include "casmotion/log_reader.h"
#include "crc32c.h"
#include "support/log_files.h"
#include "support/raw_log.h"

namespace casmotion::test {
namespace {

constexpr std::size_t kVersionOffset = 8, kHeaderCrcOffset = 20;  // of a framed file: docs/log-format.md

Status write_with_manifest(const Manifest& manifest, LogReader& reader, const std::string& out) {
    std::vector<Record> records;
    for (Record record;;) {
        CASM_ASSIGN(const bool more, reader.next_unchecked(record));
        if (!more) break;
        records.push_back(record);
    }
    for (const auto& [name, content] : raw_log(manifest_file(manifest), records))
        write_file(out + "/" + name, content);
    return {};
}

Status forge_memory(std::uint64_t mib, LogReader& reader, const std::string& out) {
    Manifest manifest = reader.manifest();
    const std::uint64_t kib = mib * 1024;
    manifest.guest.memory_kib = kib;
    const std::regex size("(\"(?:max|target)_memkb\": *)[0-9]+");
    manifest.guest.config_json =
        std::regex_replace(manifest.guest.config_json, size, "$01" + std::to_string(kib));
    return write_with_manifest(manifest, reader, out);
}

Status forge_config(const std::string& text, LogReader& reader, const std::string& out) {
    Manifest manifest = reader.manifest();
    std::string& json = manifest.guest.config_json;
    const std::size_t object = json.find("\"b_info\"");
    const std::size_t begin = object == std::string::npos ? object : json.find('{', object);
    if (begin == std::string::npos) return Status{Category::kUsage, "the log's configuration has no b_info"};
    json.insert(begin + 1, text);
    return write_with_manifest(manifest, reader, out);
}

Status forge_apoint(const std::string& change, LogReader& reader, const std::string& out) {
    static const std::vector<std::string> kFields = {"branches", "rip", "hash", "from", "rcx", "rsp"};
    const std::size_t split = change.find_first_of("+-");
    const auto field = std::find(kFields.begin(), kFields.end(), change.substr(0, split));
    if (split == std::string::npos || field == kFields.end())
        return Status{Category::kUsage, "which field, and by how much? " + change};
    const auto delta = static_cast<std::uint64_t>(std::strtoll(change.c_str() + split, nullptr, 10));
    std::vector<Record> records;
    std::vector<std::size_t> points;
    for (Record record;;) {
        CASM_ASSIGN(const bool more, reader.next_unchecked(record));
        if (!more) break;
        // Not at its smallest count: one less must still be a point of the same entry.
        if (record.cls == CASM_CLS_APOINT && record.kind == CASM_APOINT_CANONICAL && record.w[0] > 2)
            points.push_back(records.size());
        records.push_back(record);
    }
    if (points.empty()) return Status{Category::kUsage, "the log has no canonical apoint"};
    const std::size_t nth = points[points.size() / 2];
    const auto at = static_cast<std::size_t>(field - kFields.begin());
    if (at < 3) {
        records[nth].w[at] += delta;
    } else {
        std::uint64_t value = 0;
        std::memcpy(&value, records[nth].blob.data() + (at - 3) * 8, sizeof(value));
        value += delta;
        std::memcpy(records[nth].blob.data() + (at - 3) * 8, &value, sizeof(value));
    }
    std::cout << nth << '\n';
    for (const auto& [name, content] : raw_log(manifest_file(reader.manifest()), records))
        write_file(out + "/" + name, content);
    return {};
}

void forge_version(std::uint32_t version, const std::string& out) {
    std::string file = read_file(out + "/manifest");
    std::memcpy(file.data() + kVersionOffset, &version, sizeof(version));
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(file)).first(kHeaderCrcOffset));
    std::memcpy(file.data() + kHeaderCrcOffset, &crc, sizeof(crc));
    write_file(out + "/manifest", file);
}

void print_cuts(const LogReader& reader) {
    std::uint64_t end = 0;
    for (const ChunkInfo& chunk : reader.chunks()) {
        const std::uint64_t next = chunk.offset + 80 + chunk.stored_bytes;
        std::cout << chunk.offset << '\n' << (chunk.offset + next) / 2 << '\n';
        end = next;
    }
    std::cout << end << '\n';
}

Status run(std::span<char*> arguments) {
    const std::string what = arguments[1], log = arguments[arguments.size() == 3 ? 2 : 3];
    std::unique_ptr<LogReader> reader;
    CASM_ASSIGN(reader, LogReader::open(log));
    if (what == "cuts") {
        print_cuts(*reader);
        return {};
    }
    const std::string out = arguments[4];
    std::filesystem::copy(log, out, std::filesystem::copy_options::recursive);
    if (what == "memory") return forge_memory(std::strtoull(arguments[2], nullptr, 10), *reader, out);
    if (what == "config") return forge_config(arguments[2], *reader, out);
    if (what == "apoint") return forge_apoint(arguments[2], *reader, out);
    forge_version(static_cast<std::uint32_t>(std::strtoul(arguments[2], nullptr, 10)), out);
    return {};
}

}  // namespace
}  // namespace casmotion::test

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (!((what == "cuts" && argc == 3) ||
          ((what == "memory" || what == "config" || what == "version" || what == "apoint") && argc == 5))) {
        std::cerr << "usage: casm-forge-log memory MIB LOG OUT | config TEXT LOG OUT | apoint FIELD+N LOG "
                     "OUT | version N LOG OUT "
                     "| cuts LOG\n";
        return 2;
    }
    const casmotion::Status status = casmotion::test::run({argv, static_cast<std::size_t>(argc)});
    if (!status.ok()) std::cerr << "casm-forge-log: " << status.message() << '\n';
    return status.ok() ? 0 : status.exit_code();
}
