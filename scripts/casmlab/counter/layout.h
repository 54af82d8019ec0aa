/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a snapshot of the instruction counter looks like. scripts/casmlab/counts.py reads it: change both. */
#ifndef CASMLAB_COUNTER_LAYOUT_H
#define CASMLAB_COUNTER_LAYOUT_H

#include <stdint.h>

#define PROCESSORS 4

enum place { PLACE_USER = 0, PLACE_KERNEL = 1, PLACE_XEN = 2, PLACES = 3 };

/* Xen 4.17's virtual area of 1 GiB (asm/config.h: XEN_VIRT_START); its text starts 2 MiB into it. */
#define XEN_BASE 0xffff82d040000000ull
#define XEN_BYTES (1ull << 30)
#define XEN_GRANULE_BYTES 16
#define XEN_GRANULES ((8u << 20) / XEN_GRANULE_BYTES)

/* User addresses that nothing else has; executing code at MARK_BASE + n * MARK_STRIDE takes snapshot n. */
#define MARK_BASE 0x5ca5c0000000ull
#define MARK_STRIDE 4096
#define MARKS_MAX 256

struct snapshot {
    uint64_t mark;
    uint64_t counts[PROCESSORS][PLACES];
    uint64_t xen[PROCESSORS][XEN_GRANULES];
};

#endif
