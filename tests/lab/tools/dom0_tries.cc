// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm-dom0-tries DOMID FRAME [map SECONDS | hold]: in dom0, tries on a domain what a privileged domain can
// do to another: each domctl, memory operation, page table update, event channel and grant operation. FRAME
// is a machine frame that the domain has.
//   Prints a line for each: what, what Xen answered, and "refused", "looked" (may succeed: it changes
//   nothing), "failed" (the same, and it did not) or "ACCEPTED". Exit code 1 if something was accepted.
// map: maps FRAME and the 63 behind it, to read, again and again, and prints how often that went.
// hold: maps FRAME to read as soon as that goes, says so, and keeps it until it is killed.

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <set>
#include <string>

// clang-format off
extern "C" {
#include <xen/xen.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xencall.h>
#include <xenforeignmemory.h>
}
// clang-format on

namespace {

constexpr unsigned kPage = 4096;

class Attempts {
  public:
    Attempts(domid_t domain, std::uint64_t frame)
        : domain_(domain), frame_(frame), call_(xencall_open(nullptr, 0)) {
        if (call_ != nullptr)
            for (void*& page : page_) page = xencall_alloc_buffer_pages(call_, 1);
    }
    ~Attempts() {
        for (void* page : page_)
            if (page != nullptr) xencall_free_buffer_pages(call_, page, 1);
        if (call_ != nullptr) xencall_close(call_);
    }
    Attempts(const Attempts&) = delete;
    Attempts& operator=(const Attempts&) = delete;
    [[nodiscard]] bool ready() const {
        return page_[0] != nullptr && page_[1] != nullptr && page_[2] != nullptr;
    }
    [[nodiscard]] unsigned accepted() const { return accepted_; }

    void domctls() {
        const std::set<unsigned> looks = {XEN_DOMCTL_pausedomain,     XEN_DOMCTL_unpausedomain,
                                          XEN_DOMCTL_getdomaininfo,   XEN_DOMCTL_getvcpuinfo,
                                          XEN_DOMCTL_getvcpucontext,  XEN_DOMCTL_get_ext_vcpucontext,
                                          XEN_DOMCTL_getvcpuextstate, XEN_DOMCTL_get_vcpu_msrs,
                                          XEN_DOMCTL_getvcpuaffinity, XEN_DOMCTL_getnodeaffinity,
                                          XEN_DOMCTL_gettscinfo,      XEN_DOMCTL_get_address_size,
                                          XEN_DOMCTL_get_cpu_policy,  XEN_DOMCTL_get_paging_mempool_size,
                                          XEN_DOMCTL_gdbsx_domstatus, XEN_DOMCTL_gdbsx_guestmemio};
        memory_by_debugger();
        for (unsigned cmd = 0; cmd < 1200; ++cmd) {
            // Makes another domain; ends it; the recorder's own.
            if (cmd == XEN_DOMCTL_createdomain || cmd == XEN_DOMCTL_destroydomain || cmd == 1100) continue;
            if (cmd == 100) cmd = 990;
            auto& op = argument<xen_domctl>();
            op.cmd = cmd;
            op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
            op.domain = domain_;
            if (cmd == XEN_DOMCTL_max_mem) op.u.max_mem.max_memkb = 4 << 10;
            judge("domctl " + std::to_string(cmd), xencall1(call_, __HYPERVISOR_domctl, address(0)),
                  looks.contains(cmd));
        }
    }

    void memory_by_debugger() {
        // Before all others: some reset an ordinary domain's vCPU, and then Xen would look for its page
        // tables in frame 0, and die of what it finds there.
        auto& op = argument<xen_domctl>();
        op.cmd = XEN_DOMCTL_gdbsx_guestmemio;
        op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op.domain = domain_;
        auto& io = op.u.gdbsx_guest_memio;
        io.gva = 0x100000;
        io.uva = address(1);
        io.len = 64;
        judge("domctl gdbsx_guestmemio, read", xencall1(call_, __HYPERVISOR_domctl, address(0)), true);
        io.gwr = 1;  // what was read: an ordinary guest is to live on
        judge("domctl gdbsx_guestmemio, write", xencall1(call_, __HYPERVISOR_domctl, address(0)));
    }

