// SPDX-License-Identifier: GPL-2.0-or-later
#include "effects/effect.h"

#include <cstdlib>

#include "effects/async_effects.h"
#include "effects/check_effects.h"
#include "effects/sync_effects.h"

namespace casmotion::model {

using smt::Term;

namespace {

template <casm_class cls>
EffectOps ops() {
    using Effect = SymbolicEffect<cls>;  // incomplete: the class has no symbolic effect
    return {cls, &Effect::writes, &Effect::possible, &Effect::record, &Effect::replay};
}

}  // namespace

EffectOps effect_of(casm_class cls) {
    switch (cls) {
#define CASM_CLASS(id, SYMBOL, name, timing, where, recorded, replayed, obligation) \
    case CASM_CLS_##SYMBOL:                                                         \
        return ops<CASM_CLS_##SYMBOL>();
#include "casm_taxonomy.def"
    }
    std::abort();
}

Blob Inputs::blob(std::string_view name) const {
    const std::string full = "input." + std::string(name);
    const Term base = context_.constant(full, context_.array_sort(context_.bv_sort(16), context_.bv_sort(8)));
    return {context_.bv_constant(full + ".length", 16),
            {16, 8, [base](const Term& index) { return smt::select(base, index); }}};
}

Blob blob_of(const smt::Context& context, const Cells& cells, std::uint64_t length) {
    return {context.bv_value(length, 16), cells};
}

void write_blob(Guest& guest, std::string_view name, const Term& enabled, const Term& offset,
                const Blob& blob) {
    const Cells before = guest.cells(name);
    guest.set_cells(name, [before, enabled, offset, blob](const Term& index) {
        const Term behind = index - offset;  // modulo 2^index_bits
        const Term inside = enabled && smt::less(behind, smt::zero_extend(blob.length, before.index_bits));
        const Term at = before.index_bits > 16 ? smt::extract(behind, 15, 0) : behind;
        return smt::ite(inside, blob.bytes.at(at), before.at(index));
    });
}

Term mixed_hash(const Guest& guest) {
    const smt::Context& c = guest.context();
    const smt::Sort word = c.bv_sort(64);
    // Of the hash function nothing is used but that it is one.
    const smt::Function mix = c.function("mix", {word, word, word, word, word}, word);
    return mix({guest.word("regs-hash"), guest.word("rip"), guest.word("rsp"), guest.word("rax"),
                guest.word("rcx")});
}

}  // namespace casmotion::model
