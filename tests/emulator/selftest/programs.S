/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User programs: argument in RDI; INT 0x80 ends them, with the result in RAX. X_branches: conditional branches of X; X_all: all
 * its near branches. Where X_all is missing, they are the same or follow from the argument.
 */
#include "features.h"

        .section .user, "awx"
        .balign 4096

/* As many branches as the argument says. */
        .globl  u_loop
u_loop:
1:      decq    %rdi
        jnz     1b
        int     $0x80

/* Everything that is no conditional branch but might be taken for one. */
        .globl  u_none, u_none_all
        .set    u_none_all, 4
u_none:
        movl    $5, %ecx
        leaq    buffer(%rip), %rdi
        leaq    buffer(%rip), %rsi
        rep movsb
        movl    $5, %ecx
        leaq    buffer(%rip), %rdi
        xorl    %eax, %eax
        repe scasb
        movl    $5, %ecx
        leaq    buffer(%rip), %rsi
        leaq    buffer(%rip), %rdi
        repne cmpsb
        movl    $7, %ecx
        repe cmpsb
        call    2f
        jmp     3f
2:      ret
3:      cmovzq  %rax, %rdx
        setc    %cl
        leaq    4f(%rip), %rax
        jmp     *%rax
4:      movl    $0, %ecx
        rep movsb
        int     $0x80

/*
 * Instructions that leave flags undefined, behind ones that set them all. Result: a hash over the flags. No branch but the end.
 * (Each begins with the flags of the one before, and the same numbers.)
 */
        .macro  flags_of instruction:vararg
        .irp    before, "addl %ebx, %eax", "incl %eax", "negl %eax", "shll $1, %eax", "sarl $1, %ebx", "imull %ebx, %eax", \
                        "xorl %ebx, %eax", "rcll $1, %eax"
        movl    $0x7fffffff, %eax
        movl    $0x60000001, %ebx
        movl    $9, %ecx
        movl    $0x5555aaaa, buffer(%rip)
        \before
        \instruction
        pushfq
        popq    %rdx
        andl    $0x8d5, %edx            /* OF, SF, ZF, AF, PF, CF */
        rolq    $7, %r8
        addq    %rdx, %r8
        .endr
        .endm

        .globl  u_flags
u_flags:
        xorl    %r8d, %r8d
        flags_of btl $3, buffer(%rip)
        flags_of btsl $0, buffer(%rip)
        flags_of btrl $1, buffer(%rip)
        flags_of btcl %ecx, %ebx
        flags_of lock btsl $0, buffer(%rip)
        flags_of lock btrl $1, buffer(%rip)
        flags_of lock btcl $2, buffer(%rip)
        flags_of shll $3, %ebx
        flags_of shrl %cl, %ebx
        flags_of sarl %cl, %ebx
        flags_of roll $3, %ebx
        flags_of rorl %cl, %ebx
        flags_of rcll $3, %ebx
        flags_of rcrl %cl, %ebx
        flags_of shldl $3, %eax, %ebx
        flags_of shrdl %cl, %eax, %ebx
        flags_of mull %ebx
        flags_of imull %ebx
        flags_of imull $3, %ebx, %eax
        flags_of bsfl %ebx, %eax
        flags_of bsrl %ebx, %eax
        flags_of andl %ebx, %eax
        flags_of testl %ebx, %eax
        flags_of xaddl %eax, %ebx
        flags_of cmpxchgl %eax, %ebx
        movq    %r8, %rax
        int     $0x80

/* Each conditional branch, taken or not. */
        .globl  u_mix, u_mix_branches
        .set    u_mix_branches, 25
u_mix:
        xorl    %eax, %eax
        testl   %eax, %eax
        jz      1f                      /* 1: taken */
        nop
1:      jnz     2f
2:      jc      3f
3:      jo      4f
4:      js      5f
5:      jp      6f                      /* 6: taken */
6:      jl      7f
7:      jle     8f
8:      jbe     9f
9:      movl    $3, %ecx
1:      loop    1b                      /* 10, 11, 12 */
        movl    $3, %ecx
        xorl    %eax, %eax
