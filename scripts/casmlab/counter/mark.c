/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab-mark N: takes snapshot N of the emulator's instruction counter (plugin.c). Without the plugin it does nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "layout.h"

int main(int argc, char **argv)
{
    char *end;
    unsigned long n = argc == 2 ? strtoul(argv[1], &end, 10) : MARKS_MAX;
    unsigned char *code;

    if (argc != 2 || *end || n >= MARKS_MAX) {
        fprintf(stderr, "usage: lab-mark N, N from 0 to %u\n", MARKS_MAX - 1);
        return 2;
    }
    code = mmap((void *)(MARK_BASE + n * MARK_STRIDE), MARK_STRIDE, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (code == MAP_FAILED) {
        perror("lab-mark");
        return 1;
    }
    *code = 0xc3; /* ret */
    ((void (*)(void))code)();
    return 0;
}
