/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the instruction at RIP is, as far as single-stepping it is concerned.
 *
 * Only what needs care is told apart; everything else, invalid instructions included, is PLAIN: it is stepped with TF, and
 * an instruction that enters Xen (SYSCALL, INT n, HLT, CPUID, ...) ends the machine by its entry. The caller strips TF
 * (and RF) from whatever such an entry saves: R11, the bounce frame.
 */
#ifndef CASM_INSN_H
#define CASM_INSN_H

#include "casm_tm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CASM_INSN_MAX_BYTES   15u /* an x86 instruction is not longer */
#define CASM_INSN_FETCH_BYTES 30u /* two of them: what to fetch to know the instruction after a MOV SS too */

enum casm_insn_class {
    CASM_INSN_UNKNOWN = 0,     /* too few bytes to tell (none: the fetch failed). Stepped as PLAIN */
    CASM_INSN_PLAIN = 1,
    CASM_INSN_COND_BRANCH = 2, /* Jcc (70-7F, 0F 80-8F) */
    CASM_INSN_LOOP = 3,        /* LOOPNE, LOOPE, LOOP, JRCXZ (E0-E3): conditional too; whether a CPU's event counts them
                                  is the CPU's affair */
    CASM_INSN_REP_STRING = 4,  /* INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS with F2 or F3: TF traps after each round */
    CASM_INSN_PUSHF = 5,       /* 9C: would push our TF */
    CASM_INSN_POPF = 6,        /* 9D: would replace our TF */
    CASM_INSN_IRET = 7,        /* CF: replaces TF and may set RF for the instruction it goes to */
    CASM_INSN_LOAD_SS = 8,     /* MOV SS (8E /2), POP SS (17, not in 64-bit code), LSS (0F B2): the debug exceptions of the
                                  boundary after it are inhibited, so the instruction after it cannot be broken at */
};

struct casm_insn {
    uint8_t cls;          /* enum casm_insn_class */
    /*
     * Bytes, for REP_STRING, PUSHF, POPF, IRET and LOAD_SS; 0: not told. LOAD_SS: of the whole run, if further instructions
     * that load SS lie directly behind (whether a CPU inhibits the boundary after the second one too is not defined).
     */
    uint8_t length;
    uint8_t after_cls;    /* LOAD_SS: class of the instruction behind the run, never LOAD_SS; else UNKNOWN */
    uint8_t after_length; /* LOAD_SS: its length, under the rule of `length`; else 0 */
};

/*
 * Classifies the instruction that starts at bytes[0].
 *
 * insn:  filled in completely.
 * bytes: what the guest's memory holds from RIP on; not read beyond n; may be NULL if n is 0.
 * n:     how many, 0 to CASM_INSN_FETCH_BYTES (more are ignored). Fewer than an instruction has are no error: the class is
 *        then UNKNOWN unless it is certain from those that are there.
 * bits:  default operand size of the code segment: 64 (long mode), 32 or 16 (compatibility mode). Any other value gives
 *        UNKNOWN.
 */
void casm_insn_classify(struct casm_insn *insn, const uint8_t *bytes, unsigned int n, unsigned int bits);

#ifdef __cplusplus
}
#endif

#endif /* CASM_INSN_H */
