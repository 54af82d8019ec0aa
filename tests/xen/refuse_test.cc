// SPDX-License-Identifier: GPL-2.0-or-later
//
// What other domains may not do to a recorded domain (casm/refuse.c).
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/world.h"

namespace casmotion::test {
namespace {

#define COMMAND(name) std::pair<unsigned, const char*>(XEN_DOMCTL_##name, #name)

// Of each command of the header somebody decided; a number that is in neither list is refused, too.
const std::vector<std::pair<unsigned, const char*>> kAllowed = {
    COMMAND(casm),
    COMMAND(pausedomain),
    COMMAND(unpausedomain),
    COMMAND(destroydomain),
    COMMAND(getdomaininfo),
    COMMAND(getvcpuinfo),
    COMMAND(getvcpucontext),
    COMMAND(get_ext_vcpucontext),
    COMMAND(getvcpuextstate),
    COMMAND(get_vcpu_msrs),
    COMMAND(getvcpuaffinity),
    COMMAND(getnodeaffinity),
    COMMAND(gettscinfo),
    COMMAND(get_address_size),
    COMMAND(get_cpu_policy),
    COMMAND(get_paging_mempool_size),
    COMMAND(gdbsx_domstatus),
    COMMAND(gdbsx_guestmemio),  // reads
};
const std::vector<std::pair<unsigned, const char*>> kDenied = {
    COMMAND(createdomain),
    COMMAND(setvcpuaffinity),
    COMMAND(shadow_op),
    COMMAND(max_mem),
    COMMAND(setvcpucontext),
    COMMAND(max_vcpus),
    COMMAND(setdomainhandle),
    COMMAND(setdebugging),
    COMMAND(irq_permission),
    COMMAND(iomem_permission),
    COMMAND(ioport_permission),
    COMMAND(hypercall_init),
    {23u, "soft_reset_cont"},
    COMMAND(settimeoffset),
    COMMAND(resumedomain),
    COMMAND(sendtrigger),
    COMMAND(subscribe),
    COMMAND(gethvmcontext),
    COMMAND(sethvmcontext),
    COMMAND(set_address_size),
    COMMAND(assign_device),
    COMMAND(bind_pt_irq),
    COMMAND(memory_mapping),
    COMMAND(ioport_mapping),
    COMMAND(set_ext_vcpucontext),
    COMMAND(test_assign_device),
    COMMAND(set_target),
    COMMAND(deassign_device),
    COMMAND(unbind_pt_irq),
    COMMAND(get_device_group),
    COMMAND(debug_op),
    COMMAND(gethvmcontext_partial),
    COMMAND(vm_event_op),
    COMMAND(mem_sharing_op),
    COMMAND(settscinfo),
    COMMAND(getpageframeinfo3),
    COMMAND(setvcpuextstate),
    COMMAND(set_access_required),
    COMMAND(audit_p2m),
    COMMAND(set_virq_handler),
    COMMAND(set_broken_page_p2m),
    COMMAND(setnodeaffinity),
    COMMAND(cacheflush),
    COMMAND(set_vcpu_msrs),
    COMMAND(setvnumainfo),
    COMMAND(psr_cmt_op),
    COMMAND(monitor_op),
    COMMAND(psr_alloc),
    COMMAND(soft_reset),
    COMMAND(vuart_op),
    COMMAND(set_cpu_policy),
    COMMAND(vmtrace_op),
    COMMAND(set_paging_mempool_size),
    COMMAND(gdbsx_pausevcpu),
    COMMAND(gdbsx_unpausevcpu),
};
#undef COMMAND

bool denied(World& world, unsigned cmd) {
    xen_domctl op{};
    op.cmd = cmd;
    if (cmd == XEN_DOMCTL_set_address_size) op.u.address_size.size = 64;
    return casm_domctl_denied(&world.dom(), &op);
}

void record(World& world) {
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
}

TEST(Domctl, OnlyWhatIsListedIsAllowedWhileALogIsWritten) {
    World world;
    for (unsigned cmd = 0; cmd < 4096; ++cmd)
        EXPECT_FALSE(denied(world, cmd)) << cmd << ": the builder may need it";
    record(world);
    for (const auto& [cmd, name] : kAllowed) EXPECT_FALSE(denied(world, cmd)) << name;
    for (const auto& [cmd, name] : kDenied) EXPECT_TRUE(denied(world, cmd)) << name;
    unsigned allowed = 0;
    for (unsigned cmd = 0; cmd < 4096; ++cmd) allowed += denied(world, cmd) ? 0 : 1;
    EXPECT_EQ(allowed, kAllowed.size()) << "scheduler_op, whose command 0 is putinfo, is not among them";
}

TEST(Domctl, ReadsOfMemoryAndOfTheScheduler) {
    World world;
    record(world);
    xen_domctl op{};
    op.cmd = XEN_DOMCTL_gdbsx_guestmemio;
    EXPECT_FALSE(casm_domctl_denied(&world.dom(), &op));
    op.u.gdbsx_guest_memio.gwr = 1;
    EXPECT_TRUE(casm_domctl_denied(&world.dom(), &op));
    op = {};
    op.cmd = XEN_DOMCTL_scheduler_op;
    for (const auto& [cmd, want] : {std::pair{XEN_DOMCTL_SCHEDOP_putinfo, true},
                                    {XEN_DOMCTL_SCHEDOP_putvcpuinfo, true},
                                    {XEN_DOMCTL_SCHEDOP_getinfo, false},
                                    {XEN_DOMCTL_SCHEDOP_getvcpuinfo, false}}) {
        op.u.scheduler_op.cmd = cmd;
        EXPECT_EQ(casm_domctl_denied(&world.dom(), &op), want) << cmd;
    }
}

TEST(Domctl, ThirtyTwoBitGuestsAreRefusedFromTheStart) {
    World world;
    xen_domctl op{};
    op.cmd = XEN_DOMCTL_set_address_size;
    for (const unsigned size : {0u, 16u, 32u, 63u, 128u}) {
        op.u.address_size.size = size;
        EXPECT_TRUE(casm_domctl_denied(&world.dom(), &op)) << size;
    }
    op.u.address_size.size = 64;
    EXPECT_FALSE(casm_domctl_denied(&world.dom(), &op));
    record(world);
    EXPECT_TRUE(casm_domctl_denied(&world.dom(), &op)) << "too late for that";
}

TEST(Lookup, OthersDoNotFindADomainThatIsRecorded) {
    World world;
    EXPECT_FALSE(casm_lookup_denied(&world.dom())) << "it is being built";
    record(world);
    EXPECT_TRUE(casm_lookup_denied(&world.dom()));
    EXPECT_NE(shim.prints, 0u) << "dom0's administrator is told";
    world.guest();
    EXPECT_FALSE(casm_lookup_denied(&world.dom())) << "it finds itself";
    world.dom0();
    casm_domctl op{};
    op.op = CASM_OP_detach;
    ASSERT_EQ(world.domctl(op), 0);
    EXPECT_FALSE(casm_lookup_denied(&world.dom())) << "the log is closed";
}

// A hypercall that found the domain before its start may still be at work on another processor.
TEST(Start, WaitsForThoseWhoFoundTheDomainBefore) {
    World world;
    shim.readers = true;
    ASSERT_EQ(world.attach(), 0);
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -ERESTART);
    EXPECT_TRUE(casm_lookup_denied(&world.dom())) << "no more of them come";
    EXPECT_TRUE(denied(world, XEN_DOMCTL_max_mem));
    EXPECT_FALSE(denied(world, XEN_DOMCTL_casm));
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -ERESTART);
    EXPECT_EQ(world.casm().log.pos, 0u) << "what the log begins with could still change";
    casm_domctl op{.op = CASM_OP_detach, .abi = CASM_ABI_VERSION, .u = {}};
    EXPECT_EQ(world.domctl(op), -EBUSY);
    shim_grace();
    EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
    EXPECT_EQ(world.status().mode, CASM_MODE_RECORD);
    EXPECT_EQ(world.dom().references, 0) << "it can be destroyed";
    shim.readers = false;
}

