// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the log's columns do to a value on its way from the ring to the replay: encoded by its field's
// encoding, decoded again (docs/log-format.md, "How a column holds its values").
#pragma once

#include <cstdint>
#include <vector>

#include "casmotion/smt/term.h"
#include "casmotion/taxonomy.h"

namespace casmotion::model {

// A mistake in a column that a check must notice; kNone outside mutation tests.
enum class ColumnDefect : std::uint8_t {
    kNone,
    kSignLost,     // delta: the decoder forgets the sign of the difference
    kNarrowDelta,  // delta: the difference is kept in 32 bits
    kTooFewBits,   // fixed16: the column's width does not follow from its values
};

// `value` (of any width up to 64 bits) of field `field` after it went through its column; of the same width.
// What else is in the column (the value before, the other values' bits) is arbitrary; how the encoder chooses
// widths is added to `facts`.
[[nodiscard]] smt::Term through_column(const smt::Context& context, const FieldInfo& field,
                                       const smt::Term& value, ColumnDefect defect,
                                       std::vector<smt::Term>& facts);

}  // namespace casmotion::model
