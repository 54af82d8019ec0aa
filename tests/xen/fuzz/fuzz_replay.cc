// SPDX-License-Identifier: GPL-2.0-or-later
//
// libFuzzer: a domain that is replayed from arbitrary feed bytes. The first bytes choose what the guest does;
// the rest is the log, in pieces. Nothing may be written outside, no lock stay held, nothing of ours stay in
// the guest's flags or the debug registers, and the domain always ends in a mode that makes sense. With a
// branch counter, the log may begin with an entry and a point that the guest can meet: arbitrary bytes would
// not hit its hash.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <vector>

#include "support/world.h"

namespace {

void check(bool condition) {
    if (!condition) std::abort();
}

// The guest of this file stands at one instruction; its registers tell the branches.
void stand(std::uint64_t branches) {
    shim.regs.rip = casmotion::test::World::va(0);
    shim.regs.cs = FLAT_KERNEL_CS64;
    shim.regs.rbx = shim.branches = branches;
}

// An entry, and a point behind it of which the input chooses the fields.
std::vector<std::uint8_t> begin_log(FuzzedDataProvider& input, const casm_domain& c) {
    using namespace casmotion::test;
    casm_rec entry{};
    entry.cls = CASM_CLS_ENTRY;
    entry.kind = CASM_ENTRY_EXCEPTION;
    entry.aux = 14;
    std::vector<std::uint8_t> log = record_bytes(entry);
    std::uint64_t last = 0, hash = casm_regs_hash(c.hash, &shim.regs, c.d->vcpu[0]);
    for (int points = input.ConsumeIntegralInRange<int>(1, 3); points > 0; --points) {
        const auto mostly = [&] { return input.ConsumeIntegralInRange<int>(0, 7) != 0; };
        casm_rec rec{};
        rec.cls = CASM_CLS_APOINT;
        rec.kind = mostly() ? input.ConsumeIntegralInRange<std::uint8_t>(1, 2)
                            : input.ConsumeIntegral<std::uint8_t>();
        const std::uint64_t branches = mostly() ? last + input.ConsumeIntegralInRange<std::uint64_t>(0, 4)
                                                : input.ConsumeIntegral<std::uint64_t>();
        last = branches;
        cpu_user_regs there = shim.regs;
        there.rbx = branches;
        hash = mostly() ? casm_regs_hash(hash, &there, c.d->vcpu[0]) : input.ConsumeIntegral<std::uint64_t>();
        const auto address = [&] { return mostly() ? World::va(0) : input.ConsumeIntegral<std::uint64_t>(); };
        const std::uint64_t words[] = {branches, address(), hash};
        const std::uint64_t state[] = {rec.kind == CASM_APOINT_CANONICAL ? address() : 0, 0, 0};
        const auto bytes =
            record_bytes(rec, words, {reinterpret_cast<const std::uint8_t*>(state), sizeof(state)});
        log.insert(log.end(), bytes.begin(), bytes.end());
    }
    return log;
}

void debug_trap(unsigned long dr6, std::uint64_t branches) {
    stand(branches);
    casm_debug_trap(&shim.regs, &dr6);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace casmotion::test;
    FuzzedDataProvider input(data, size);
    std::vector<std::uint8_t> script =
        input.ConsumeBytes<std::uint8_t>(input.ConsumeIntegralInRange<std::size_t>(0, 64));
    const bool started = input.ConsumeBool(), counter = input.ConsumeBool();

    static World* world = nullptr;
    delete world;
    world = new World;
    casm_domain& c = world->casm();
    check(world->attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES) == 0);
    RingEnd end(c.feed);
    stand(0);
    shim.regs.rflags = 0x202;
    if (started && counter) {
        casm_domctl op{};
        op.u.start.flags = CASM_START_COUNTER;
        op.u.start.margin_branches = input.ConsumeIntegralInRange<std::uint32_t>(0, 300);
        check(casm_tp_start(&c, &op) == 0);
        casm_switch_to(&world->cpu());
    }
    c.hash = CASM_HASH_SEED;
    std::vector<std::uint8_t> feed;
    if (started && input.ConsumeBool()) {
        feed = begin_log(input, c);
        script.insert(script.begin(), 0);
    }
    const auto rest = input.ConsumeRemainingBytes<std::uint8_t>();
    feed.insert(feed.end(), rest.begin(), rest.end());
    std::size_t fed = end.produce(feed);
    if (started) {  // past the initial digest, which arbitrary bytes do not meet
        check(casm_bridges_init(&c) == 0);
        c.state = CASM_STATE_REPLAY;
        c.hash = CASM_HASH_SEED;
        c.check_shift = 64;
        world->dom().creation_finished = true;
    } else {
        world->start(CASM_MODE_REPLAY);
    }
    world->guest();
    for (const std::uint8_t step : script) {
        if (casm_told_mode(&c) != CASM_MODE_REPLAY) break;
        stand(shim.branches);
        switch (step % 16 < 8 ? step % 8 : 6 + step % 2) {
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
            case 6:  // a debug trap, ours if one is armed, or anything
                debug_trap((step & 64) != 0                  ? step / 8
                           : c.tp.slot >= 0                  ? 1ul << c.tp.slot
                           : (shim.regs.rflags & 0x100) != 0 ? DR_STEP
                                                             : 0,
                           shim.branches + ((shim.regs.rflags & 0x100) != 0 ? 1 : step / 128));
                break;
            default:  // the step that somebody asked for, or an interrupt some branches later
                if ((shim.regs.rflags & 0x100) != 0)
                    debug_trap(DR_STEP, shim.branches + 1);
                else
                    stand(shim.branches + step / 128);
                break;
        }
        if (shim.overflow_at != 0 && step % 2 == 0) stand(shim.overflow_at);
        shim.irqs_on = false;
        const unsigned what = casm_exit_work();
        check(!shim.irqs_on && what <= CASM_EXIT_AGAIN);
        shim.irqs_on = true;
        check(c.tp.active || ((shim.regs.rflags & 0x100) == 0 && shim.dr[7] == 0));
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
    check(casm_told_mode(&c) == CASM_MODE_REPLAY || casm_told_mode(&c) == CASM_MODE_ENDED ||
          casm_told_mode(&c) == CASM_MODE_DIVERGED);
    check(casm_told_mode(&c) == CASM_MODE_REPLAY || world->cpu().paused >= 1);
    return 0;
}
