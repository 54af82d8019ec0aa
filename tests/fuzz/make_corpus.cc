// SPDX-License-Identifier: GPL-2.0-or-later
//
// make_corpus FOLDER: seeds for the fuzzers, in FOLDER/log_reader and FOLDER/ring_codec.
#include <filesystem>
#include <iostream>

#include "support/raw_log.h"
#include "support/synthetic_log.h"

namespace {

using namespace casmotion;
using namespace casmotion::test;

std::string with_length(const std::string& bytes) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    return std::string(reinterpret_cast<const char*>(&size), 4) + bytes;
}

// The log as input of fuzz_log_reader.
std::string reader_input(const Files& files, bool closed) {
    std::string input(1, closed ? 1 : 0);
    input += with_length(files.at("manifest")) + with_length(files.at("events"));
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
        for (const bool closed : {false, true}) {
            for (const bool compressed : {false, true}) {
                const Files files =
                    raw_log(manifest_file(synthetic_manifest(options)), records, 60, closed, compressed);
                write_file(folder + "/log_reader/" + std::to_string(seed) + (closed ? "c" : "u") +
                               (compressed ? "z" : "r"),
                           reader_input(files, closed));
            }
        }
        const auto ring = ring_of(records);
        write_file(folder + "/ring_codec/" + std::to_string(seed),
                   std::string(reinterpret_cast<const char*>(ring.data()), ring.size()));
    }
    return 0;
}
