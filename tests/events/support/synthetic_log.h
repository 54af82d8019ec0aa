// SPDX-License-Identifier: GPL-2.0-or-later
//
// Logs for tests that the hypervisor could have produced, from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "casmotion/manifest.h"
#include "casmotion/record.h"

namespace casmotion::test {

using Random = std::mt19937_64;

// Uniform in first .. last.
[[nodiscard]] std::uint64_t uniform(Random& random, std::uint64_t first, std::uint64_t last);

// A well-formed record of class `cls` (any logged class): all fields random, with a bias to the edges of
// their range.
[[nodiscard]] Record random_record(Random& random, std::uint8_t cls);

struct SyntheticOptions {
    std::uint64_t seed = 1;
    std::uint64_t entries = 1000;
    std::uint64_t digest_interval = 64;
    std::uint32_t check_bits = 16;
    casm_counter counter = CASM_COUNTER_AMD;  // ABSENT: no APOINT and no BRANCHES records
    std::uint32_t end_reason = CASM_END_SHUTDOWN;
};

// A whole log in which every class occurs (from about 200 entries on) and every check of check_log() holds.
[[nodiscard]] std::vector<Record> synthetic_log(const SyntheticOptions& options);

// The manifest that goes with it; every field is set.
[[nodiscard]] Manifest synthetic_manifest(const SyntheticOptions& options);

// What a boot of a Debian guest leaves behind, in size and distribution (xen-nondeterminism.md §0: kinds of
// entries; architecture.md: about 600,000 entries and 72,000 TSC values): for measurements. Not a log that
// check_log() accepts.
[[nodiscard]] std::vector<Record> boot_like_log(std::uint64_t seed, std::uint32_t check_bits);

}  // namespace casmotion::test