1:      loope   1b                      /* 13, 14, 15 */
        movl    $3, %ecx
        testl   %eax, %eax
1:      loopne  1b                      /* 16: falls through */
        jrcxz   2f                      /* 17: not taken */
2:      xorl    %ecx, %ecx
        jrcxz   3f                      /* 18: taken */
        nop
3:      jecxz   4f                      /* 19: taken */
4:      cmpl    $1, %ecx
        jae     5f                      /* 20: not taken */
        .byte   0x0f, 0x82              /* 21: jc near, to the next instruction, taken */
        .long   0
        addl    $0x7fffffff, %ecx
        jo      5f
5:      cmpb    $0, %cl
        jg      6f
6:      cmpw    $0, %cx
        jge     7f
7:      bt      $0, %ecx
        jnc     8f                      /* 25 */
8:      int     $0x80

/* Each near transfer; and conditional branches between them. */
        .globl  u_transfers, u_transfers_branches, u_transfers_all
        .set    u_transfers_branches, 5
        .set    u_transfers_all, 21
u_transfers:
        .byte   0xeb, 0                 /* 1: jmp short */
        .byte   0xe9                    /* 2: jmp near */
        .long   0
        leaq    1f(%rip), %rax
        jmp     *%rax                   /* 3 */
        nop
1:      leaq    2f(%rip), %rax
        movq    %rax, buffer(%rip)
        jmp     *buffer(%rip)           /* 4 */
        nop
2:      call    5f                      /* 5, 6 */
        leaq    5f(%rip), %rax
        call    *%rax                   /* 7, 8 */
        movq    %rax, buffer(%rip)
        call    *buffer(%rip)           /* 9, 10 */
        pushq   $0
        call    6f                      /* 11, 12 */
        call    7f                      /* 13, 14 */
        xorl    %ecx, %ecx
        jrcxz   3f                      /* 15: conditional */
3:      movl    $2, %ecx
4:      loop    4b                      /* 16, 17: conditional */
        testl   %ecx, %ecx
        jnz     8f                      /* 18: conditional, not taken */
        jz      8f                      /* 19: conditional */
        nop
5:      ret
6:      ret     $8
7:      rep; ret
8:      jmp     9f                      /* 20 */
        nop
9:      .byte   0xf2, 0xe9              /* 21: bnd jmp */
        .long   0
        int     $0x80

/* Each far transfer, none of which counts: LRET, IRET, LJMP, LCALL, SYSCALL. */
        .globl  u_far
u_far:
        leaq    1f(%rip), %rax
        pushq   $0x23
        pushq   %rax
        lretq
1:      leaq    2f(%rip), %rax
        movq    %rsp, %rdx
        pushq   $0x1b
        pushq   %rdx
        pushfq
        pushq   $0x23
        pushq   %rax
        iretq
2:      leaq    3f(%rip), %rax
        movl    %eax, buffer(%rip)
        movw    $0x23, buffer + 4(%rip)
        ljmpl   *buffer(%rip)
3:      leaq    5f(%rip), %rax
        movl    %eax, buffer(%rip)
        lcalll  *buffer(%rip)
        syscall
        int     $0x80
5:      lretl

/* A page fault in each transfer that uses memory: the argument's page is a stack, the next three hold the targets. */
        .globl  u_faulting, u_faulting_return, u_faulting_jump, u_faulting_call
u_faulting:
        movq    %rsp, %r8
        leaq    4096(%rdi), %rsp
        call    1f
1:      leaq    4096(%rdi), %rsp
        ret
u_faulting_return:
        movq    %r8, %rsp
        jmp     *8192(%rdi)
u_faulting_jump:
        call    *12288(%rdi)
u_faulting_call:
        int     $0x80

/* As many rounds as the argument says, of four branches each, none of them conditional. */
        .globl  u_jumps
u_jumps:
        leaq    3f(%rip), %rcx
1:      leaq    1b(%rip), %rdx
        nop
        jmp     2f
        nop
2:      incl    %eax
        call    4f
        decq    %rdi
        cmovzq  %rcx, %rdx
        jmp     *%rdx
