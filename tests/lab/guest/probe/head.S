/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where Xen enters the probe: start, exceptions, event upcall. Frames are those of Xen's 64-bit PV interface. */
#include <xen/elfnote.h>

#define NOTE(type, ...)                                                    \
        .pushsection .note.Xen, "a", @note;                                \
        .balign 4; .long 4, 91f - 90f, type; .asciz "Xen";                 \
        90: __VA_ARGS__; 91: .balign 4;                                    \
        .popsection

        NOTE(XEN_ELFNOTE_GUEST_OS, .asciz "casm-probe")
        NOTE(XEN_ELFNOTE_LOADER, .asciz "generic")
        NOTE(XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0")
        NOTE(XEN_ELFNOTE_VIRT_BASE, .quad 0)
        NOTE(XEN_ELFNOTE_PADDR_OFFSET, .quad 0)
        NOTE(XEN_ELFNOTE_ENTRY, .quad _start)
        NOTE(XEN_ELFNOTE_PAE_MODE, .asciz "yes")

        .text
        .globl _start
_start:
        cld
        lea     stack_top(%rip), %rsp
        mov     %rsi, %rdi              /* struct start_info * */
        call    probe_main
1:      ud2
        jmp     1b

/* Xen pushed rcx and r11 below the frame of iret; what we push above them makes a struct trap_frame. */
        .macro  ENTER
        push    %rax
        push    %rdx
        push    %rsi
        push    %rdi
        push    %r8
        push    %r9
        push    %r10
        cld
        .endm

        .globl upcall
upcall:
        ENTER
        mov     %rsp, %rdi
        call    upcall_events
leave:
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rdi
        pop     %rsi
        pop     %rdx
        pop     %rax
        pop     %rcx
        pop     %r11
        push    $0                      /* struct iret_context: flags, rcx, r11, rax */
        push    %rcx
        push    %r11
        push    %rax
        mov     $23, %eax               /* __HYPERVISOR_iret */
        syscall

/* Traps that are looked at and gone back from: no error code. */
        .macro  WATCHED vector
        .globl  watched_\vector
watched_\vector:
        ENTER
        mov     $\vector, %edi
        mov     %rsp, %rsi
        call    watched_trap
        jmp     leave
        .endm
        WATCHED 1
        WATCHED 3
        WATCHED 6
        WATCHED 128

        .globl failsafe
failsafe:
        mov     $255, %edi
        jmp     caught

/* int try_run(const void *code): calls code; returns 0, or 1 + the vector of the exception that ended it. */
        .globl try_run
try_run:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, try_stack(%rip)
        call    *%rdi
        xor     %edi, %edi
try_end:
        mov     try_stack(%rip), %rsp
        movq    $0, try_stack(%rip)
        pushq   $0x2                    /* no trap flag, no direction flag */
        popfq
        mov     %edi, %eax
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

/* edi: vector. What was interrupted is not gone back to. */
caught:
        cmpq    $0, try_stack(%rip)
        je      1f
        inc     %edi
        jmp     try_end
1:      mov     %rsp, %rsi
        call    died

        .globl exception_stubs          /* each 16 bytes, vectors 0 to 31 */
        .balign 16
exception_stubs:
        .set    vector, 0
        .rept   32
        .balign 16
        mov     $vector, %edi
        jmp     caught
        .set    vector, vector + 1
        .endr

        .bss
        .balign 4096
        .skip   32768
stack_top:
        .balign 8
try_stack:
        .skip   8
        .section .note.GNU-stack, "", @progbits
