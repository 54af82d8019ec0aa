// SPDX-License-Identifier: GPL-2.0-or-later
//
// A domain with a branch counter, and what its guest does as seen from Xen: entries, interrupts, debug traps.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "support/world.h"

namespace casmotion::test {

inline constexpr std::uint64_t kMaxDelayNs = 100'000;

// An APOINT record's contents.
struct Point {
    unsigned kind = CASM_APOINT_CANONICAL;
    std::uint64_t branches = 0, from = 0, rip = 0, rcx = 0, rsp = 0, hash = 0;
};

inline std::vector<std::uint8_t> record_of(const Point& point) {
    casm_rec rec{};
    rec.cls = CASM_CLS_APOINT;
    rec.kind = static_cast<std::uint8_t>(point.kind);
    const std::array<std::uint64_t, 3> words{point.branches, point.rip, point.hash};
    const std::array<std::uint64_t, 3> state{point.from, point.rcx, point.rsp};
    return record_bytes(rec, words, {reinterpret_cast<const std::uint8_t*>(state.data()), sizeof(state)});
}

// One record of a log, of the classes that these tests meet.
struct Logged {
    casm_rec rec;
    std::vector<std::uint64_t> words;  // the blob too
};

inline std::vector<Logged> parse_timed(const std::vector<std::uint8_t>& bytes) {
    std::vector<Logged> records;
    for (std::size_t at = 0; at + 8 <= bytes.size();) {
        Logged entry;
        std::memcpy(&entry.rec, bytes.data() + at, 8);
        std::size_t words = 0;
        switch (entry.rec.cls) {
            case CASM_CLS_APOINT:
                words = 6;
                break;
            case CASM_CLS_BRANCHES:
                words = 1;
                break;
            case CASM_CLS_DIGEST:
                words = 3;
                break;
            case CASM_CLS_END:
                words = 2 + CASM_CLASSES_MAX;
                break;
            case CASM_CLS_RING:
                words = (entry.rec.check + 7u) / 8;
                break;
            default:
                break;
        }
        entry.words.resize(words);
        if (at + 8 + 8 * words > bytes.size()) break;
        if (words != 0) std::memcpy(entry.words.data(), bytes.data() + at + 8, 8 * words);
        at += 8 + 8 * words;
        records.push_back(std::move(entry));
    }
    return records;
}

inline std::vector<unsigned> classes_of(const std::vector<Logged>& records) {
    std::vector<unsigned> classes;
    for (const Logged& entry : records) classes.push_back(entry.rec.cls);
    return classes;
}

class Timed : public testing::Test {
  protected:
    // A loop of two instructions, and what else a test writes behind it.
    static constexpr std::array<std::uint8_t, 3> kLoop{0x90, 0x75, 0xfd};  // nop; jne
    static constexpr std::uint64_t kNop = SHIM_GUEST_VA, kBranch = SHIM_GUEST_VA + 1;

    void code(std::vector<std::uint8_t> bytes, unsigned offset = 0) {
        std::copy(bytes.begin(), bytes.end(), world.frame(0) + offset);
    }

    static casm_domctl options(casm_mode mode) {
        casm_domctl op{};
        op.op = CASM_OP_start;
        op.u.start.cpu = CASM_CPU_ANY;
        op.u.start.mode = mode;
        op.u.start.check_bits = 16;
        op.u.start.flags = CASM_START_COUNTER;
        op.u.start.max_delay_ns = kMaxDelayNs;
        return op;
    }

    void guest_runs() {
        world.dom().creation_finished = true;
        world.guest();
        code({kLoop.begin(), kLoop.end()});
        shim.regs.cs = FLAT_KERNEL_CS64;
        shim.regs.rip = kNop;
        shim.regs.rflags = 0x202;
        casm_switch_to(&world.cpu());
    }

    void record() { record(options(CASM_MODE_RECORD)); }
    void record(casm_domctl op) {
        ASSERT_EQ(world.attach(), 0);
        ASSERT_EQ(world.domctl(op), 0);
        RingEnd(c.log).consume();
        guest_runs();
    }

