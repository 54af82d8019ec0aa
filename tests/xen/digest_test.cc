// SPDX-License-Identifier: GPL-2.0-or-later
//
// Hashes of registers and memory (casm/digest.c, digest.h).
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "casmotion/taxonomy.h"
#include "support/seed.h"
#include "support/world.h"

extern "C" {
#include <public/sched.h>
}

namespace casmotion::test {
namespace {

using Words = std::array<std::uint64_t, 512>;

TEST(PageHash, OnlyZerosAreAZeroPage) {
    Words page{};
    EXPECT_TRUE(casm_page_is_zero(page.data()));
    for (unsigned bit = 0; bit < 32768; ++bit) {
        page[bit / 64] = std::uint64_t{1} << (bit % 64);
        ASSERT_FALSE(casm_page_is_zero(page.data())) << "bit " << bit;
        page[bit / 64] = 0;
    }
}

TEST(PageHash, EverySingleBitCounts) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    Random random(seed);
    Words page;
    for (auto& word : page) word = random.word();
    const std::uint64_t before = casm_page_hash(page.data());
    for (unsigned bit = 0; bit < 32768; ++bit) {
        page[bit / 64] ^= std::uint64_t{1} << (bit % 64);
        ASSERT_NE(casm_page_hash(page.data()), before) << "bit " << bit;
        page[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    }
}

TEST(PageHash, NoTwoSingleFlipsAreTheSame) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    Random random(seed);
    Words page;
    for (auto& word : page) word = random.word();
    std::set<std::uint64_t> hashes = {casm_page_hash(page.data())};
    for (unsigned bit = 0; bit < 32768; ++bit) {
        page[bit / 64] ^= std::uint64_t{1} << (bit % 64);
        ASSERT_TRUE(hashes.insert(casm_page_hash(page.data())).second) << "bit " << bit;
        page[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    }
}

TEST(PageHash, PlaceOfAWordCounts) {
    std::set<std::uint64_t> hashes;
    for (unsigned i = 0; i < 512; ++i) {
        Words page{};
        page[i] = 1;
        EXPECT_TRUE(hashes.insert(casm_page_hash(page.data())).second) << "word " << i;
    }
}

TEST(Mix, IsABijectionOfTheStateAndOfTheWord) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    Random random(seed);
    // The inverse exists: undo the shift (an involution at 32 bits), then multiply by the modular inverse.
    std::uint64_t inverse = 1;
    for (int i = 0; i < 6; ++i) inverse *= 2 - CASM_HASH_MULT * inverse;
    ASSERT_EQ(inverse * CASM_HASH_MULT, 1u);
    for (int i = 0; i < 10000; ++i) {
        const std::uint64_t h = random.word(), x = random.word(), mixed = casm_mix(h, x);
        const std::uint64_t product = mixed ^ (mixed >> 32);
        ASSERT_EQ((product * inverse) ^ x, h);
        ASSERT_EQ((product * inverse) ^ h, x);
    }
}

// The digest of all frames, as a DIGEST record says it.
struct DomainDigest {
    std::uint64_t frames, digest;
    bool operator==(const DomainDigest&) const = default;
};

class DomainDigestTest : public testing::Test {
  protected:
    DomainDigestTest() {
        EXPECT_EQ(world.attach(), 0);
        EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
        RingEnd(world.casm().log).consume();
    }

    DomainDigest take() {
        casm_digest_point(&world.casm(), CASM_DIGEST_PERIODIC);
        casm_publish(&world.casm(), false);
        const auto bytes = RingEnd(world.casm().log).consume();
        EXPECT_EQ(bytes.size(), 32u);
        casm_rec header;
        std::array<std::uint64_t, 3> words{};
        std::memcpy(&header, bytes.data(), 8);
        std::memcpy(words.data(), bytes.data() + 8, 24);
        EXPECT_EQ(header.cls, CASM_CLS_DIGEST);
        EXPECT_EQ(header.kind, CASM_DIGEST_PERIODIC);
        EXPECT_EQ(words[0], world.casm().ordinal);
        return {words[1], words[2]};
    }

