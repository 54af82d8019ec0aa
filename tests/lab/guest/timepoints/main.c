/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * casm-timepoints PROGRAM[=ROUNDS]...: runs programs one after the other; "all" is each with its usual number of rounds, but for
 * the last, which shows what a leak looks like. "code" prints where the programs' own code lies, for "record --dense-range".
 */
#include "timepoints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(uint64_t rounds);
    uint64_t rounds; /* a second or two under emulation */
} programs[] = {
    { "spin", run_spin, 300000000 },
    { "jump", run_jump, 20 },
    { "interpreter", run_interpreter, 20000000 },
    { "strings", run_strings, 20 },
    { "matrix", run_matrix, 10 },
    { "hash", run_hash, 100 },
    { "interactive", run_interactive, 100 },
    { "pushf", run_pushf, 20000 },
    { "syscall", run_syscall, 5000 },
    { "exceptions", run_exceptions, 500 },
    { "signals", run_signals, 50 },
    { "emulated", run_emulated, 2000 },
    { "stack-segment", run_stack_segment, 20000 },
    { "counted-loops", run_counted_loops, 5000 },
    { "stepping", run_stepping, 20 },
    { "breakpoints", run_breakpoints, 200 },
    { "debugger", run_debugger, 500 },
    { "processor", run_processor, 1 },
    { "observed", run_observed, 20 },
};
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))
#define ALL (PROGRAMS - 1)

void fail(const char *what)
{
    printf("FAILED: %s: %s\n", what, strerror(errno));
    exit(1);
}

void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

    sigemptyset(&action.sa_mask);
    if ( sigaction(signal, &action, NULL) )
        fail("sigaction");
}

/* Signal handlers of one program are no business of the next. */
static void forget_handlers(void)
{
    for ( int number = 1; number < 32; number++ )
        signal(number, SIG_DFL);
}

static int run(const char *word)
{
    size_t length = strcspn(word, "=");

    for ( unsigned int i = 0; i < PROGRAMS; i++ )
        if ( strlen(programs[i].name) == length && !strncmp(word, programs[i].name, length) )
        {
            programs[i].run(word[length] ? strtoull(word + length + 1, NULL, 0) : programs[i].rounds);
            forget_handlers();
            return 0;
        }
    fprintf(stderr, "casm-timepoints: there is no program '%s'\n", word);
    return 2;
}

/* From the first function that is linked to a little behind the last. */
static void print_code(void)
{
    uintptr_t first = (uintptr_t)fail, last = first;

    for ( unsigned int i = 0; i < PROGRAMS; i++ )
        if ( (uintptr_t)programs[i].run > last )
            last = (uintptr_t)programs[i].run;
    printf("%lx-%lx\n", first, last + 0xff);
}

int main(int count, char **words)
{
    int status = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if ( count < 2 )
    {
        for ( unsigned int i = 0; i < PROGRAMS; i++ )
            printf("%s=%llu\n", programs[i].name, (unsigned long long)programs[i].rounds);
        return 2;
    }
    for ( int i = 1; i < count && !status; i++ )
        if ( !strcmp(words[i], "code") )
            print_code();
        else if ( !strcmp(words[i], "all") )
            for ( unsigned int k = 0; k < ALL && !status; k++ )
                status = run(programs[k].name);
        else
            status = run(words[i]);
    return status;
}
