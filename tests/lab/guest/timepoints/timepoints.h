/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs for the lab's Linux guest that hardly enter Xen, or that would show a trap flag or debug register which is not
 * theirs. What they print follows from their arguments alone, so a recorded guest must print what an unrecorded one prints;
 * where it cannot (measured delays) the line starts with "time:".
 */
#ifndef TIMEPOINTS_H
#define TIMEPOINTS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#define FLAG_TF 0x100u

/* Everything that was seen goes into a sum. */
static inline uint64_t mixed(uint64_t sum, uint64_t value)
{
    sum = (sum ^ value) * 0x9e3779b97f4a7c15ull;
    return sum ^ sum >> 29;
}

/* --- main.c --- */
void fail(const char *what) __attribute__((noreturn)); /* with errno */
/* Handler with siginfo and context; flags: as sigaction's. */
void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags);
static inline greg_t *registers(void *context)
{
    return ((ucontext_t *)context)->uc_mcontext.gregs;
}

/* --- programs; rounds: how long, see main.c for the usual values --- */
void run_spin(uint64_t rounds);        /* busy.c */
void run_jump(uint64_t rounds);
void run_interpreter(uint64_t rounds);
void run_strings(uint64_t rounds);
void run_matrix(uint64_t rounds);
void run_hash(uint64_t rounds);
void run_interactive(uint64_t rounds); /* interactive.c */
void run_pushf(uint64_t rounds);       /* flags.c */
void run_syscall(uint64_t rounds);
void run_exceptions(uint64_t rounds);
void run_signals(uint64_t rounds);
void run_emulated(uint64_t rounds);
void run_stack_segment(uint64_t rounds);
void run_counted_loops(uint64_t rounds);
void run_stepping(uint64_t rounds);    /* stepping.c */
void run_breakpoints(uint64_t rounds); /* debugger.c */
void run_debugger(uint64_t rounds);
void run_processor(uint64_t rounds);   /* processor.c */
void run_observed(uint64_t rounds);

#endif /* TIMEPOINTS_H */
