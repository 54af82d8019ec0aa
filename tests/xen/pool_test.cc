// SPDX-License-Identifier: GPL-2.0-or-later
//
// The memory of a recordable domain (casm/pool.c) and the life cycle (casm/control.c) as far as memory goes.
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/world.h"

namespace casmotion::test {
namespace {

constexpr unsigned long kSpecial = 64;

TEST(PoolParameter, TakesSizeAtBaseAndNothingElse) {
    shim_reset();
    for (const char* good : {"8M@16M", "1G@1G", "3G@1G", "8192@16384"})
        EXPECT_EQ(shim_param_parse_casm_pool(good), 0) << good;
    for (const char* bad : {"", "8M", "8M@16M,", "8M@16Mx", "7M@16M", "8M@1M", "9M@16M", "6M@16M", "4G@1G",
                            "@16M", "8M@", "8M@0", "8M@-2M", "99999999999G@16M", "18446744073707454464@4M"})
        EXPECT_EQ(shim_param_parse_casm_pool(bad), -EINVAL) << bad;
}

TEST(PoolCheck, ARangeThatIsNotFreeRamIsRefused) {
    for (int kind = 0; kind < 3; ++kind) {
        shim_reset();
        ASSERT_EQ(shim_param_parse_casm_pool("8M@16M"), 0);
        page_info* page = mfn_to_page(_mfn(4096 + 700));
        domain other{};
        if (kind == 0) page->not_ram = true;
        if (kind == 1) page->count_info = 1;
        if (kind == 2) page->owner = &other;
        casm_pool_seen_free(0, 1 << 20);
        shim_initcall_casm_pool_check();
        unsigned long first, end;
        EXPECT_FALSE(casm_pool_range(&first, &end)) << kind;
        EXPECT_FALSE(casm_pool_guest_frame(4096));
        EXPECT_NE(std::string(shim.last_print).find("not free RAM"), std::string::npos);
    }
}

// dom0's initrd, say: RAM, without an owner yet, of which Xen's allocator is not told.
TEST(PoolCheck, ARangeInWhichXenOrABootModuleIsIsRefused) {
    struct Range {
        unsigned long first, end;
    };
    const std::vector<std::pair<std::vector<Range>, unsigned long>> cases = {
        {{}, 4096},                               // all of it is Xen's
        {{{0, 5000}, {5001, 9000}}, 5000},        // one frame in the middle
        {{{4097, 9000}}, 4096},                   // the first
        {{{0, 4096 + 2047}}, 4096 + 2047},        // the last
        {{{5000, 9000}, {0, 4999}}, 4999},        // told in another order
        {{{0, 4096}, {4096 + 2048, 9000}}, 4096}  // only what is around it is free
    };
    for (const auto& [ranges, missing] : cases) {
        shim_reset();
        ASSERT_EQ(shim_param_parse_casm_pool("8M@16M"), 0);
        for (const Range& range : ranges) casm_pool_seen_free(range.first, range.end);
        const unsigned prints = shim.prints;
        shim_initcall_casm_pool_check();
        unsigned long first, end;
        EXPECT_FALSE(casm_pool_range(&first, &end)) << missing;
        EXPECT_EQ(shim.prints, prints + 1) << "one line";
        std::ostringstream mfn;
        mfn << "at MFN " << std::hex << missing << " (Xen, dom0's kernel or initrd";
        EXPECT_NE(std::string(shim.last_print).find(mfn.str()), std::string::npos) << shim.last_print;
    }
}

TEST(PoolCheck, ARangeThatIsToldInPartsIsTaken) {
    shim_reset();
    ASSERT_EQ(shim_param_parse_casm_pool("8M@16M"), 0);
    casm_pool_seen_free(0, 100);
    casm_pool_seen_free(5000, 9000);
    casm_pool_seen_free(4000, 5000);
    shim_initcall_casm_pool_check();
    unsigned long first, end;
    EXPECT_TRUE(casm_pool_range(&first, &end)) << shim.last_print;
}

TEST(Pool, FramesFollowFromThePfn) {
    World world;
    for (unsigned pfn = 0; pfn < 16; ++pfn) {
        const page_info* page = mfn_to_page(_mfn(casm_pool_first() + pfn));
        EXPECT_EQ(page->owner, &world.dom());
    }
    EXPECT_EQ(mfn_x(page_to_mfn(casm_pool_populate(&world.dom(), 100, 3, 0))), casm_pool_first() + 100);
    for (unsigned pfn = 100; pfn < 108; ++pfn) put_page_alloc_ref(mfn_to_page(_mfn(casm_pool_first() + pfn)));
}

TEST(Pool, GivesNoFrameTwiceOrBeyondTheGuestsPart) {
    World world;
    const unsigned long max = casm_pool_end() - casm_pool_first() - kSpecial;
    EXPECT_EQ(casm_pool_populate(&world.dom(), 3, 0, 0), nullptr) << "in use";
    EXPECT_EQ(casm_pool_populate(&world.dom(), max, 0, 0), nullptr);
    EXPECT_EQ(casm_pool_populate(&world.dom(), max - 1, 1, 0), nullptr) << "half beyond";
    EXPECT_EQ(casm_pool_populate(&world.dom(), ~0ul, 0, 0), nullptr);
    EXPECT_EQ(casm_pool_populate(&world.dom(), ~0ul, 3, 0), nullptr);
    EXPECT_EQ(casm_pool_populate(&world.dom(), ~0ul - 1, 1, 0), nullptr) << "wraps";
    page_info* last = casm_pool_populate(&world.dom(), max - 1, 0, 0);
    ASSERT_NE(last, nullptr);
    put_page_alloc_ref(last);
}

TEST(Pool, FreedFramesComeBackClearedAfterATlbFlush) {
    World world;
    page_info* page = casm_pool_populate(&world.dom(), 50, 0, 0);
    std::memset(world.frame(50), 9, 4096);
    const unsigned before = shim.tlb_flushes;
    put_page_alloc_ref(page);
    EXPECT_EQ(page->owner, nullptr);
    ASSERT_NE(casm_pool_populate(&world.dom(), 50, 0, 0), nullptr);
    EXPECT_TRUE(casm_page_is_zero(reinterpret_cast<std::uint64_t*>(world.frame(50))));
    EXPECT_EQ(shim.tlb_flushes, before + 1);
    ASSERT_NE(casm_pool_populate(&world.dom(), 51, 0, 0), nullptr);
    EXPECT_EQ(shim.tlb_flushes, before + 1) << "once";
    put_page_alloc_ref(page);
    put_page_alloc_ref(page + 1);
}

TEST(Pool, AFrameIsClearedAtItsFirstUseToo) {
    World world;
    std::memset(world.frame(60), 9, 4096);  // by what ran before Xen
    ASSERT_NE(casm_pool_populate(&world.dom(), 60, 0, 0), nullptr);
    EXPECT_TRUE(casm_page_is_zero(reinterpret_cast<std::uint64_t*>(world.frame(60))));
    put_page_alloc_ref(mfn_to_page(_mfn(casm_pool_first() + 60)));
}

TEST(Pool, NothingIsLeftInAFreedFrame) {
    World world;
    ASSERT_NE(casm_pool_populate(&world.dom(), 48, 2, 0), nullptr);
    for (unsigned pfn = 48; pfn < 52; ++pfn) {
        std::memset(world.frame(pfn), 9, 4096);
        put_page_alloc_ref(mfn_to_page(_mfn(casm_pool_first() + pfn)));
        EXPECT_TRUE(casm_page_is_zero(reinterpret_cast<std::uint64_t*>(world.frame(pfn)))) << pfn;
    }
    auto* special = static_cast<std::uint8_t*>(casm_alloc_grant_frame(&world.dom(), 3));
    std::memset(special, 9, 4096);
    ASSERT_TRUE(casm_pool_free(mfn_to_page(_mfn(casm_pool_end() - kSpecial + 3)), 0));
    EXPECT_TRUE(casm_page_is_zero(reinterpret_cast<std::uint64_t*>(special)));
}

TEST(Pool, ADomainThatRunsFlushesTheCpusThatHaveItsPageTablesAndNoOthers) {
    World world;
    const auto give_and_take = [&] {
        put_page_alloc_ref(mfn_to_page(_mfn(casm_pool_first() + 5)));
        EXPECT_NE(casm_pool_populate(&world.dom(), 5, 0, 0), nullptr);
    };
    give_and_take();
    EXPECT_EQ(shim.tlb_flushed, cpu_online_map.bits) << "the builder may have had it mapped anywhere";
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
    for (int i = 0; i < 3; ++i) {
        shim.tlb_flushed = 0;
        const unsigned before = shim.tlb_flushes;
        give_and_take();
        EXPECT_EQ(shim.tlb_flushes, before + 1);
        EXPECT_EQ(shim.tlb_flushed, world.dom().dirty_cpumask->bits);
    }
}

TEST(Pool, AFrameWithBrokenMemoryIsNotUsedAgain) {
    World world;
    page_info* page = mfn_to_page(_mfn(casm_pool_first() + 5));
    page->count_info |= PGC_broken | PGC_state_offlining;  // as offline_page() does it
    put_page_alloc_ref(page);
    EXPECT_EQ(page->owner, nullptr);
    EXPECT_EQ(casm_pool_populate(&world.dom(), 5, 0, 0), nullptr);
    EXPECT_NE(std::string(shim.last_print).find("PFN 5 is still in use, or its memory is broken"),
              std::string::npos)
        << shim.last_print;
}

TEST(Pool, KeepsItsFramesOutOfTheHeapAndTakesNoOthers) {
    World world;
    EXPECT_FALSE(casm_pool_free(mfn_to_page(_mfn(casm_pool_first() - 1)), 0));
    EXPECT_FALSE(casm_pool_free(mfn_to_page(_mfn(casm_pool_end())), 0));
    EXPECT_TRUE(casm_pool_free(mfn_to_page(_mfn(casm_pool_first() + 200)), 1));
}

TEST(Pool, GuestFramesAreRamGrantFramesAndSharedInfo) {
    World world;
    const unsigned long first = casm_pool_first(), end = casm_pool_end();
    for (unsigned long mfn = first - 3; mfn < end + 3; ++mfn) {
        const bool want = (mfn >= first && mfn < end - 32) || mfn == end - 1;
        EXPECT_EQ(casm_pool_guest_frame(mfn), want) << mfn - first;
    }
    EXPECT_FALSE(casm_pool_guest_frame(0));
    EXPECT_FALSE(casm_pool_guest_frame(~0ul));
}

TEST(Pool, SpecialFramesAreFixedAndDistinct) {
    World world;
    std::set<void*> frames = {world.dom().shared_info};
    EXPECT_EQ(mfn_to_virt(casm_pool_end() - 1), world.dom().shared_info);
    page_info* l3 = casm_alloc_perdomain_l3(&world.dom());
    ASSERT_NE(l3, nullptr);
    EXPECT_TRUE(frames.insert(page_to_virt(l3)).second);
    for (unsigned i = 0; i < 32; ++i) {
        void* grant = casm_alloc_grant_frame(&world.dom(), i);
        ASSERT_NE(grant, nullptr) << i;
        EXPECT_TRUE(frames.insert(grant).second) << i;
        EXPECT_EQ(casm_alloc_grant_frame(&world.dom(), i), nullptr) << "in use";
    }
    EXPECT_EQ(casm_alloc_grant_frame(&world.dom(), 32), nullptr);
    EXPECT_EQ(casm_alloc_grant_frame(&world.dom(), ~0u), nullptr);
    ASSERT_EQ(casm_bridges_init(&world.casm()), 0);
    for (const casm_bridge& bridge : world.casm().bridge) EXPECT_TRUE(frames.insert(bridge.standin).second);
}

TEST(Pool, OneUserAtATime) {
    {
        World world;
        domain other{};
        other.domain_id = 8;
        EXPECT_FALSE(casm_pool_claim(&other));
        casm_pool_release(&other);
        EXPECT_FALSE(casm_pool_claim(&other)) << "not its own to release";
        casm_domctl op{};
        op.op = CASM_OP_host_info;
        ASSERT_EQ(world.domctl(op), 0);
        EXPECT_EQ(op.u.host.user_domid, 7);
        EXPECT_EQ(op.u.host.pool_frames, 2048u);
        EXPECT_EQ(op.u.host.guest_frames_max, 2048u - kSpecial);
    }
    domain other{};
    other.domain_id = 8;
    EXPECT_TRUE(casm_pool_claim(&other));
    casm_pool_release(&other);
}

TEST(Pool, WhoElseMayMapWhat) {
    World world;
    domain& guest = world.dom();
    const unsigned long ram = casm_pool_first() + 2;
    // May write the guest's memory until it runs, and look at it.
    EXPECT_FALSE(casm_map_denied(&guest, ram, true));
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
    guest.creation_finished = false;
    EXPECT_TRUE(casm_map_denied(&guest, ram, true)) << "recording has begun";
    guest.creation_finished = true;
    EXPECT_TRUE(casm_map_denied(&guest, ram, true));
    EXPECT_FALSE(casm_map_denied(&guest, ram, false));
}

TEST(Pool, DestroyGivesEverythingBack) {
    World world;
    ASSERT_EQ(world.attach(1 << 20, CASM_RING_MIN_BYTES), 0);
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -EINVAL) << "a feed is for replays";
    world.destroy();
    EXPECT_EQ(shim_heap_used(), 0u);
    for (unsigned long mfn = casm_pool_first(); mfn < casm_pool_end(); ++mfn) {
        EXPECT_EQ(mfn_to_page(_mfn(mfn))->count_info, 0u) << mfn;
        EXPECT_EQ(mfn_to_page(_mfn(mfn))->owner, nullptr) << mfn;
    }
}

}  // namespace
}  // namespace casmotion::test
