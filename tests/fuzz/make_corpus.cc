// SPDX-License-Identifier: GPL-2.0-or-later
//
// make_corpus FOLDER: seeds for the fuzzers, in FOLDER/log_reader and FOLDER/ring_codec.
#include <filesystem>
#include <iostream>

#include "casmotion/taxonomy.h"
#include "chunk_codec.h"
#include "frame.h"
#include "support/raw_log.h"
#include "support/synthetic_log.h"

namespace {

using namespace casmotion;
using namespace casmotion::test;

std::string with_length(const std::string& bytes) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    return std::string(reinterpret_cast<const char*>(&size), 4) + bytes;
}

// The log as input of fuzz_log_reader, payloads uncompressed (the fuzzer mends sizes and checksums).
std::string reader_input(const Files& files, const std::vector<Record>& records, bool closed,
                         bool compressed) {
    std::string events = files.at("events");
    if (!compressed) {
        std::array<std::uint32_t, CASM_CLASSES_MAX> counts{};
        for (const Record& record : records) ++counts[record.cls];
        ChunkEncoder encoder;
        const auto ring = ring_of(records);
        const std::string raw(encode_chunk(encoder, ring));
        const ChunkInfo chunk{.records = static_cast<std::uint32_t>(records.size()),
                              .ordinals = counts[CASM_CLS_ENTRY],
                              .ring_bytes = static_cast<std::uint32_t>(ring.size()),
                              .raw_bytes = static_cast<std::uint32_t>(raw.size()),
                              .stored_bytes = static_cast<std::uint32_t>(raw.size())};
        const auto header = frame_chunk(chunk, 0);
        events.assign(reinterpret_cast<const char*>(header.data()), header.size());
        events += raw;
    }
    std::string input(1, closed ? 1 : 0);
    input += with_length(files.at("manifest")) + with_length(events);
    if (closed) input += with_length(files.at("index")) + with_length(files.at("summary"));
    return input;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_corpus FOLDER\n";
        return 2;
    }
    const std::string folder = argv[1];
    std::filesystem::create_directories(folder + "/log_reader");
    std::filesystem::create_directories(folder + "/ring_codec");
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        const SyntheticOptions options{.seed = seed, .entries = 5 + seed * 20};
        std::vector<Record> records = synthetic_log(options);
        records[0].blob.resize(16);  // a small INIT keeps the inputs small
        const Files files = raw_log(manifest_file(synthetic_manifest(options)), records, 60);
        for (const bool closed : {false, true})
            for (const bool compressed : {false, true})
                write_file(folder + "/log_reader/" + std::to_string(seed) + (closed ? "c" : "u") +
                               (compressed ? "z" : "r"),
                           reader_input(files, records, closed, compressed));
        const auto ring = ring_of(records);
        write_file(folder + "/ring_codec/" + std::to_string(seed),
                   std::string(reinterpret_cast<const char*>(ring.data()), ring.size()));
    }
    return 0;
}
