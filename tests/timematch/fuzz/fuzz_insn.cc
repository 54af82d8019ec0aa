// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes, any number of them: nothing is read beyond them, lengths lie within them (but for what a
// displacement promises), and fewer bytes never give another answer than more of them, except UNKNOWN or an
// unknown length.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "casm_insn.h"

namespace {

void require(bool good) {
    if (!good) std::abort();
}

casm_insn classify(const std::uint8_t* data, std::size_t size, unsigned bits) {
    // A copy of its own, so that the sanitizer sees a read behind it.
    const auto copy = std::make_unique<std::uint8_t[]>(size);
    if (size) std::memcpy(copy.get(), data, size);
    casm_insn insn;
    casm_insn_classify(&insn, copy.get(), static_cast<unsigned>(size), bits);
    return insn;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const unsigned bits = 16u << (data[0] % 3);
    ++data, --size;
    const casm_insn whole = classify(data, size, bits);
    require(whole.cls <= CASM_INSN_LOAD_SS && whole.after_cls < CASM_INSN_LOAD_SS);
    require(whole.length <= CASM_INSN_FETCH_BYTES + 15 && whole.after_length <= CASM_INSN_MAX_BYTES);
    require(whole.cls == CASM_INSN_LOAD_SS ||
            (whole.after_cls == CASM_INSN_UNKNOWN && whole.after_length == 0));
    for (std::size_t n = 0; n < size && n <= CASM_INSN_FETCH_BYTES; ++n) {
        const casm_insn part = classify(data, n, bits);
        if (part.cls == CASM_INSN_UNKNOWN) continue;
        if (part.cls != CASM_INSN_LOAD_SS) {
            require(part.cls == whole.cls && part.length == whole.length);
            continue;
        }
        // A longer displacement may make it too long, thus invalid, only if the byte that says so was
        // missing.
        require(whole.cls == CASM_INSN_LOAD_SS || part.length == 0);
        if (part.after_cls != CASM_INSN_UNKNOWN && whole.cls == CASM_INSN_LOAD_SS)
            require(part.after_cls == whole.after_cls && part.length == whole.length);
    }
    return 0;
}
