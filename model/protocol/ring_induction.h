// SPDX-License-Identifier: GPL-2.0-or-later
//
// The log ring for every size, every record length and executions of any length: k-induction in Z3 over the
// 64-bit counters as the code has them. The search of record_model.h is exhaustive but bounded; this has no
// bound, and knows nothing but counters, the stall handshake and the daemon's kicks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace casmotion::protocol {

enum class RingBug : std::uint8_t {
    kNone,
    kReserveTooSmall,  // room for half a trip is taken for room
    kBelieveConsumer,  // a consumer counter that cannot be is believed
};

enum class InductionOutcome : std::uint8_t { kProved, kRefuted, kInconclusive };

struct InductionResult {
    InductionOutcome outcome = InductionOutcome::kInconclusive;
    unsigned k = 0;                  // kProved: the induction depth that closed; kRefuted: steps of the trace
    std::string text;                // kRefuted: the rule; kInconclusive: why
    std::vector<std::string> trace;  // kRefuted: states from an initial one, one line each
    std::uint64_t solver_steps = 0;
};

// Tries to prove with induction depths 1 to `max_k`, and to refute with executions of up to `max_steps`
// steps. `hostile`: dom0 may write any number into cons at any time; then only what protects Xen is to be
// proved: no write outside the ring, no dropped record. `max_k` 0: only the search, in rings of less than 256
// bytes and counters of 12 bits, for a trace that a person can read.
[[nodiscard]] InductionResult check_ring(RingBug bug, bool hostile, unsigned max_k, unsigned max_steps);

struct RingBugName {
    RingBug bug;
    bool hostile;
    std::string_view name;
    std::string_view what;
};
[[nodiscard]] std::span<const RingBugName> ring_bugs();

}  // namespace casmotion::protocol
