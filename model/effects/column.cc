// SPDX-License-Identifier: GPL-2.0-or-later
#include "effects/column.h"

#include <cstdlib>
#include <string>

namespace casmotion::model {
namespace {

using smt::Term;

constexpr unsigned kWord = 64;

Term zero(const Term& like) {
    return like - like;
}

Term zigzag(const Term& difference) {
    return smt::shift_left(difference, 1U) ^ (zero(difference) - smt::shift_right(difference, kWord - 1));
}

Term unzigzag(const Term& code, bool sign_lost) {
    const Term size = smt::shift_right(code, 1U);
    return sign_lost ? size : size ^ (zero(code) - (code & 1));
}

Term through_delta(const smt::Context& context, const std::string& name, const Term& value,
                   ColumnDefect defect) {
    const unsigned width = value.sort().bits();
    const Term wide = smt::zero_extend(value, kWord);
    const Term before =
        context.bv_constant(name + ".before", kWord);  // the class's previous value, 0 for the first
    Term code = zigzag(wide - before);
    if (defect == ColumnDefect::kNarrowDelta) code = smt::zero_extend(smt::extract(code, 31, 0), kWord);
    return smt::extract(before + unzigzag(code, defect == ColumnDefect::kSignLost), width - 1, 0);
}

// The column is as wide as all its values or'ed together.
Term through_fixed16(const smt::Context& context, const std::string& name, const Term& value,
                     ColumnDefect defect, std::vector<Term>& facts) {
    const unsigned width = value.sort().bits();
    const Term all = context.bv_constant(name + ".all-values", width);
    const Term bits = context.bv_constant(name + ".bits", width);
    facts.push_back(smt::at_most(bits, 16));
    facts.push_back(smt::equal(value & ~all, 0));
    if (defect != ColumnDefect::kTooFewBits) facts.push_back(smt::equal(smt::shift_right(all, bits), 0));
    const Term mask = smt::shift_left(context.bv_value(1, width), bits) - 1;
    return value & mask;
}

}  // namespace

Term through_column(const smt::Context& context, const FieldInfo& field, const Term& value,
                    ColumnDefect defect, std::vector<Term>& facts) {
    const std::string name = "column." + std::string(field.name);
    switch (field.encoding) {
        case Encoding::kPlain:
        case Encoding::kBytes:
            return value;  // numbers of variable length; bytes as they are
        case Encoding::kDelta:
            return through_delta(context, name, value, defect);
        case Encoding::kFixed16:
            return through_fixed16(context, name, value, defect, facts);
    }
    std::abort();
}

}  // namespace casmotion::model
