// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/world.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace casmotion::test {

namespace {

std::vector<unsigned>& pending_ports() {
    static std::vector<unsigned> ports;
    return ports;
}

const evtchn_port_ops& port_ops() {
    static const evtchn_port_ops ops = {[](vcpu* v, evtchn* chn) {
        // The 2-level ABI.
        shared_info_t& info = *v->domain->shared_info;
        const std::uint64_t bit = std::uint64_t{1} << (chn->port % 64);
        if ((info.evtchn_pending[chn->port / 64] & bit) == 0) {
            info.evtchn_pending[chn->port / 64] |= bit;
            v->vcpu_info->evtchn_upcall_pending = 1;
            v->vcpu_info->evtchn_pending_sel |= std::uint64_t{1} << (chn->port / 64);
        }
        pending_ports().push_back(chn->port);
        if (shim.set_pending != nullptr) shim.set_pending(shim.ctx, chn->port);
    }};
    return ops;
}

void require(bool condition, const char* what) {
    if (!condition) throw std::runtime_error(std::string("world: ") + what);
}

}  // namespace

World::World(Options options) : options_(std::move(options)), ports_(kPorts) {
    shim_reset();
    pending_ports().clear();
    require(shim_param_parse_casm_pool(options_.pool.c_str()) == 0, "casm_pool= refused");
    casm_pool_seen_free(0, ~0ul);
    shim_initcall_casm_pool_check();

    dom0_.is_privileged = true;
    dom0_.vcpu[0] = &dom0_vcpu_;
    dom0_vcpu_.domain = &dom0_;
    dom0();

    casm_domctl op{};
    op.abi = CASM_ABI_VERSION;
    op.op = CASM_OP_set_cpupool;
    op.u.pool.cpupool = 1;
    require(casm_do_domctl(&dom0_, &op) == 0, "no cpupool");

    domain_.domain_id = 7;
    domain_.shutdown_code = SHUTDOWN_CODE_INVALID;
    domain_.arch.vtsc = true;
    domain_.arch.tsc_khz = 2500000;
    xen_domctl_createdomain config{};
    config.cpupool_id = 1;
    config.max_vcpus = 1;
    config.max_evtchn_port = ~0u;
    config.max_grant_frames = 64;
    require(casm_domain_create(&domain_, &config) == 0, "domain not created");

    domain_.shared_info = static_cast<shared_info_t*>(casm_alloc_shared_info(&domain_));
    require(domain_.shared_info != nullptr, "no shared_info");
    page_info* shared = mfn_to_page(_mfn(casm_pool_end() - 1));
    shared->owner = &domain_;
    vcpu_.domain = &domain_;
    dirty_.bits = 1ul << 2;
    domain_.dirty_cpumask = &dirty_;
    pool_.valid.bits = 0xc;
    affinity_.bits = ~0ul;
    domain_.cpupool = &pool_;
    vcpu_.sched_unit = &unit_;
    vcpu_.processor = 2;
    vcpu_.vcpu_info = &domain_.shared_info->vcpu_info[0];
    domain_.vcpu[0] = &vcpu_;
    casm_vcpu_create(&vcpu_);

    for (unsigned port = 0; port < kPorts; ++port) {
        ports_[port].port = port;
        ports_[port].state = port == 0 || port == kClosedPort ? ECS_FREE : ECS_VIRQ;
    }
    ports_[kConsolePort].state = ports_[kXenstorePort].state = ECS_INTERDOMAIN;
    domain_.evtchn = ports_.data();
    domain_.nr_evtchn = kPorts;
    domain_.evtchn_port_ops = &port_ops();

    for (unsigned pfn = 0; pfn < options_.frames; ++pfn) {
        require(casm_pool_populate(&domain_, pfn, 0, 0) != nullptr, "frame not populated");
    }
    if (options_.bridges) {
        domain_.granted_mfn[CASM_PAGE_CONSOLE] = casm_pool_first() + options_.frames - 2;
        domain_.granted_mfn[CASM_PAGE_XENSTORE] = casm_pool_first() + options_.frames - 1;
    }
}

World::~World() {
    destroy();
}

