// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/cpu_policy.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace casmotion {

namespace {

constexpr auto kTable = std::to_array<CpuFeature>({
#define CASM_FEATURE(word, bit, name, kind) {(word)*32 + (bit), name, FeatureKind::k##kind},
#include "cpu_features.def"
});

static_assert(std::is_sorted(kTable.begin(), kTable.end(),
                             [](const CpuFeature& a, const CpuFeature& b) { return a.bit < b.bit; }));
static_assert(kTable.back().bit < kFeatureWords * 32);

constexpr std::uint32_t kArchCapabilities = 0x10a;

// AMD repeats these of word 0 in word 2, where they are no features of their own.
constexpr std::uint32_t kRepeated = 0x0183f3ff;

enum class Register : std::uint8_t { kEax, kEbx, kEcx, kEdx, kMsrLow, kMsrHigh };

// Where a word of features is.
struct Place {
    std::uint32_t leaf, subleaf;  // or MSR
    Register in;
    const char* text;
};

constexpr std::array<Place, kFeatureWords> kPlaces = {{
    {0x1, 0, Register::kEdx, "leaf 1 edx"},
    {0x1, 0, Register::kEcx, "leaf 1 ecx"},
    {0x80000001, 0, Register::kEdx, "leaf 0x80000001 edx"},
    {0x80000001, 0, Register::kEcx, "leaf 0x80000001 ecx"},
    {0xd, 1, Register::kEax, "leaf 0xd:1 eax"},
    {0x7, 0, Register::kEbx, "leaf 7:0 ebx"},
    {0x7, 0, Register::kEcx, "leaf 7:0 ecx"},
    {0x80000007, 0, Register::kEdx, "leaf 0x80000007 edx"},
    {0x80000008, 0, Register::kEbx, "leaf 0x80000008 ebx"},
    {0x7, 0, Register::kEdx, "leaf 7:0 edx"},
    {0x7, 1, Register::kEax, "leaf 7:1 eax"},
    {0x80000021, 0, Register::kEax, "leaf 0x80000021 eax"},
    {0x7, 1, Register::kEbx, "leaf 7:1 ebx"},
    {0x7, 2, Register::kEdx, "leaf 7:2 edx"},
    {0x7, 1, Register::kEcx, "leaf 7:1 ecx"},
    {0x7, 1, Register::kEdx, "leaf 7:1 edx"},
    {kArchCapabilities, 0, Register::kMsrLow, "MSR 0x10a"},
    {kArchCapabilities, 0, Register::kMsrHigh, "MSR 0x10a, upper half,"},
    {0x80000021, 0, Register::kEcx, "leaf 0x80000021 ecx"},
}};

// The register of a word; null if the policy does not have it. Policy: CpuPolicy, const or not.
template <typename Policy>
auto* row_register(Policy& policy, const Place& place) {
    auto* row = policy.find(place.leaf, place.subleaf);
    using Word = std::remove_reference_t<decltype((row->eax))>;
    if (row == nullptr) return static_cast<Word*>(nullptr);
    switch (place.in) {
        case Register::kEax:
            return &row->eax;
        case Register::kEbx:
            return &row->ebx;
        case Register::kEcx:
            return &row->ecx;
        default:
            return &row->edx;
    }
}

bool in_msr(const Place& place) {
    return place.in == Register::kMsrLow || place.in == Register::kMsrHigh;
}

}  // namespace

const CpuidRow* CpuPolicy::find(std::uint32_t leaf, std::uint32_t subleaf) const {
    for (const CpuidRow& row : leaves)
        if (row.leaf == leaf && (row.subleaf == subleaf || row.subleaf == CpuidRow::kNoSubleaf)) return &row;
    return nullptr;
}

CpuidRow* CpuPolicy::find(std::uint32_t leaf, std::uint32_t subleaf) {
    return const_cast<CpuidRow*>(std::as_const(*this).find(leaf, subleaf));
}

const MsrRow* CpuPolicy::find_msr(std::uint32_t index) const {
    for (const MsrRow& row : msrs)
        if (row.index == index) return &row;
    return nullptr;
}

std::string CpuPolicy::vendor() const {
    const CpuidRow* row = find(0);
    if (row == nullptr) return {};
    const std::uint32_t words[3] = {row->ebx, row->edx, row->ecx};  // the order in which they spell it
    std::string text(reinterpret_cast<const char*>(words), sizeof(words));
    text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
    return text;
}

VendorWords vendor_words(std::string_view vendor) {
    std::uint32_t words[3] = {};
    std::memcpy(words, vendor.data(), std::min(vendor.size(), sizeof(words)));
    return {.ebx = words[0], .ecx = words[2], .edx = words[1]};
}

FeatureWords feature_words(const CpuPolicy& policy) {
    FeatureWords words{};
    for (std::size_t i = 0; i < words.size(); ++i) {
        const Place& place = kPlaces[i];
        if (in_msr(place)) {
            if (const MsrRow* row = policy.find_msr(place.leaf))
                words[i] =
                    static_cast<std::uint32_t>(row->value >> (place.in == Register::kMsrHigh ? 32 : 0));
        } else if (const std::uint32_t* word = row_register(policy, place)) {
            words[i] = *word;
        }
    }
    words[2] &= ~kRepeated;
    return words;
}

void set_feature_words(CpuPolicy& policy, const FeatureWords& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const Place& place = kPlaces[i];
        if (!in_msr(place)) {
            std::uint32_t* word = row_register(policy, place);
            if (word == nullptr) continue;
            *word = i == 2 ? words[2] | (*word & words[0] & kRepeated) : words[i];
            continue;
        }
        const unsigned shift = place.in == Register::kMsrHigh ? 32 : 0;
        for (MsrRow& row : policy.msrs)
            if (row.index == place.leaf)
                row.value = (row.value & ~(std::uint64_t{0xffffffff} << shift)) | std::uint64_t{words[i]}
                                                                                      << shift;
    }
}

std::span<const CpuFeature> cpu_features() {
    return kTable;
}

const CpuFeature* find_feature(std::string_view name) {
    for (const CpuFeature& feature : kTable)
        if (feature.name == name) return &feature;
    return nullptr;
}

namespace {

const CpuFeature* feature_of(unsigned bit) {
    const auto found =
        std::lower_bound(kTable.begin(), kTable.end(), bit,
                         [](const CpuFeature& feature, unsigned value) { return feature.bit < value; });
    return found != kTable.end() && found->bit == bit ? &*found : nullptr;
}

}  // namespace

FeatureKind feature_kind(unsigned bit) {
    const CpuFeature* feature = feature_of(bit);
    return feature != nullptr ? feature->kind : FeatureKind::kUnknown;
}

std::string feature_name(unsigned bit) {
    if (const CpuFeature* feature = feature_of(bit)) return std::string(feature->name);
    if (bit >= kFeatureWords * 32) return "feature " + std::to_string(bit);
    return std::string(kPlaces[bit / 32].text) + " bit " + std::to_string(bit % 32);
}

std::vector<std::string> feature_names(const FeatureWords& words) {
    std::vector<std::string> names;
    for (unsigned bit = 0; bit < kFeatureWords * 32; ++bit)
        if ((words[bit / 32] >> bit % 32 & 1) != 0) names.push_back(feature_name(bit));
    return names;
}

FeatureWords hidden_inputs(const FeatureWords& words) {
    FeatureWords hidden = words;
    for (const CpuFeature& feature : kTable)
        if (feature.kind != FeatureKind::kHidden) hidden[feature.bit / 32] &= ~(1u << feature.bit % 32);
    return hidden;
}

}  // namespace casmotion
