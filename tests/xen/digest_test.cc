// SPDX-License-Identifier: GPL-2.0-or-later
//
// Hashes of registers and memory (casm/digest.c, digest.h).
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

#include "support/seed.h"
#include "support/world.h"

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
}

}  // namespace
}  // namespace casmotion::test
