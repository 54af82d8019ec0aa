// SPDX-License-Identifier: GPL-2.0-or-later
//
// Segment registers and descriptors (casm/segments.c).
#include "support/exits.h"

namespace casmotion::test {
namespace {

// A selector of the guest's own GDT, and of its LDT; null, and Xen's flat kernel data segment.
constexpr std::uint16_t kOfGdt = 0x0b, kOfLdt = 0xe00f, kNull = 3, kOfXen = 0xe02b;

TEST_F(Exits, SegmentRegistersAreLoadedAgainBeforeAnythingElse) {
    record();
    for (std::uint16_t* selector : {&shim.ds, &shim.es, &shim.fs, &shim.gs}) {
        for (const std::uint16_t changing : {kOfGdt, kOfLdt}) {
            shim.ds = shim.es = shim.fs = shim.gs = kNull;
            *selector = changing;
            const unsigned before = shim.segment_loads;
            world.signal(kTimerPort);
            count();
            EXPECT_EQ(pass(), CASM_EXIT_AGAIN);
            EXPECT_EQ(shim.segment_loads, before + 1);
            EXPECT_TRUE(world.take_pending().empty());
            EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
            EXPECT_EQ(world.take_pending(), std::vector<unsigned>{kTimerPort});
            EXPECT_EQ(shim.segment_loads, before + 1) << "once for each counted entry";
        }
    }
    EXPECT_EQ(shim.segment_loads_irqs_off, 0u) << "it may fault";
}

TEST_F(Exits, AFailsafeCallbackThatSwitchesToKernelModeIsAnEntry) {
    record();
    shim.es = kOfGdt;
    shim.segments_fail = true;
    world.signal(kTimerPort);
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(shim.segment_loads, 1u);
    EXPECT_EQ(classes(), (std::vector<unsigned>{CASM_CLS_ENTRY, CASM_CLS_ENTRY, CASM_CLS_EVTCHN}));
}

// IRET to a stack of 16 bits would show bits 16 to 31 of Xen's own stack pointer.
TEST(Descriptors, AStackOf16BitsIsRefusedAndTheAccessedBitIsSet) {
    constexpr std::uint32_t kPresentUser = 0xf000, kAccessed = 1u << 8, kWritable = 1u << 9,
                            kExpandDown = 1u << 10, kCode = 1u << 11, kBig = 1u << 22;
    for (const std::uint32_t type :
         {0u, kExpandDown, kWritable, kWritable | kExpandDown, kCode, kCode | kWritable}) {
        for (const std::uint32_t big : {0u, kBig}) {
            std::uint32_t upper = kPresentUser | type | big;
            const bool stack16 = (type & kWritable) != 0 && (type & kCode) == 0 && big == 0;
            EXPECT_EQ(casm_descriptor(&upper), !stack16) << std::hex << upper;
            if (!stack16) {
                EXPECT_EQ(upper, kPresentUser | type | big | kAccessed);
            }
        }
    }
}

TEST_F(Exits, SegmentRegistersWhoseDescriptorsCannotChangeAreLeftAlone) {
    record();
    shim.ds = shim.gs = kNull;
    shim.es = shim.fs = kOfXen;
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(shim.segment_loads, 0u);
}

TEST_F(Exits, SegmentRegistersAreLeftAloneWhereNothingWasCounted) {
    record();
    shim.es = kOfGdt;
    EXPECT_EQ(leave(), CASM_EXIT_SKIP);
    EXPECT_EQ(shim.segment_loads, 0u);
}

TEST_F(ReplayExits, SegmentRegistersAreLoadedAgainUnlessTheRecordingDidNotComeToThat) {
    const std::vector<std::uint64_t> words(2);
    const std::vector<std::uint8_t> applied(CASM_CLASSES_MAX * 8);
    replay(
        {entry(), event(5), entry(), record_bytes({CASM_CLS_END, CASM_END_DESTROYED, 0, 0}, words, applied)});
    shim.es = kOfGdt;
    count();
    EXPECT_EQ(leave(), CASM_EXIT_DELIVER);
    EXPECT_EQ(shim.segment_loads, 1u);
    count();
    leave();
    EXPECT_EQ(shim.segment_loads, 1u) << "it was destroyed at its last entry";
}

}  // namespace
}  // namespace casmotion::test
