/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin of the emulator that counts executed instructions: per processor, by where they lie (user space, a kernel, Xen),
 * and within Xen by address, so that a cost can be named by function.
 *
 * Instructions are counted per translation block when it starts; a block that an exception leaves early is counted whole
 * (about one instruction in a thousand too many, the same in every run). Each processor has its own counters, written by
 * its own thread.
 *
 * A program in dom0 asks for a snapshot by executing code at MARK_BASE + n * 4096 (mark.c); the plugin appends n and all
 * counters to the file named by its argument out=FILE. scripts/casmlab/counts.py reads it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"

/* The part of the emulator's plugin interface (version 1) that is used here; Debian packages no header of it. */
#define EXPORT __attribute__((visibility("default")))
typedef uint64_t qemu_plugin_id_t;
struct qemu_info_t;
struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int vcpu, void *userdata);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, trans_cb cb);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_cb cb, enum qemu_plugin_cb_flags flags,
                                                 void *userdata);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
EXPORT int qemu_plugin_version = 1;

static struct snapshot now;
static FILE *out;

/* A callback carries one pointer: address granule, place and number of instructions are packed into it. */
#define PACK(granule, place, count) ((void *)(((uint64_t)(granule) << 24) | ((uint64_t)(place) << 16) | (count)))

static void count(unsigned int vcpu, void *userdata)
{
    uint64_t packed = (uint64_t)userdata;
    uint64_t n = packed & 0xffff;
    unsigned int place = (packed >> 16) & 0xff;

    if (vcpu >= PROCESSORS)
        return;
    now.counts[vcpu][place] += n;
    if (place == PLACE_XEN)
        now.xen[vcpu][packed >> 24] += n;
}

static void mark(unsigned int vcpu, void *userdata)
{
    (void)vcpu;
    now.mark = (uint64_t)userdata;
    fwrite(&now, sizeof(now), 1, out);
    fflush(out);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    size_t n = qemu_plugin_tb_n_insns(tb);
    uint64_t granule = 0;
    enum place place;

    (void)id;
    if (address >= MARK_BASE && address < MARK_BASE + (uint64_t)MARKS_MAX * MARK_STRIDE)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, mark, QEMU_PLUGIN_CB_NO_REGS,
                                             (void *)((address - MARK_BASE) / MARK_STRIDE));
    if (address - XEN_BASE < XEN_BYTES) {
        place = PLACE_XEN;
        granule = (address - XEN_BASE) / XEN_GRANULE_BYTES;
        if (granule >= XEN_GRANULES)
            granule = XEN_GRANULES - 1; /* stubs and the like, far above the text */
    } else {
        place = address >> 47 ? PLACE_KERNEL : PLACE_USER;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, count, QEMU_PLUGIN_CB_NO_REGS, PACK(granule, place, n));
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4)) {
        fprintf(stderr, "counter: needs out=FILE\n");
        return 1;
    }
    out = fopen(argv[0] + 4, "wb");
    if (!out) {
        perror(argv[0] + 4);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
