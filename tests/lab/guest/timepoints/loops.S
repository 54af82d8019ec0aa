/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loops whose instructions matter, down to the branch. */
        .text

/* uint64_t interpret(uint64_t rounds): an interpreter without a conditional branch, its state in registers. */
        .globl  interpret
interpret:
        lea     handlers(%rip), %r8
        lea     code(%rip), %r9
        lea     halt(%rip), %r10
        mov     %r9, %rsi
        mov     $1, %eax
        .macro  NEXT
        movzbl  (%rsi), %edx
        inc     %rsi
        jmp     *(%r8, %rdx, 8)
        .endm
        NEXT
op_multiply:
        imul    $1103515245, %rax, %rax
        NEXT
op_add:
        lea     12345(%rax, %rdi), %rax
        NEXT
op_rotate:
        rol     $13, %rax
        NEXT
op_again:                               /* from the start, or on to the end when no round is left */
        mov     %r9, %rsi
        sub     $1, %rdi
        cmovz   %r10, %rsi
        NEXT
op_halt:
        ret

/* void jump_in_place(void): for ever; jump_left is where a signal handler sends it. */
        .globl  jump_in_place, jump_left
jump_in_place:
1:      jmp     1b
jump_left:
        ret

/* uint64_t spin(uint64_t n): n conditional branches. */
        .globl  spin
spin:
        xor     %eax, %eax
1:      inc     %rax
        dec     %rdi
        jnz     1b
        ret

        .section .rodata
        .balign 8
handlers:
        .quad   op_multiply, op_add, op_rotate, op_again, op_halt
code:   .byte   0, 1, 2, 1, 0, 2, 2, 1, 3
halt:   .byte   4
        .section .note.GNU-stack, "", @progbits
