/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The self-test's serial line, counters, pages and results. */
#include "machine.h"

#include <stdarg.h>

#define SERIAL 0x3f8
#define SERIAL_READY 0x20
#define EXIT_PORT 0xf4

bool amd, core;
uint64_t event_conditional, event_all, event;
static unsigned int passed, failed;
static uint32_t select0, count0, stride = 1;

extern uint64_t page_directory[], small_page_table[];
extern uint32_t multiboot_info;

void *memcpy(void *to, const void *from, size_t n)
{
    void *at = to;

    asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

/* --- what it says --- */
static void put(char c)
{
    while ( !(inb(SERIAL + 5) & SERIAL_READY) )
        ;
    outb(SERIAL, c);
}

static void put_number(uint64_t value, unsigned int base)
{
    char digits[32];
    unsigned int n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while ( value /= base );
    while ( n )
        put(digits[--n]);
}

void say(const char *format, ...)
{
    va_list list;
    const char *s;
    int64_t number;

    va_start(list, format);
    for ( ; *format; format++ )
    {
        if ( *format != '%' )
        {
            put(*format);
            continue;
        }
        switch ( *++format )
        {
        case 'd':
            number = va_arg(list, int64_t);
            if ( number < 0 )
                put('-');
            put_number(number < 0 ? -number : number, 10);
            break;
        case 'u': put_number(va_arg(list, uint64_t), 10); break;
        case 'x': put_number(va_arg(list, uint64_t), 16); break;
        case 's':
            for ( s = va_arg(list, const char *); *s; s++ )
                put(*s);
            break;
        default: put(*format);
        }
    }
    va_end(list);
}

void check(const char *what, uint64_t got, uint64_t expected)
{
    *(got == expected ? &passed : &failed) += 1;
    say("%s %s: %d", got == expected ? "ok  " : "FAIL", what, got);
    if ( got != expected )
        say(", expected %d", expected);
    say("\n");
}

void finish(void)
{
    say("RESULT %u ok, %u failed\n", (uint64_t)passed, (uint64_t)failed);
    outb(EXIT_PORT, failed ? 1 : 0); /* isa-debug-exit: exit code 2 * value + 1 */
    for ( ;; )
        asm volatile("cli; hlt");
}

uint64_t option(const char *name, uint64_t otherwise)
{
    const char *line = (const char *)(uint64_t)*(uint32_t *)(uint64_t)(multiboot_info + 16), *p, *n;
    uint64_t value = 0;

    for ( ; *line; line++ )
    {
        for ( p = line, n = name; *n && *p == *n; p++ )
            n++;
        if ( *n || *p != '=' || line[-1] != ' ' )
            continue;
        while ( *++p >= '0' && *p <= '9' )
            value = value * 10 + (*p - '0');
        return value;
    }
    return otherwise;
}

/* --- counters --- */
void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    asm volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(subleaf));
}

static void find_counters(void)
{
    uint32_t a, b, c, d;

    cpuid(0, 0, &a, &b, &c, &d);
    amd = b == 0x68747541; /* "Auth" */
    if ( amd )
    {
        cpuid(0x80000001, 0, &a, &b, &c, &d);
        core = c >> 23 & 1;
        select0 = core ? 0xc0010200 : 0xc0010000;
        count0 = core ? 0xc0010201 : 0xc0010004;
        stride = core ? 2 : 1;
        event_conditional = 0xd1;
        event_all = 0xc2;
        say("AMD, %s\n", core ? "core counters" : "K7 counters");
        return;
    }
    cpuid(0xa, 0, &a, &b, &c, &d);
    select0 = 0x186;
    count0 = 0xc1;
    event_conditional = 0x01c4;
    event_all = 0x00c4;
    wrmsr(MSR_GLOBAL_CTRL, 0xf);
    say("Intel, architectural performance monitoring %u, %u counters of %u bits\n", (uint64_t)(a & 0xff),
        (uint64_t)(a >> 8 & 0xff), (uint64_t)(a >> 16 & 0xff));
}

uint32_t select_msr(unsigned int counter)
{
    return select0 + counter * stride;
}

uint32_t count_msr(unsigned int counter)
{
    return count0 + counter * stride;
}

void counter_start(uint64_t value, uint32_t bits)
{
    wrmsr(select_msr(0), 0);
    wrmsr(count_msr(0), value & COUNTER_MASK);
    wrmsr(select_msr(0), event | bits | ENABLE);
}

uint64_t counter_stop(void)
{
    wrmsr(select_msr(0), 0);
    return rdmsr(count_msr(0));
}

void kernel_branches(uint64_t n)
{
    asm volatile("1: dec %0; jnz 1b" : "+r"(n));
}

/* --- memory --- */
static void flush(void)
{
    asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}

void map_small_pages(bool present)
{
    for ( unsigned int i = 0; i < 512; i++ )
        small_page_table[i] = (SMALL_PAGES + i * 4096ul) | 6 | present;
    page_directory[SMALL_PAGES >> 21] = (uint64_t)small_page_table | 7;
    flush();
}

void page_absent(uint64_t address)
{
    small_page_table[address >> 12 & 511] &= ~1ul;
    flush();
}

void breakpoint(uint64_t address, uint32_t dr7)
{
    asm volatile("mov %0, %%dr0" : : "r"(address));
    asm volatile("mov %0, %%dr7" : : "r"(0x400ul | dr7));
}

void machine_set_up(void)
{
    outb(SERIAL + 1, 0);
    outb(SERIAL + 3, 0x80);
    outb(SERIAL, 1);
    outb(SERIAL + 1, 0);
    outb(SERIAL + 3, 3);
    outb(0x21, 0xff); /* no interrupts from the PIC */
    outb(0xa1, 0xff);
    find_counters();
    event = event_conditional;
    map_small_pages(true);
    asm volatile("mov %%cr4, %%rax; or $0x100, %%rax; mov %%rax, %%cr4" : : : "rax"); /* RDPMC at CPL 3 */
}