    World world;
};

TEST_F(DomainDigestTest, CountsRamAndSharedInfoButNoStandIns) {
    EXPECT_EQ(take().frames, 16u + 1u);
}

TEST_F(DomainDigestTest, IsTheSameEachTime) {
    world.frame(3)[17] = 1;
    const DomainDigest first = take();
    EXPECT_EQ(take(), first);
}

TEST_F(DomainDigestTest, AnyFrameCounts) {
    std::set<std::uint64_t> digests = {take().digest};
    for (unsigned pfn = 0; pfn < 16; ++pfn) {
        world.frame(pfn)[100] ^= 4;
        EXPECT_TRUE(digests.insert(take().digest).second) << "PFN " << pfn;
    }
    world.dom().shared_info->evtchn_mask[3] ^= 1;
    EXPECT_TRUE(digests.insert(take().digest).second) << "shared_info";
}

TEST_F(DomainDigestTest, EqualFramesCannotBeSwappedOrMoved) {
    std::memset(world.frame(2), 1, 4096);
    std::memset(world.frame(3), 2, 4096);
    const DomainDigest before = take();
    std::memset(world.frame(2), 2, 4096);
    std::memset(world.frame(3), 1, 4096);
    EXPECT_NE(take().digest, before.digest);
    std::memset(world.frame(2), 0, 4096);
    std::memset(world.frame(3), 2, 4096);
    const DomainDigest alone = take();
    std::memset(world.frame(2), 2, 4096);
    std::memset(world.frame(3), 0, 4096);
    EXPECT_NE(take().digest, alone.digest);
}

TEST_F(DomainDigestTest, StandInsAndOtherDomainsDoNotCount) {
    const DomainDigest before = take();
    world.casm().bridge[0].standin[5] ^= 1;
    EXPECT_EQ(take(), before);
    const unsigned long mfn = casm_pool_first() + 100;
    domain other{};
    mfn_to_page(_mfn(mfn))->owner = &other;
    std::memset(mfn_to_virt(mfn), 7, 4096);
    EXPECT_EQ(take(), before);
    mfn_to_page(_mfn(mfn))->owner = nullptr;
}

// Another dom0, and Xen's own entries in the guest's L4 tables are others.
TEST_F(DomainDigestTest, DoesNotDependOnXensEntriesInAnL4Table) {
    auto* words = reinterpret_cast<std::uint64_t*>(world.frame(4));
    page_info* page = mfn_to_page(_mfn(casm_pool_first() + 4));
    words[0] = 9;
    for (const bool table : {false, true}) {
        page->u.inuse.type_info = table ? PGT_l4_page_table : PGT_writable_page;
        const auto before = take();
        for (const unsigned slot : {255u, 256u, 263u, 264u, 271u, 272u}) {
            words[slot] ^= 0x63;
            EXPECT_EQ(take() == before, table && slot >= 256 && slot < 272) << table << " " << slot;
            words[slot] ^= 0x63;
        }
    }
}

// Linux copies the kernel's half of a table into the page that will be the next one.
TEST_F(DomainDigestTest, DoesNotDependOnCopiesOfXensEntries) {
    auto* words = reinterpret_cast<std::uint64_t*>(world.frame(4));
    // 258 maps the table itself, 260 is the domain's own.
    const auto boot = [&](std::uint64_t xen) {
        for (unsigned slot = 256; slot < 272; ++slot)
            idle_pg_table[slot].l4 = slot == 258 || slot == 260 ? 0 : xen + slot;
    };
    const auto copy = [&] {
        for (unsigned slot = 250; slot < 280; ++slot)
            words[slot] = slot >= 256 && slot < 272 ? idle_pg_table[slot].l4 : slot;
        words[258] = 66;
        words[260] = 77;
    };
    boot(0x1000);
    copy();
    const auto before = take();
    boot(0x2000);
    copy();
    EXPECT_EQ(take(), before);

    // What the guest wrote between them counts, and so do Xen's entries in a slot that is not theirs.
    for (unsigned slot = 256; slot < 272; ++slot) {
        words[slot] ^= 0x8000;
        EXPECT_NE(take(), before) << slot;
        words[slot] ^= 0x8000;
    }
    std::swap(words[262], words[263]);
    EXPECT_NE(take(), before);
    // A copy that is under way: the first slot is there.
    boot(0x1000);
    words[256] = idle_pg_table[256].l4;
    std::fill_n(words + 257, 15, 0);
    const auto begun = take();
    boot(0x2000);
    words[256] = idle_pg_table[256].l4;
    EXPECT_EQ(take(), begun);
    boot(0);
}

TEST_F(DomainDigestTest, XensEntriesDoNotOutliveTheTable) {
    auto* words = reinterpret_cast<std::uint64_t*>(world.frame(4));
    std::fill_n(words, 512, 7);
    casm_l4_demoted(words);
    for (unsigned slot = 0; slot < 512; ++slot)
        EXPECT_EQ(words[slot], slot >= 256 && slot < 272 ? 0u : 7u) << slot;
}

TEST_F(DomainDigestTest, FrameHashesNameTheFrame) {
    std::array<std::uint64_t, 32> hashes{};
    hashes.fill(42);
    world.frame(4)[0] = 9;
    casm_domctl op{};
    op.op = CASM_OP_frames;
    op.u.frames = {reinterpret_cast<std::uint64_t>(hashes.data()), 2, 20};
    ASSERT_EQ(world.domctl(op), 0);
    EXPECT_EQ(hashes[2], casm_page_hash(reinterpret_cast<std::uint64_t*>(world.frame(4))));
    EXPECT_EQ(hashes[1], 0u) << "a frame of zeros";
    EXPECT_EQ(hashes[19], 0u) << "no frame of the domain";
    EXPECT_EQ(hashes[20], 42u) << "beyond the count";
    for (const auto& [first, count] :
         {std::pair<std::uint64_t, std::uint64_t>{0, 2049}, {2049, 0}, {2048, 1}, {~0ull, 2}, {1, ~0ull}}) {
        op.u.frames = {reinterpret_cast<std::uint64_t>(hashes.data()), first, count};
        EXPECT_EQ(world.domctl(op), -EINVAL) << first << " " << count;
    }
    std::vector<std::uint64_t> many(CASM_FRAMES_MAX + 1);
    op.u.frames = {reinterpret_cast<std::uint64_t>(many.data()), 0, CASM_FRAMES_MAX};
    EXPECT_EQ(world.domctl(op), 0);
    op.u.frames.count++;
    EXPECT_EQ(world.domctl(op), -EINVAL) << "other domctls would wait for it";
}

// What a replay could build otherwise without a difference in memory.
TEST(StartDigest, HasRegistersAndTheLimitOfMemory) {
    std::set<std::uint64_t> digests;
    for (int change = 0; change < 4; ++change) {
        World world;
        ASSERT_EQ(world.attach(), 0);
        if (change == 1) world.cpu().arch.user_regs.rip ^= 1;
        if (change == 2) world.cpu().arch.user_regs.r15 ^= 1;
        if (change == 3) world.dom().max_pages ^= 1;
        ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
        const auto log = RingEnd(world.casm().log).consume();
        std::uint64_t digest;
        std::memcpy(&digest, log.data() + log.size() - 8, 8);
        EXPECT_TRUE(digests.insert(digest).second) << change;
    }
}

// A guest whose digest takes more than one step. Each is short; in between the scheduler, softirqs and other
// domctls have their turn.
class ADigestInSteps : public testing::Test {
  protected:
    static constexpr unsigned kFrames = 4 * CASM_WALK_FRAMES + 100;

