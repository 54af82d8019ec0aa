// SPDX-License-Identifier: GPL-2.0-or-later
//
// What becomes of each hypercall (casm/hypercall.c), against a table written from the study of the hypercalls
// of a PV domU.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/seed.h"
#include "support/world.h"

extern "C" {
#include <public/event_channel.h>
#include <public/grant_table.h>
#include <public/memory.h>
#include <public/physdev.h>
#include <public/sched.h>
#include <public/vcpu.h>
}

namespace casmotion::test {
namespace {

enum class Treatment { kExecute, kAnswer, kNotify, kBlock, kDeny, kNosys, kNotsupp };
using enum Treatment;

std::ostream& operator<<(std::ostream& out, Treatment t) {
    static const char* const names[] = {"execute", "answer", "notify", "block", "deny", "nosys", "notsupp"};
    return out << names[static_cast<int>(t)];
}

// Hypercalls without sub-operations that matter. What is not here is unknown to a PV guest, and unheard of:
// kNosys.
const std::map<unsigned, Treatment> kWhole = {
    {0, kExecute},   // set_trap_table
    {1, kExecute},   // mmu_update
    {2, kExecute},   // set_gdt
    {3, kExecute},   // stack_switch
    {4, kExecute},   // set_callbacks
    {5, kExecute},   // fpu_taskswitch
    {7, kDeny},      // platform_op
    {8, kExecute},   // set_debugreg
    {9, kExecute},   // get_debugreg
    {10, kExecute},  // update_descriptor
    {13, kExecute},  // multicall
    {14, kExecute},  // update_va_mapping
    {15, kAnswer},   // set_timer_op
    {17, kAnswer},   // xen_version
    {18, kDeny},     // console_io
    {21, kExecute},  // vm_assist
    {22, kDeny},     // update_va_mapping_otherdomain
    {23, kExecute},  // iret
    {25, kExecute},  // set_segment_base
    {26, kExecute},  // mmuext_op
    {27, kDeny},     // xsm_op
    {28, kExecute},  // nmi_op
    {30, kExecute},  // callback_op
    {31, kDeny},     // xenoprof_op
    {35, kDeny},     // sysctl
    {36, kDeny},     // domctl
    {37, kDeny},     // kexec_op
    {40, kNotsupp},  // xenpmu_op
    {41, kDeny},     // dm_op
    {42, kDeny},     // hypfs_op
    {48, kDeny},     // mca
    {49, kDeny},     // paging_domctl_cont
};

// Hypercalls whose first argument selects, and what those not named get.
struct Mixed {
    std::map<std::uint64_t, Treatment> sub;
    Treatment others;
};
const std::map<unsigned, Mixed> kMixed = {
    {12,  // memory_op
     {{{1, kExecute},
       {6, kExecute},  // decrease_reservation, populate_physmap: frames follow from the PFN
       {2, kAnswer},
       {3, kAnswer},
       {4, kAnswer},  // maximum_ram_page, current_reservation, maximum_reservation
       {14, kAnswer},
       {9, kAnswer},
       {12, kAnswer}},  // maximum_gpfn, memory_map, machphys_mapping
      kNosys}},
    {20,  // grant_table_op
     {{{2, kExecute}, {6, kExecute}, {8, kExecute}, {9, kExecute}, {10, kExecute}}, kDeny}},
    {24,               // vcpu_op
     {{{3, kExecute},  // is_up; initialise, up and down are for more vCPUs than one
       {5, kExecute},
       {10, kExecute},  // register_runstate_memory_area, register_vcpu_info
       {4, kAnswer},
       {6, kAnswer},
       {7, kAnswer},
       {8, kAnswer},
       {9, kAnswer}},  // runstate; timers
      kNosys}},
    {29,  // sched_op
     {{{0, kAnswer}, {1, kBlock}, {2, kExecute}, {3, kAnswer}, {5, kExecute}}, kNosys}},
    {32,  // event_channel_op
     {{{1, kExecute},
       {3, kExecute},
       {6, kExecute},
       {7, kExecute},
       {8, kExecute},
       {9, kExecute},
       {11, kExecute},
       {12, kExecute},
       {13, kExecute},  // bind_virq, close, alloc_unbound, bind_ipi, bind_vcpu, unmask, FIFO
       {4, kNotify},
       {5, kAnswer}},  // send, status
      kNosys}},
    {33,                                         // physdev_op
     {{{6, kExecute}, {7, kExecute}}, kNosys}},  // set_iopl, set_iobitmap
};

Treatment expected(unsigned nr, std::uint64_t arg0) {
    if (const auto mixed = kMixed.find(nr); mixed != kMixed.end()) {
        if (nr == 12) arg0 &= 0x3f;  // the rest is the continuation's start
        const auto sub = mixed->second.sub.find(arg0);
        return sub != mixed->second.sub.end() ? sub->second : mixed->second.others;
    }
    const auto whole = kWhole.find(nr);
    return whole != kWhole.end() ? whole->second : kNosys;
}

// One hypercall as the patched pv_hypercall() makes it; `handler` stands for Xen's own and returns its
// result.
template <typename Handler>
unsigned long call(unsigned nr, unsigned long arg0, Handler handler) {
    unsigned long result = 0xdead;
    if (!casm_wrap_enter(nr, arg0, 0, &result)) result = handler();
    casm_wrap_leave(nr, result);
    return result;
}

class Hypercalls : public testing::Test {
  protected:
    void record() {
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES * 4), 0);
        ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
        RingEnd(c.log).consume();
        world.guest();
    }
    std::vector<std::uint8_t> logged() {
        casm_publish(&c, true);
        return RingEnd(c.log).consume();
    }

