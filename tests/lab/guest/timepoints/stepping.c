/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program steps itself: it sets TF and counts its traps, each of which must come, once, where the instruction ended.
 * PUSHF shows TF then, as it should.
 */
#include "timepoints.h"

#include <inttypes.h>
#include <stdio.h>

extern const char stepped_end[]; /* at this address the handler stops the stepping */

static volatile uint64_t steps, sum, wrong_code;
static uint64_t base;

static void step(int signal, siginfo_t *info, void *context)
{
    greg_t *r = registers(context);

    (void)signal;
    steps++;
    sum = mixed(sum, r[REG_RIP] - base);
    sum = mixed(sum, r[REG_RCX] << 1 | !!(r[REG_EFL] & FLAG_TF));
    if ( info->si_code != TRAP_TRACE && info->si_code != TRAP_BRKPT )
        wrong_code++;
    if ( r[REG_RIP] == (greg_t)base ) /* the program ends it */
        r[REG_EFL] &= ~(greg_t)FLAG_TF;
}

/* Sets TF, runs instructions (which may use RAX, RCX, RDX, RSI, RDI, R8 and the stack), clears TF in the handler at the end. */
#define STEPPED(name, instructions)                                                                                       \
    do                                                                                                                    \
    {                                                                                                                     \
        asm volatile("lea 9f(%%rip), %%rax\n\tmov %%rax, %0" : "=m"(base) : : "rax");                                     \
        asm volatile("lea -128(%%rsp), %%rsp\n\txor %%ecx, %%ecx\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"           \
                     instructions "\n9: nop\n\tlea 128(%%rsp), %%rsp"                                                     \
                     : : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r11", "cc", "memory");                               \
        count(name, i);                                                                                                   \
    } while ( 0 )

#define KINDS_MAX 16
static struct { const char *name; uint64_t steps, sum, differs; } kinds[KINDS_MAX];
static unsigned int at;

static void count(const char *name, uint64_t round)
{
    if ( !round )
    {
        kinds[at].name = name;
        kinds[at].steps = steps;
    }
    kinds[at].differs += kinds[at].steps != steps;
    kinds[at].sum = mixed(kinds[at].sum, sum);
    at++;
    steps = sum = 0;
}

void run_stepping(uint64_t rounds)
{
    unsigned int n = 0;

    handle(SIGTRAP, step, 0);
    for ( uint64_t i = 0; i < rounds; i++ )
    {
        at = 0;
        STEPPED("straight", "xor %%ecx, %%ecx\n\tnop\n\tmov $3, %%eax\n\tadd %%eax, %%ecx");
        STEPPED("loop", "mov $20, %%ecx\n1: dec %%ecx\n\tjnz 1b");
        STEPPED("loop instruction", "mov $20, %%ecx\n1: nop\n\tloop 1b\n\tjrcxz 2f\n\tnop\n2:");
        STEPPED("rep movsb", "lea -64(%%rsp), %%rsi\n\tmov %%rsi, %%rdi\n\tmov $10, %%ecx\n\trep movsb");
        STEPPED("pushf", "pushfq\n\tpop %%rcx\n\tand $0x100, %%ecx");
        STEPPED("popf clears", "pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop\n\tpushfq\n\t"
                               "orq $0x100, (%%rsp)\n\tpopfq\n\tnop");
        STEPPED("iret clears", "mov %%rsp, %%rdx\n\tmov %%ss, %%eax\n\tpush %%rax\n\tpush %%rdx\n\tpushfq\n\t"
                               "andq $~0x100, (%%rsp)\n\tmov %%cs, %%eax\n\tpush %%rax\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\t"
                               "iretq\n1: nop\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop");
        STEPPED("iret keeps", "mov %%rsp, %%rdx\n\tmov %%ss, %%eax\n\tpush %%rax\n\tpush %%rdx\n\tpushfq\n\t"
                              "mov %%cs, %%eax\n\tpush %%rax\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\tiretq\n1: nop");
        STEPPED("syscall", "mov $102, %%eax\n\tsyscall\n\tmov %%r11, %%rcx\n\tand $0x100, %%ecx"); /* getuid */
        STEPPED("cpuid", "push %%rbx\n\txor %%eax, %%eax\n\tud2a\n\t.ascii \"xen\"\n\tcpuid\n\tpop %%rbx\n\txor %%ecx, %%ecx");
        STEPPED("rdtsc", "rdtsc\n\tnop");
        STEPPED("mov ss", "mov %%ss, %%ecx\n\tmov %%ecx, %%ss\n\tnop\n\tnop");
        n = at;
    }
    for ( unsigned int k = 0; k < n; k++ )
        printf("stepping: %s: %" PRIu64 " steps, differs %" PRIu64 ", sum %016" PRIx64 "\n", kinds[k].name, kinds[k].steps,
               kinds[k].differs, kinds[k].sum);
    printf("stepping: wrong codes %" PRIu64 "\n", wrong_code);
}
