/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that look at every copy of the flags that somebody hands them. None sets TF, so none may ever see it, and no
 * SIGTRAP may come that was not asked for.
 */
#include "timepoints.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define ARITHMETIC 0x8d5u /* CF PF AF ZF SF OF */

static volatile uint64_t tf_seen, traps_seen, others_seen, sum;

static void look(uint64_t flags)
{
    tf_seen += flags & FLAG_TF ? 1 : 0;
    sum = mixed(sum, flags & (ARITHMETIC | FLAG_TF));
}

static void unwanted_trap(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    traps_seen++;
    registers(context)[REG_EFL] &= ~(greg_t)FLAG_TF;
}

static void begin(void)
{
    tf_seen = traps_seen = others_seen = sum = 0;
    handle(SIGTRAP, unwanted_trap, 0);
}

static void end(const char *name)
{
    printf("%s: tf %" PRIu64 " traps %" PRIu64 " others %" PRIu64 " sum %016" PRIx64 "\n", name, tf_seen, traps_seen,
           others_seen, sum);
}

/* PUSHF in its two sizes, right after a branch and elsewhere. */
void run_pushf(uint64_t rounds)
{
    begin();
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        uint64_t after_branch, plain;
        uint16_t narrow;

        asm volatile("lea -128(%%rsp), %%rsp\n\t"
                     "cmp %3, %4; jb 1f; nop\n"
                     "1: pushfq; pop %0; add $1, %3; pushfq; pop %1; pushfw; popw %2\n\t"
                     "lea 128(%%rsp), %%rsp"
                     : "=&r"(after_branch), "=&r"(plain), "=&r"(narrow), "+r"((uint64_t){ i })
                     : "r"(rounds / 2) : "cc", "memory");
        look(after_branch);
        look(plain);
        look(narrow);
    }
    end("pushf");
}

/* SYSCALL puts the flags in R11, and gives them back. INT 0x80 goes another way. */
void run_syscall(uint64_t rounds)
{
    begin();
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        uint64_t result = SYS_getuid, r11, flags;

        asm volatile("cmp %3, %4\n\tsyscall\n\tmov %%r11, %1\n\t"
                     "lea -128(%%rsp), %%rsp\n\tpushfq\n\tpop %2\n\tlea 128(%%rsp), %%rsp"
                     : "+a"(result), "=&r"(r11), "=&r"(flags)
                     : "r"(i), "r"(rounds / 2) : "rcx", "r11", "cc", "memory");
        look(r11);
        look(flags);
        others_seen += result != getuid();
        result = 24; /* getuid of the 32-bit interface */
        asm volatile("lea -128(%%rsp), %%rsp\n\tint $0x80\n\tpushfq\n\tpop %1\n\tlea 128(%%rsp), %%rsp"
                     : "+a"(result), "=r"(flags) : : "r8", "r9", "r10", "r11", "cc", "memory");
        look(flags);
        others_seen += result != getuid();
    }
    end("syscall");
}

/* --- exceptions: the flags in their frames --- */
static void skip_instruction(int signal, siginfo_t *info, void *context)
{
    greg_t *r = registers(context);

    (void)info;
    look(r[REG_EFL]);
    sum = mixed(sum, signal);
    r[REG_RIP] = r[REG_R8]; /* where the program wants to go on */
}

#define EXCEPTION(instructions)                                                                                           \
    asm volatile("lea 1f(%%rip), %%r8\n\tcmp %0, %1\n\t" instructions "\n1:" : : "r"(i), "r"(rounds / 2)                  \
                 : "r8", "rax", "rcx", "rdx", "cc", "memory")

void run_exceptions(uint64_t rounds)
{
    static const int signals[] = { SIGSEGV, SIGILL, SIGFPE };

    begin();
    for ( unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++ )
        handle(signals[i], skip_instruction, 0);
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        EXCEPTION("ud2");
        EXCEPTION("xor %%eax, %%eax; mov (%%rax), %%rax");
        EXCEPTION("xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%eax; div %%ecx");
        EXCEPTION("hlt");
        EXCEPTION("mov $0x8000000000000000, %%rax; mov (%%rax), %%rax");
    }
    /* Here SIGTRAP is what is wanted. */
    handle(SIGTRAP, skip_instruction, 0);
    for ( uint64_t i = 0; i < rounds; i++ )
        EXCEPTION("int3");
    end("exceptions");
}

