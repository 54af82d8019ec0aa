/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A debugger and its program: breakpoints in the debug registers, and single steps from outside. */
#include "timepoints.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t spin(uint64_t n); /* loops.S */

#define DR7_EXECUTE_0 0x1u
#define DR7_WRITE_4_1 (0x4u | 0xdu << 20) /* breakpoint 1: writes of 4 bytes */

static volatile uint32_t watched;

static __attribute__((noinline)) void stop_here(uint64_t i)
{
    asm volatile("" : : "r"(i) : "memory");
}

/* What the program does whose debugger we are. */
static void work(uint64_t rounds)
{
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        spin(50);
        stop_here(i);
        watched = i;
    }
}

static pid_t start(uint64_t rounds)
{
    int status;
    pid_t child = fork();

    if ( child < 0 )
        fail("fork");
    if ( !child )
    {
        if ( ptrace(PTRACE_TRACEME, 0, NULL, NULL) )
            _exit(1);
        raise(SIGSTOP);
        work(rounds);
        _exit(0);
    }
    if ( waitpid(child, &status, 0) != child || !WIFSTOPPED(status) )
        fail("waitpid");
    return child;
}

static int set_register(pid_t child, unsigned int number, uint64_t value)
{
    return ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg) + number * sizeof(long), value) ? errno : 0;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

void run_breakpoints(uint64_t rounds)
{
    uint64_t hits[2] = { 0, 0 }, others = 0, sum = 0;
    pid_t child = start(rounds);
    int status, error;

    if ( (error = set_register(child, 0, (uint64_t)stop_here)) || (error = set_register(child, 1, (uint64_t)&watched)) ||
         (error = set_register(child, 7, DR7_EXECUTE_0 | DR7_WRITE_4_1)) )
    {
        printf("breakpoints: refused: %s\n", strerror(error));
        end(child);
        return;
    }
    for ( ;; )
    {
        struct user_regs_struct r;
        long dr6;

        if ( ptrace(PTRACE_CONT, child, NULL, NULL) || waitpid(child, &status, 0) != child )
            fail("PTRACE_CONT");
        if ( WIFEXITED(status) )
            break;
        if ( !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP )
        {
            others++;
            break;
        }
        errno = 0;
        dr6 = ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg) + 6 * sizeof(long), NULL);
        if ( errno || ptrace(PTRACE_GETREGS, child, NULL, &r) )
            fail("PTRACE_GETREGS");
        if ( set_register(child, 6, 0) )
            fail("PTRACE_POKEUSER");
        hits[0] += dr6 & 1;
        hits[1] += dr6 >> 1 & 1;
        others += !(dr6 & 3);
        sum = mixed(mixed(sum, dr6), r.rip - (uint64_t)stop_here);
        sum = mixed(sum, r.eflags & FLAG_TF);
    }
    end(child);
    printf("breakpoints: executed %" PRIu64 ", written %" PRIu64 ", others %" PRIu64 ", sum %016" PRIx64 "\n", hits[0], hits[1],
           others, sum);
}

/* Single steps through the first instructions of the program's work. */
void run_debugger(uint64_t rounds)
{
    uint64_t steps = 0, sum = 0, tf = 0;
    pid_t child = start(1000000);
    int status;

    while ( steps < rounds )
    {
        struct user_regs_struct r;

        if ( ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) || waitpid(child, &status, 0) != child || !WIFSTOPPED(status) )
            fail("PTRACE_SINGLESTEP");
        if ( ptrace(PTRACE_GETREGS, child, NULL, &r) )
            fail("PTRACE_GETREGS");
        steps++;
        tf += r.eflags & FLAG_TF ? 1 : 0;
        sum = mixed(sum, r.rip - (uint64_t)spin);
    }
    end(child);
    printf("debugger: steps %" PRIu64 ", tf %" PRIu64 ", sum %016" PRIx64 "\n", steps, tf, sum);
}

/*
 * Not for a guest: shows that "pushf" says so when somebody else steps the program. Linux does not hide the TF of a debugger's
 * single steps from PUSHF.
 */
void run_observed(uint64_t rounds)
{
    int status = 0;
    pid_t child = fork();

    if ( child < 0 )
        fail("fork");
    if ( !child )
    {
        if ( ptrace(PTRACE_TRACEME, 0, NULL, NULL) )
            _exit(1);
        raise(SIGSTOP);
        run_pushf(rounds);
        _exit(0);
    }
    while ( waitpid(child, &status, 0) == child && WIFSTOPPED(status) )
        if ( ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) )
            fail("PTRACE_SINGLESTEP");
    printf("observed: exit status %d\n", WEXITSTATUS(status));
}
