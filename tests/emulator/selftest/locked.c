/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A locked operation on an absent page faults as a write (SDM 3A 4.7: W/R is set by the access that faulted, and a locked
 * read-modify-write checks for writing before it reads). An emulator that does the read first shows another error code, and
 * does so only while it runs its processors one after the other: a guest's kernel sees how it is emulated.
 */
#include "machine.h"

#define ERROR_WRITE 2u
#define ERROR_USER 4u

void test_locked(void)
{
    const struct locked_program *program;

    map_small_pages(true);
    for ( program = locked_programs; program != locked_programs_end; program++ )
    {
        page_absent(SMALL_PAGES);
        traps.page_faults = 0;
        traps.fault_error = 0;
        run_user(program->code, SMALL_PAGES, FLAGS);
        check(program->name, traps.fault_error, ERROR_USER | ERROR_WRITE);
        check("  page faults", traps.page_faults, 1);
    }
    check("locked operations executed", locked_programs_end - locked_programs, 25);
}
