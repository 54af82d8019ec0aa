// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/synthetic_log.h"

#include <algorithm>
#include <cstring>

#include "casmotion/taxonomy.h"

namespace casmotion::test {

namespace {

std::vector<std::uint8_t> random_blob(Random& random, std::size_t bytes) {
    std::vector<std::uint8_t> blob(bytes);
    for (std::uint8_t& byte : blob) byte = static_cast<std::uint8_t>(random());
    return blob;
}

// Any value of `bits` bits, often one at the edge.
std::uint64_t edgy(Random& random, unsigned bits) {
    const std::uint64_t max = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    switch (uniform(random, 0, 7)) {
        case 0:
            return 0;
        case 1:
            return max;
        case 2:
            return std::uint64_t{1} << uniform(random, 0, bits - 1);
        case 3:
            return uniform(random, 0, std::min<std::uint64_t>(max, 300));
        default:
            return random() & max;
    }
}

// Builds a log in the order in which the hypervisor produces it.
class Builder {
  public:
    explicit Builder(const SyntheticOptions& options) : options_(options), random_(options.seed) {}

    std::vector<Record> build() {
        Record init{.cls = CASM_CLS_INIT, .blob = random_blob(random_, 4096)};
        put(std::move(init));
        digest(CASM_DIGEST_START);
        while (ordinal_ < options_.entries) trip();
        if (options_.end_reason != CASM_END_DESTROYED)
            digest(options_.end_reason == CASM_END_STOPPED ? CASM_DIGEST_STOP : CASM_DIGEST_END);
        Record end{.cls = CASM_CLS_END, .kind = static_cast<std::uint8_t>(options_.end_reason)};
        if (options_.end_reason == CASM_END_CRASHED) end.aux = 3;
        end.w = {ordinal_, hash_, 0};
        end.blob.resize(sizeof(applied_));
        std::memcpy(end.blob.data(), applied_.data(), sizeof(applied_));
        put(std::move(end));
        return std::move(log_);
    }

  private:
    void put(Record record) {
        if (!record.blob.empty()) record.check = static_cast<std::uint16_t>(record.blob.size());
        if (record.cls != CASM_CLS_END) ++applied_[record.cls];
        log_.push_back(std::move(record));
    }

    void entry(casm_entry_kind kind, std::uint32_t detail) {
        hash_ = (hash_ ^ random_()) * 0x9e3779b97f4a7c15u;
        ++ordinal_;
        const auto check = options_.check_bits == 0 ? 0 : hash_ >> (64 - options_.check_bits);
        put({.cls = CASM_CLS_ENTRY,
             .kind = static_cast<std::uint8_t>(kind),
             .check = static_cast<std::uint16_t>(check),
             .aux = detail});
        branches_ += window_ + uniform(random_, 0, 1000);
        window_ = 0;
        if (options_.counter != CASM_COUNTER_ABSENT && ordinal_ % CASM_BRANCHES_INTERVAL == 0)
            put({.cls = CASM_CLS_BRANCHES, .w = {branches_, 0, 0}});
    }

    void apoint() {
        const bool canonical = uniform(random_, 0, 3) != 0;
        hash_ = (hash_ ^ random_()) * 0x9e3779b97f4a7c15u;
        window_ += canonical ? uniform(random_, 1, 100000) : uniform(random_, 0, 2);
        std::vector<std::uint8_t> state = random_blob(random_, 24);
        // An address, or where to look: both sorts of points by state.
        const bool told = !canonical && uniform(random_, 0, 1) != 0;
        std::fill_n(state.begin(), 8, std::uint8_t{0});
        if (canonical) std::fill_n(state.begin(), 5, std::uint8_t{0x20});
        if (told) {
            state[0] = static_cast<std::uint8_t>(uniform(random_, 1, 255));
            state[7] = CASM_APOINT_TRANSFERS >> 56;
        }
        put({.cls = CASM_CLS_APOINT,
             .kind = static_cast<std::uint8_t>(canonical ? CASM_APOINT_CANONICAL : CASM_APOINT_BY_STATE),
             .w = {window_, random_() >> 17, hash_},
             .blob = std::move(state)});
    }

    void digest(casm_digest_when when) {
        put({.cls = CASM_CLS_DIGEST,
             .kind = static_cast<std::uint8_t>(when),
             .w = {ordinal_, 65538, random_()}});
    }

