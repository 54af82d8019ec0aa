/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What instructions that may not trap tell about the processor: everything is printed and seen, so that a replay on another
 * processor, or in another memory, that shows something else is a divergence.
 */
#include "probe.h"

static void look_at_cpuid(uint32_t leaf, uint32_t subleaf)
{
    uint32_t a = leaf, b, c = subleaf, d;

    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    see(a | (uint64_t)b << 32);
    see(c | (uint64_t)d << 32);
    print_number("cpuid: leaf ", leaf);
    print_number("cpuid: b    ", b);
    print_number("cpuid: d    ", d);
}

/* Once to memory, once to a register (the whole of it: what is left unchanged of it is ours). */
#define SELECTOR(name, instruction)                                        \
    do {                                                                   \
        uint64_t in_register = 0x1122334455667788ul, word = in_register;   \
        uint16_t in_memory;                                                \
        asm volatile(instruction " %0" : "=m"(in_memory));                 \
        asm volatile(instruction " %0" : "+r"(in_register));               \
        asm volatile(instruction " %w0" : "+r"(word));                     \
        see(in_memory);                                                    \
        see(in_register);                                                  \
        see(word);                                                         \
        print_number(name ": ", in_memory);                                \
        print_number(name ": register ", in_register);                     \
        print_number(name ": word     ", word);                            \
    } while ( 0 )

#define TABLE(name, instruction)                                           \
    do {                                                                   \
        struct { uint16_t limit; uint64_t base; } __attribute__((packed)) table = { 1, 1 }; \
        asm volatile(instruction " %0" : "=m"(table));                     \
        see(table.limit);                                                  \
        see(table.base);                                                   \
        print_number(name ": limit ", table.limit);                        \
        print_number(name ": base  ", table.base);                         \
    } while ( 0 )

/* Nothing is mapped at this address. */
static void __attribute__((naked)) faulting(void)
{
    asm("mov $0x200000000000, %rax; sidt (%rax); ret");
}

/* As Linux does when it makes a new L4 table: Xen's slots of ours with the rest of the kernel's half. */
static void copy_kernel_half(void)
{
    memcpy((uint64_t *)page_of(0) + 256, (const uint64_t *)start->pt_base + 256, 256 * sizeof(uint64_t));
}

void look_at_processor(uint64_t rounds)
{
    if ( rounds )
        copy_kernel_half();
    for ( ; rounds; rounds-- )
    {
        look_at_cpuid(1, 0);
        look_at_cpuid(0xb, 0);
        look_at_cpuid(0x8000001e, 0);
        TABLE("sgdt", "sgdt");
        TABLE("sidt", "sidt");
        SELECTOR("sldt", "sldt");
        SELECTOR("str", "str");
        SELECTOR("smsw", "smsw");
        print_number("sidt: vector of the fault, and 1: ", try_run((const void *)faulting));
    }
}
