/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the boot loader (multiboot) to 64-bit mode; traps; the way to CPL 3 and back. */
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3
#define MSR_EFER 0xc0000080

        .section .multiboot, "a"
        .balign 4
        .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

        .code32
        .text
        .globl _start
_start:
        cli
        movl    $stack_top, %esp
        movl    %ebx, multiboot_info

        /* 4 GiB mapped to themselves in pages of 2 MiB, for user programs too. */
        movl    $page_map, %edi
        movl    $(page_pointers + 7), (%edi)
        movl    $page_pointers, %edi
        movl    $(page_directory + 7), (%edi)
        movl    $(page_directory + 0x1000 + 7), 8(%edi)
        movl    $(page_directory + 0x2000 + 7), 16(%edi)
        movl    $(page_directory + 0x3000 + 7), 24(%edi)
        movl    $page_directory, %edi
        xorl    %eax, %eax
        movl    $2048, %ecx
1:      movl    %eax, %edx
        orl     $0x87, %edx
        movl    %edx, (%edi)
        movl    $0, 4(%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        decl    %ecx
        jnz     1b

        movl    $page_map, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x6a0, %eax                    /* PAE, PGE, OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        movl    $MSR_EFER, %ecx
        rdmsr
        orl     $0x101, %eax                    /* SCE, LME */
        wrmsr
        movl    %cr0, %eax
        andl    $~4, %eax                       /* no EM */
        orl     $0x80010002, %eax               /* PG, WP, MP */
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $8, $1f

        .code64
1:      movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    %ax, %fs
        movw    %ax, %gs
        movq    $stack_top, %rsp
        call    selftest
2:      hlt
        jmp     2b

        .data
        .balign 16
gdt:
        .quad   0
        .quad   0x00af9a000000ffff              /* 0x08 kernel code */
        .quad   0x00cf92000000ffff              /* 0x10 kernel data */
        .quad   0x00cff2000000ffff              /* 0x18 user data */
        .quad   0x00affa000000ffff              /* 0x20 user code */
        .globl  tss_descriptor
tss_descriptor:
        .quad   0, 0                            /* 0x28 */
gdt_pointer:
        .word   . - gdt - 1
        .quad   gdt

        .text
        .macro  VECTOR number has_error
        .globl  vector_\number
vector_\number:
        .if     !\has_error
        pushq   $0
        .endif
        pushq   $\number
        jmp     trapped
        .endm
        VECTOR  0 0
        VECTOR  1 0
        VECTOR  2 0
        VECTOR  3 0
        VECTOR  6 0
        VECTOR  7 0
        VECTOR  8 1
        VECTOR  13 1
        VECTOR  14 1
        VECTOR  0x40 0
        VECTOR  0x41 0
        VECTOR  0xff 0

trapped:                                        /* struct frame */
        .irp    register, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        pushq   %\register
        .endr
        cld
        movq    %rsp, %rdi
        call    trap
        .irp    register, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
        popq    %\register
        .endr
        addq    $16, %rsp
        iretq

/* uint64_t run_user(const void *program, uint64_t argument, uint64_t rflags) */
        .globl  run_user
run_user:
        .irp    register, rbx, rbp, r12, r13, r14, r15
        pushq   %\register
        .endr
        movq    %rsp, kernel_stack
        pushq   $0x1b
        pushq   $user_stack_top
        pushq   %rdx
        pushq   $0x23
        pushq   %rdi
        movq    %rsi, %rdi
        iretq
        .globl  vector_0x80
vector_0x80:
        movq    kernel_stack, %rsp
        .irp    register, r15, r14, r13, r12, rbp, rbx
        popq    %\register
        .endr
        cld
        ret

        .globl  system_call
system_call:
        sysretq

        .bss
        .balign 4096
page_map:
        .skip   4096
page_pointers:
        .skip   4096
        .globl  page_directory, small_page_table
page_directory:
        .skip   16384
small_page_table:
        .skip   4096
        .skip   32768
stack_top:
kernel_stack:
        .skip   8
        .globl  multiboot_info
multiboot_info:
        .skip   4
        .section .note.GNU-stack, "", @progbits