    void outputs(std::uint8_t hypercall) {
        for (std::uint64_t i = uniform(random_, 0, 2); i != 0; --i)
            put({.cls = CASM_CLS_OUTMEM,
                 .w = {0xffff880000000000u + uniform(random_, 0, 1u << 28), 0, 0},
                 .blob = random_blob(random_, uniform(random_, 1, 64))});
        put({.cls = CASM_CLS_RESULT,
             .kind = hypercall,
             .w = {random_() % 5 == 0 ? ~std::uint64_t{37} : 0, 0, 0}});
    }

    void trip() {
        switch (uniform(random_, 0, 11)) {
            case 0:
            case 1:
            case 2:
                tsc_ += uniform(random_, 20000, 40000);
                put({.cls = CASM_CLS_TSC, .w = {tsc_, 0, 0}});
                entry(CASM_ENTRY_PRIVOP, 0x0f31);
                break;
            case 3:
                put({.cls = CASM_CLS_MSR, .kind = 0, .aux = 0xc0000080u, .w = {random_(), 0, 0}});
                entry(CASM_ENTRY_PRIVOP, 0x32);
                break;
            case 4:
                put({.cls = CASM_CLS_CPUID,
                     .aux = static_cast<std::uint32_t>(uniform(random_, 0, 13)),
                     .w = {random_(), random_(), 0}});
                entry(CASM_ENTRY_FORCED_CPUID, 0);
                break;
            case 5:
                outputs(17);
                entry(CASM_ENTRY_HYPERCALL, 17);
                break;
            case 6:
                for (std::uint64_t i = uniform(random_, 1, 4); i != 0; --i) outputs(i % 2 != 0 ? 15 : 18);
                entry(CASM_ENTRY_HYPERCALL, 13);
                break;
            case 7:
                entry(CASM_ENTRY_EXCEPTION, 14 | 6u << 8);
                break;
            case 8:
                entry(CASM_ENTRY_TOGGLE, 0);
                break;
            case 9:
                entry(CASM_ENTRY_PTWR, 0);
                break;
            default:
                entry(CASM_ENTRY_HYPERCALL, uniform(random_, 0, 1) != 0 ? 29 : 1);
                break;
        }
        if (options_.digest_interval != 0 && ordinal_ >= next_digest_) {
            digest(CASM_DIGEST_PERIODIC);
            next_digest_ = ordinal_ + options_.digest_interval;
        }
        if (uniform(random_, 0, 19) == 0) {
            const std::uint64_t bytes = uniform(random_, 1, 100);
            put({.cls = CASM_CLS_RING,
                 .kind = static_cast<std::uint8_t>(uniform(random_, 0, 1)),
                 .aux = static_cast<std::uint32_t>(uniform(random_, 0, 4096 - bytes)),
                 .blob = random_blob(random_, bytes)});
        }
        if (options_.counter != CASM_COUNTER_ABSENT && uniform(random_, 0, 29) == 0) apoint();
        if (uniform(random_, 0, 9) == 0)
            put({.cls = CASM_CLS_EVTCHN, .aux = static_cast<std::uint32_t>(uniform(random_, 1, 20))});
    }

