/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at every copy of the flags and of the debug registers that Xen shows to a kernel. What is printed follows from the
 * number of rounds alone: recorded and unrecorded, and with whatever delivered in between, it is the same.
 */
#include "probe.h"

#include <xen/physdev.h>

#define ARITHMETIC 0x8d5u /* CF PF AF ZF SF OF */
#define DR7_NONE 0x400u
#define DR7_EXECUTE_0 0x401u
#define PORT_NOBODY_HAS 0x5e0
#define STEPPED_BLOCKS 13

/* What was seen, added up by what was done. */
enum part { PART_FLAGS, PART_VALUES, PART_STEPS, PART_BREAKPOINTS, PARTS };
static uint64_t sums[PARTS];
static uint64_t rounds_left, tf_seen, traps[256];
static bool stepping;
static uint64_t stop_at; /* stepping ends here */
static unsigned int block;                   /* that is stepped, in the order of step() */
static uint64_t block_traps[STEPPED_BLOCKS]; /* how often each trapped, to name the one that differs */
static uint64_t last_step;                   /* where the last of these traps was */
extern const char after_syscall[];           /* in the block that has a hypercall */
static uint64_t upcalls_for_traps;           /* takes_trap_of_sysret(); differs from run to run */
static uint64_t breakpoints, last_dr6;

static void keep(enum part part, uint64_t value)
{
    sums[part] = (sums[part] ^ value) * 0x9e3779b97f4a7c15ull;
    sums[part] ^= sums[part] >> 29;
}

static void look(uint64_t flags)
{
    tf_seen += flags & FLAG_TF ? 1 : 0;
    keep(PART_FLAGS, flags & (ARITHMETIC | FLAG_TF));
}