    // A replay past its first digest.
    void replay() { replay(options(CASM_MODE_REPLAY)); }
    void replay(casm_domctl op) {
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        ASSERT_EQ(casm_bridges_init(&c), 0);
        ASSERT_EQ(casm_tp_start(&c, &op), 0);
        c.state = CASM_STATE_REPLAY;
        c.hash = CASM_HASH_SEED;
        c.check_shift = 64;
        guest_runs();
    }
    void feed(const std::vector<std::uint8_t>& bytes) {
        ASSERT_EQ(RingEnd(c.feed).produce(bytes), bytes.size());
    }
    void feed_entry() {
        casm_rec rec{};
        rec.cls = CASM_CLS_ENTRY;
        rec.kind = CASM_ENTRY_EXCEPTION;
        rec.aux = 14;
        feed(record_bytes(rec));
    }
    void feed_event(unsigned port) {
        casm_rec rec{};
        rec.cls = CASM_CLS_EVTCHN;
        rec.aux = port;
        feed(record_bytes(rec));
    }
    void finish() { RingEnd(c.feed).finish(); }

    unsigned leave() {
        shim.irqs_on = false;
        const unsigned what = casm_exit_work();
        EXPECT_FALSE(shim.irqs_on);
        shim.irqs_on = true;
        return what;
    }
    // The exit path: all tests again until the guest may run, or is paused.
    unsigned settle() {
        unsigned what = leave();
        for (int i = 0; what == CASM_EXIT_AGAIN && world.cpu().paused == 0; ++i) {
            EXPECT_LT(i, 1000) << "the exit tests go round and round";
            if (i == 1000) break;
            what = leave();
        }
        return what;
    }

    unsigned enter() {
        casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
        return settle();
    }
    // The guest is interrupted at a boundary, so many branches after the start.
    unsigned interrupt(std::uint64_t rip, std::uint64_t branches) {
        at(rip, branches);
        return settle();
    }
    void at(std::uint64_t rip, std::uint64_t branches) {
        shim.regs.rip = rip;
        shim.regs.rbx = shim.branches = branches;  // no two rounds are alike
        shim.regs.rflags &= ~std::uint64_t{X86_EFLAGS_RF};
    }
    // The trap after a stepped instruction that led there.
    unsigned step(std::uint64_t rip, std::uint64_t branches) {
        EXPECT_TRUE(tf()) << "nobody steps";
        at(rip, branches);
        unsigned long dr6 = DR_STEP;
        EXPECT_TRUE(casm_debug_trap(&shim.regs, &dr6));
        EXPECT_EQ(dr6, 0u);
        return settle();
    }
    // Our breakpoint hits.
    unsigned hit(std::uint64_t rip, std::uint64_t branches) {
        EXPECT_EQ(breakpoint(), rip);
        at(rip, branches);
        unsigned long dr6 = 1ul << c.tp.slot;
        EXPECT_TRUE(casm_debug_trap(&shim.regs, &dr6));
        EXPECT_EQ(dr6, 0u);
        return settle();
    }
    bool tf() const { return (shim.regs.rflags & X86_EFLAGS_TF) != 0; }
    // Address of the enabled breakpoint in the processor that the guest did not set; 0: none.
    std::uint64_t breakpoint() {
        for (unsigned slot = 0; slot < 4; ++slot) {
            const unsigned long enabled = 3ul << (2 * slot);
            if ((shim.dr[7] & enabled) != 0 && (world.cpu().arch.dr7 & enabled) == 0) return shim.dr[slot];
        }
        return 0;
    }

    bool timer_armed() const { return c.tp.timer.expires != 0; }
    void fire_timer() {
        timer& t = c.tp.timer;
        shim.now = t.expires;
        t.expires = 0;
        vcpu* before = shim.running;
        world.dom0();
        t.function(t.data);
        shim.running = before;
    }
    // An effect waits for max_delay.
    void overdue(unsigned port = kTimerPort) {
        world.signal(port);
        ASSERT_TRUE(timer_armed());
        fire_timer();
    }

    std::vector<Logged> logged() {
        casm_publish(&c, true);
        return parse_timed(RingEnd(c.log).consume());
    }

    // The running hash after a point at `rip`, with the registers of now, or those after so many branches.
    std::uint64_t hash_at(std::uint64_t running, std::uint64_t rip) {
        return hash_at(running, rip, shim.regs.rbx);
    }
    std::uint64_t hash_at(std::uint64_t running, std::uint64_t rip, std::uint64_t branches) {
        cpu_user_regs regs = shim.regs;
        regs.rip = rip;
        regs.rbx = branches;
        regs.rflags &= ~std::uint64_t{X86_EFLAGS_TF};
        return casm_regs_hash(running, &regs, &world.cpu());
    }

    World world;
    casm_domain& c = world.casm();
};

}  // namespace casmotion::test
