// SPDX-License-Identifier: GPL-2.0-or-later
//
// The order of records that a hypervisor can produce, as a small state machine (docs/log-format.md, "Order of
// records"). These rules are in one place: what prints or explains them asks here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "casmotion/condition.h"
#include "casmotion/manifest.h"
#include "casmotion/record.h"

namespace casmotion {

// Why a record cannot be where it is.
struct OrderFault {
    Condition condition = Condition::kC5;  // that the record contradicts
    std::string reason;
    std::string expected, actual;  // may be empty
};

// Feed all records in order; stop at the first fault. Copies go on independently. Not thread-safe.
class OrderCheck {
  public:
    explicit OrderCheck(const RecordingOptions& options) : options_(options) {}

    // The fault that `record` makes obvious, if any. Constant time; `record` is any record, of any class.
    [[nodiscard]] std::optional<OrderFault> next(const Record& record);

    // After the last record of a log that was not cut.
    [[nodiscard]] std::optional<OrderFault> finish() const;

  private:
    [[nodiscard]] std::optional<OrderFault> first_records(const Record& record, std::uint64_t index);
    [[nodiscard]] std::optional<OrderFault> entry(const Record& record);
    [[nodiscard]] std::optional<OrderFault> hypercall(const Record& record) const;
    [[nodiscard]] std::optional<OrderFault> check_width(const Record& record) const;
    [[nodiscard]] std::optional<OrderFault> value(const Record& record);
    [[nodiscard]] std::optional<OrderFault> call_output(const Record& record);
    [[nodiscard]] std::optional<OrderFault> effect(const Record& record);
    [[nodiscard]] std::optional<OrderFault> apoint(const Record& record);
    [[nodiscard]] std::optional<OrderFault> branches(const Record& record, std::uint8_t before);
    [[nodiscard]] bool branches_due() const;
    [[nodiscard]] std::optional<OrderFault> periodic_digest_due() const;
    [[nodiscard]] std::optional<OrderFault> digest(const Record& record);
    [[nodiscard]] std::optional<OrderFault> end(const Record& record);

    RecordingOptions options_;
    std::uint64_t records_ = 0;
    std::uint64_t ordinal_ = 0;     // ENTRY records so far
    std::uint16_t last_check_ = 0;  // of the last ENTRY or APOINT
    std::uint64_t last_tsc_ = 0;
    std::uint64_t last_periodic_ = 0;           // ordinal of the last periodic digest, or 0
    std::uint8_t before_ = 0;                   // class of the record before; 0: none
    std::optional<std::uint8_t> final_digest_;  // which kind, once it is there
    bool ended_ = false;

    // Outputs of the entry to come: its ENTRY record follows them.
    unsigned tsc_ = 0, msr_ = 0, cpuid_ = 0, results_ = 0;
    std::uint8_t last_result_ = 0;  // hypercall number
    bool open_call_ = false;        // OUTMEM without its RESULT yet

    // Conditional branches: at the last BRANCHES; at the last APOINT, since its entry; of whole entries since
    // the last BRANCHES.
    std::uint64_t branches_ = 0, apoint_branches_ = 0, apoint_branches_sum_ = 0;
    bool branches_seen_ = false;  // since the last ENTRY

    // Where the effects since the last ENTRY or APOINT went: (class, page or 0, port or offset). One exit of
    // Xen applies them all.
    std::vector<std::tuple<std::uint8_t, std::uint8_t, std::uint32_t>> effects_;
    std::uint64_t effect_bytes_ = 0;  // of those that followed each other
};

}  // namespace casmotion