    ADigestInSteps() {
        for (unsigned pfn = 0; pfn < kFrames; pfn += 3)
            world.frame(pfn)[8] = static_cast<std::uint8_t>(pfn + 1);
        EXPECT_EQ(world.attach(), 0);
    }

    // One start, as dom0's hypercall is continued.
    unsigned start(casm_mode mode = CASM_MODE_RECORD, std::uint64_t interval = 0) {
        for (unsigned steps = 1; steps < 100; ++steps) {
            const long rc = world.start(mode, interval);
            if (rc != -ERESTART) {
                EXPECT_EQ(rc, 0);
                return steps;
            }
        }
        ADD_FAILURE() << "it never starts";
        return 0;
    }

    // What the last DIGEST in the log says.
    DomainDigest last() {
        casm_publish(&world.casm(), false);
        const auto bytes = RingEnd(world.casm().log).consume();
        DomainDigest found{};
        for (std::size_t at = 0; at + 8 <= bytes.size();) {
            casm_rec header;
            std::memcpy(&header, bytes.data() + at, 8);
            const auto& layout = kLayouts[header.cls];
            if (header.cls == CASM_CLS_DIGEST) std::memcpy(&found, bytes.data() + at + 16, 16);
            at += 8 + 8ul * layout.words + (layout.has_blob ? (header.check + 7u) / 8 * 8 : 0);
        }
        return found;
    }