/* --- signals that come at any time --- */
static volatile uint64_t alarms;

static void look_at_alarm(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    /* Only whether TF is set: when it comes, and so the other flags, is nobody's to say. */
    tf_seen += registers(context)[REG_EFL] & FLAG_TF ? 1 : 0;
    alarms++;
}

void run_signals(uint64_t rounds)
{
    const struct itimerval every = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };

    begin();
    alarms = 0;
    handle(SIGALRM, look_at_alarm, SA_RESTART);
    if ( setitimer(ITIMER_REAL, &every, NULL) )
        fail("setitimer");
    while ( alarms < rounds )
        asm volatile("mov $10000, %%ecx\n1: dec %%ecx\n\tjnz 1b" : : : "rcx", "cc");
    setitimer(ITIMER_REAL, &never, NULL);
    end("signals");
}

/* --- instructions that Xen executes for the guest --- */
static void cpuid(uint32_t leaf)
{
    uint32_t a = leaf, b, c = 0, d;

    asm volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    sum = mixed(sum, leaf | (uint64_t)a << 32);
}

void run_emulated(uint64_t rounds)
{
    uint64_t last = 0;

    begin();
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        uint64_t flags;
        uint32_t low, high;

        asm volatile("lea -128(%%rsp), %%rsp\n\tcmp %3, %4\n\trdtsc\n\tpushfq\n\tpop %2\n\tlea 128(%%rsp), %%rsp"
                     : "=&a"(low), "=&d"(high), "=&r"(flags) : "r"(i), "r"(rounds / 2) : "cc", "memory");
        look(flags);
        others_seen += (low | (uint64_t)high << 32) < last;
        last = low | (uint64_t)high << 32;
        cpuid(0);
        cpuid(0x40000000);
        asm volatile("cmp %1, %2\n\tsub $0, %0" : "+r"(low) : "r"(i), "r"(rounds / 2) : "cc");
    }
    end("emulated");
}

/* A load of SS holds traps back for one instruction. */
void run_stack_segment(uint64_t rounds)
{
    begin();
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        uint64_t flags, later;

        asm volatile("lea -128(%%rsp), %%rsp\n\tmov %%ss, %%ecx\n\tcmp %2, %3\n\tmov %%ecx, %%ss\n\tpushfq\n\tpop %0\n\t"
                     "pushfq\n\tpop %1\n\tlea 128(%%rsp), %%rsp"
                     : "=&r"(flags), "=&r"(later) : "r"(i), "r"(rounds / 2) : "rcx", "cc", "memory");
        look(flags);
        look(later);
    }
    end("stack-segment");
}

/* LOOP, LOOPE, LOOPNE and JRCXZ are conditional branches too, and RCX is what tells their rounds apart. */
void run_counted_loops(uint64_t rounds)
{
    begin();
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        uint64_t times = 0, rcx = 1 + i % 50, others = 0, flags;

        asm volatile("1: inc %0\n\tloop 1b" : "+r"(times), "+c"(rcx) : : "cc");
        rcx = 1 + i % 7;
        asm volatile("1: inc %0\n\tcmp %%rcx, %%rcx\n\tloope 1b\n\tinc %%rcx\n1: inc %0\n\tcmp $0, %%rcx\n\tloopne 1b"
                     : "+r"(times), "+c"(rcx) : : "cc");
        rcx = i % 3;
        asm volatile("lea -128(%%rsp), %%rsp\n\tjrcxz 1f\n\tinc %0\n1: pushfq\n\tpop %2\n\tjecxz 2f\n\tinc %0\n"
                     "2: lea 128(%%rsp), %%rsp"
                     : "+r"(others), "+c"(rcx), "=r"(flags) : : "cc", "memory");
        tf_seen += flags & FLAG_TF ? 1 : 0;
        sum = mixed(sum, times << 8 | others);
    }
    end("counted-loops");
}