    void memory() {
        for (const unsigned op :
             {XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap}) {
            auto& r = argument<xen_memory_reservation>();
            auto* extent = static_cast<xen_pfn_t*>(page_[1]);
            *extent = op == XENMEM_populate_physmap ? 0x800 : frame_;
            set_xen_guest_handle_raw(r.extent_start, extent);
            r.nr_extents = 1;
            r.domid = domain_;
            // The answer is how many were done.
            const long done = memory_op(op);
            judge("memory_op " + std::to_string(op), done == 0 ? -1 : done);
        }
        auto& exchange = argument<xen_memory_exchange>();
        auto* frames = static_cast<xen_pfn_t*>(page_[1]);
        frames[0] = frames[1] = frame_;
        set_xen_guest_handle_raw(exchange.in.extent_start, frames);
        set_xen_guest_handle_raw(exchange.out.extent_start, frames + 1);
        exchange.in.nr_extents = exchange.out.nr_extents = 1;
        exchange.in.domid = exchange.out.domid = domain_;
        judge("exchange", memory_op(XENMEM_exchange));
        for (const unsigned op :
             {XENMEM_current_reservation, XENMEM_maximum_reservation, XENMEM_maximum_gpfn}) {
            argument<domid_t>() = domain_;
            judge("memory_op " + std::to_string(op), memory_op(op), true);
        }
        auto& add = argument<xen_add_to_physmap>();
        add = {.domid = domain_, .size = 0, .space = XENMAPSPACE_grant_table, .idx = 8, .gpfn = frame_};
        judge("add_to_physmap", memory_op(XENMEM_add_to_physmap));
        auto& remove = argument<xen_remove_from_physmap>();
        remove = {.domid = domain_, .gpfn = frame_};
        judge("remove_from_physmap", memory_op(XENMEM_remove_from_physmap));
        auto& map = argument<xen_foreign_memory_map>();
        map.domid = domain_;
        judge("set_memory_map", memory_op(XENMEM_set_memory_map));
        for (const unsigned op : {XENMEM_set_pod_target, XENMEM_get_pod_target}) {
            auto& pod = argument<xen_pod_target>();
            pod.domid = domain_;
            judge("memory_op " + std::to_string(op), memory_op(op));
        }
        for (const unsigned op :
             {XENMEM_paging_op, XENMEM_access_op, XENMEM_sharing_op, XENMEM_get_vnumainfo}) {
            argument<domid_t>() = domain_;
            judge("memory_op " + std::to_string(op), memory_op(op));
        }
        for (std::uint16_t type = 0; type < 4; ++type) {
            auto& acquire = argument<xen_mem_acquire_resource>();
            acquire.domid = domain_;
            acquire.type = type;
            acquire.nr_frames = 1;
            acquire.frame = 7;  // which grows a grant table
            set_xen_guest_handle_raw(acquire.frame_list, static_cast<xen_pfn_t*>(page_[1]));
            judge("acquire_resource " + std::to_string(type), memory_op(XENMEM_acquire_resource));
        }
    }

    void frames() {
        auto& update = argument<mmu_update>();
        update = {.ptr = frame_ * kPage, .val = 0x600d600d};
        judge("mmu_update, page tables of the domain", mmu(std::uint32_t{domain_} | (domain_ + 1u) << 16));
        update = {.ptr = frame_ * kPage | MMU_MACHPHYS_UPDATE, .val = 0x1234};
        judge("mmu_update, M2P", mmu(domain_));
        for (const unsigned cmd :
             {MMUEXT_PIN_L1_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_CLEAR_PAGE, MMUEXT_COPY_PAGE}) {
            auto& op = argument<mmuext_op>();
            op.cmd = cmd;
            op.arg1.mfn = frame_;
            op.arg2.src_mfn = frame_ + 1;
            judge("mmuext " + std::to_string(cmd),
                  xencall4(call_, __HYPERVISOR_mmuext_op, address(0), 1, 0, domain_));
        }
        xenforeignmemory_handle* memory = xenforeignmemory_open(nullptr, 0);
        for (const int protection : {1 /* PROT_READ */, 3 /* and PROT_WRITE */}) {
            const xen_pfn_t frame = frame_;
            int error = 0;
            errno = 0;
            void* at = xenforeignmemory_map(memory, domain_, protection, 1, &frame, &error);
            judge(protection == 1 ? "foreign mapping, to read" : "foreign mapping, to write",
                  at != nullptr && error == 0 ? 0 : -1);  // refused frames are told by their own errors
            if (at != nullptr) xenforeignmemory_unmap(memory, at, 1);
        }
        xenforeignmemory_close(memory);
    }