    // The start's has the registers too, and how much memory the guest may have.
    DomainDigest at_start() {
        DomainDigest digest = whole();
        const vcpu& v = world.cpu();
        digest.digest = casm_mix(casm_regs_hash(digest.digest, &v.arch.user_regs, &v), world.dom().max_pages);
        return digest;
    }

    // All frames in one go.
    DomainDigest whole() {
        DomainDigest digest{0, CASM_HASH_SEED};
        for (unsigned long mfn = casm_pool_first(); mfn < casm_pool_end(); ++mfn) {
            const page_info* page = mfn_to_page(_mfn(mfn));
            const auto* words = static_cast<const std::uint64_t*>(mfn_to_virt(mfn));
            if (page->owner != &world.dom() || !casm_pool_guest_frame(mfn)) continue;
            ++digest.frames;
            if (!casm_page_is_zero(words))
                digest.digest = casm_mix(casm_mix(digest.digest, mfn), casm_page_hash(words));
        }
        return digest;
    }

    // The exit of an entry. Returns how often the exit tests ran before the guest did.
    unsigned exit() {
        world.guest();
        casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
        for (unsigned passes = 1; passes < 100; ++passes) {
            shim.irqs_on = false;
            const unsigned what = casm_exit_work();
            shim.irqs_on = true;
            if (what != CASM_EXIT_AGAIN || world.status().mode != CASM_MODE_RECORD) return passes;
            if (between) between();
            world.guest();
        }
        ADD_FAILURE() << "the guest never runs";
        return 0;
    }

    World world{{.pool = "64M@16M", .frames = kFrames, .bridges = true}};
    std::function<void()> between;
};

TEST_F(ADigestInSteps, AtTheStartLeavesTheDomctlLockInBetween) {
    EXPECT_GE(start(), kFrames / CASM_WALK_FRAMES);
    EXPECT_EQ(last(), at_start()) << "shared_info is written to in the last step";
}

TEST_F(ADigestInSteps, AtTheStartOfAGuestThatWasUnpausedIsNoStart) {
    ASSERT_EQ(world.start(CASM_MODE_RECORD), -ERESTART);
    world.dom().creation_finished = true;
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -EBUSY);
}

TEST_F(ADigestInSteps, ThatFailsToStartIsBegunAgain) {
    ASSERT_EQ(world.start(CASM_MODE_RECORD), -ERESTART);
    atomic_inc(&world.casm().foreign_maps);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), -EADDRINUSE);
    atomic_dec(&world.casm().foreign_maps);
    world.frame(0)[0] ^= 1;
    start();
    EXPECT_EQ(last(), at_start());
}

TEST_F(ADigestInSteps, AtAnInjectionPointLetsOthersRun) {
    start(CASM_MODE_RECORD, 1);
    last();
    between = [this] { world.signal(kTimerPort); };
    EXPECT_GE(exit(), kFrames / CASM_WALK_FRAMES);
    EXPECT_EQ(last().frames, kFrames + 1u);
}

// An event that comes while the digest is under way takes effect behind it.
TEST_F(ADigestInSteps, HasNothingInItThatCameMeanwhile) {
    start(CASM_MODE_RECORD, 1);
    last();
    const DomainDigest before = whole();
    between = [&, first = true]() mutable {
        if (std::exchange(first, false)) world.signal(kTimerPort);
    };
    exit();
    EXPECT_NE(whole(), before) << "the event has come";
    EXPECT_EQ(last(), before);
}

