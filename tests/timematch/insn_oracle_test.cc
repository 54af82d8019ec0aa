// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm_insn against the disassembler Zydis: every pair of prefix and one- or two-byte opcode, every ModRM
// byte of the loads of SS, and random bytes. What Zydis calls invalid is not compared: it faults, so it is
// stepped like anything else.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <vector>

#include "casm_insn.h"
#include "support/seed.h"

namespace casmotion::timematch {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::array<std::uint8_t, 12> legacy_prefixes{0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                                       0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x90};

bool is_string(ZydisMnemonic mnemonic) {
    switch (mnemonic) {
        case ZYDIS_MNEMONIC_INSB:
        case ZYDIS_MNEMONIC_INSW:
        case ZYDIS_MNEMONIC_INSD:
        case ZYDIS_MNEMONIC_OUTSB:
        case ZYDIS_MNEMONIC_OUTSW:
        case ZYDIS_MNEMONIC_OUTSD:
        case ZYDIS_MNEMONIC_MOVSB:
        case ZYDIS_MNEMONIC_MOVSW:
        case ZYDIS_MNEMONIC_MOVSD:
        case ZYDIS_MNEMONIC_MOVSQ:
        case ZYDIS_MNEMONIC_CMPSB:
        case ZYDIS_MNEMONIC_CMPSW:
        case ZYDIS_MNEMONIC_CMPSD:
        case ZYDIS_MNEMONIC_CMPSQ:
        case ZYDIS_MNEMONIC_STOSB:
        case ZYDIS_MNEMONIC_STOSW:
        case ZYDIS_MNEMONIC_STOSD:
        case ZYDIS_MNEMONIC_STOSQ:
        case ZYDIS_MNEMONIC_LODSB:
        case ZYDIS_MNEMONIC_LODSW:
        case ZYDIS_MNEMONIC_LODSD:
        case ZYDIS_MNEMONIC_LODSQ:
        case ZYDIS_MNEMONIC_SCASB:
        case ZYDIS_MNEMONIC_SCASW:
        case ZYDIS_MNEMONIC_SCASD:
        case ZYDIS_MNEMONIC_SCASQ:
            return true;
        default:
            return false;
    }
}

bool repeats(const ZydisDecodedInstruction& insn) {
    for (unsigned i = 0; i < insn.raw.prefix_count; ++i)
        if (insn.raw.prefixes[i].value == 0xf2 || insn.raw.prefixes[i].value == 0xf3) return true;
    return false;
}

casm_insn_class expected_class(const ZydisDecodedInstruction& insn, const ZydisDecodedOperand* operands) {
    switch (insn.mnemonic) {
        case ZYDIS_MNEMONIC_PUSHF:
        case ZYDIS_MNEMONIC_PUSHFD:
        case ZYDIS_MNEMONIC_PUSHFQ:
            return CASM_INSN_PUSHF;
        case ZYDIS_MNEMONIC_POPF:
        case ZYDIS_MNEMONIC_POPFD:
        case ZYDIS_MNEMONIC_POPFQ:
            return CASM_INSN_POPF;
        case ZYDIS_MNEMONIC_IRET:
        case ZYDIS_MNEMONIC_IRETD:
        case ZYDIS_MNEMONIC_IRETQ:
            return CASM_INSN_IRET;
        case ZYDIS_MNEMONIC_LOOP:
        case ZYDIS_MNEMONIC_LOOPE:
        case ZYDIS_MNEMONIC_LOOPNE:
        case ZYDIS_MNEMONIC_JCXZ:
        case ZYDIS_MNEMONIC_JECXZ:
        case ZYDIS_MNEMONIC_JRCXZ:
            return CASM_INSN_LOOP;
        case ZYDIS_MNEMONIC_JO:
        case ZYDIS_MNEMONIC_JNO:
        case ZYDIS_MNEMONIC_JB:
        case ZYDIS_MNEMONIC_JNB:
        case ZYDIS_MNEMONIC_JZ:
        case ZYDIS_MNEMONIC_JNZ:
        case ZYDIS_MNEMONIC_JBE:
        case ZYDIS_MNEMONIC_JNBE:
        case ZYDIS_MNEMONIC_JS:
        case ZYDIS_MNEMONIC_JNS:
        case ZYDIS_MNEMONIC_JP:
        case ZYDIS_MNEMONIC_JNP:
        case ZYDIS_MNEMONIC_JL:
        case ZYDIS_MNEMONIC_JNL:
        case ZYDIS_MNEMONIC_JLE:
        case ZYDIS_MNEMONIC_JNLE:
            return CASM_INSN_COND_BRANCH;
        case ZYDIS_MNEMONIC_LSS:
            return CASM_INSN_LOAD_SS;
        case ZYDIS_MNEMONIC_MOV:
        case ZYDIS_MNEMONIC_POP:
            return operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                           operands[0].reg.value == ZYDIS_REGISTER_SS
                       ? CASM_INSN_LOAD_SS
                       : CASM_INSN_PLAIN;
        default:
            return insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && is_string(insn.mnemonic) && repeats(insn)
                       ? CASM_INSN_REP_STRING
                       : CASM_INSN_PLAIN;
    }
}

bool has_length(casm_insn_class cls) {
    switch (cls) {
        case CASM_INSN_UNKNOWN:
        case CASM_INSN_PLAIN:
        case CASM_INSN_COND_BRANCH:
        case CASM_INSN_LOOP:
            return false;
        case CASM_INSN_REP_STRING:
        case CASM_INSN_PUSHF:
        case CASM_INSN_POPF:
        case CASM_INSN_IRET:
        case CASM_INSN_LOAD_SS:
            break;
    }
    return true;
}

class InsnOracle : public ::testing::Test {
  protected:
    InsnOracle() {
        ZydisDecoderInit(&decoders_[0], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
        ZydisDecoderInit(&decoders_[1], ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
        ZydisDecoderInit(&decoders_[2], ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16);
    }
    ~InsnOracle() override {
        std::cout << "[          ] " << compared_ << " compared, " << special_ << " of them not plain, "
                  << invalid_ << " invalid\n";
        EXPECT_GT(special_, 100u);
    }

    void compare(const Bytes& bytes) {
        for (unsigned mode = 0; mode < 3; ++mode) {
            const unsigned bits = 64u >> mode;
            casm_insn insn;
            casm_insn_classify(&insn, bytes.data(), static_cast<unsigned>(bytes.size()), bits);
            ZydisDecodedInstruction decoded;
            ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
            if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoders_[mode], bytes.data(),
                                                     std::min<std::size_t>(bytes.size(), 15), &decoded,
                                                     operands))) {
                ++invalid_;
                continue;
            }
            ++compared_;
            const casm_insn_class cls = expected_class(decoded, operands);
            special_ += cls != CASM_INSN_PLAIN;
            ASSERT_EQ(insn.cls, cls) << ::testing::PrintToString(bytes) << " in " << bits << ", "
                                     << ZydisMnemonicGetString(decoded.mnemonic);
            if (!has_length(cls)) continue;
            if (cls != CASM_INSN_LOAD_SS) {
                ASSERT_EQ(insn.length, decoded.length) << ::testing::PrintToString(bytes) << " in " << bits;
                continue;
            }
            // What is behind it, by the classifier itself.
            casm_insn behind;
            casm_insn_classify(&behind, bytes.data() + decoded.length,
                               static_cast<unsigned>(bytes.size() - decoded.length), bits);
            if (behind.cls == CASM_INSN_LOAD_SS) {
                ASSERT_EQ(insn.length, behind.length ? decoded.length + behind.length : 0)
                    << ::testing::PrintToString(bytes);
                ASSERT_EQ(insn.after_cls, behind.after_cls) << ::testing::PrintToString(bytes);
            } else {
                ASSERT_EQ(insn.length, decoded.length) << ::testing::PrintToString(bytes);
                ASSERT_EQ(insn.after_cls, behind.cls) << ::testing::PrintToString(bytes);
                ASSERT_EQ(insn.after_length, behind.length) << ::testing::PrintToString(bytes);
            }
        }
    }