3:      int     $0x80
4:      incl    %eax
        nop
        ret

/* One conditional branch, and then one other for ever; who interrupts it goes on at u_end. */
        .globl  u_stuck, u_end
u_stuck:
        jrcxz   1f
1:      jmp     1b
u_end:
        int     $0x80

/* Reads a counter before each of 10 branches; returns how often it was not the number of branches so far. */
        .globl  u_rdpmc
u_rdpmc:
        movl    %edi, %r8d
        xorl    %r10d, %r10d
        movl    %r8d, %ecx
        rdpmc
        shlq    $32, %rdx
        leaq    (%rax,%rdx), %r9
        movl    $10, %ebx
1:      movl    %r8d, %ecx
        rdpmc
        shlq    $32, %rdx
        addq    %rdx, %rax
        subq    %r9, %rax               /* branches since */
        movl    $10, %edx
        subl    %ebx, %edx
        subq    %rdx, %rax
        negq    %rax                    /* carry: not zero */
        adcq    $0, %r10
        decl    %ebx
        jnz     1b
        movq    %r10, %rax
        int     $0x80

/* Writes to 50 pages from the argument on; page faults come right after a branch. */
        .globl  u_touch, u_touch_branches
        .set    u_touch_branches, 100
u_touch:
        movq    %rdi, %rsi
        movl    $50, %ecx
1:      movb    $1, (%rsi)
        addq    $4096, %rsi
        cmpl    $0, %ecx
        je      2f
        decl    %ecx
        jnz     1b
2:      int     $0x80

/* Reads a device's register, between branches. */
        .globl  u_mmio, u_mmio_branches
        .set    u_mmio_branches, 80
u_mmio:
        movl    $40, %ecx
1:      movl    (%rdi), %eax
        addl    $1, %edx
        movl    (%rdi), %eax
        testl   %ecx, %ecx
        jz      2f
        movl    (%rdi), %eax
        decl    %ecx
        jnz     1b
2:      int     $0x80

/* 30 writes to the argument's address, and as many next to it. */
        .globl  u_watched, u_watched_branches
        .set    u_watched_branches, 60
u_watched:
        movl    $30, %ecx
1:      movl    %ecx, (%rdi)
        testl   %ecx, %ecx
        js      2f
        incl    4(%rdi)
        decl    %ecx
        jnz     1b
2:      int     $0x80

/* Changes operands of instructions that follow in the same block; returns the sum of 1 to 30. */
        .globl  u_modifying, u_modifying_branches
        .set    u_modifying_branches, 60
        .balign 4096
u_modifying:
        xorl    %edx, %edx
        movl    $30, %ecx
1:      movb    %cl, 3f + 1(%rip)
3:      movb    $0, %al
        movzbl  %al, %eax
        addl    %eax, %edx
        testl   %ecx, %ecx
        js      2f
        movb    %cl, 4f + 1(%rip)
        decl    %ecx
4:      movb    $0, %bl
        movl    %ecx, %ecx
        testl   %ecx, %ecx
        jnz     1b
2:      movl    %edx, %eax
        int     $0x80

/* Three pages, to be copied: a branch that lies in the first and the second goes to the third, and back; argument: rounds. */
        .globl  u_straddling
        .balign 4096
u_straddling:
        jmp     1f
        .fill   4096 - (. - u_straddling) - 3 - 7, 1, 0x90
1:      subq    $1, %rdi                /* 4 bytes */
        testq   %rdi, %rdi              /* 3 bytes */
        .byte   0x0f, 0x85              /* jnz near: 3 of its 6 bytes in the first page */
        .long   3f - tail - 3
        .set    tail, . - 3
        int     $0x80
        .balign 4096
3:      jrcxz   4f
4:      jmp     1b
        .balign 4096

/* Branches that follow from a generator of pseudo-random numbers, calls, string instructions; argument: rounds. */
        .globl  u_long
u_long:
        movl    $12345, %eax
        xorl    %r9d, %r9d
