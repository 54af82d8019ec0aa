// SPDX-License-Identifier: GPL-2.0-or-later
//
// Memory that Xen and dom0 share about a recordable domain (casm/ring.c, casm/bridge-glue.c): whose it is,
// who gets it.
#include <gtest/gtest.h>

#include "support/world.h"

namespace casmotion::test {
namespace {

std::vector<page_info*> shared_frames(World& world) {
    std::vector<page_info*> frames;
    for (const casm_stream* ring : {&world.casm().log, &world.casm().feed}) {
        frames.push_back(ring->pg_hdr);
        for (unsigned i = 0; i < 1u << ring->order; ++i) frames.push_back(ring->pg_data + i);
    }
    for (page_info* standin : world.casm().standin_pg) frames.push_back(standin);
    return frames;
}

// What map_grant_ref() gets, with its reference given back at once.
int map_grant(World& world, unsigned ref, page_info*& page) {
    mfn_t mfn = _mfn(1);
    const int rc = casm_grant_frame(&world.dom(), ref, &mfn, &page);
    if (rc == GNTST_okay) {
        EXPECT_EQ(mfn_x(mfn), mfn_x(page_to_mfn(page)));
        put_page(page);
    } else {
        EXPECT_EQ(page, nullptr);
        EXPECT_EQ(mfn_x(mfn), mfn_x(INVALID_MFN));
    }
    return rc;
}

TEST(Shared, RingsAndStandInsAreNotTheGuests) {
    World world;
    ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
    ASSERT_EQ(casm_bridges_init(&world.casm()), 0);
    const std::vector<page_info*> frames = shared_frames(world);
    ASSERT_EQ(frames.size(), 17u + 17u + 2u);
    for (page_info* frame : frames) {
        ASSERT_NE(frame, nullptr);
        EXPECT_EQ(frame->owner, shim.running->domain) << "dom0's";
        EXPECT_FALSE(get_page(frame, &world.dom())) << "as each call of the guest that names it";
        EXPECT_FALSE(casm_pool_guest_frame(mfn_x(page_to_mfn(frame))));
    }
}

TEST(Shared, OnlyItsOwnerAcquiresARing) {
    World world;
    ASSERT_EQ(world.attach(), 0);
    xen_pfn_t frame = 0;
    EXPECT_EQ(casm_acquire_resource(&world.dom(), CASM_RESOURCE_LOG, 0, 1, &frame), 1);
    domain other{};
    vcpu other_vcpu{};
    other_vcpu.domain = &other;
    shim.running = &other_vcpu;
    EXPECT_EQ(casm_acquire_resource(&world.dom(), CASM_RESOURCE_LOG, 0, 1, &frame), -EPERM);
    world.dom0();
}

TEST(Shared, AFailedTypeReferenceLeaksNothing) {
    for (int references = 0; references < 34; ++references) {
        World world;
        shim_type_references_left = references;
        EXPECT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), -ENOMEM) << references;
        shim_type_references_left = -1;
        EXPECT_EQ(shim_heap_used(), 0u) << references;
        EXPECT_EQ(world.casm().log.hdr, nullptr);
    }
}

TEST(Grants, Dom0GetsTheStandInAndTheDomainLivesUntilItIsUnmapped) {
    World world;
    page_info* page = nullptr;
    for (unsigned ref = 0; ref < 2; ++ref) {
        ASSERT_EQ(map_grant(world, ref, page), GNTST_okay);
        EXPECT_EQ(page, world.casm().standin_pg[ref]);
        EXPECT_NE(page, world.casm().bridge_pg[ref]);
        EXPECT_EQ(world.dom().references, static_cast<int>(ref) + 1);
    }
    casm_grant_reduced(&world.dom(), 0, 1);
    EXPECT_EQ(world.dom().references, 2) << "a pin is left";
    casm_grant_reduced(&world.dom(), 0, 0);
    casm_grant_reduced(&world.dom(), 0, 0);
    EXPECT_EQ(world.dom().references, 1) << "once";
    casm_grant_reduced(&world.dom(), 5, 0);
    EXPECT_EQ(world.dom().references, 1);
    casm_grant_reduced(&world.dom(), 1, 0);
    EXPECT_EQ(world.dom().references, 0);
}