static uint64_t read_dr6(void)
{
    uint64_t value;

    asm volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static uint64_t read_dr7(void)
{
    uint64_t value;

    asm volatile("mov %%dr7, %0" : "=r"(value));
    return value;
}

static void keep_step(const struct trap_frame *frame)
{
    last_step = frame->rip;
    block_traps[block]++;
    keep(PART_STEPS, frame->rip - stop_at);
    keep(PART_STEPS, frame->rcx);
    keep(PART_STEPS, last_dr6);
}

/*
 * Xen leaves a hypercall by SYSRET, which with TF traps before the next instruction. Where it delivers an upcall at that exit it leaves
 * by IRET, to the upcall's handler, and the handler goes back by IRET: on any Xen the trap is missing then. It counts as if it had come, so
 * that what is printed does not depend on when events come. An upcall that is delivered at this place later, by a point between entries,
 * comes behind the trap.
 */
static bool takes_trap_of_sysret(const struct trap_frame *frame)
{
    return frame->rip == (uint64_t)after_syscall && (frame->rflags & FLAG_TF) && last_step != frame->rip;
}

void flags_upcall(const struct trap_frame *frame)
{
    if ( rounds_left && !stepping )
        tf_seen += frame->rflags & FLAG_TF ? 1 : 0;
    if ( stepping && takes_trap_of_sysret(frame) )
    {
        upcalls_for_traps++;
        traps[1]++;
        keep_step(frame);
    }
}

/* From head.S. */
void watched_trap(unsigned int vector, struct trap_frame *frame)
{
    traps[vector]++;
    if ( vector == 1 )
    {
        last_dr6 = read_dr6();
        asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
        breakpoints += last_dr6 & 1;
    }
    if ( stepping )
    {
        keep_step(frame);
        if ( frame->rip == stop_at )
            frame->rflags &= ~(uint64_t)FLAG_TF;
        return;
    }
    look(frame->rflags);
    if ( vector == 6 ) /* ud2 */
        frame->rip += 2;
    if ( vector == 1 && last_dr6 & 1 )
        frame->rflags |= 0x10000; /* RF: not again */
}

static uint64_t flags_now(void)
{
    uint64_t flags;

    asm volatile("pushfq; pop %0" : "=r"(flags));
    return flags & FLAG_TF; /* the others follow from the time, at places */
}

/* A hypercall's R11, and the flags right after it. */
static void look_at_hypercall(uint64_t i)
{
    register unsigned long r11 asm("r11");
    unsigned long nr = __HYPERVISOR_xen_version, op = XENVER_version, arg = 0, flags;

    asm volatile("cmp %5, %6\n\tsyscall\n\tpushfq\n\tpop %1"
                 : "+a"(nr), "=&r"(flags), "=r"(r11), "+D"(op), "+S"(arg) : "r"(i), "r"(10ul) : "rcx", "memory", "cc");
    look(r11);
    look(flags);
}

static void look_at_emulated(void)
{
    uint32_t a = 0, b, c = 0, d;
    uint64_t value;

    asm volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    keep(PART_VALUES, a);
    look(flags_now());
    asm volatile("rdtsc" : "=a"(a), "=d"(d));
    look(flags_now());
    asm volatile("in %w1, %b0" : "=a"(a) : "d"(PORT_NOBODY_HAS), "a"(0));
    keep(PART_VALUES, a & 0xff);
    look(flags_now());
    asm volatile("out %b0, %w1" : : "a"(0), "d"(PORT_NOBODY_HAS));
    look(flags_now());
    asm volatile("mov %%cr0, %0" : "=r"(value));
    look(flags_now());
    asm volatile("cli; sti; cli");
    look(flags_now());
    keep(PART_VALUES, read_dr7());
    keep(PART_VALUES, read_dr6());
    look(flags_now());
}

static void look_at_stack_segment(void)
{
    uint64_t flags, ss;

    asm volatile("mov %%ss, %0\n\tmov %0, %%ss\n\tpushfq\n\tpop %1" : "=&r"(ss), "=&r"(flags) : : "memory");
    look(flags);
}

/* The blocks are numbered by their order: each uses __COUNTER__ once. */
enum { FIRST_BLOCK = __COUNTER__ + 1 };

/* Steps through instructions of its own; each trap comes once, with DR6.BS. */
#define STEPPED(instructions)                                                                                             \
    do                                                                                                                    \
    {                                                                                                                     \
        asm volatile("lea 9f(%%rip), %0" : "=r"(stop_at));                                                                \
        block = __COUNTER__ - FIRST_BLOCK;                                                                                \
        stepping = true;                                                                                                  \
        asm volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t" instructions "\n9: nop"                                  \
                     : : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");                   \
        stepping = false;                                                                                                 \
    } while ( 0 )

static void step(void)
{
    STEPPED("xor %%ecx, %%ecx\n\tnop\n\tadd $3, %%ecx");
    STEPPED("mov $20, %%ecx\n1: dec %%ecx\n\tjnz 1b");
    STEPPED("mov $20, %%ecx\n1: nop\n\tloop 1b\n\tjrcxz 2f\n\tnop\n2:");
    STEPPED("lea -512(%%rsp), %%rsi\n\tmov %%rsi, %%rdi\n\tmov $10, %%ecx\n\trep movsb\n\txor %%ecx, %%ecx");
    STEPPED("pushfq\n\tpop %%rcx\n\tand $0x100, %%ecx");
    STEPPED("mov $17, %%eax\n\txor %%edi, %%edi\n\txor %%esi, %%esi\n\tsyscall\n" /* xen_version */
            "after_syscall: xor %%ecx, %%ecx");
    STEPPED("push %%rbx\n\txor %%eax, %%eax\n\tud2a\n\t.ascii \"xen\"\n\tcpuid\n\tpop %%rbx\n\txor %%ecx, %%ecx");
    STEPPED("rdtsc\n\txor %%ecx, %%ecx");
    STEPPED("mov $0x5e0, %%edx\n\tin %%dx, %%al\n\tout %%al, %%dx\n\tnop");
    STEPPED("mov %%ss, %%ecx\n\tmov %%ecx, %%ss\n\tnop\n\tnop");
    STEPPED("mov %%dr7, %%rcx\n\tnop");
    STEPPED("cli\n\tnop");
    STEPPED("int $0x80\n\tnop");
}
_Static_assert(__COUNTER__ - FIRST_BLOCK == STEPPED_BLOCKS, "block_traps has a place for each block");

