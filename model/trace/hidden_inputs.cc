// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/trace/hidden_inputs.h"

#include <array>
#include <cstring>

namespace casmotion::trace {

namespace {

// Two counts, then 24 bytes per CPUID row, then 16 per MSR: dom0-daemon/hypervisor/xen_hypervisor.cc.
constexpr std::size_t kHeaderBytes = 8, kRowBytes = 24, kMsrBytes = 16;

enum class Register : std::uint8_t { kEax, kEbx, kEcx };

// A feature bit of CPUID that announces an instruction with a hidden input.
struct Feature {
    std::string_view name;
    std::uint32_t leaf, subleaf;
    Register in;
    unsigned bit;
};

// Bits: Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E. What traps or is logged is not here: RDTSC
// and RDTSCP (CR4.TSD is set), RDMSR, RDPMC (CR4.PCE is clear), CPUID where the processor can fault it.
constexpr auto kFeatures = std::to_array<Feature>({
    {"rdrand", 0x1, 0, Register::kEcx, 30},
    {"rdseed", 0x7, 0, Register::kEbx, 18},
    {"rtm", 0x7, 0, Register::kEbx, 11},      // transactions abort by chance
    {"sgx", 0x7, 0, Register::kEbx, 2},       // ENCLU may report random keys
    {"waitpkg", 0x7, 0, Register::kEcx, 5},   // UMWAIT says which limit ended it
    {"rdpid", 0x7, 0, Register::kEcx, 22},    // reads TSC_AUX of the physical processor
    {"xsaveopt", 0xd, 1, Register::kEax, 0},  // these three show what was in its initial state,
    {"xsavec", 0xd, 1, Register::kEax, 1},    // which a context switch of the host changes
    {"xgetbv1", 0xd, 1, Register::kEax, 2},
    {"lwp", 0x80000001, 0, Register::kEcx, 15},   // a profiler that the guest programs itself
    {"rdpru", 0x80000008, 0, Register::kEbx, 4},  // reads MPERF and APERF
});

}  // namespace

std::optional<std::vector<CpuidRow>> parse_cpu_policy(std::string_view policy) {
    std::uint32_t counts[2];
    if (policy.size() < kHeaderBytes) return std::nullopt;
    std::memcpy(counts, policy.data(), sizeof(counts));
    if (policy.size() !=
        kHeaderBytes + std::uint64_t{counts[0]} * kRowBytes + std::uint64_t{counts[1]} * kMsrBytes)
        return std::nullopt;
    std::vector<CpuidRow> rows(counts[0]);
    static_assert(sizeof(CpuidRow) == kRowBytes);
    if (!rows.empty()) std::memcpy(rows.data(), policy.data() + kHeaderBytes, rows.size() * kRowBytes);
    return rows;
}

std::string serialize_cpu_policy(const std::vector<CpuidRow>& rows) {
    const std::uint32_t counts[2] = {static_cast<std::uint32_t>(rows.size()), 0};
    std::string out(reinterpret_cast<const char*>(counts), sizeof(counts));
    out.append(reinterpret_cast<const char*>(rows.data()), rows.size() * kRowBytes);
    return out;
}

std::vector<std::string> visible_hidden_inputs(const std::vector<CpuidRow>& rows) {
    std::vector<std::string> visible;
    for (const Feature& feature : kFeatures) {
        for (const CpuidRow& row : rows) {
            // Xen marks a leaf without subleaves with ~0.
            if (row.leaf != feature.leaf || (row.subleaf != feature.subleaf && row.subleaf != ~0u)) continue;
            std::uint32_t word = row.eax;
            if (feature.in == Register::kEbx) word = row.ebx;
            if (feature.in == Register::kEcx) word = row.ecx;
            if ((word >> feature.bit & 1) != 0) visible.emplace_back(feature.name);
            break;
        }
    }
    return visible;
}

}  // namespace casmotion::trace
