// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm_insn, by examples with their bytes. The comparison with a disassembler is in insn_oracle_test.cc.
#include <gtest/gtest.h>

#include <vector>

#include "casm_insn.h"

namespace casmotion::timematch {
namespace {

using Bytes = std::vector<std::uint8_t>;

casm_insn classify(const Bytes& bytes, unsigned bits = 64) {
    casm_insn insn;
    casm_insn_classify(&insn, bytes.data(), static_cast<unsigned>(bytes.size()), bits);
    return insn;
}

void expect(const Bytes& bytes, unsigned bits, casm_insn_class cls, unsigned length) {
    const casm_insn insn = classify(bytes, bits);
    EXPECT_EQ(insn.cls, cls) << ::testing::PrintToString(bytes) << " in " << bits;
    EXPECT_EQ(insn.length, length) << ::testing::PrintToString(bytes) << " in " << bits;
}

TEST(Insn, TellsWhatNeedsCare) {
    expect({0x9c}, 64, CASM_INSN_PUSHF, 1);
    expect({0x66, 0x9c}, 64, CASM_INSN_PUSHF, 2);
    expect({0x9d}, 32, CASM_INSN_POPF, 1);
    expect({0x48, 0xcf}, 64, CASM_INSN_IRET, 2);
    expect({0xcf}, 16, CASM_INSN_IRET, 1);
    expect({0xf3, 0x48, 0xa5}, 64, CASM_INSN_REP_STRING, 3);
    expect({0xf2, 0xae}, 64, CASM_INSN_REP_STRING, 2);
    expect({0x67, 0xf3, 0x66, 0xab}, 32, CASM_INSN_REP_STRING, 4);
    expect({0xf3, 0x6c}, 64, CASM_INSN_REP_STRING, 2);
    expect({0x75, 0x10}, 64, CASM_INSN_COND_BRANCH, 0);
    expect({0x0f, 0x8f, 0, 0, 0, 0}, 64, CASM_INSN_COND_BRANCH, 0);
    expect({0xe2, 0x10}, 64, CASM_INSN_LOOP, 0);
    expect({0x67, 0xe3, 0x10}, 64, CASM_INSN_LOOP, 0);
}

TEST(Insn, EverythingElseIsPlain) {
    for (const Bytes& bytes :
         {Bytes{0x90}, Bytes{0xa5}, Bytes{0xf3, 0x90}, Bytes{0xf3, 0xc3}, Bytes{0xf3, 0xa8, 1},
          Bytes{0x0f, 0x05}, Bytes{0xcd, 0x80}, Bytes{0xcc}, Bytes{0xf4}, Bytes{0xeb, 0xfe},
          Bytes{0xff, 0xe0}, Bytes{0x8e, 0xd8}, Bytes{0x17}, Bytes{0x0f, 0xb2, 0xc0},
          Bytes{0xc4, 0xe2, 0x70, 0x9c}, Bytes{0x62, 0x9c}})
        expect(bytes, 64, CASM_INSN_PLAIN, 0);
}

TEST(Insn, LoadsOfSsWithTheirLength) {
    expect({0x8e, 0xd0}, 64, CASM_INSN_LOAD_SS, 2);                    // mov ss, eax
    expect({0x8e, 0x17}, 64, CASM_INSN_LOAD_SS, 2);                    // [rdi]
    expect({0x8e, 0x57, 8}, 64, CASM_INSN_LOAD_SS, 3);                 // [rdi + 8]
    expect({0x8e, 0x97, 0, 0, 0, 0}, 64, CASM_INSN_LOAD_SS, 6);        // [rdi + disp32]
    expect({0x8e, 0x15, 0, 0, 0, 0}, 64, CASM_INSN_LOAD_SS, 6);        // [rip + disp32]
    expect({0x8e, 0x14, 0x24}, 64, CASM_INSN_LOAD_SS, 3);              // [rsp]
    expect({0x8e, 0x14, 0x25, 0, 0, 0, 0}, 64, CASM_INSN_LOAD_SS, 7);  // [disp32]
    expect({0x8e, 0x54, 0x24, 8}, 64, CASM_INSN_LOAD_SS, 4);           // [rsp + 8]
    expect({0x44, 0x8e, 0xd0}, 64, CASM_INSN_LOAD_SS, 3);        // REX.R does not make it another register
    expect({0x17}, 32, CASM_INSN_LOAD_SS, 1);                    // pop ss
    expect({0x67, 0x8e, 0x16, 0, 0}, 32, CASM_INSN_LOAD_SS, 5);  // [disp16]
    expect({0x8e, 0x57, 8}, 16, CASM_INSN_LOAD_SS, 3);           // [bx + 8]
    expect({0x0f, 0xb2, 0x24, 0x24}, 64, CASM_INSN_LOAD_SS, 4);  // lss esp, [rsp]
}

TEST(Insn, SeesWhatRunsInTheShadow) {
    const casm_insn pushf = classify({0x8e, 0xd0, 0x66, 0x9c});
    EXPECT_EQ(pushf.cls, CASM_INSN_LOAD_SS);
    EXPECT_EQ(pushf.after_cls, CASM_INSN_PUSHF);
    EXPECT_EQ(pushf.after_length, 2);
    EXPECT_EQ(classify({0x8e, 0xd0, 0x75, 0}).after_cls, CASM_INSN_COND_BRANCH);
    EXPECT_EQ(classify({0x8e, 0xd0}).after_cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0x9c, 0x9c}).after_cls, CASM_INSN_UNKNOWN);  // no shadow, not told
    // A run of them, and what is behind it.
    const casm_insn run = classify({0x8e, 0xd0, 0x66, 0x8e, 0xd0, 0x8e, 0x57, 8, 0x9c, 0x75, 0});
    EXPECT_EQ(run.cls, CASM_INSN_LOAD_SS);
    EXPECT_EQ(run.length, 8);
    EXPECT_EQ(run.after_cls, CASM_INSN_PUSHF);
    EXPECT_EQ(run.after_length, 1);
    EXPECT_EQ(classify({0x8e, 0xd0, 0x8e, 0xd0}).length, 4);
    EXPECT_EQ(classify({0x8e, 0xd0, 0x8e, 0xd0}).after_cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0x8e, 0xd0, 0x8e, 0x14}).length, 0);  // the end of the second is not known
    EXPECT_EQ(classify({0x8e, 0xd0, 0x8e, 0x14}).after_cls, CASM_INSN_UNKNOWN);
    // Both as long as can be.
    Bytes longest(10, 0x26);
    for (const int byte : {0x8e, 0x97, 0, 0, 0}) longest.push_back(static_cast<std::uint8_t>(byte));
    EXPECT_EQ(classify(longest).cls, CASM_INSN_PLAIN);  // 16 bytes: invalid
    longest.erase(longest.begin());
    longest.push_back(0);
    longest.insert(longest.end(), 14, 0x26);
    longest.push_back(0x9d);
    const casm_insn popf = classify(longest);
    EXPECT_EQ(popf.length, 15);
    EXPECT_EQ(popf.after_cls, CASM_INSN_POPF);
    EXPECT_EQ(popf.after_length, 15);
}

