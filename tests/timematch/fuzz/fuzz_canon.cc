// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any observations and instructions: the number of actions is bounded, breakpoints are where a guest may be,
// and every point made is one that casm_match_begin accepts.
#include <cstdlib>

#include "casm_canon.h"
#include "casm_match.h"
#include "input.h"

namespace {

using casmotion::timematch::Input;

void require(bool good) {
    if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    casm_canon canon;
    const casm_canon_limits limits{input.byte()};
    bool ended = casm_canon_begin(&canon, &limits) != CASM_TM_OK;
    require(ended == (limits.max_steps == 0));
    std::uint64_t actions = 0, last = 0;
    while (!input.empty()) {
        casm_tm_obs obs{};
        obs.reason = input.byte() % 6;
        obs.branches = (input.byte() & 15) ? last + input.byte() % 2 : input.word();
        obs.rip = input.word_near((input.byte() & 1) ? 0x1000 : 0xffff880000000000);
        obs.rcx = input.byte();
        casm_insn insn{};
        if (input.byte() & 1) {
            insn = {input.byte(), input.byte(), input.byte(), input.byte()};
        } else {
            std::uint8_t bytes[CASM_INSN_FETCH_BYTES];
            const unsigned n = input.byte() % (CASM_INSN_FETCH_BYTES + 1);
            for (unsigned i = 0; i < n; ++i) bytes[i] = input.byte();
            casm_insn_classify(&insn, bytes, n, 64);
        }
        const casm_tm_act act = casm_canon_next(&canon, &obs, &insn);
        require(!ended || act.why == CASM_TM_WHY_ENDED);
        switch (act.what) {
            case CASM_TM_BREAK:
                require(casm_tm_guest_address(act.value));
                [[fallthrough]];
            case CASM_TM_SINGLE:
                require(++actions <= std::uint64_t{limits.max_steps} + CASM_CANON_GRACE_STEPS);
                break;
            case CASM_TM_DELIVER: {
                casm_match match;
                require(casm_match_begin(&match, &canon.point, nullptr) == CASM_TM_OK);
                require(canon.point.branches == obs.branches && canon.point.rip == obs.rip);
                ended = true;
                break;
            }
            case CASM_TM_FAIL:
                require(act.why != CASM_TM_OK);
                ended = true;
                break;
            default:
                require(false);
        }
        last = obs.branches;
    }
    return 0;
}
