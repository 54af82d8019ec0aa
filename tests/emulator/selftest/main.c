/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entered from entry.S, in 64-bit mode at CPL 0 with interrupts off. */
#include "machine.h"

void selftest(void);

void selftest(void)
{
    machine_set_up();
    traps_set_up();
    test_counting();
    test_faults();
    test_branches();
    test_overflow();
    test_fpu();
    test_locked();
    test_isolation();
    finish();
}