TEST_F(ADigestInSteps, IsFinishedAsThatOfAStop) {
    start(CASM_MODE_RECORD, 1);
    last();
    between = [&, first = true]() mutable {
        if (std::exchange(first, false)) {
            EXPECT_EQ(world.stop(), 0);
        }
    };
    exit();
    const casm_status status = world.status();
    EXPECT_EQ(status.mode, CASM_MODE_ENDED);
    EXPECT_EQ(status.applied[CASM_CLS_DIGEST], 2u) << "the start's, and one";
    EXPECT_EQ(last(), whole());
}

TEST_F(ADigestInSteps, AtAStopBeforeTheFirstRunLeavesTheDomctlLockInBetween) {
    start();
    last();
    world.dom().creation_finished = false;
    unsigned steps = 1;
    for (; steps < 100 && world.stop() == -ERESTART; ++steps) EXPECT_EQ(world.cpu().paused, 0);
    EXPECT_GE(steps, kFrames / CASM_WALK_FRAMES);
    EXPECT_EQ(last(), whole());
}

// ... and dom0 lets it run before the stop is through.
TEST_F(ADigestInSteps, OfAGuestThatRanMeanwhileIsBegunAgain) {
    start(CASM_MODE_RECORD, 1);
    last();
    world.dom().creation_finished = false;
    ASSERT_EQ(world.stop(), -ERESTART);
    world.dom().creation_finished = true;
    world.frame(0)[0] ^= 1;
    exit();
    EXPECT_EQ(last(), whole());
}

TEST_F(ADigestInSteps, AtAShutdownLetsTimersRun) {
    start();
    last();
    world.guest();
    shim_domain_shutdown(&world.dom(), SHUTDOWN_poweroff);
    EXPECT_GE(shim.softirq_passes, kFrames / CASM_WALK_FRAMES);
    EXPECT_EQ(last(), whole());
}

// The same guest, recorded and replayed: two entries with a digest each, and a stop.
TEST(ADigestInStepsOfAReplay, ComesToTheSameEnd) {
    constexpr unsigned kFrames = 2 * CASM_WALK_FRAMES + 10;
    const auto run = [](World& world, casm_mode mode) {
        for (unsigned pfn = 0; pfn < kFrames; pfn += 2) world.frame(pfn)[8] = 1;
        unsigned steps = 0, again = 0;
        while (world.start(mode, 1) == -ERESTART) ++steps;
        EXPECT_GE(steps, 2u);
        for (unsigned entry = 0; entry < 3; ++entry) {
            if (entry == 2 && mode == CASM_MODE_RECORD) {
                EXPECT_EQ(world.stop(), 0);
            }
            world.guest();
            world.frame(entry)[9] = 5;
            casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
            for (unsigned what = CASM_EXIT_AGAIN; what == CASM_EXIT_AGAIN && world.cpu().paused == 0;) {
                shim.irqs_on = false;
                what = casm_exit_work();
                shim.irqs_on = true;
                if (what == CASM_EXIT_AGAIN) ++again;
                if (world.status().mode == CASM_MODE_ENDED) break;
            }
        }
        EXPECT_GE(again, 3 * 3u) << "the scheduler gets its turn";
        return world.status();
    };
    std::vector<std::uint8_t> log;
    {
        World world{{.pool = "32M@16M", .frames = kFrames, .bridges = true}};
        ASSERT_EQ(world.attach(), 0);
        EXPECT_EQ(run(world, CASM_MODE_RECORD).mode, CASM_MODE_ENDED);
        log = RingEnd(world.casm().log).consume();
    }
    World world{{.pool = "32M@16M", .frames = kFrames, .bridges = true}};
    ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
    ASSERT_EQ(RingEnd(world.casm().feed).produce(log), log.size());
    RingEnd(world.casm().feed).finish();
    const casm_status status = run(world, CASM_MODE_REPLAY);
    EXPECT_EQ(status.mode, CASM_MODE_ENDED);
    EXPECT_EQ(status.end_reason, CASM_END_STOPPED);
    EXPECT_EQ(status.applied[CASM_CLS_DIGEST], 4u);
}

}  // namespace
}  // namespace casmotion::test
