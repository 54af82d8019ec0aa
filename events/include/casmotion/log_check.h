// SPDX-License-Identifier: GPL-2.0-or-later
//
// What can be said about a log without replaying it: integrity, order, completeness per class. `casmotion
// verify` prints the result. A replay finds what these checks cannot: a value that is plausible and wrong.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "casmotion/log_reader.h"
#include "casmotion/status.h"

namespace casmotion {

enum class Verdict : std::uint8_t { kHolds, kRefuted, kCannotTell };

[[nodiscard]] std::string_view name_of(Verdict verdict);  // "holds", "refuted", "cannot be told"

// The answer of one check. A refuted check names the first record that shows it.
struct CheckResult {
    std::string check;  // "integrity", "fields", "order", "completeness"
    std::string
        condition;  // that it supports, or, if refuted, that the fault contradicts: "C3"; may be empty
    Verdict verdict = Verdict::kHolds;
    std::optional<std::uint64_t> record;   // index of the record at fault
    std::optional<std::uint64_t> ordinal;  // ENTRY records before it
    std::string cls;                       // class at fault, if there is one
    std::string reason;                    // one line; for kHolds what was checked
    std::string expected, actual;          // if that makes sense
};

struct ClassCount {
    std::uint64_t logged = 0;              // records in the log
    std::optional<std::uint64_t> applied;  // effects applied, as END says; none without END
};

struct LogReport {
    std::string log;
    std::uint64_t records = 0;
    std::uint64_t ordinals = 0;
    std::array<ClassCount, CASM_CLASSES_MAX> classes{};
    std::vector<CheckResult> checks;

    // ok if all checks hold. Otherwise the worst, in this order: integrity refuted or a log that was cut
    // kLogInvalid; another check refuted kRefuted; something cannot be told kInconclusive. The message names
    // the first check at fault.
    [[nodiscard]] Status verdict() const;
};

// Sees each record that can be read, in order, with its index and the ENTRY records before it.
using RecordObserver = std::function<void(const Record&, RecordIndex, SyncOrdinal)>;

// Runs all checks on the whole log, from its first record, in one pass. Always returns a report: damage is a
// refuted check. Moves the reader. Time: that of reading the log, plus `observe`, which may be empty.
[[nodiscard]] LogReport check_log(LogReader& reader, const RecordObserver& observe = {});

// One line per check, a table of classes, the verdict. Ends with a newline.
[[nodiscard]] std::string to_text(const LogReport& report);

// One JSON object on one line, with a newline.
[[nodiscard]] std::string to_json(const LogReport& report);

}  // namespace casmotion
