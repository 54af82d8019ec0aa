// SPDX-License-Identifier: GPL-2.0-or-later
//
// libFuzzer: a domain that is replayed from arbitrary feed bytes. The first bytes choose what the guest does;
// the rest is the log, in pieces. Nothing may be written outside, no lock stay held, and the domain always
// ends in a mode that makes sense.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <vector>

#include "support/world.h"

namespace {

void check(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace casmotion::test;
    FuzzedDataProvider input(data, size);
    const std::vector<std::uint8_t> script =
        input.ConsumeBytes<std::uint8_t>(input.ConsumeIntegralInRange<std::size_t>(0, 64));
    const bool started = input.ConsumeBool();
    const std::vector<std::uint8_t> feed = input.ConsumeRemainingBytes<std::uint8_t>();

    static World* world = nullptr;
    delete world;
    world = new World;
    casm_domain& c = world->casm();
    check(world->attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES) == 0);
    RingEnd end(c.feed);
    std::size_t fed = end.produce(feed);
    if (started) {  // past the initial digest, which arbitrary bytes do not meet
        check(casm_bridges_init(&c) == 0);
        c.mode = CASM_MODE_REPLAY;
        c.replaying = true;
        c.hash = CASM_HASH_SEED;
        c.check_shift = 64;
        world->dom().creation_finished = true;
    } else {
        world->start(CASM_MODE_REPLAY);
    }
    world->guest();
    for (const std::uint8_t step : script) {
        if (c.mode != CASM_MODE_REPLAY) break;
        shim.regs.rip = World::va(0);
        shim.regs.cs = FLAT_KERNEL_CS64;
        switch (step % 8) {
            case 0:
                casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
                break;
            case 1: {
                unsigned long result = 0;
                casm_wrap_enter(step / 8, 0, 0, &result);
                casm_wrap_leave(step / 8, result);
                casm_count_entry(CASM_ENTRY_HYPERCALL, step / 8);
                break;
            }
            case 2: {
                std::uint64_t value = 0;
                casm_log_msr(X86EMUL_OKAY, step, &value);
                break;
            }
            case 3: {
                cpuid_leaf leaf{};
                casm_log_cpuid(step, &leaf);
                break;
            }
            case 4:
                world->frame(0)[0] = 0x0f;
                world->frame(0)[1] = 0x31;
                casm_fast_rdtsc(&shim.regs);
                break;
            case 5:
                shim_domain_shutdown(&world->dom(), step / 8);
                break;
            default:
                break;
        }
        shim.irqs_on = false;
        const unsigned what = casm_exit_work();
        check(!shim.irqs_on && what <= CASM_EXIT_AGAIN);
        shim.irqs_on = true;
        if (what == CASM_EXIT_AGAIN) {
            end.consume(0);
            fed += end.produce(std::span(feed).subspan(fed));
            if (fed == feed.size()) end.finish();
            RingEnd(c.log).consume();
            world->kick();
            world->guest();
        }
    }
    check(shim.locks_held == 0 && shim.evtchn_locks_held == 0);
    check(c.mode == CASM_MODE_REPLAY || c.mode == CASM_MODE_ENDED || c.mode == CASM_MODE_DIVERGED);
    check(c.mode == CASM_MODE_REPLAY || world->cpu().paused >= 1);
    return 0;
}
