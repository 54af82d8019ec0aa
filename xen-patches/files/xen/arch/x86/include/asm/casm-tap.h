/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: tap on the primitives that write guest memory at a guest virtual address.
 *
 * Apart from casm.h because asm/uaccess.h, which is included almost everywhere, needs only this.
 */
#ifndef ASM_X86_CASM_TAP_H
#define ASM_X86_CASM_TAP_H

#include <xen/percpu.h>

/* True on a pCPU while it runs a hypercall whose memory outputs are logged. */
DECLARE_PER_CPU(bool, casm_tapping);

/* The @n bytes at guest address @to were just written: log them. */
void casm_tap(const void *to, unsigned int n);

#define casm_tap_write(to, n)                                          \
    do {                                                               \
        if ( unlikely(this_cpu(casm_tapping)) )                        \
            casm_tap((const void *)(to), n);                           \
    } while ( false )

#endif /* ASM_X86_CASM_TAP_H */