1:      imull   $1103515245, %eax, %eax
        addl    $12345, %eax
        testl   $0x10000, %eax
        jz      2f
        addl    $3, %r9d
        testl   $0x20000, %eax
        jnz     2f
        xorl    $7, %r9d
        cmpl    $1000000, %eax
        ja      2f
        nop
2:      movl    %eax, %ecx
        shrl    $16, %ecx
        andl    $3, %ecx
        incl    %ecx
3:      addl    $1, %r9d
        loop    3b
        call    5f
        decq    %rdi
        jnz     1b
        movq    %r9, %rax
        int     $0x80
5:      testl   $0x400000, %eax
        js      6f
        jz      6f
        leaq    buffer(%rip), %rsi
        movl    $3, %ecx
        pushq   %rdi
        leaq    buffer + 64(%rip), %rdi
        rep movsb
        popq    %rdi
6:      ret
        .balign 4096

/*
 * One instruction each: the features it needs (features.h), whether CR0.TS makes it fault, the instruction. Those that
 * load what the one before has saved come behind it.
 */
        .macro  fpu needs faults instruction:vararg
        .section .user, "awx"
8:      xorl    %ecx, %ecx              /* XGETBV's operand */
        movl    $7, %eax                /* XSAVE's */
        xorl    %edx, %edx
        \instruction
        int     $0x80
        .section .rodata.names, "a"
9:      .asciz  "\instruction"
        .section .rodata.fpu_programs, "a"
        .quad   8b, 9b
        .long   \needs, \faults
        .endm

        .section .rodata.fpu_programs, "a"
        .balign 8
        .globl  fpu_programs, fpu_programs_fwait, fpu_programs_end
fpu_programs:
        fpu     0 1 fldz
fpu_programs_fwait:
        fpu     0 1 fwait
        fpu     0 1 fnstcw buffer
        fpu     0 1 fxsave buffer
        fpu     0 1 fxrstor buffer
        fpu     0 1 fninit
        fpu     0 1 movd %eax, %mm0
        fpu     0 1 paddb %mm0, %mm1
        fpu     0 1 movq2dq %mm0, %xmm0
        fpu     0 1 movdq2q %xmm0, %mm0
        fpu     0 1 cvtpi2ps %mm0, %xmm0
        fpu     0 1 cvtpi2pd %mm0, %xmm0
        fpu     0 1 cvtps2pi %xmm0, %mm0
        fpu     0 1 cvtpd2pi %xmm0, %mm0
        fpu     0 1 cvttps2pi %xmm0, %mm0
        fpu     0 1 cvttpd2pi %xmm0, %mm0
        fpu     0 1 emms
        fpu     0 1 movups buffer, %xmm0
        fpu     0 1 movdqu %xmm0, buffer
        fpu     0 1 movq %xmm0, %rax
        fpu     0 1 movntdq %xmm0, buffer
        fpu     0 1 pxor %xmm0, %xmm1
        fpu     0 1 pmovmskb %xmm0, %eax
        fpu     0 1 addsd %xmm0, %xmm1
        fpu     0 1 cvtsi2sd %eax, %xmm0
        fpu     0 1 stmxcsr buffer
        fpu     0 1 ldmxcsr buffer
        fpu     HAS_SSE4A 1 extrq $1, $2, %xmm0
        fpu     HAS_SSE4A 1 extrq %xmm0, %xmm1
        fpu     HAS_SSE4A 1 insertq $1, $2, %xmm0, %xmm1
        fpu     HAS_SSE4A 1 insertq %xmm0, %xmm1
        fpu     HAS_SSE42 1 pcmpgtq %xmm0, %xmm1
        fpu     HAS_XSAVE 1 xsave buffer
        fpu     HAS_XSAVE 1 xrstor buffer
        fpu     HAS_XSAVE 1 xsave64 buffer
        fpu     HAS_XSAVE 1 xrstor64 buffer
        fpu     HAS_XSAVEOPT 1 xsaveopt buffer
        fpu     HAS_XSAVEOPT 1 xsaveopt64 buffer
        fpu     HAS_AVX 1 vmovdqu buffer, %ymm0
        fpu     HAS_AVX 1 vmovdqu %ymm0, buffer
        fpu     HAS_AVX 1 vxorps %ymm0, %ymm1, %ymm2
        fpu     HAS_AVX 1 vpmovmskb %xmm0, %eax
        fpu     HAS_AVX 1 vzeroupper
        fpu     HAS_AVX 1 vzeroall
        fpu     HAS_AVX2 1 vpcmpeqb %ymm0, %ymm1, %ymm2
        fpu     HAS_AVX2 1 vpmovmskb %ymm0, %eax
        fpu     HAS_AVX2 1 vpbroadcastb %xmm0, %ymm1
        fpu     0 0 movntiq %rax, buffer
        fpu     0 0 prefetcht0 buffer
        fpu     0 0 mfence
        fpu     HAS_SSE42 0 crc32b %al, %ecx
        fpu     HAS_XSAVE 0 xgetbv
        fpu     HAS_POPCNT 0 popcnt %eax, %edx
        fpu     HAS_BMI 0 andn %eax, %ecx, %edx
        .section .rodata.fpu_programs, "a"