TEST(Grants, WithoutAStandInNothingIsMapped) {
    page_info* page = nullptr;
    {
        World world;
        EXPECT_EQ(map_grant(world, 2, page), GNTST_general_error) << "no bridge";
        EXPECT_EQ(map_grant(world, ~0u, page), GNTST_general_error);
        shim_allocations_left = 0;
        EXPECT_EQ(map_grant(world, 0, page), GNTST_general_error) << "no memory";
        shim_allocations_left = -1;
        EXPECT_EQ(map_grant(world, 0, page), GNTST_okay) << "and now there is some";
        casm_grant_reduced(&world.dom(), 0, 0);
    }
    {
        World world;
        world.dom().granted_mfn[1] = casm_pool_end() - 2;  // not a frame that the guest may see
        EXPECT_EQ(map_grant(world, 1, page), GNTST_general_error);
        world.dom().granted_mfn[1] = 0;
        EXPECT_EQ(map_grant(world, 1, page), GNTST_general_error) << "the builder granted nothing";
    }
    {
        World world;
        world.dom().creation_finished = true;
        EXPECT_EQ(map_grant(world, 0, page), GNTST_general_error) << "too late for a bridge";
        EXPECT_EQ(world.dom().references, 0);
    }
    {
        World world;
        domain other{};
        vcpu other_vcpu{};
        other_vcpu.domain = &other;
        ASSERT_EQ(casm_bridges_init(&world.casm()), 0);
        shim.running = &other_vcpu;
        EXPECT_EQ(map_grant(world, 0, page), GNTST_general_error) << "another back end's domain";
        world.dom0();
    }
}

TEST(Grants, OnlyReservedOnesAndOnlyForAPrivilegedDomain) {
    World world;
    domain dom0{}, other{};
    dom0.is_privileged = true;
    EXPECT_EQ(casm_grant_check(&dom0, &world.dom(), 0), 0);
    EXPECT_EQ(casm_grant_check(&dom0, &world.dom(), 1), 0);
    EXPECT_EQ(casm_grant_check(&dom0, &world.dom(), 2), -EPERM);
    EXPECT_EQ(casm_grant_check(&dom0, &world.dom(), ~0u), -EPERM);
    EXPECT_EQ(casm_grant_check(&other, &world.dom(), 0), -EPERM);
}

TEST(Rings, EachFailedAllocationIsUndone) {
    for (int allocations = 0; allocations < 4; ++allocations) {
        World world;
        shim_allocations_left = allocations;
        EXPECT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), -ENOMEM) << allocations;
        shim_allocations_left = -1;
        EXPECT_EQ(shim_heap_used(), 0u) << allocations;
        EXPECT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0) << allocations;
    }
}

TEST(Rings, SizesAreValidatedAndAttachIsOnce) {
    World world;
    for (const std::uint64_t bad :
         {std::uint64_t{0}, std::uint64_t{4096}, std::uint64_t{CASM_RING_MIN_BYTES + 1},
          std::uint64_t{3} << 16, std::uint64_t{CASM_RING_MAX_BYTES} * 2, ~std::uint64_t{0}}) {
        EXPECT_EQ(world.attach(bad), -EINVAL) << bad;
        if (bad != 0) {
            EXPECT_EQ(world.attach(CASM_RING_MIN_BYTES, bad), -EINVAL) << bad;
        }
    }
    EXPECT_EQ(world.attach(), 0);
    EXPECT_EQ(world.attach(), -EBUSY);
    EXPECT_EQ(casm_resource_frames(&world.dom(), CASM_RESOURCE_LOG), 17u);
    EXPECT_EQ(casm_resource_frames(&world.dom(), CASM_RESOURCE_FEED), 0u);
    xen_pfn_t frames[4];
    EXPECT_EQ(casm_acquire_resource(&world.dom(), CASM_RESOURCE_LOG, 14, 3, frames), 3);
    EXPECT_EQ(casm_acquire_resource(&world.dom(), CASM_RESOURCE_LOG, 15, 3, frames), -EINVAL);
    EXPECT_EQ(casm_acquire_resource(&world.dom(), CASM_RESOURCE_LOG, ~0u - 1, 1, frames),
              -EINVAL);  // its caller excludes a wrap
    EXPECT_EQ(casm_acquire_resource(&world.dom(), CASM_RESOURCE_FEED, 0, 1, frames), -EINVAL);
}

}  // namespace
}  // namespace casmotion::test