    // What a recording makes of the call, from what can be seen of it.
    Treatment observed(unsigned nr, unsigned long arg0) {
        bool called = false;
        const unsigned sends = shim.wmbs;
        // The guest published a byte of console output.
        const auto prod = reinterpret_cast<std::uint32_t*>(world.console() + casm_console_layout.up.prod);
        ++*prod;
        const unsigned long result = call(nr, arg0, [&] {
            called = true;
            return 0x77ul;
        });
        const auto log = logged();
        const bool carried = shim.wmbs > sends + (log.empty() ? 0u : 1u);
        if (called) {
            EXPECT_EQ(result, 0x77u);
            if (log.empty()) return nr == 29 && arg0 == 1 ? kBlock : kExecute;
            EXPECT_EQ(log, record_bytes({CASM_CLS_RESULT, static_cast<std::uint8_t>(nr), 0, 0},
                                        std::vector<std::uint64_t>{0x77}));
            return carried ? kNotify : kAnswer;
        }
        EXPECT_TRUE(log.empty());
        if (result == static_cast<unsigned long>(-EPERM)) return kDeny;
        if (result == static_cast<unsigned long>(-EOPNOTSUPP)) return kNotsupp;
        EXPECT_EQ(result, static_cast<unsigned long>(-ENOSYS));
        return kNosys;
    }

    World world;
    casm_domain& c = world.casm();
};

TEST_F(Hypercalls, EachNumberIsTreatedAsTheTableSays) {
    record();
    for (unsigned nr = 0; nr < 64; ++nr) {
        if (kMixed.contains(nr)) continue;
        for (const unsigned long arg0 : {0ul, 1ul, ~0ul}) {
            EXPECT_EQ(observed(nr, arg0), expected(nr, arg0)) << "hypercall " << nr << " " << arg0;
        }
    }
    for (const unsigned nr : {64u, 100u, 0x40000000u, ~0u}) EXPECT_EQ(observed(nr, 0), kNosys) << nr;
}

TEST_F(Hypercalls, EachSubOperationIsTreatedAsTheTableSays) {
    record();
    for (const auto& [nr, mixed] : kMixed) {
        for (unsigned long arg0 = 0; arg0 < 64; ++arg0)
            EXPECT_EQ(observed(nr, arg0), expected(nr, arg0))
                << "hypercall " << nr << ", sub-operation " << arg0;
    }
}

TEST_F(Hypercalls, ContinuationsOfMemoryOpsAreTreatedAsTheirOperation) {
    record();
    EXPECT_EQ(observed(12, 6 | 1000 << 6), kExecute);
    EXPECT_EQ(observed(12, 9 | 5 << 6), kAnswer);
    EXPECT_EQ(observed(12, 11 | 3 << 6), kNosys);
}

TEST_F(Hypercalls, BlockIsExecutedAndLeavesNoRecord) {
    record();
    bool called = false;
    call(29, 1, [&] {
        called = true;
        return 0ul;
    });
    EXPECT_TRUE(called);
    EXPECT_TRUE(logged().empty());
}

