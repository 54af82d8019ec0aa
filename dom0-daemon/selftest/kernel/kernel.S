/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel of the counter's self-test: a PV guest that executes pieces of code with known numbers of conditional branches.
 *
 * Between two pieces it enters Xen 64 times without executing a branch, so that exactly one BRANCHES record lies there. Its own
 * entries tell the reader of the log where it is: fpu_taskswitch begins a piece, get_debugreg fills the place between two.
 * Upcalls stay masked: no code runs but this.
 */
#include <xen/elfnote.h>

#define NOTE(type, ...)                                                    \
        .pushsection .note.Xen, "a", @note;                                \
        .balign 4; .long 4, 91f - 90f, type; .asciz "Xen";                 \
        90: __VA_ARGS__; 91: .balign 4;                                    \
        .popsection

        NOTE(XEN_ELFNOTE_GUEST_OS, .asciz "casmotion-selftest")
        NOTE(XEN_ELFNOTE_LOADER, .asciz "generic")
        NOTE(XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0")
        NOTE(XEN_ELFNOTE_VIRT_BASE, .quad 0)
        NOTE(XEN_ELFNOTE_PADDR_OFFSET, .quad 0)
        NOTE(XEN_ELFNOTE_ENTRY, .quad _start)
        NOTE(XEN_ELFNOTE_PAE_MODE, .asciz "yes")

/* Hypercalls: xen/include/public/xen.h. Each clobbers rcx and r11. */
#define SET_TRAP_TABLE     0
#define FPU_TASKSWITCH     5
#define GET_DEBUGREG       9
#define UPDATE_VA_MAPPING  14
#define XEN_VERSION        17
#define IRET               23
#define VCPU_OP            24
#define SCHED_OP           29
#define EVENT_CHANNEL_OP   32
#define FLAT_KERNEL_CS     0xe033
#define SHARED_PENDING     2048 /* offset of shared_info.evtchn_pending */

        .macro  hypercall number, a=0, b=0, c=0
        mov     \a, %rdi
        mov     \b, %rsi
        mov     \c, %rdx
        mov     $\number, %eax
        syscall
        .endm

        .text
        .globl  _start
_start:
        cld
        lea     stack_top(%rip), %rsp
        mov     40(%rsi), %rbx          /* start_info.shared_info, a machine address */
        or      $7, %rbx
        hypercall UPDATE_VA_MAPPING, $shared, %rbx, $2 /* UVMF_INVLPG */
        hypercall SET_TRAP_TABLE, $traps, $0, $0
        hypercall EVENT_CHANNEL_OP, $1, $bind, $0 /* bind_virq: the periodic timer becomes an event to inject */
        call    measure

#define SELFTEST_PIECE(symbol, name, branches) \
        hypercall FPU_TASKSWITCH, $0, $0, $0; \
        call    symbol; \
        call    measure;
#include "pieces.def"
#undef SELFTEST_PIECE

1:      hypercall SCHED_OP, $2, $poweroff, $0
        jmp     1b

measure:
        .rept   64                      /* CASM_BRANCHES_INTERVAL */
        mov     $7, %edi
        mov     $GET_DEBUGREG, %eax
        syscall
        .endr
        ret

/* --- exceptions: go on at r12 --- */
resume_after_error:
        pop     %rcx
        pop     %r11
        add     $8, %rsp                /* the error code */
        jmp     1f
resume:
        pop     %rcx
        pop     %r11
1:      mov     %r12, (%rsp)
        push    $0                      /* struct iret_context: flags, rcx, r11, rax */
        push    %rcx
        push    %r11
        push    %rax
        mov     $IRET, %eax
        syscall

/* --- the pieces --- */
straight:
        lea     buffer(%rip), %rdi
        lea     buffer(%rip), %rsi
        mov     $5000, %ecx
        rep     movsb
        xor     %eax, %eax
        mov     $5000, %ecx
        lea     buffer(%rip), %rdi
        repe    scasb
        mov     $5000, %ecx
        lea     buffer(%rip), %rsi
        lea     buffer(%rip), %rdi
        repe    cmpsb
        cmovz   %rax, %rdx
        setc    %cl
        lea     1f(%rip), %rax
        jmp     *%rax
1:      call    2f
        jmp     3f
2:      ret
3:      ret

taken:
        mov     $1000, %ecx
1:      dec     %ecx
        jnz     1b
        ret

not_taken:
        xor     %eax, %eax
        .rept   500
        jnz     1f
        .endr
1:      ret

        .macro  all_conditions          /* each jumps over a nop, or does not */
        .irp    condition, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        .byte   0x70 + \condition, 1
        nop
        .byte   0x0f, 0x80 + \condition
        .long   1
        nop
        .endr
        .endm
each_kind:
        xor     %eax, %eax              /* zero, parity */
        all_conditions
        cmp     $1, %eax                /* carry, sign, parity */
        all_conditions
        ret

loop_insn:
        mov     $300, %ecx
1:      loop    1b                      /* 300 */
        mov     $100, %ecx
        xor     %eax, %eax
1:      loope   1b                      /* 100 */
        mov     $100, %ecx
        test    %eax, %eax
1:      loopne  1b                      /* 1: falls through */
        ret

jrcxz_insn:
        mov     $50, %edx
1:      mov     $5, %ecx
        jrcxz   2f                      /* not taken */
2:      xor     %ecx, %ecx
        jrcxz   3f                      /* taken */
        nop
3:      jecxz   4f                      /* taken */
        nop
4:      dec     %edx
        jnz     1b
        ret

hypercalls:
        mov     $100, %ebx
1:      hypercall XEN_VERSION, $0, $0, $0
        test    %rax, %rax
        jz      2f
2:      dec     %ebx
        jnz     1b
        ret

exceptions:
        mov     $25, %ebx
1:      lea     2f(%rip), %r12
        test    %rsp, %rsp
        jz      2f                      /* not taken */
        ud2
2:      jnz     3f                      /* taken: the flags came back with iret */
        nop
3:      lea     4f(%rip), %r12
        int3
4:      lea     5f(%rip), %r12
        mov     nowhere, %eax           /* #PF */
5:      lea     6f(%rip), %r12
        xor     %ecx, %ecx
        xor     %edx, %edx
        div     %ecx                    /* #DE */
6:      dec     %ebx
        jnz     1b
        ret

bad_target:
        mov     $20, %ebx
1:      lea     2f(%rip), %r12
        xor     %eax, %eax
        jz      nowhere                 /* retires, then #PF at its target */
2:      dec     %ebx
        jnz     1b
        ret

forced_cpuid:
        mov     $20, %ebp
1:      xor     %eax, %eax
        xor     %ecx, %ecx
        ud2
        .ascii  "xen"
        cpuid
        test    %eax, %eax
        jnz     2f                      /* taken: there is more than leaf 0 */
        nop
2:      dec     %ebp
        jnz     1b
        ret

privileged:
        mov     $30, %ebx
1:      rdtsc
        test    %rsp, %rsp
        jz      2f                      /* not taken */
2:      mov     $0xc0000080, %ecx       /* EFER */
        rdmsr
        dec     %ebx
        jnz     1b
        ret

/* RCX + branches since the hypercall = SELFTEST_LONG_LOOP right after each branch: checked at each APOINT. */
        .globl  long_loop
long_loop:
        hypercall VCPU_OP, $6, $0, $period /* set_periodic_timer */
        mov     $SELFTEST_LONG_LOOP, %ecx
1:      movq    $0, shared + SHARED_PENDING(%rip) /* so that the next tick is an event again */
        dec     %rcx
        jnz     1b
        ret

long_string:
        movq    $0, shared + SHARED_PENDING(%rip)
        xor     %eax, %eax
        .rept   64
        lea     buffer(%rip), %rdi
        mov     $8192, %ecx
        rep     stosq
        .endr
        hypercall VCPU_OP, $7, $0, $0   /* stop_periodic_timer */
        ret

        .data
        .balign 16
        .macro  trap vector, handler
        .byte   \vector, 3              /* may be raised by INT n */
        .word   FLAT_KERNEL_CS
        .long   0
        .quad   \handler
        .endm
traps:
        trap    0, resume
        trap    3, resume
        trap    6, resume
        trap    14, resume_after_error
        .quad   0, 0
period:
        .quad   1000000                 /* ns */
bind:
        .long   0, 0, 0                 /* VIRQ_TIMER, vCPU 0; the port comes back */
poweroff:
        .long   0

        .bss
        .balign 4096
shared:
        .skip   4096
buffer:
        .skip   65536
        .skip   8192
stack_top:
        .section .note.GNU-stack, "", @progbits
