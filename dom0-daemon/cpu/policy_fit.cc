// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpu/policy_fit.h"

#include <cstdio>
#include <iterator>

#include "base/host_text.h"

namespace casmotion {
namespace {

constexpr uint32_t kPlatformInfo = 0xce, kCpuidFaulting = 1u << 31;

// Xen shows these as the processor has them (recalculate_cpuid_policy()).
constexpr uint32_t kFlushLine = 0x0000ff00;     // leaf 1, EBX
constexpr uint32_t kPhysicalBits = 0x000000ff;  // leaf 0x80000008, EAX

/// EAX of a leaf that says how many there are; 0 without that leaf.
uint32_t last_leaf(const CpuPolicy& policy, uint32_t leaf) {
    const CpuidRow* row = policy.find(leaf);
    return row == nullptr ? 0 : row->eax;
}

std::string row_name(const CpuidRow& row) {
    return "CPUID leaf " + hex_text(row.leaf) +
           (row.subleaf == CpuidRow::kNoSubleaf ? "" : ":" + std::to_string(row.subleaf));
}

std::string words_of(const uint32_t (&words)[4]) {
    char text[64];
    std::snprintf(text, sizeof(text), "%08x %08x %08x %08x", words[0], words[1], words[2], words[3]);
    return text;
}

FeatureWords forced_features() {
    FeatureWords words{};
    for (const CpuFeature& feature : cpu_features())
        if (feature.kind == FeatureKind::kForced) words[feature.bit / 32] |= 1u << feature.bit % 32;
    return words;
}

}  // namespace

std::vector<std::string> lacking(const CpuPolicy& recorded, const CpuPolicy& host_max) {
    FeatureWords words = feature_words(recorded);
    const FeatureWords here = feature_words(host_max), forced = forced_features();
    for (size_t i = 0; i < words.size(); ++i) words[i] &= ~here[i] & ~forced[i];
    std::vector<std::string> out = feature_names(words);
    for (const uint32_t leaf : {0u, 7u, 0x80000000u}) {
        const uint32_t asked = last_leaf(recorded, leaf), has = last_leaf(host_max, leaf);
        if (asked > has)
            out.push_back((leaf == 7 ? "CPUID subleaves of 7 up to " : "CPUID leaves up to ") +
                          hex_text(asked) + " (it has " + hex_text(has) + ")");
    }
    const MsrRow* asked = recorded.find_msr(kPlatformInfo);
    const MsrRow* has = host_max.find_msr(kPlatformInfo);
    if (asked != nullptr && (asked->value & kCpuidFaulting) != 0 &&
        (has == nullptr || (has->value & kCpuidFaulting) == 0))
        out.emplace_back("cpuid-faulting");
    return out;
}

PolicyDifferences policy_differences(const CpuPolicy& asked, const CpuPolicy& given) {
    PolicyDifferences out;
    for (const CpuidRow& want : asked.leaves) {
        const CpuidRow* got = given.find(want.leaf, want.subleaf);
        const CpuidRow none{.leaf = want.leaf, .subleaf = want.subleaf};
        if (got == nullptr) got = &none;
        uint32_t wanted[4] = {want.eax, want.ebx, want.ecx, want.edx};
        uint32_t gotten[4] = {got->eax, got->ebx, got->ecx, got->edx};
        if (std::equal(std::begin(wanted), std::end(wanted), gotten)) continue;
        const std::string text =
            row_name(want) + ": recorded " + words_of(wanted) + ", here " + words_of(gotten);
        if (want.leaf == 1) gotten[1] ^= (gotten[1] ^ wanted[1]) & kFlushLine;
        if (want.leaf == 0x80000008) gotten[0] ^= (gotten[0] ^ wanted[0]) & kPhysicalBits;
        if (want.leaf == 7 && want.subleaf == 0) gotten[1] ^= (gotten[1] ^ wanted[1]) & forced_features()[5];
        const bool harmless = std::equal(std::begin(wanted), std::end(wanted), gotten);
        (harmless ? out.tolerated : out.fatal).push_back(text);
    }
    for (const CpuidRow& got : given.leaves)
        if (asked.find(got.leaf, got.subleaf) == nullptr && (got.eax | got.ebx | got.ecx | got.edx) != 0)
            out.fatal.push_back(row_name(got) + ": not in the log, here " +
                                words_of({got.eax, got.ebx, got.ecx, got.edx}));
    for (const MsrRow& want : asked.msrs) {
        const MsrRow* got = given.find_msr(want.index);
        const uint64_t value = got == nullptr ? 0 : got->value;
        if (value != want.value)
            out.fatal.push_back("MSR " + hex_text(want.index) + ": recorded " + hex_text(want.value) +
                                ", here " + hex_text(value));
    }
    return out;
}

std::vector<std::string> vendor_differences(const CpuIdentity& recorded, const CpuIdentity& here) {
    std::vector<std::string> out;
    if (recorded.vendor.empty() || here.vendor.empty()) return out;
    if (recorded.vendor != here.vendor)
        out.push_back(
            "recorded on " + printable(recorded.vendor) + ", replayed on " + printable(here.vendor) +
            ": RCPPS, RSQRTPS, x87 functions and pointers, undefined flags, null selectors and 32-bit "
            "SYSCALL "
            "and SYSENTER differ between the two; a guest whose results depend on one diverges there");
    else if (recorded.family != here.family || recorded.model != here.model)
        out.push_back("recorded on family " + std::to_string(recorded.family) + ", model " +
                      std::to_string(recorded.model) + ", replayed on family " + std::to_string(here.family) +
                      ", model " + std::to_string(here.model) +
                      ": RCPPS, RSQRTPS, x87 functions and undefined flags may differ; a guest whose results "
                      "depend on one diverges there");
    return out;
}

}  // namespace casmotion
