// SPDX-License-Identifier: GPL-2.0-or-later
//
// The fields of a record by their place in the taxonomy, and the one blob that is a structure.
#pragma once

#include <cstdint>
#include <optional>

#include "casmotion/record.h"
#include "casmotion/taxonomy.h"

namespace casmotion {

// The number at `place` of `record`; nullopt for the blob, which is no number.
[[nodiscard]] std::optional<std::uint64_t> value_at(const Record& record, Place place);

// What the blob of an APOINT says: guest addresses and register values at the point.
struct ApointState {
    // Canonical: address of the conditional branch that retired last. Named by state: where to look for the
    // point, no part of its name: CASM_APOINT_TRANSFERS and, about, branches of any kind since the entry or
    // point before it; 0: not known.
    std::uint64_t from = 0;
    std::uint64_t rcx = 0;
    std::uint64_t rsp = 0;

    bool operator==(const ApointState&) const = default;
};

// nullopt if `record` is no APOINT, or one without its whole blob.
[[nodiscard]] std::optional<ApointState> apoint_state(const Record& record);

}  // namespace casmotion
