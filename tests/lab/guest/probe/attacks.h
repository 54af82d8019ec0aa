/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attempts and outcomes of each attack of the hostile guest; see attacks.def. */
#ifndef ATTACKS_H
#define ATTACKS_H

#include "probe.h"

/* In no public header. */
#ifndef __HYPERVISOR_mca
#define __HYPERVISOR_mca __HYPERVISOR_arch_0
#endif
#define __HYPERVISOR_paging_domctl_cont __HYPERVISOR_arch_1
#define MEMOP_CMD_MASK 0x3f

enum way {
#define WAY(symbol, name, expect) WAY_##symbol,
#include "attacks.def"
    WAYS
};

enum expect { BOTH, DONE, REFUSED, PERM, NOSYS, NOTSUPP, EITHER, SELDOM }; /* see attacks.def */

/* Are these attacks aimed, or at random? They are counted apart. */
enum aim { AIMED, AT_RANDOM };
extern enum aim aim;

/* What a hypercall came to. @op is its first argument, or what stands for it. */
void tally_call(uint64_t nr, uint64_t op, long rc);
/* The same for a call that says more than its result: some have a status in their structure. */
void tally_outcome(uint64_t nr, uint64_t op, bool done);
void tally_way(enum way way, bool done);
/* An instruction: the vector of its exception, -1 for none. */
void tally_instruction(unsigned int which, const char *name, enum expect expect, int vector);

/* "attack: NAME: EXPECT aimed ATTEMPTS DONE REFUSED WRONG random ATTEMPTS DONE REFUSED WRONG", a line for each, in decimal. */
void print_tally(void);

/* instructions.c: one with these RAX, RCX, RDX, RSI, RDI and a prefix byte (0: none); each, so that it is done if it can be. */
extern const unsigned int instructions_count;
void run_instruction(unsigned int which, const uint64_t values[5], uint8_t prefix);
void each_instruction(void);

/* targeted.c: each attack once so that it is done, and once so that it is refused. */
void aimed_attacks(void);

#endif /* ATTACKS_H */
