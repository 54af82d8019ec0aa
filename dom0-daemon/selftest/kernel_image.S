/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The self-test's kernel as bytes of the program; CMakeLists.txt says where it is. */
        .section .rodata
        .globl  casmotion_selftest_kernel, casmotion_selftest_kernel_end
casmotion_selftest_kernel:
        .incbin CASMOTION_SELFTEST_KERNEL
casmotion_selftest_kernel_end:
        .section .note.GNU-stack, "", @progbits