    ZydisDecoder decoders_[3]{};
    std::uint64_t compared_ = 0, special_ = 0, invalid_ = 0;
};

void pad(Bytes& bytes, std::mt19937_64& random) {
    while (bytes.size() < CASM_INSN_FETCH_BYTES) bytes.push_back(static_cast<std::uint8_t>(random()));
}

// Two prefixes (legacy or any REX), any opcode of one or two bytes, and a few random continuations.
TEST_F(InsnOracle, AllPrefixesAndOpcodes) {
    const std::uint64_t seed = test::test_seed();
    SCOPED_TRACE(test::repeat_with(seed));
    std::mt19937_64 random(seed);
    Bytes prefixes(legacy_prefixes.begin(), legacy_prefixes.end());
    for (unsigned rex = 0x40; rex < 0x50; ++rex) prefixes.push_back(static_cast<std::uint8_t>(rex));
    for (const std::uint8_t first : prefixes)
        for (const std::uint8_t second : prefixes)
            for (unsigned opcode = 0; opcode < 512; ++opcode) {
                Bytes bytes{first, second};
                if (opcode >= 256) bytes.push_back(0x0f);
                bytes.push_back(static_cast<std::uint8_t>(opcode));
                pad(bytes, random);
                compare(bytes);
                bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(random() % 3));
                compare(bytes);
                if (HasFatalFailure()) return;
            }
}

TEST_F(InsnOracle, LoadsOfSsWithEveryModRmAndSib) {
    const std::uint64_t seed = test::test_seed();
    SCOPED_TRACE(test::repeat_with(seed));
    std::mt19937_64 random(seed);
    for (const Bytes& opcode : {Bytes{0x8e}, Bytes{0x0f, 0xb2}, Bytes{0x67, 0x8e}, Bytes{0x67, 0x0f, 0xb2},
                                Bytes{0x66, 0x41, 0x8e}})
        for (unsigned modrm = 0; modrm < 256; ++modrm)
            for (unsigned sib = 0; sib < 256; ++sib) {
                Bytes bytes = opcode;
                bytes.push_back(static_cast<std::uint8_t>(modrm));
                bytes.push_back(static_cast<std::uint8_t>(sib));
                pad(bytes, random);
                compare(bytes);
                if (HasFatalFailure()) return;
            }
}

TEST_F(InsnOracle, RandomBytes) {
    const std::uint64_t seed = test::test_seed();
    SCOPED_TRACE(test::repeat_with(seed));
    std::mt19937_64 random(seed);
    for (unsigned i = 0; i < 500'000; ++i) {
        Bytes bytes;
        // Many prefixes, up to more than an instruction may have.
        for (std::uint64_t n = random() % 4 ? random() % 3 : random() % 16; n; --n)
            bytes.push_back(legacy_prefixes[random() % legacy_prefixes.size()]);
        pad(bytes, random);
        compare(bytes);
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace casmotion::timematch