// dom0 could let it run, or somebody else could ask for another start, while the hypercall is being
// continued.
TEST(Start, ThatIsOvertakenHidesTheDomainNoLonger) {
    for (const bool unpaused : {true, false}) {
        World world;
        ASSERT_EQ(world.attach(), 0);
        shim.readers = true;
        ASSERT_EQ(world.start(CASM_MODE_RECORD), -ERESTART);
        EXPECT_TRUE(denied(world, XEN_DOMCTL_unpausedomain));
        world.dom().creation_finished = unpaused;
        EXPECT_EQ(world.start(unpaused ? CASM_MODE_RECORD : CASM_MODE_REPLAY), unpaused ? -EBUSY : -EINVAL);
        shim_grace();
        shim.readers = false;
        EXPECT_FALSE(casm_lookup_denied(&world.dom()));
        EXPECT_FALSE(denied(world, XEN_DOMCTL_unpausedomain));
        casm_domctl op{.op = CASM_OP_detach, .abi = CASM_ABI_VERSION, .u = {}};
        EXPECT_EQ(world.domctl(op), 0);
    }
}

TEST(Start, IsOfADomainAsItWasBuilt) {
    World world;
    ASSERT_EQ(world.attach(), 0);
    domain& d = world.dom();
    rangeset* const some = reinterpret_cast<rangeset*>(&world);
    const auto expect_refused = [&](auto& field, auto value, const char* what) {
        const auto before = std::exchange(field, value);
        EXPECT_EQ(world.start(CASM_MODE_RECORD), -EISCONN) << what;
        field = before;
    };
    expect_refused(d.iomem_caps, some, "memory of a device");
    expect_refused(d.irq_caps, some, "an interrupt");
    expect_refused(d.arch.ioport_caps, some, "ports");
    expect_refused(d.debugger_attached, true, "a debugger gets its traps");
    expect_refused(d.arch.paging, true, "shadow paging");
    EXPECT_FALSE(casm_lookup_denied(&d));
    EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
}