fpu_programs_end:

/*
 * One operation with a lock each, on the argument's page, whose code and name are in locked_programs.
 */
        .macro  locked instruction:vararg
        .section .user, "awx"
8:      xorl    %eax, %eax
        xorl    %edx, %edx
        \instruction
        int     $0x80
        .section .rodata.names, "a"
9:      .asciz  "\instruction"
        .section .rodata.locked_programs, "a"
        .quad   8b, 9b
        .endm

        .section .rodata.locked_programs, "a"
        .balign 8
        .globl  locked_programs, locked_programs_end
locked_programs:
        locked  lock addb %al, (%rdi)
        locked  lock addw %ax, (%rdi)
        locked  lock addl %eax, (%rdi)
        locked  lock addq %rax, (%rdi)
        locked  lock orl $1, (%rdi)
        locked  lock andq $-2, (%rdi)
        locked  lock incl (%rdi)
        locked  lock decq (%rdi)
        locked  lock negl (%rdi)
        locked  lock notl (%rdi)
        locked  lock btsl $3, (%rdi)
        locked  lock btrq $3, (%rdi)
        locked  lock btcl %eax, (%rdi)
        locked  lock xaddl %eax, (%rdi)
        locked  lock xaddq %rax, (%rdi)
        locked  xchgb %al, (%rdi)
        locked  xchgl %eax, (%rdi)
        locked  xchgq %rax, (%rdi)
        locked  lock cmpxchgb %cl, (%rdi)
        locked  lock cmpxchgl %ecx, (%rdi)
        locked  lock cmpxchgq %rcx, (%rdi)
        locked  lock cmpxchg8b (%rdi)
        locked  lock cmpxchg16b (%rdi)
        locked  lock addl %eax, 4094(%rdi)
        locked  lock addq %rax, 4092(%rdi)
        .section .rodata.locked_programs, "a"
locked_programs_end:

/*
 * One instruction each that a processor can forbid to programs: the code from it on, its length, its name, and whether UMIP
 * forbids it (else what lets CPUID fault).
 */
        .macro  hidden umip instruction:vararg
        .section .user, "awx"
6:      \instruction
7:      int     $0x80
        .section .rodata.names, "a"
9:      .asciz  "\instruction"
        .section .rodata.hidden_programs, "a"
        .quad   6b, 9b, 7b - 6b, \umip
        .endm

        .section .rodata.hidden_programs, "a"
        .balign 8
        .globl  hidden_programs, hidden_programs_end
hidden_programs:
        hidden  0 cpuid
        hidden  1 sgdt buffer
        hidden  1 sidt buffer
        hidden  1 sldt buffer
        hidden  1 sldt %eax
        hidden  1 str buffer
        hidden  1 str %rax
        hidden  1 smsw buffer
        hidden  1 smsw %eax
        .section .rodata.hidden_programs, "a"
hidden_programs_end:

        .section .user_bss, "aw", @nobits
        .balign 4096
buffer: .skip   4096
        .skip   16384
        .globl  user_stack_top
user_stack_top:
        .section .note.GNU-stack, "", @progbits
