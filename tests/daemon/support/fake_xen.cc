// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/fake_xen.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/failures.h"
#include "casmotion/record_fields.h"
#include "casmotion/ring_codec.h"
#include "rings/ring_header.h"

namespace casmotion::test {
namespace {

/// Xen keeps this much room free so that no entry can overflow the ring.
constexpr uint64_t kReserveBytes = 16u << 10;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "fake Xen: %s\n", what);
    std::abort();
}

std::vector<std::byte> encoded(const Record& record) {
    std::vector<std::byte> out;
    require(encode_ring(record, out).ok(), "the trace has a record that cannot be encoded");
    return out;
}

casm_rec header_of(const Record& record) {
    casm_rec out = {};
    out.cls = record.cls;
    out.kind = record.kind;
    out.check = record.blob.empty() ? record.check : static_cast<uint16_t>(record.blob.size());
    out.aux = record.aux;
    return out;
}

class FakeMapping final : public RingMapping {
  public:
    FakeMapping(std::shared_ptr<FakeRing> ring, int& count) : ring_(std::move(ring)), count_(count) {
        ++count_;
    }
    ~FakeMapping() override { --count_; }
    void* base() override { return ring_->base(); }

  private:
    std::shared_ptr<FakeRing> ring_;
    int& count_;
};

}  // namespace

FakeRing::FakeRing(uint64_t size_bytes) : storage_(size_bytes + 2 * CASM_RING_DATA_OFFSET) {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    memory_ = storage_.data() + (CASM_RING_DATA_OFFSET - address % CASM_RING_DATA_OFFSET);
    header().magic = CASM_RING_MAGIC;
    header().abi = CASM_ABI_VERSION;
    header().size_bytes = size_bytes;
}

uint64_t FakeRing::free_bytes() {
    return header().size_bytes - (header().prod - load_acquire(header().cons));
}

void FakeRing::produce(const std::vector<std::byte>& record) {
    require(record.size() <= free_bytes(), "overwrote unread records");
    const uint64_t mask = header().size_bytes - 1;
    for (size_t i = 0; i < record.size(); ++i) data()[(header().prod + i) & mask] = record[i];
    store_release(header().prod, header().prod + record.size());
}

std::optional<Record> FakeRing::consume() {
    const uint64_t unread = load_acquire(header().prod) - header().cons;
    require(unread <= header().size_bytes, "the producer overran the consumer");
    if (unread == 0) return std::nullopt;
    std::vector<std::byte> bytes(std::min<uint64_t>(unread, CASM_REC_MAX_BYTES));
    const uint64_t mask = header().size_bytes - 1;
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = data()[(header().cons + i) & mask];
    Record record;
    const Result<size_t> size = decode_ring(bytes, record);
    require(size.ok() && *size > 0, "the feed ring shows a part of a record, or garbage");
    store_release(header().cons, header().cons + *size);
    return record;
}

FakeDomain* FakeXen::find(DomId domain) {
    const auto found = domains.find(domain.value);
    return found == domains.end() ? nullptr : &found->second;
}

OpResult FakeXen::host_info(HostInfo& out) {
    out = info;
    return {host_info_error};
}

OpResult FakeXen::set_cpupool(CpupoolId pool) {
    if (set_cpupool_error == 0) info.cpupool = static_cast<int32_t>(pool.value);
    return {set_cpupool_error};
}

OpResult FakeXen::attach(DomId id, RingBytes log, RingBytes feed) {
    FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    if (attach_error != 0) return {attach_error};
    if (domain->log) return {EBUSY};
    domain->log = std::make_shared<FakeRing>(log.value);
    if (feed.value != 0) domain->feed = std::make_shared<FakeRing>(feed.value);
    ++attached;
    return {};
}

OpResult FakeXen::detach(DomId id) {
    --attached;  // balanced also when the domain died first
    FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    domain->log.reset();
    domain->feed.reset();
    if (domain->status.mode == CASM_MODE_RECORD) domain->status.mode = CASM_MODE_ENDED;
    return {};
}

OpResult FakeXen::start(DomId id, const StartOptions& options) {
    FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    if (start_error != 0) return {start_error};
    if (options.counter && !info.counter_ready()) return {ENODEV};
    if (domain->running || domain->status.mode != CASM_MODE_IDLE) return {EBUSY};
    const uint32_t cpu = options.cpu ? options.cpu->value : cpus.begin()->first;
    if (!cpus.contains(cpu)) return {ENXIO};
    domain->status.cpu = cpu;
    last_start = options;
    domain->status.mode = options.mode;
    const auto is_start = [](const Record& record) {
        return record.cls == CASM_CLS_INIT ||
               (record.cls == CASM_CLS_DIGEST && record.kind == CASM_DIGEST_START);
    };
    while (domain->position < domain->trace.size() && is_start(domain->trace[domain->position])) {
        if (options.mode == CASM_MODE_RECORD) {
            require(record_one(*domain), "no room for the initial records");
        } else if (!replay_one(*domain, true)) {
            return {EXDEV};
        }
    }
    return {};
}

