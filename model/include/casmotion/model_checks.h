// SPDX-License-Identifier: GPL-2.0-or-later
//
// The checks on the model itself: lemmas, minimality, vacuity, conformance of the event classes, mutants,
// protocol. They need no log and no Xen; `casmotion verify --model` and the tests run them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/status.h"

namespace casmotion {

enum class ModelResult : std::uint8_t {
    kProved,        // what the check claims holds
    kRefuted,       // it does not: `detail` shows how
    kInconclusive,  // the solver gave up; never a pass
};

// "proved", "refuted", "inconclusive".
[[nodiscard]] std::string_view name_of(ModelResult result);

struct ModelCheck {
    std::string group;    // "theorem", "injectivity", "minimality", "conformance", "mutation", "protocol"
    std::string name;     // unique: "theorem.step", "conformance.tsc"
    std::string meaning;  // one sentence: what it says if it is proved
    ModelResult result = ModelResult::kInconclusive;
    std::uint64_t time_ns = 0;       // wall clock, for people; no result depends on it
    std::uint64_t solver_steps = 0;  // the same on every machine; 0 if no solver was asked
    std::string detail;  // lines: a trace, a table, or why it is refuted or inconclusive; may be empty
};

struct ModelCheckOptions {
    std::string only;  // checks whose name starts with this; empty: all
    std::uint32_t rlimit =
        400'000'000;         // solver steps per query, 0: no limit. A query that needs more is inconclusive
    std::uint32_t seed = 1;  // of the solver
};

// Names of all checks, in the order in which they run.
[[nodiscard]] std::vector<std::string> model_check_names();

// Runs them one after the other: seconds, and a minute or so for the group "protocol". `done`: called after
// each one, in the calling thread; may be empty. Result: all checks run. Errors (kUsage): no name starts with
// options.only. May run in any thread.
[[nodiscard]] Result<std::vector<ModelCheck>> run_model_checks(
    const ModelCheckOptions& options, const std::function<void(const ModelCheck&)>& done = {});

// ok if all are proved; else kRefuted or kInconclusive (refuted first), naming the first such check.
[[nodiscard]] Status verdict_of(const std::vector<ModelCheck>& checks);

}  // namespace casmotion