    void events() {
        auto& port = argument<evtchn_alloc_unbound>();
        port.dom = domain_;
        port.remote_dom = 0;
        judge("alloc_unbound", event_op(EVTCHNOP_alloc_unbound));
        auto& status = argument<evtchn_status>();
        status.dom = domain_;
        status.port = 1;
        judge("event channel status", event_op(EVTCHNOP_status), true);
        argument<evtchn_reset>().dom = domain_;
        judge("event channel reset", event_op(EVTCHNOP_reset));
        for (evtchn_port_t remote = 0; remote < 16;
             ++remote) {  // may find an offered port, as a back end does
            auto& bind = argument<evtchn_bind_interdomain>();
            bind.remote_dom = domain_;
            bind.remote_port = remote;
            const long rc = event_op(EVTCHNOP_bind_interdomain);
            const evtchn_port_t local = bind.local_port;
            judge("bind_interdomain " + std::to_string(remote), rc, true);
            if (rc != 0) continue;
            argument<evtchn_close>().port = local;
            event_op(EVTCHNOP_close);
        }
    }

    void grants() {
        for (const grant_ref_t ref : {2u, 8u, 100u}) {
            auto& map = argument<gnttab_map_grant_ref>();
            map.flags = GNTMAP_device_map | GNTMAP_readonly;
            map.ref = ref;
            map.dom = domain_;
            const long rc = grant_op(GNTTABOP_map_grant_ref);
            judge("map grant " + std::to_string(ref), rc != 0 ? rc : map.status);
        }
        for (int into = 0; into < 2; ++into) {
            auto& copy = argument<gnttab_copy>();
            copy.len = 64;
            auto& theirs = into != 0 ? copy.dest : copy.source;
            auto& ours = into != 0 ? copy.source : copy.dest;
            theirs.domid = domain_;
            theirs.u.ref = into;
            ours.domid = DOMID_SELF;
            ours.u.gmfn = frame_;
            copy.flags = into != 0 ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
            const long rc = grant_op(GNTTABOP_copy);
            judge(into != 0 ? "copy into grant 1" : "copy from grant 0", rc != 0 ? rc : copy.status);
        }
        auto& setup = argument<gnttab_setup_table>();
        setup.dom = domain_;
        setup.nr_frames = 12;  // grows the table
        set_xen_guest_handle_raw(setup.frame_list, static_cast<xen_pfn_t*>(page_[1]));
        const long rc = grant_op(GNTTABOP_setup_table);
        judge("setup_table", rc != 0 ? rc : setup.status);
    }

    void others() {
        auto& parameter = argument<xen_hvm_param>();
        parameter.domid = domain_;
        judge("HVM parameter", xencall2(call_, __HYPERVISOR_hvm_op, HVMOP_set_param, address(0)));
        judge("dm_op", xencall3(call_, __HYPERVISOR_dm_op, domain_, 0, 0));
        auto& shutdown = argument<sched_remote_shutdown>();
        shutdown.domain_id = domain_;
        shutdown.reason = SHUTDOWN_poweroff;
        judge("shutdown from outside",
              xencall2(call_, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, address(0)));
        auto& pirq = argument<physdev_map_pirq>();
        pirq.domid = domain_;
        pirq.type = MAP_PIRQ_TYPE_GSI;
        pirq.index = 9;
        pirq.pirq = 9;
        judge("map_pirq", xencall2(call_, __HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, address(0)));
        auto& sysctl = argument<xen_sysctl>();
        sysctl.cmd = XEN_SYSCTL_cpupool_op;
        sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        sysctl.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
        sysctl.u.cpupool_op.domid = domain_;
        judge("move to another cpupool", xencall1(call_, __HYPERVISOR_sysctl, address(0)));
        auto& offline = argument<xen_sysctl>();
        offline.cmd = XEN_SYSCTL_page_offline_op;
        offline.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        offline.u.page_offline.cmd = sysctl_page_offline;
        offline.u.page_offline.start = offline.u.page_offline.end = static_cast<std::uint32_t>(frame_);
        set_xen_guest_handle_raw(offline.u.page_offline.status, static_cast<std::uint32_t*>(page_[1]));
        judge("page_offline", xencall1(call_, __HYPERVISOR_sysctl, address(0)));
        // The address of a memory error in a page of the domain, for a machine check that is not raised.
        constexpr unsigned kIa32Mc1Addr = 0x406;
        auto& mca = argument<xen_mc>();
        mca.cmd = XEN_MC_msrinject;
        mca.interface_version = XEN_MCA_INTERFACE_VERSION;
        auto& inject = mca.u.mc_msrinject;
        inject.mcinj_flags = MC_MSRINJ_F_INTERPOSE | MC_MSRINJ_F_GPADDR;
        inject.mcinj_domid = domain_;
        inject.mcinj_count = 1;
        inject.mcinj_msr[0] = {.reg = kIa32Mc1Addr, .value = frame_ * kPage};
        judge("machine check's address", xencall1(call_, __HYPERVISOR_mca, address(0)));
    }

