// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes a log that the hypervisor could have produced: make_synthetic_log PATH SEED ENTRIES [cut].
// With "cut" the log is left incomplete, as if its recorder had died.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/log_files.h"
#include "support/synthetic_log.h"

int main(int argc, char** argv) {
    using namespace casmotion::test;
    if (argc != 4 && argc != 5) {
        std::fprintf(stderr, "usage: make_synthetic_log PATH SEED ENTRIES [cut]\n");
        return 2;
    }
    const SyntheticOptions options{.seed = std::strtoull(argv[2], nullptr, 10),
                                   .entries = std::strtoull(argv[3], nullptr, 10)};
    const bool cut = argc == 5;
    auto records = synthetic_log(options);
    if (cut) records.resize(records.size() / 2);
    // Several chunks, so that damage has boundaries to sit on.
    std::vector<size_t> flush_after;
    for (size_t i = records.size() / 5; i + 1 < records.size(); i += records.size() / 5)
        flush_after.push_back(i);
    write_log(argv[1], synthetic_manifest(options), records, flush_after, !cut);
    return 0;
}
