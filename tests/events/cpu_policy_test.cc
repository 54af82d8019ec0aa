// SPDX-License-Identifier: GPL-2.0-or-later
//
// Names and places of CPU features, and which of them a recording must hide.
#include "casmotion/cpu_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#if __has_include(<xen/arch-x86/cpufeatureset.h>)
#define CASM_HAVE_XEN_FEATURES
#endif

namespace casmotion {
namespace {

CpuPolicy all_leaves() {
    CpuPolicy policy;
    policy.leaves = {{.leaf = 0},
                     {.leaf = 1},
                     {.leaf = 7, .subleaf = 0},
                     {.leaf = 7, .subleaf = 1},
                     {.leaf = 7, .subleaf = 2},
                     {.leaf = 0xd, .subleaf = 0},
                     {.leaf = 0xd, .subleaf = 1},
                     {.leaf = 0x80000001},
                     {.leaf = 0x80000007},
                     {.leaf = 0x80000008},
                     {.leaf = 0x80000021}};
    policy.msrs = {{.index = 0xce}, {.index = 0x10a}};
    return policy;
}

TEST(CpuPolicy, EachFeatureHasAPlaceOfItsOwn) {
    for (unsigned bit = 0; bit < kFeatureWords * 32; ++bit) {
        CpuPolicy policy = all_leaves();
        FeatureWords words{};
        words[bit / 32] = 1u << bit % 32;
        set_feature_words(policy, words);
        if (bit / 32 == 2 && (0x0183f3ff >> bit % 32 & 1) != 0)
            continue;  // no feature: AMD repeats those of word 0
        EXPECT_EQ(feature_words(policy), words) << feature_name(bit);
        EXPECT_EQ(feature_names(feature_words(policy)), std::vector<std::string>{feature_name(bit)});
    }
}

TEST(CpuPolicy, FeaturesOfLeavesThatAreNotThereAreNotSet) {
    FeatureWords words;
    words.fill(~0u);
    CpuPolicy policy;
    policy.leaves = {{.leaf = 1}};
    set_feature_words(policy, words);
    EXPECT_EQ(policy.leaves.size(), 1u);
    EXPECT_EQ(policy.find(1)->edx, ~0u);
    EXPECT_EQ(policy.find(1)->ebx, 0u);
    EXPECT_EQ(feature_words(policy)[5], 0u);
}

TEST(CpuPolicy, WhatAmdRepeatsIsNoFeatureAndStaysRight) {
    CpuPolicy policy = all_leaves();
    policy.find(1)->edx = 1u << 0 | 1u << 23;                      // fpu, mmx
    policy.find(0x80000001)->edx = 1u << 0 | 1u << 23 | 1u << 20;  // the same, and nx
    FeatureWords words = feature_words(policy);
    EXPECT_EQ(feature_names(words), (std::vector<std::string>{"fpu", "mmx", "nx"}));
    words[0] &= ~(1u << 23);
    set_feature_words(policy, words);
    EXPECT_EQ(policy.find(0x80000001)->edx, 1u << 0 | 1u << 20);
}

TEST(CpuPolicy, VendorIsSpelledAsCpuidSpellsIt) {
    CpuPolicy policy = all_leaves();
    EXPECT_EQ(policy.vendor(), "");
    const VendorWords words = vendor_words("GenuineIntel");
    EXPECT_EQ(words.ebx, 0x756e6547u);
    EXPECT_EQ(words.edx, 0x49656e69u);
    EXPECT_EQ(words.ecx, 0x6c65746eu);
    policy.find(0)->ebx = words.ebx;
    policy.find(0)->ecx = words.ecx;
    policy.find(0)->edx = words.edx;
    EXPECT_EQ(policy.vendor(), "GenuineIntel");
}

// The list of the issue, and that it is by names that xl knows.
TEST(CpuFeatures, WhatNoLogHoldsIsHidden) {
    for (const char* name :
         {"rdrand", "rdseed", "rtm", "hle", "rdpid", "waitpkg", "rdpru", "xsavec", "xsaveopt", "xgetbv1",
          "xsaves", "xfd", "amx-tile", "amx-int8", "amx-bf16", "sgx", "lwp", "uintr"}) {
        const CpuFeature* feature = find_feature(name);
        ASSERT_NE(feature, nullptr) << name;
        EXPECT_EQ(feature->kind, FeatureKind::kHidden) << name;
        FeatureWords words{};
        words[feature->bit / 32] = 1u << feature->bit % 32;
        EXPECT_EQ(hidden_inputs(words), words) << name;
    }
    for (const char* name : {"fpu", "sse2", "avx2", "xsave", "rdtscp", "fsgsbase", "no-fpu-sel"})
        EXPECT_NE(find_feature(name)->kind, FeatureKind::kHidden) << name;
}

TEST(CpuFeatures, WhatNobodyHasJudgedIsHidden) {
    FeatureWords all;
    all.fill(~0u);
    const FeatureWords hidden = hidden_inputs(all);
    for (unsigned bit = 0; bit < kFeatureWords * 32; ++bit) {
        const FeatureKind kind = feature_kind(bit);
        const bool is_hidden = (hidden[bit / 32] >> bit % 32 & 1) != 0;
        EXPECT_EQ(is_hidden, kind == FeatureKind::kHidden || kind == FeatureKind::kUnknown)
            << feature_name(bit);
    }
    EXPECT_EQ(feature_name(9 * 32 + 6), "leaf 7:0 edx bit 6");
    EXPECT_EQ(feature_name(17 * 32 + 5), "MSR 0x10a, upper half, bit 5");
}

#ifdef CASM_HAVE_XEN_FEATURES
// Our names are Xen's; what is new in Xen's list is hidden until somebody has judged it.
TEST(CpuFeatures, NamesAreThoseOfXen) {
    struct Known {
        const char* name;
        unsigned bit;
    };
    static constexpr Known kXen[] = {
#define XEN_CPUFEATURE(name, value) {#name, value},
#include <xen/arch-x86/cpufeatureset.h>
#undef XEN_CPUFEATURE
    };
    std::size_t equal = 0;
    for (const Known& each : kXen) {
        std::string name = each.name;
        for (char& letter : name) letter = letter == '_' ? '-' : static_cast<char>(std::tolower(letter));
        if (feature_kind(each.bit) == FeatureKind::kUnknown) continue;
        EXPECT_EQ(feature_name(each.bit), name);
        ++equal;
    }
    EXPECT_GE(equal, 230u);
}
#endif

}  // namespace
}  // namespace casmotion