TEST(Insn, TooFewBytesAreUnknownUntilTheyAreEnough) {
    EXPECT_EQ(classify({}).cls, CASM_INSN_UNKNOWN);
    casm_insn none;
    casm_insn_classify(&none, nullptr, 0, 64);
    EXPECT_EQ(none.cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0xf3}).cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0xf3, 0x48}).cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0x0f}).cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0x8e}).cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0x0f, 0xb2}).cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify({0x75}).cls, CASM_INSN_COND_BRANCH);  // certain already
    expect({0x8e, 0x14}, 64, CASM_INSN_LOAD_SS, 0);          // certain, but for its length
    EXPECT_EQ(classify(Bytes(14, 0x66)).cls, CASM_INSN_UNKNOWN);
    EXPECT_EQ(classify(Bytes(15, 0x66)).cls, CASM_INSN_PLAIN);  // invalid
    EXPECT_EQ(classify(Bytes(1000, 0x66)).cls, CASM_INSN_PLAIN);
}

TEST(Insn, TheModeMatters) {
    expect({0x48, 0x9c}, 32, CASM_INSN_PLAIN, 0);  // dec eax
    expect({0x48, 0x9c}, 64, CASM_INSN_PUSHF, 2);
    expect({0x9c}, 8, CASM_INSN_UNKNOWN, 0);
}

}  // namespace
}  // namespace casmotion::timematch
