// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any target, any limits, any observations: every answer has a meaning, breakpoints are where a guest may be,
// hits are limited, and DELIVER comes only with the target's registers at the target's count.
#include <cstdlib>

#include "casm_match.h"
#include "input.h"

namespace {

using casmotion::timematch::Input;

void require(bool good) {
    if (!good) std::abort();
}

bool equal(const casm_tm_point& target, const casm_tm_obs& obs) {
    return target.branches == obs.branches && target.rip == obs.rip && target.rcx == obs.rcx &&
           target.rsp == obs.rsp && target.hash == obs.hash;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    casm_tm_point target{};
    target.kind = input.byte() & 3;
    target.branches = input.word_near(6);
    target.from = target.kind == CASM_TM_BY_STATE && (input.byte() & 1) ? 0 : input.word_near(0x1000);
    target.rip = input.word_near(0x1008);
    target.rcx = input.byte();
    target.rsp = input.byte();
    target.hash = input.byte();
    target.transfers = target.kind == CASM_TM_BY_STATE && (input.byte() & 1) ? input.word_near(20) : 0;
    casm_match_limits limits{
        static_cast<std::uint32_t>(input.word_near(4)), static_cast<std::uint32_t>(input.word_near(4)),
        static_cast<std::uint32_t>(input.word_near(8)), static_cast<std::uint32_t>(input.byte() % 8),
        static_cast<std::uint32_t>(input.byte() % 66)};
    casm_match match;
    const int result = casm_match_begin(&match, &target, (input.byte() & 1) ? &limits : nullptr);
    if (result == CASM_TM_OK) {
        require(target.kind == CASM_TM_CANONICAL || target.kind == CASM_TM_BY_STATE);
        require(casm_tm_guest_address(target.rip) && casm_tm_guest_address(target.from));
        require(target.kind != CASM_TM_CANONICAL || target.branches > 0);
    }
    bool ended = result != CASM_TM_OK;
    bool stepping = false;
    std::uint64_t answered_hits = 0, last = 0;
    while (!input.empty()) {
        casm_tm_obs obs{};
        obs.reason = input.byte() % 6;  // 0 and 5 are none
        obs.branches = (input.byte() & 7) ? last + input.byte() % 3 : input.word_near(target.branches);
        obs.rip = (input.byte() & 1) ? target.from : input.word_near(target.rip);
        const std::uint8_t same = input.byte();
        obs.rcx = (same & 1) ? target.rcx : input.word();
        obs.rsp = (same & 2) ? target.rsp : input.word();
        obs.hash = (same & 4) ? target.hash : input.word();
        obs.transfers = (same & 8) ? input.word_near(target.transfers) : 0;
        const casm_tm_act act = casm_match_next(&match, &obs);
        require((act.what == CASM_TM_FAIL) == (act.why != CASM_TM_OK));
        const bool passed =
            act.what == CASM_TM_BREAK && target.kind == CASM_TM_BY_STATE && obs.branches == target.branches &&
            obs.rip == target.rip &&
            obs.transfers + (target.transfers >> match.limits.slack_shift) >= target.transfers;
        require((act.why == CASM_TM_WHY_MISMATCH || passed) == (act.mismatch != 0));
        require(!ended || act.why == CASM_TM_WHY_ENDED);
        switch (act.what) {
            case CASM_TM_OVERFLOW:
                require(act.value >= 1 && act.value <= match.limits.overflow_max);
                if ((act.flags & CASM_TM_FLAG_TRANSFERS) != 0)
                    require(obs.transfers + act.value <=
                            target.transfers - 2 * std::uint64_t{match.limits.margin_branches});
                else
                    require(obs.branches + act.value <= target.branches - match.limits.margin_branches);
                break;
            case CASM_TM_BREAK:
                require(act.value == (target.kind == CASM_TM_CANONICAL ? target.from : target.rip));
                require(((act.flags & CASM_TM_FLAG_RF) != 0) ==
                        (obs.rip == act.value && obs.reason != CASM_TM_BEGIN));
                if (obs.reason == CASM_TM_BREAKPOINT) require(++answered_hits < match.limits.max_hits);
                break;
            case CASM_TM_SINGLE:
                require(target.kind == CASM_TM_CANONICAL && obs.rip == target.from &&
                        obs.branches + 1 == target.branches);
                break;
            case CASM_TM_DELIVER:
                require(equal(target, obs));
                require(target.kind == CASM_TM_BY_STATE || (stepping && obs.reason == CASM_TM_STEP));
                ended = true;
                break;
            case CASM_TM_FAIL:
                ended = true;
                break;
            default:
                require(false);
        }
        stepping = act.what == CASM_TM_SINGLE;
        last = obs.branches;
    }
    return 0;
}