OpResult FakeXen::stop(DomId id) {
    ++stops;
    FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    domain->stop_requested = true;
    return {};
}

OpResult FakeXen::status(DomId id, casm_status& out) {
    FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    out = domain->status;
    out.abi = CASM_ABI_VERSION;
    return {};
}

OpResult FakeXen::kick(DomId id) {
    ++kicks;
    FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    domain->waits_for_log = domain->waits_for_feed = false;
    return {};
}

CpuPolicy fake_policy(const std::vector<std::string>& features, const std::string& vendor,
                      uint32_t max_leaf) {
    const VendorWords name = vendor_words(vendor);
    CpuPolicy policy;
    policy.leaves = {
        {.leaf = 0, .eax = max_leaf, .ebx = name.ebx, .ecx = name.ecx, .edx = name.edx},
        {.leaf = 1, .eax = 0x00800f12, .ebx = 0x00010800},
        {.leaf = 4, .subleaf = 0},
        {.leaf = 7, .subleaf = 0},
        {.leaf = 0xd, .subleaf = 0},
        {.leaf = 0xd, .subleaf = 1},
        {.leaf = 0x80000000, .eax = 0x8000001e},
        {.leaf = 0x80000001},
        {.leaf = 0x80000002},
        {.leaf = 0x80000008, .eax = 0x3028},
        {.leaf = 0x8000001e},
    };
    std::erase_if(policy.leaves,
                  [&](const CpuidRow& row) { return row.leaf < 0x80000000 && row.leaf > max_leaf; });
    policy.msrs = {{.index = 0xce}, {.index = 0x10a}};
    FeatureWords words{};
    for (const std::string& feature : features) {
        const CpuFeature* known = find_feature(feature);
        require(known != nullptr, "a feature without a name");
        words[known->bit / 32] |= 1u << known->bit % 32;
    }
    set_feature_words(policy, words);
    return policy;
}

OpResult FakeXen::cpu_policy(DomId id, CpuPolicy& out) {
    if (cpu_policy_error != 0) return {cpu_policy_error};
    const FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    out = domain->policy.value_or(default_policy);
    return {};
}

// As recalculate_cpuid_policy() does it: features that the host lacks go, the forced ones come.
OpResult FakeXen::set_cpu_policy(DomId id, const CpuPolicy& policy, PolicyFault& fault) {
    FakeDomain* domain = find(id);
    if (domain == nullptr) return {ESRCH};
    if (domain->running || domain->status.mode != CASM_MODE_IDLE) return {EEXIST};
    if (set_cpu_policy_error != 0) {
        fault.leaf = 7;
        fault.subleaf = 0;
        return {set_cpu_policy_error};
    }
    if (policy.find(0)->eax > max_policy.find(0)->eax) {
        fault.leaf = 0;
        return {EINVAL};
    }
    FeatureWords words = feature_words(policy);
    const FeatureWords max = feature_words(max_policy);
    for (size_t i = 0; i < words.size(); ++i) words[i] &= max[i];
    for (const CpuFeature& feature : cpu_features()) {
        if (feature.kind != FeatureKind::kForced) continue;
        const uint32_t bit = 1u << feature.bit % 32;
        words[feature.bit / 32] = (words[feature.bit / 32] & ~bit) | (max[feature.bit / 32] & bit);
    }
    policies_set.push_back(policy);
    domain->policy = policy;
    set_feature_words(*domain->policy, words);
    if (alter_policy) alter_policy(*domain->policy);
    return {};
}

OpResult FakeXen::max_cpu_policy(CpuPolicy& out) {
    out = max_policy;
    return {};
}

OpResult FakeXen::host_features(std::vector<uint32_t>& out) {
    out = {1, 2, 3};
    return {};
}

OpResult FakeXen::cpu_identity(CpuId cpu, PhysicalCpu& out) {
    const auto found = cpus.find(cpu.value);
    if (found == cpus.end()) return {ENXIO};
    out = found->second;
    out.cpu = cpu.value;
    return {};
}

Result<std::unique_ptr<RingMapping>> FakeXen::map_ring(DomId id, RingKind kind, RingBytes) {
    FakeDomain* domain = find(id);
    if (domain == nullptr || map_fails) return host_lacks("cannot map the ring");
    auto& ring = kind == RingKind::kLog ? domain->log : domain->feed;
    require(ring != nullptr, "a ring was mapped that is not attached");
    return std::unique_ptr<RingMapping>(std::make_unique<FakeMapping>(ring, mapped));
}

void FakeXen::wait(std::chrono::milliseconds timeout) {
    ++waits;
    require(waits < 10'000'000, "the daemon waits for ever");
    clock_.advance(static_cast<uint64_t>(timeout.count()) * 1'000'000);
    if (on_wait_host) on_wait_host();
    std::vector<uint16_t> vanished;
    for (auto& [id, domain] : domains) {
        if (on_wait) on_wait(domain);
        if (domain.running) run(domain, records_per_wait);
        if (domain.vanish_at && domain.position >= *domain.vanish_at) vanished.push_back(id);
    }
    for (const uint16_t id : vanished) domains.erase(id);
}

