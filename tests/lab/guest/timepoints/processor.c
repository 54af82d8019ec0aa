/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What instructions that may not trap tell a program about the processor, and the fault of one that has nowhere to store it. */
#include "timepoints.h"

#include <setjmp.h>
#include <stdio.h>
#include <sys/mman.h>

static sigjmp_buf back;
static uint64_t left; /* not in a register that siglongjmp() sets back */

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("signal %d at %p\n", signal, info->si_addr);
    siglongjmp(back, 1);
}

static void print_cpuid(uint32_t leaf)
{
    uint32_t a = leaf, b, c = 0, d;

    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    printf("cpuid %x: %08x %08x %08x %08x\n", leaf, a, b, c, d);
}

static void print_tables(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) gdt, idt;
    uint64_t ldt = 0, task = 0, status = 0;

    asm volatile("sgdt %0" : "=m"(gdt));
    asm volatile("sidt %0" : "=m"(idt));
    asm volatile("sldt %0" : "+r"(ldt));
    asm volatile("str %0" : "+r"(task));
    asm volatile("smsw %0" : "+r"(status));
    printf("gdt %lx %x idt %lx %x ldt %lx tr %lx msw %lx\n", gdt.base, gdt.limit, idt.base, idt.limit, ldt, task, status);
}

void run_processor(uint64_t rounds)
{
    static void *read_only;

    read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ( read_only == MAP_FAILED )
        fail("mmap");
    handle(SIGSEGV, on_fault, 0);
    for ( left = rounds; left; left-- )
    {
        print_cpuid(0);
        print_cpuid(1);
        print_cpuid(0xb);
        print_cpuid(0x8000001e);
        print_tables();
        if ( !sigsetjmp(back, 1) )
            asm volatile("sidt (%0)" : : "r"(16l) : "memory");
        if ( !sigsetjmp(back, 1) )
            asm volatile("sgdt (%0)" : : "r"(read_only) : "memory");
    }
    munmap(read_only, 4096);
}