// Sub-operations of a call that was answered with an outcome: memory outputs are logged with it, in the order
// of the writes.
TEST_F(Hypercalls, MemoryOutputsOfAnAnsweredCallAreLogged) {
    record();
    const std::vector<std::uint8_t> text = {1, 2, 3}, big(2500, 9);
    call(17, 0, [&] {
        copy_to_guest_pv(reinterpret_cast<void*>(World::va(1) + 5), text.data(), 3);
        copy_to_guest_pv(reinterpret_cast<void*>(World::va(2) - 100), big.data(), 2500);
        return 0x10ul;
    });
    std::vector<std::uint8_t> want;
    const auto add = [&](std::uint64_t va, std::vector<std::uint8_t> bytes) {
        const auto record = record_bytes({CASM_CLS_OUTMEM, 0, 0, 0}, std::vector<std::uint64_t>{va}, bytes);
        want.insert(want.end(), record.begin(), record.end());
    };
    add(World::va(1) + 5, text);
    add(World::va(2) - 100, std::vector<std::uint8_t>(1024, 9));
    add(World::va(2) + 924, std::vector<std::uint8_t>(1024, 9));
    add(World::va(2) + 1948, std::vector<std::uint8_t>(452, 9));
    const auto result = record_bytes({CASM_CLS_RESULT, 17, 0, 0}, std::vector<std::uint64_t>{0x10});
    want.insert(want.end(), result.begin(), result.end());
    EXPECT_EQ(logged(), want);
    copy_to_guest_pv(reinterpret_cast<void*>(World::va(1)), text.data(), 3);
    EXPECT_TRUE(logged().empty()) << "the tap is closed after the call";
}

TEST_F(Hypercalls, AWriteThatFaultsHalfWayIsLoggedAsFarAsItCame) {
    record();
    const std::vector<std::uint8_t> bytes(100, 4);
    call(17, 0, [&] {
        EXPECT_EQ(copy_to_guest_pv(reinterpret_cast<void*>(World::va(16) - 30), bytes.data(), 100), 70u);
        EXPECT_EQ(copy_to_guest_pv(nullptr, bytes.data(), 100), 100u);
        return static_cast<unsigned long>(-EFAULT);
    });
    auto want = record_bytes({CASM_CLS_OUTMEM, 0, 0, 0}, std::vector<std::uint64_t>{World::va(16) - 30},
                             std::vector<std::uint8_t>(30, 4));
    const auto result = record_bytes({CASM_CLS_RESULT, 17, 0, 0},
                                     std::vector<std::uint64_t>{static_cast<std::uint64_t>(-EFAULT)});
    want.insert(want.end(), result.begin(), result.end());
    EXPECT_EQ(logged(), want);
}

TEST_F(Hypercalls, ExecutedCallsLogNoMemoryOutput) {
    record();
    call(9, 0, [&] {
        const std::uint64_t word = 1;
        copy_to_guest_pv(reinterpret_cast<void*>(World::va(1)), &word, 8);
        return 0ul;
    });
    EXPECT_TRUE(logged().empty());
}

class ReplayedHypercalls : public Hypercalls {
  protected:
    void replay(const std::vector<std::uint8_t>& feed) {
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        c.state = CASM_STATE_REPLAY;
        ASSERT_EQ(RingEnd(c.feed).produce(feed), feed.size());
        world.guest();
    }
    unsigned long call_unheard(unsigned nr, unsigned long arg0) {
        return call(nr, arg0, [] {
            ADD_FAILURE() << "the handler was called";
            return 0ul;
        });
    }
};

TEST_F(ReplayedHypercalls, AnswersComeFromTheLogAndLandAtTheSameAddress) {
    auto feed = record_bytes({CASM_CLS_OUTMEM, 0, 0, 0}, std::vector<std::uint64_t>{World::va(2) - 2},
                             std::vector<std::uint8_t>{5, 6, 7});
    const auto result = record_bytes({CASM_CLS_RESULT, 17, 0, 0}, std::vector<std::uint64_t>{0x41});
    feed.insert(feed.end(), result.begin(), result.end());
    replay(feed);
    EXPECT_EQ(call_unheard(17, 0), 0x41u);
    EXPECT_EQ(world.frame(1)[4094], 5);
    EXPECT_EQ(world.frame(1)[4095], 6);
    EXPECT_EQ(world.frame(2)[0], 7);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY);
    casm_publish(&c, true);
    EXPECT_EQ(c.feed.hdr->cons, feed.size());
    EXPECT_EQ(c.log.pos, 0u) << "nothing is logged twice";
}

TEST_F(ReplayedHypercalls, AnAnswerToAnotherCallDiverges) {
    replay(record_bytes({CASM_CLS_RESULT, 18, 0, 0}, std::vector<std::uint64_t>{0}));
    call_unheard(17, 0);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
}

TEST_F(ReplayedHypercalls, AMemoryOutputThatFaultsDiverges) {
    replay(record_bytes({CASM_CLS_OUTMEM, 0, 0, 0}, std::vector<std::uint64_t>{0x1000},
                        std::vector<std::uint8_t>{5}));
    call_unheard(17, 0);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
    EXPECT_EQ(world.status().divergence.expected_w[0], 0x1000u);
}

TEST_F(ReplayedHypercalls, AMemoryOutputThatIsTooLongDiverges) {
    replay(record_bytes({CASM_CLS_OUTMEM, 0, 0, 0}, std::vector<std::uint64_t>{World::va(1)},
                        std::vector<std::uint8_t>(1032, 1)));
    call_unheard(17, 0);
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_DIVERGED);
}

