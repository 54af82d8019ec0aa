/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: the hardware counters of branches in CPL3.
 *
 * Conditional ones name time points: that count must be exact. Branches of any kind only say where to look for a point in code
 * that has no conditional ones: processors add interrupts and exceptions to them.
 *
 * A PV guest is all that runs in CPL3 on its pCPU, and Xen is not counted, so the counter needs no care at entries and exits:
 * only at context switches, and to make it interrupt.
 */
#ifndef CASM_COUNTER_H
#define CASM_COUNTER_H

#include <xen/types.h>

/* Longest distance that can be armed: what a legacy Intel counter takes, sign-extended from bit 31. */
#define CASM_COUNTER_ARM_MAX 0x7fffffffu

enum casm_event { CASM_EVENT_CONDITIONAL, CASM_EVENT_ANY, CASM_EVENTS };

/* One vCPU's counters. Zeroed: off, nothing counted. */
struct casm_counter_state {
    struct {
        uint64_t base; /* count is base + counter register, taken as a signed number */
        uint64_t due;  /* armed: count at which an interrupt is wanted; 0: not armed */
    } event[CASM_EVENTS];
    bool on;           /* counts while the vCPU is on a pCPU */
    bool loaded;       /* in the registers of a pCPU now */
};

/* What this processor has (enum casm_counter), and in *@why (enum casm_counter_why) if it can be used now. In process context. */
unsigned int casm_counter_kind(unsigned int *why);

/*
 * Takes the counter for us, or gives it back with everything that counting needed undone. 0, -ENODEV (no such event), -EBUSY
 * (watchdog, vPMU, profiler). Interrupts on.
 */
int casm_counter_acquire(void);
void casm_counter_release(void);

/* The vCPU comes to this pCPU, or leaves it; with interrupts off. */
void casm_counter_load(struct casm_counter_state *s);
void casm_counter_save(struct casm_counter_state *s);

/* Branches since it was switched on. In the vCPU's context, or while it is not loaded. Costs one RDPMC. */
uint64_t casm_counter_read(const struct casm_counter_state *s, enum casm_event event);

/*
 * Asks for an interrupt after @distance further branches (1 to CASM_COUNTER_ARM_MAX), or for none (0). It comes a few
 * branches late. In the vCPU's context.
 */
void casm_counter_arm(struct casm_counter_state *s, enum casm_event event, uint64_t distance);

#endif /* CASM_COUNTER_H */
