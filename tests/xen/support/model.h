// SPDX-License-Identifier: GPL-2.0-or-later
//
// A model of a guest and of its surroundings: the guest does random synchronous entries, decided by nothing
// but what it has seen so far; the surroundings raise events, move ring data, interrupt it and are slow with
// the rings, decided by a seed of their own. Recorded under one surrounding and replayed under another, the
// guest must see the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/seed.h"
#include "support/world.h"

namespace casmotion::test {

// What is compared between a recording and its replay.
struct Outcome {
    std::uint64_t guest_state = 0;  // hash of everything the guest has seen and done, in order
    std::uint64_t memory = 0;       // hash of its frames and shared_info
    casm_status status{};
    std::string printed;  // by the guest
    std::string console;  // what dom0 got of it: the beginning, or all
    unsigned upcalls = 0, stray_exits = 0, events_dropped = 0;
};

struct ModelOptions {
    unsigned steps = 2000;               // of the guest, until it shuts down
    std::uint64_t digest_interval = 97;  // entries
    bool stop_early = false;             // record: dom0 stops the recording somewhere
    std::uint32_t disable = 0;           // record: classes that are not logged
    std::uint64_t ring_bytes = CASM_RING_MIN_BYTES;
};

// Records a guest; the log's bytes go to `log`.
Outcome record_model(std::uint64_t guest_seed, std::uint64_t outside_seed, const ModelOptions& options,
                     std::vector<std::uint8_t>& log);
// Replays it under other surroundings.
Outcome replay_model(std::uint64_t guest_seed, std::uint64_t outside_seed, const ModelOptions& options,
                     const std::vector<std::uint8_t>& log);

}  // namespace casmotion::test