TEST_F(ReplayedHypercalls, BlockDoesNotSleepAndLetsUpcallsIn) {
    replay({});
    world.cpu().vcpu_info->evtchn_upcall_mask = 1;
    EXPECT_EQ(call_unheard(29, 1), 0u);
    EXPECT_EQ(world.cpu().vcpu_info->evtchn_upcall_mask, 0);
}

TEST_F(ReplayedHypercalls, RefusalsAreTheSame) {
    replay({});
    EXPECT_EQ(call_unheard(36, 0), static_cast<unsigned long>(-EPERM));
    EXPECT_EQ(call_unheard(39, 0), static_cast<unsigned long>(-ENOSYS));
    EXPECT_EQ(call_unheard(40, 0), static_cast<unsigned long>(-EOPNOTSUPP));
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY);
}

TEST_F(ReplayedHypercalls, SendShowsTheConsoleInsteadOfCarryingIt) {
    ASSERT_EQ(casm_bridges_init(&c), 0);
    replay(record_bytes({CASM_CLS_RESULT, 32, 0, 0}, std::vector<std::uint64_t>{0}));
    world.console()[1024] = 'x';
    world.console()[casm_console_layout.up.prod] = 1;
    EXPECT_EQ(call_unheard(32, EVTCHNOP_send), 0u);
    casm_publish(&c, true);
    EXPECT_TRUE(RingEnd(c.log).consume().empty()) << "once for each trip, at its end";
    casm_count_entry(CASM_ENTRY_HYPERCALL, 32);  // which the log has not
    EXPECT_EQ(casm_told_mode(&c), CASM_MODE_ENDED);
    EXPECT_EQ(RingEnd(c.log).consume(),
              record_bytes({CASM_CLS_CONSOLE, 0, 0, 0}, {}, std::vector<std::uint8_t>{'x'}));
    EXPECT_EQ(c.bridge[0].standin[casm_console_layout.up.prod], 0);
}

// A multicall that moves the console's index and notifies, again and again: each time a whole ring would be
// shown, and one trip would write more than it may.
TEST_F(ReplayedHypercalls, ManySendsOfOneTripShowTheConsoleOnce) {
    ASSERT_EQ(casm_bridges_init(&c), 0);
    std::vector<std::uint8_t> feed;
    constexpr int kSends = 64;
    for (int i = 0; i < kSends; ++i) {
        const auto result = record_bytes({CASM_CLS_RESULT, 32, 0, 0}, std::vector<std::uint64_t>{0});
        feed.insert(feed.end(), result.begin(), result.end());
    }
    replay(feed);
    for (int i = 0; i < kSends; ++i) {
        *reinterpret_cast<std::uint32_t*>(world.console() + casm_console_layout.up.prod) += 2048;
        EXPECT_EQ(call_unheard(32, EVTCHNOP_send), 0u);
        ASSERT_EQ(casm_told_mode(&c), CASM_MODE_REPLAY) << i;
    }
    EXPECT_NE(c.state, CASM_STATE_CRASHING);
    casm_count_entry(CASM_ENTRY_HYPERCALL, 13);
    EXPECT_NE(c.state, CASM_STATE_CRASHING);
    const auto shown = RingEnd(c.log).consume();
    EXPECT_GE(shown.size(), 2048u);
    EXPECT_LE(shown.size(), 2048u + 8 * 8);
}

TEST(HypercallProperty, AnyArgumentIsTolerated) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    Random random(seed);
    World world;
    casm_domain& c = world.casm();
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
    world.guest();
    for (int i = 0; i < 100000; ++i) {
        const auto nr = static_cast<unsigned>(random.one_in(4) ? random.word() : random.below(64));
        const std::uint64_t arg0 = random.one_in(3) ? random.word() : random.below(70);
        const std::uint64_t address =
            random.one_in(2) ? random.word()
                             : World::va(static_cast<unsigned>(random.below(18))) + random.below(4096);
        call(nr, arg0, [&] {
            const std::vector<std::uint8_t> bytes(random.below(2000));
            copy_to_guest_pv(reinterpret_cast<void*>(address), bytes.data(),
                             static_cast<unsigned>(bytes.size()));
            return random.word();
        });
        casm_count_entry(CASM_ENTRY_HYPERCALL, nr);
        ASSERT_EQ(casm_told_mode(&c), CASM_MODE_RECORD);
        shim.irqs_on = false;
        const unsigned what = casm_exit_work();
        shim.irqs_on = true;
        if (what == CASM_EXIT_AGAIN) {
            RingEnd(c.log).consume();
            world.kick();
        }
    }
}

}  // namespace
}  // namespace casmotion::test