    SyntheticOptions options_;
    Random random_;
    std::vector<Record> log_;
    std::array<std::uint64_t, CASM_CLASSES_MAX> applied_{};
    std::uint64_t ordinal_ = 0, hash_ = 0x123456789abcdef0u, tsc_ = 1000000;
    std::uint64_t next_digest_ = options_.digest_interval;
    std::uint64_t branches_ = 0, window_ = 0;  // up to the last entry; since then
};

}  // namespace

std::uint64_t uniform(Random& random, std::uint64_t first, std::uint64_t last) {
    return std::uniform_int_distribution<std::uint64_t>(first, last)(random);
}

Record random_record(Random& random, std::uint8_t cls) {
    const RecordLayout& layout = kLayouts[cls];
    Record record;
    record.cls = cls;
    if (layout.has_kind) record.kind = static_cast<std::uint8_t>(edgy(random, 8));
    if (layout.has_check) record.check = static_cast<std::uint16_t>(edgy(random, 16));
    if (layout.has_aux) record.aux = static_cast<std::uint32_t>(edgy(random, 32));
    for (std::size_t i = 0; i < layout.words; ++i) record.w[i] = edgy(random, 64);
    if (layout.has_blob) {
        const std::uint64_t bytes = uniform(random, 0, 9) == 0 ? CASM_BLOB_MAX_BYTES : uniform(random, 1, 40);
        record.blob = random_blob(random, bytes);
        record.check = static_cast<std::uint16_t>(bytes);
    }
    return record;
}

std::vector<Record> synthetic_log(const SyntheticOptions& options) {
    return Builder(options).build();
}

Manifest synthetic_manifest(const SyntheticOptions& options) {
    Manifest m;
    m.guest = {.name = "guest",
               .uuid = "01234567-89ab-cdef-0123-456789abcdef",
               .config_json = R"({"c_info":{"type":"pv"}})",
               .cmdline = "console=hvc0",
               .memory_kib = 262144,
               .vcpus = 1};
    m.kernel.name = "vmlinuz";
    m.kernel.sha256.fill(0x11);
    m.kernel.size_bytes = 8000000;
    m.ramdisk.emplace();
    m.ramdisk->name = "initrd";
    m.ramdisk->sha256.fill(0x22);
    m.ramdisk->size_bytes = 1000000;
    m.cpu = {
        .vendor = "AuthenticAMD",
        .model_name = "QEMU Virtual CPU version 2.5+",
        .family = 15,
        .model = 107,
        .stepping = 1,
        .feature_words = {1, 0xffffffffu, 0},
        .policy = {.leaves = {{.leaf = 0, .eax = 1, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65},
                              {.leaf = 1, .eax = 0x00000f61, .edx = 0x078bfbff}},
                   .msrs = {{.index = 0xce}}},
        .isolation = CASM_ISOLATE_CPUID | CASM_ISOLATE_DESCRIPTORS | CASM_ISOLATE_UMIP};
    m.xen = {.version = "4.17.5", .build_id = "abcd", .changeset = "none", .command_line = "casm_pool=300M"};
    m.pool_first_mfn = 0x40000;
    m.pool_frames = 76800;
    m.tsc_khz = 1000000;
    m.options.digest_interval = options.digest_interval;
    m.options.check_bits = options.check_bits;
    m.options.counter = options.counter;
    m.options.max_delay_ns = 100000;
    m.created_unix_s = 1795000000;
    m.tool_version = "casmotion test";
    return m;
}

std::vector<Record> boot_like_log(std::uint64_t seed, std::uint32_t check_bits) {
    Random random(seed);
    std::vector<Record> log;
    std::uint64_t tsc = std::uint64_t{1} << 40;
    std::normal_distribution<double> noise(30000, 3000);
    const auto entry = [&](casm_entry_kind kind, std::uint32_t detail) {
        log.push_back({.cls = CASM_CLS_ENTRY,
                       .kind = static_cast<std::uint8_t>(kind),
                       .check = static_cast<std::uint16_t>((random() & 0xffff) >> (16 - check_bits)),
                       .aux = detail});
    };
    // Hypercalls of a boot by frequency: page tables, then iret, then the rest.
    static constexpr std::uint32_t kCalls[] = {1, 1, 1, 14, 14, 26, 26, 13, 23, 23, 29, 32, 15, 5, 3, 25};
    // Other emulated instructions: CR access, CLI-like flag work, INVLPG, WRMSR.
    static constexpr std::uint32_t kOpcodes[] = {0x20, 0x22, 0x20, 0x22, 0x22, 0x01, 0x30, 0x06};
    for (std::uint64_t i = 0; i < 600000; ++i) {
        const std::uint64_t dice = uniform(random, 0, 999);
        if (dice < 120) {
            tsc += static_cast<std::uint64_t>(std::max(1.0, noise(random)));
            log.push_back({.cls = CASM_CLS_TSC, .w = {tsc, 0, 0}});
            entry(CASM_ENTRY_PRIVOP, 0x0f31);
        } else if (dice < 690) {
            entry(CASM_ENTRY_PRIVOP, kOpcodes[uniform(random, 0, std::size(kOpcodes) - 1)]);
        } else if (dice < 980) {
            entry(CASM_ENTRY_HYPERCALL, kCalls[uniform(random, 0, std::size(kCalls) - 1)]);
        } else if (dice < 990) {
            entry(CASM_ENTRY_TOGGLE, 0);
        } else if (dice < 996) {
            entry(CASM_ENTRY_PTWR, 0);
        } else {
            entry(CASM_ENTRY_EXCEPTION, 14 | static_cast<std::uint32_t>(uniform(random, 0, 7)) << 8);
        }
        if (uniform(random, 0, 1199) == 0)
            log.push_back({.cls = CASM_CLS_EVTCHN, .aux = static_cast<std::uint32_t>(uniform(random, 1, 8))});
    }
    return log;
}

}  // namespace casmotion::test
