// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpu/guest_policy.h"

#include <algorithm>
#include <cstring>

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion {
namespace {

constexpr uint32_t kPlatformInfo = 0xce;  // MSR: may the guest's kernel make CPUID fault?

// What a portable guest finds. Family 6 makes no program look for more; 36 bits of physical address are the
// least that Xen gives, and a guest of the pool lies below 4 GiB.
constexpr uint32_t kBasicLeaves = 7, kExtendedLeaves = 0x80000008;
constexpr uint32_t kSignature = 0x00000600;
constexpr uint32_t kAddressBits = 48u << 8 | 36u;
constexpr char kBrand[48] = "CASMotion portable x86-64-v2 processor";
constexpr uint32_t kFlushLine = 0x0000ff00;  // leaf 1, EBX: size of a cache line, Xen's choice

/// Features by a question about their bit.
template <typename Predicate>
FeatureWords where(const FeatureWords& words, Predicate&& keep) {
    FeatureWords out{};
    for (unsigned bit = 0; bit < kFeatureWords * 32; ++bit)
        if ((words[bit / 32] >> bit % 32 & 1) != 0 && keep(bit)) out[bit / 32] |= 1u << bit % 32;
    return out;
}

/// The rows of a portable guest, with all features of `features` in them. Leaves about caches, topology,
/// thermal sensors, counters and the like say nothing.
CpuPolicy portable_rows(const CpuPolicy& current, const FeatureWords& features) {
    CpuPolicy out;
    for (const CpuidRow& row : current.leaves) {
        CpuidRow to{.leaf = row.leaf, .subleaf = row.subleaf};
        switch (row.leaf) {
            case 0: {
                const VendorWords vendor = vendor_words(kPortableVendor);
                to.eax = std::min(row.eax, kBasicLeaves);
                to.ebx = vendor.ebx;
                to.ecx = vendor.ecx;
                to.edx = vendor.edx;
                break;
            }
            case 1:
                to.eax = kSignature;
                to.ebx = row.ebx & kFlushLine;
                break;
            case 0x40000000:
            case 0x40000100:
                to = row;  // Xen's own
                break;
            case 0x80000000:
                to.eax = std::min(row.eax, kExtendedLeaves);
                break;
            case 0x80000002:
            case 0x80000003:
            case 0x80000004:
                std::memcpy(&to.eax, kBrand + 16 * (row.leaf - 0x80000002), 16);
                break;
            case 0x80000008:
                to.eax = kAddressBits;
                break;
            default:
                break;
        }
        const bool basic = row.leaf<0x40000000, extended = row.leaf> 0x80000000;
        if ((basic && row.leaf > kBasicLeaves) || (extended && row.leaf > kExtendedLeaves)) continue;
        if (row.leaf == 7 && row.subleaf != 0) continue;
        out.leaves.push_back(to);
    }
    for (const MsrRow& row : current.msrs)
        out.msrs.push_back({row.index, row.flags, row.index == kPlatformInfo ? 0 : row.value});
    set_feature_words(out, features);
    return out;
}

}  // namespace

Status check_allowed(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const CpuFeature* feature = find_feature(name);
        if (feature != nullptr && feature->kind == FeatureKind::kHidden) continue;
        std::string known;
        for (const CpuFeature& each : cpu_features())
            if (each.kind == FeatureKind::kHidden)
                known += (known.empty() ? "" : ", ") + std::string(each.name);
        return usage_error("--allow-hidden: '" + printable(name) +
                           "' is nothing that 'record' hides; it hides: " + known);
    }
    return {};
}

CpuPolicy recording_policy(const CpuPolicy& current, const GuestCpuChoice& choice) {
    const auto allowed = [&](unsigned bit) {
        return std::find(choice.allowed.begin(), choice.allowed.end(), feature_name(bit)) !=
               choice.allowed.end();
    };
    const FeatureWords words = feature_words(current);
    if (choice.portable)
        return portable_rows(current, where(words, [&](unsigned bit) {
                                 return feature_kind(bit) == FeatureKind::kPortable || allowed(bit);
                             }));
    const FeatureWords hidden = hidden_inputs(words);
    CpuPolicy out = current;
    set_feature_words(out, where(words, [&](unsigned bit) {
                          return (hidden[bit / 32] >> bit % 32 & 1) == 0 || allowed(bit);
                      }));
    return out;
}

std::vector<std::string> hidden_features(const CpuPolicy& before, const CpuPolicy& after) {
    FeatureWords words = feature_words(before);
    const FeatureWords left = feature_words(after);
    for (size_t i = 0; i < words.size(); ++i) words[i] &= ~left[i];
    return feature_names(words);
}

std::vector<std::string> visible_hidden_inputs(const CpuPolicy& policy) {
    return feature_names(hidden_inputs(feature_words(policy)));
}

}  // namespace casmotion