TEST(Attach, IsRefusedToADomainThatDies) {
    World world;
    world.dom().is_dying = 1;
    EXPECT_EQ(world.attach(), -EBUSY) << "nobody would free the rings";
}

TEST(L1tf, AGuestIsCrashedAndNotShadowed) {
    World world;
    record(world);
    world.guest();
    EXPECT_TRUE(casm_l1tf(&world.dom(), 1, 0x1000));
    EXPECT_EQ(shim.crashes, 1u);
    EXPECT_EQ(world.status().end_reason, CASM_END_CRASHED) << "its log says so";
}

TEST(Start, IsRefusedWhileSomebodyHasAFrameMapped) {
    World world;
    ASSERT_EQ(world.attach(), 0);
    casm_foreign_map(&world.dom(), true);
    casm_foreign_map(&world.dom(), true);
    casm_foreign_map(&world.dom(), false);
    EXPECT_EQ(world.start(CASM_MODE_RECORD), -EADDRINUSE);
    EXPECT_FALSE(casm_lookup_denied(&world.dom())) << "nothing has begun";
    EXPECT_EQ(world.casm().log.pos, 0u);
    casm_foreign_map(&world.dom(), false);
    EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
}

// Their injection is no record of a log, and the exit path would deliver them before it asks what may be
// injected.
TEST(Start, ForgetsAnNmiAndAMachineCheckThatWereRaisedBefore) {
    for (const bool replay : {false, true}) {
        World world;
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, replay ? CASM_RING_MIN_BYTES : 0), 0);
        world.cpu().arch.nmi_pending = world.cpu().arch.mce_pending = true;
        (void)world.start(replay ? CASM_MODE_REPLAY : CASM_MODE_RECORD);
        EXPECT_FALSE(world.cpu().arch.nmi_pending);
        EXPECT_FALSE(world.cpu().arch.mce_pending);
    }
}

TEST(MachineCheck, IsKeptFromADomainOfALog) {
    World world;
    EXPECT_FALSE(casm_vmce_denied(&world.dom()));
    ASSERT_EQ(world.attach(), 0);
    ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
    EXPECT_TRUE(casm_vmce_denied(&world.dom()));
    EXPECT_NE(std::string(shim.last_print).find("machine check"), std::string::npos);
    ASSERT_EQ(world.stop(), 0);
    world.guest();
    casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
    shim.irqs_on = false;
    while (casm_exit_work() == CASM_EXIT_AGAIN) {
    }
    shim.irqs_on = true;
    world.dom0();
    EXPECT_FALSE(casm_vmce_denied(&world.dom())) << "it goes on unrecorded";
}

TEST(MachineCheck, AFrameStaysUnlessItIsBroken) {
    World world;
    EXPECT_TRUE(casm_offline_denied(mfn_to_page(_mfn(casm_pool_first() + 3)), false));
    EXPECT_FALSE(world.casm().memory_error);
    EXPECT_FALSE(casm_offline_denied(mfn_to_page(_mfn(casm_pool_first() + 100)), true)) << "nobody's";
    EXPECT_FALSE(world.casm().memory_error);
    EXPECT_FALSE(casm_offline_denied(mfn_to_page(_mfn(casm_pool_first() + 3)), true));
    EXPECT_TRUE(world.casm().memory_error);
}

// Xen crashes the guest in a softirq, on whatever CPU has the error: on that of the guest, its vCPU is the
// current one.
TEST(MachineCheck, ACrashForBrokenMemoryEndsTheLogAsADestructionDoes) {
    for (const bool own : {true, false}) {
        World world;
        ASSERT_EQ(world.attach(), 0);
        ASSERT_EQ(world.start(CASM_MODE_RECORD), 0);
        EXPECT_FALSE(casm_offline_denied(mfn_to_page(_mfn(casm_pool_first() + 3)), true));
        if (own)
            world.guest();
        else
            world.dom0();
        domain_crash(&world.dom());
        world.dom0();
        if (!own) {
            EXPECT_EQ(world.status().mode, CASM_MODE_RECORD);
            ASSERT_EQ(world.stop(), 0) << "it will not come to an injection point";
        }
        EXPECT_EQ(world.status().mode, CASM_MODE_ENDED);
        EXPECT_EQ(world.status().end_reason, CASM_END_DESTROYED) << "no replay will crash there";
        EXPECT_EQ(world.status().end_code, 0u);
    }
}

TEST(Start, ThatFailsLeavesTheDomainAsItWas) {
    World world;
    ASSERT_EQ(world.attach(), 0);
    casm_domctl op{.op = CASM_OP_start, .abi = CASM_ABI_VERSION, .u = {}};
    op.u.start.mode = CASM_MODE_RECORD;
    op.u.start.cpu = 999;
    EXPECT_EQ(world.domctl(op), -ENXIO);
    EXPECT_FALSE(casm_lookup_denied(&world.dom()));
    EXPECT_EQ(world.start(CASM_MODE_RECORD), 0);
}

}  // namespace
}  // namespace casmotion::test