void World::destroy() {
    if (destroyed_) return;
    destroyed_ = true;
    shim.on_wmb = shim.on_rmb = nullptr;  // their context is gone
    shim.set_pending = nullptr;
    shim.interrupt = nullptr;
    dom0();
    domain_.is_dying = 1;
    casm_domain_relinquish(&domain_);
    for (unsigned pfn = 0; pfn < options_.frames; ++pfn) {
        page_info* page = mfn_to_page(_mfn(casm_pool_first() + pfn));
        if (page->owner == &domain_ && (page->count_info & PGC_allocated) != 0) put_page_alloc_ref(page);
    }
    casm_pool_free(mfn_to_page(_mfn(casm_pool_end() - 1)), 0);
    casm_domain_destroy(&domain_);
}

long World::domctl(casm_domctl& op) {
    vcpu* before = shim.running;
    dom0();
    op.abi = CASM_ABI_VERSION;
    const long rc = casm_do_domctl(&domain_, &op);
    shim.running = before;
    return rc;
}

long World::attach(std::uint64_t log_bytes, std::uint64_t feed_bytes) {
    casm_domctl op{};
    op.op = CASM_OP_attach;
    op.u.attach.log_bytes = log_bytes;
    op.u.attach.feed_bytes = feed_bytes;
    return domctl(op);
}

long World::start(casm_mode mode, std::uint64_t digest_interval, std::uint32_t disable,
                  std::uint32_t check_bits, std::uint32_t flags) {
    casm_domctl op{};
    op.op = CASM_OP_start;
    op.u.start.cpu = CASM_CPU_ANY;
    op.u.start.mode = mode;
    op.u.start.flags = flags;
    op.u.start.digest_interval = digest_interval;
    op.u.start.disable = disable;
    op.u.start.check_bits = check_bits;
    const long rc = domctl(op);
    if (rc == 0) domain_.creation_finished = true;
    return rc;
}

long World::kick() {
    casm_domctl op{};
    op.op = CASM_OP_kick;
    return domctl(op);
}

long World::stop() {
    casm_domctl op{};
    op.op = CASM_OP_stop;
    return domctl(op);
}

casm_status World::status() {
    casm_status status{};
    casm_domctl op{};
    op.op = CASM_OP_status;
    op.u.status.addr = reinterpret_cast<std::uint64_t>(&status);
    op.u.status.size_bytes = sizeof(status);
    require(domctl(op) == 0, "no status");
    return status;
}

std::uint8_t* World::frame(unsigned pfn) {
    return static_cast<std::uint8_t*>(mfn_to_virt(casm_pool_first() + pfn));
}

void World::signal(unsigned port) {
    vcpu* before = shim.running;
    dom0();
    casm_queue_event(&domain_, &ports_.at(port));
    shim.running = before;
}

std::vector<unsigned> World::take_pending() {
    return std::exchange(pending_ports(), {});
}

std::vector<std::uint8_t> RingEnd::consume(std::uint64_t max) {
    casm_ring& ring = header();
    const std::uint64_t count = std::min(max, published());
    const auto* data = reinterpret_cast<const std::uint8_t*>(stream_->data);
    std::vector<std::uint8_t> bytes(count);
    for (std::uint64_t i = 0; i < count; ++i) bytes[i] = data[(ring.cons + i) & (ring.size_bytes - 1)];
    ring.cons += count;
    return bytes;
}

std::uint64_t RingEnd::produce(std::span<const std::uint8_t> bytes, std::uint64_t max) {
    casm_ring& ring = header();
    const std::uint64_t room = ring.size_bytes - (ring.prod - ring.cons);
    const std::uint64_t count = std::min({max, room, std::uint64_t{bytes.size()}});
    auto* data = reinterpret_cast<std::uint8_t*>(stream_->data);
    for (std::uint64_t i = 0; i < count; ++i) data[(ring.prod + i) & (ring.size_bytes - 1)] = bytes[i];
    ring.prod += count;
    return count;
}

std::vector<std::uint8_t> record_bytes(casm_rec header, std::span<const std::uint64_t> words,
                                       std::span<const std::uint8_t> blob) {
    if (!blob.empty()) header.check = static_cast<std::uint16_t>(blob.size());
    std::vector<std::uint8_t> bytes(8 + 8 * words.size() + (blob.size() + 7) / 8 * 8);
    std::memcpy(bytes.data(), &header, 8);
    if (!words.empty()) std::memcpy(bytes.data() + 8, words.data(), 8 * words.size());
    if (!blob.empty()) std::memcpy(bytes.data() + 8 + 8 * words.size(), blob.data(), blob.size());
    return bytes;
}

}  // namespace casmotion::test
