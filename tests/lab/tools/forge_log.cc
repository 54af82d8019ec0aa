// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm-forge-log: logs for tests that no recording makes. Every checksum is right, so that what is wrong is the meaning.
//   casm-forge-log memory MIB LOG OUT    a log of the same guest with another memory size
//   casm-forge-log version N LOG OUT     a log of another format version
//   casm-forge-log cuts LOG              where to cut 'events': at each end of a chunk, and in the middle of each
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <regex>
#include <span>
#include <string>

#include "casmotion/log_reader.h"
#include "crc32c.h"
#include "support/log_files.h"
#include "support/raw_log.h"

namespace casmotion::test {
namespace {

constexpr std::size_t kVersionOffset = 8, kHeaderCrcOffset = 20;  // of a framed file: docs/log-format.md

Status forge_memory(std::uint64_t mib, LogReader& reader, const std::string& out) {
    Manifest manifest = reader.manifest();
    const std::uint64_t kib = mib * 1024;
    manifest.guest.memory_kib = kib;
    const std::regex size("(\"(?:max|target)_memkb\": *)[0-9]+");
    manifest.guest.config_json =
        std::regex_replace(manifest.guest.config_json, size, "$01" + std::to_string(kib));
    std::vector<Record> records;
    for (Record record;;) {
        CASM_ASSIGN(const bool more, reader.next(record));
        if (!more) break;
        records.push_back(record);
    }
    for (const auto& [name, content] : raw_log(manifest_file(manifest), records)) write_file(out + "/" + name, content);
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
    forge_version(static_cast<std::uint32_t>(std::strtoul(arguments[2], nullptr, 10)), out);
    return {};
}

}  // namespace
}  // namespace casmotion::test

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (!((what == "cuts" && argc == 3) || ((what == "memory" || what == "version") && argc == 5))) {
        std::cerr << "usage: casm-forge-log memory MIB LOG OUT | version N LOG OUT | cuts LOG\n";
        return 2;
    }
    const casmotion::Status status = casmotion::test::run({argv, static_cast<std::size_t>(argc)});
    if (!status.ok()) std::cerr << "casm-forge-log: " << status.message() << '\n';
    return status.ok() ? 0 : status.exit_code();
}