static void __attribute__((noinline)) stop_here(uint64_t i)
{
    asm volatile("" : : "r"(i) : "memory");
}

/* Its own breakpoint: hit each time, and nobody else's in DR6 and DR7. */
static void break_in(void)
{
    long set = HYPERCALL(__HYPERVISOR_set_debugreg, 0, stop_here, 0);

    if ( !set )
        set = HYPERCALL(__HYPERVISOR_set_debugreg, 7, DR7_EXECUTE_0, 0);
    keep(PART_BREAKPOINTS, set);
    keep(PART_BREAKPOINTS, read_dr7());
    for ( unsigned int i = 0; i < 5; i++ )
        stop_here(i);
    HYPERCALL(__HYPERVISOR_set_debugreg, 7, DR7_NONE, 0);
    keep(PART_BREAKPOINTS, HYPERCALL(__HYPERVISOR_get_debugreg, 0, 0, 0));
    keep(PART_BREAKPOINTS, read_dr7());
    keep(PART_BREAKPOINTS, read_dr6());
}

void look_at_flags(uint64_t rounds)
{
    extern const char watched_1[], watched_3[], watched_6[], watched_128[];
    static struct trap_info handlers[5];
    static struct physdev_set_iopl iopl = { .iopl = 1 };
    const struct trap_info watched[] = {
        { .vector = 1, .flags = 3, .cs = FLAT_KERNEL_CS, .address = (unsigned long)watched_1 },
        { .vector = 3, .flags = 3, .cs = FLAT_KERNEL_CS, .address = (unsigned long)watched_3 },
        { .vector = 6, .flags = 3, .cs = FLAT_KERNEL_CS, .address = (unsigned long)watched_6 },
        { .vector = 0x80, .flags = 3, .cs = FLAT_KERNEL_CS, .address = (unsigned long)watched_128 },
    };

    if ( !rounds )
        return;
    memcpy(handlers, watched, sizeof(watched));
    HYPERCALL(__HYPERVISOR_set_trap_table, handlers, 0, 0);
    HYPERCALL(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl, 0);
    upcalls(true);
    for ( rounds_left = rounds; rounds_left; rounds_left-- )
    {
        if ( rounds_left % 8 == 0 )
            set_timer(NSEC_PER_MSEC);
        look(flags_now());
        look_at_hypercall(rounds_left % 20);
        asm volatile("cmp %0, %1\n\tint3" : : "r"(rounds_left % 20), "r"(10ul) : "cc");
        asm volatile("cmp %0, %1\n\tud2" : : "r"(rounds_left % 20), "r"(10ul) : "cc");
        /* Xen's short way: a frame for the kernel, without looking at what happened. */
        asm volatile("cmp %0, %1\n\tint $0x80" : : "r"(rounds_left % 20), "r"(10ul) : "cc");
        look_at_emulated();
        look_at_stack_segment();
        step();
        break_in();
    }
    upcalls(false);
    set_handlers();
    print_number("flags: tf ", tf_seen);
    print_number("flags: debug traps ", traps[1]);
    for ( unsigned int i = 0; i < STEPPED_BLOCKS; i++ )
        print_number("flags: traps of a stepped block ", block_traps[i]);
    print_number("flags: breakpoints ", breakpoints);
    print_number("flags: int3 ", traps[3]);
    print_number("flags: ud2 ", traps[6]);
    print_number("flags: int 0x80 ", traps[0x80]);
    print_number("flags: flags ", sums[PART_FLAGS]);
    print_number("flags: values ", sums[PART_VALUES]);
    print_number("flags: steps ", sums[PART_STEPS]);
    print_number("flags: own breakpoint ", sums[PART_BREAKPOINTS]);
    print_number("upcalls in place of a trap: ", upcalls_for_traps);
}