void FakeXen::run(FakeDomain& domain, size_t records) {
    for (size_t i = 0; i < records; ++i) {
        if (domain.vanish_at && domain.position >= *domain.vanish_at) return;
        if (domain.hang_at && domain.position >= *domain.hang_at) return;
        if (domain.waits_for_log || domain.waits_for_feed) return;
        if (domain.status.mode == CASM_MODE_RECORD) {
            if (!record_one(domain)) return;
        } else if (domain.status.mode == CASM_MODE_REPLAY) {
            if (!replay_one(domain, false)) return;
        } else {
            return;
        }
    }
}

bool FakeXen::record_one(FakeDomain& domain) {
    if (!domain.log) return false;
    max_fill_bytes = std::max(max_fill_bytes, domain.log->header().size_bytes - domain.log->free_bytes());
    if (domain.log->free_bytes() < kReserveBytes) {
        domain.waits_for_log = true;
        ++domain.status.stalls_log;
        return false;
    }
    Record record = domain.trace[domain.position];
    if (domain.stop_requested && record.cls != CASM_CLS_END) {
        record =
            domain.trace.back();  // an END with its counters; the position in the log makes it right enough
        record.kind = CASM_END_STOPPED;
        record.aux = 0;
    }
    domain.log->produce(encoded(record));
    ++domain.position;
    ++domain.status.records;
    ++domain.status.logged[record.cls];
    if (record.cls == CASM_CLS_ENTRY) ++domain.status.ordinal;
    if (record.cls == CASM_CLS_END) {
        domain.status.mode = CASM_MODE_ENDED;
        domain.status.end_reason = record.kind;
        domain.status.end_code = record.aux;
        store_release(domain.log->header().eof, uint32_t{1});
    }
    return true;
}

bool FakeXen::replay_one(FakeDomain& domain, bool at_start) {
    if (domain.log->free_bytes() < kReserveBytes) {
        domain.waits_for_log = true;
        return false;
    }
    if (domain.stop_requested) return false;
    const Record& actual = domain.trace[domain.position];
    const std::optional<Record> expected = domain.feed->consume();
    if (!expected) {
        if (load_acquire(domain.feed->header().eof) == 0 && !at_start) {
            domain.waits_for_feed = true;
            ++domain.status.stalls_feed;
            return false;
        }
        domain.status.mode = CASM_MODE_ENDED;  // and no end_reason: as Xen does
        store_release(domain.log->header().eof, uint32_t{1});
        return false;
    }
    // The codec sets `check` to the blob's length; the trace may not have it.
    Record compared = *expected;
    if (!compared.blob.empty()) compared.check = actual.check;
    if (compared != actual) {
        diverge(domain, expected, actual);
        return false;
    }
    if (const auto text = domain.console.find(domain.position); text != domain.console.end()) {
        Record console;
        console.cls = CASM_CLS_CONSOLE;
        console.blob.assign(text->second.begin(), text->second.end());
        domain.log->produce(encoded(console));
    }
    ++domain.position;
    ++domain.status.records;
    ++domain.status.logged[actual.cls];
    if (actual.cls == CASM_CLS_ENTRY) ++domain.status.ordinal;
    if (actual.cls == CASM_CLS_END) {
        domain.status.mode = CASM_MODE_ENDED;
        domain.status.end_reason = actual.kind;
        domain.log->produce(encoded(actual));
        store_release(domain.log->header().eof, uint32_t{1});
    }
    return true;
}

void FakeXen::diverge(FakeDomain& domain, const std::optional<Record>& expected, const Record& actual) {
    casm_divergence& out = domain.status.divergence;
    if (expected) {
        out.expected = header_of(*expected);
        std::copy(expected->w.begin(), expected->w.end(), out.expected_w);
    }
    out.actual = header_of(actual);
    std::copy(actual.w.begin(), actual.w.end(), out.actual_w);
    out.ordinal = domain.status.ordinal;
    out.record = domain.status.records;
    out.blob_offset = ~uint64_t{0};
    if (expected && expected->cls == actual.cls && expected->blob != actual.blob) {
        const auto [left, right] = std::mismatch(expected->blob.begin(), expected->blob.end(),
                                                 actual.blob.begin(), actual.blob.end());
        (void)right;
        out.blob_offset = static_cast<uint64_t>(left - expected->blob.begin());
    }
    for (size_t i = 0; i < std::size(out.regs); ++i) out.regs[i] = 0x1000 + i;
    if (const auto state = apoint_state(actual)) {
        out.regs[2] = state->rcx;
        out.regs[7] = state->rsp;
        out.regs[16] = actual.w[1];
    }
    domain.status.mode = CASM_MODE_DIVERGED;
    domain.status.end_reason = CASM_END_DIVERGED;
    store_release(domain.log->header().eof, uint32_t{1});
}

}  // namespace casmotion::test