  private:
    // The argument of the next call, zeroed.
    template <typename T>
    T& argument() {
        std::memset(page_[0], 0, kPage);
        return *static_cast<T*>(page_[0]);
    }
    [[nodiscard]] std::uint64_t address(unsigned page) const {
        return reinterpret_cast<std::uint64_t>(page_[page]);
    }
    long memory_op(unsigned op) { return xencall2(call_, __HYPERVISOR_memory_op, op, address(0)); }
    long event_op(unsigned op) { return xencall2(call_, __HYPERVISOR_event_channel_op, op, address(0)); }
    long grant_op(unsigned op) { return xencall3(call_, __HYPERVISOR_grant_table_op, op, address(0), 1); }
    long mmu(std::uint32_t owner) {
        return xencall4(call_, __HYPERVISOR_mmu_update, address(0), 1, 0, owner);
    }

    void judge(const std::string& what, long answer, bool looks = false) {
        const bool refused = answer < 0;
        std::cout << what << ": " << answer
                  << (refused && errno != 0 ? std::string(" ") + std::strerror(errno) : "") << ": "
                  << (looks     ? refused ? "failed" : "looked"
                      : refused ? "refused"
                                : "ACCEPTED")
                  << "\n";
        if (!refused && !looks) ++accepted_;
        errno = 0;
    }

    domid_t domain_;
    std::uint64_t frame_;
    xencall_handle* call_;
    void* page_[3] = {};
    unsigned accepted_ = 0;
};

// A mapping to read, or nullptr.
void* map_frame(xenforeignmemory_handle* memory, domid_t domain, xen_pfn_t frame) {
    int error = 0;
    void* at = xenforeignmemory_map(memory, domain, 1 /* PROT_READ */, 1, &frame, &error);
    if (at == nullptr || error == 0) return at;
    xenforeignmemory_unmap(memory, at, 1);
    return nullptr;
}

int map_all(domid_t domain, std::uint64_t first, unsigned seconds) {
    constexpr unsigned kFrames = 64;
    xenforeignmemory_handle* memory = xenforeignmemory_open(nullptr, 0);
    if (memory == nullptr) return 69;
    std::uint64_t tries = 0, mapped = 0;
    void* held[kFrames] = {};
    const std::time_t end = std::time(nullptr) + seconds;
    while (std::time(nullptr) < end) {
        for (unsigned i = 0; i < kFrames; ++i, ++tries) {
            held[i] = map_frame(memory, domain, first + i);
            if (held[i] != nullptr) ++mapped;
        }
        for (void*& at : held)
            if (at != nullptr) xenforeignmemory_unmap(memory, at, 1);
    }
    xenforeignmemory_close(memory);
    std::cout << tries << " tries " << mapped << " mapped\n";
    return 0;
}

int hold(domid_t domain, std::uint64_t frame) {
    xenforeignmemory_handle* memory = xenforeignmemory_open(nullptr, 0);
    if (memory == nullptr) return 69;
    while (map_frame(memory, domain, frame) == nullptr) usleep(20000);
    std::cout << "held" << std::endl;
    for (;;) pause();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 3 ? argv[3] : "";
    if (argc < 3 || (argc > 3 && what != "map" && what != "hold")) {
        std::cerr << "usage: casm-dom0-tries DOMID FRAME [map SECONDS | hold]\n";
        return 2;
    }
    const auto domain = static_cast<domid_t>(std::strtoul(argv[1], nullptr, 0));
    const std::uint64_t frame = std::strtoull(argv[2], nullptr, 0);
    if (what == "hold") return hold(domain, frame);
    if (what == "map") return map_all(domain, frame, argc > 4 ? std::stoul(argv[4]) : 5);
    Attempts attempts(domain, frame);
    if (!attempts.ready()) {
        std::cerr << "casm-dom0-tries: no access to the hypervisor\n";
        return 69;
    }
    attempts.domctls();
    attempts.memory();
    attempts.frames();
    attempts.events();
    attempts.grants();
    attempts.others();
    std::cout << attempts.accepted() << " accepted\n";
    return attempts.accepted() == 0 ? 0 : 1;
}
