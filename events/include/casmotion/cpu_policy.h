// SPDX-License-Identifier: GPL-2.0-or-later
//
// A CPU policy: what CPUID and the MSRs of features tell one domain, in the form that Xen takes and gives
// (XEN_DOMCTL_get_cpu_policy, XEN_DOMCTL_set_cpu_policy). Plain data, and the features in it by their names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace casmotion {

// What CPUID answers for one leaf. Laid out as xen_cpuid_leaf_t.
struct CpuidRow {
    std::uint32_t leaf = 0;
    std::uint32_t subleaf = kNoSubleaf;
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;

    static constexpr std::uint32_t kNoSubleaf = ~0u;  // a leaf that does not look at ECX

    bool operator==(const CpuidRow&) const = default;
};

// One MSR of the policy. Laid out as xen_msr_entry_t.
struct MsrRow {
    std::uint32_t index = 0;
    std::uint32_t flags = 0;  // 0: Xen refuses others
    std::uint64_t value = 0;

    bool operator==(const MsrRow&) const = default;
};

// Words of 32 features, numbered as Xen numbers them (xen/arch-x86/cpufeatureset.h).
inline constexpr std::size_t kFeatureWords = 19;
using FeatureWords = std::array<std::uint32_t, kFeatureWords>;

struct CpuPolicy {
    std::vector<CpuidRow> leaves;
    std::vector<MsrRow> msrs;

    [[nodiscard]] bool empty() const { return leaves.empty() && msrs.empty(); }
    // The row of a leaf, also if it has no subleaf of that number but does not look at ECX; null: none.
    [[nodiscard]] const CpuidRow* find(std::uint32_t leaf, std::uint32_t subleaf = 0) const;
    [[nodiscard]] CpuidRow* find(std::uint32_t leaf, std::uint32_t subleaf = 0);
    [[nodiscard]] const MsrRow* find_msr(std::uint32_t index) const;
    // Twelve characters of leaf 0: "GenuineIntel"; empty without that leaf.
    [[nodiscard]] std::string vendor() const;

    bool operator==(const CpuPolicy&) const = default;
};

// Twelve characters of leaf 0, as the three registers have them.
struct VendorWords {
    std::uint32_t ebx = 0, ecx = 0, edx = 0;
};
[[nodiscard]] VendorWords vendor_words(std::string_view vendor);

// The features that a policy shows; words whose leaf it has not are 0.
[[nodiscard]] FeatureWords feature_words(const CpuPolicy& policy);
// Writes them back; a word whose leaf the policy has not is left out.
void set_feature_words(CpuPolicy& policy, const FeatureWords& words);

// What is known of a feature, for a recording.
enum class FeatureKind : std::uint8_t {
    kPortable,  // in every processor of AMD and Intel since 2008 or so, and the same in both
    kState,     // what its instructions do is a function of the guest's state, on one model of processor
    kForced,    // not a choice: Xen shows a guest what this processor does
    kHidden,    // an instruction whose result is no function of the guest's state, and that does not trap
    kUnknown,   // not in our table
};

struct CpuFeature {
    unsigned bit = 0;       // 32 * word + bit in it
    std::string_view name;  // as xl takes it in cpuid= and Xen on its command line: "avx512-vbmi"
    FeatureKind kind = FeatureKind::kUnknown;
};

// Every feature that we have a name for, ascending by bit.
[[nodiscard]] std::span<const CpuFeature> cpu_features();
[[nodiscard]] const CpuFeature* find_feature(std::string_view name);
// kUnknown for what is not in the table.
[[nodiscard]] FeatureKind feature_kind(unsigned bit);
// Name of a feature, or where it is: "leaf 7:0 edx bit 24".
[[nodiscard]] std::string feature_name(unsigned bit);

// The bits that are set, as names, ascending by bit.
[[nodiscard]] std::vector<std::string> feature_names(const FeatureWords& words);

// Of `words`: those that may give a guest something that no log holds (kHidden, and kUnknown, of which nobody
// has said that they do not).
[[nodiscard]] FeatureWords hidden_inputs(const FeatureWords& words);

}  // namespace casmotion
